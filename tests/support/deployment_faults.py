"""Real faults of a local target, begun at one verb of a deployment; and a client that never rests."""

import contextlib
import errno
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from certdesk.pki.x509.certificates import facts
from tests.support import tls
from tests.support.waiting import until

NOBODY = 65534


@dataclass
class Fault:
    """`begin` and `end` are what happens to the machine. `inside`: it holds only while a target is worked at
    (it is this process that is not allowed something), so `enter` and `leave` are called around that."""

    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    enter: Callable[[], None] = lambda: None
    leave: Callable[[], None] = lambda: None
    bundle: Callable[[Any], Any] = lambda bundle: bundle
    at: str = ""
    on: bool = False

    def reached(self, verb: str) -> None:
        if verb == self.at and not self.on:
            self.on = True
            self.begin()
            self.enter()

    @contextmanager
    def around(self) -> Iterator[None]:
        """One piece of work at the target."""
        if self.on:
            self.enter()
        try:
            yield
        finally:
            self.leave()

    def over(self) -> None:
        if self.on:
            self.end()
        self.at, self.on = "", False


class Watched:
    """A connector that tells the fault which verb is due."""

    def __init__(self, target: Any, fault: Fault) -> None:
        self._target, self._fault = target, fault

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._target, name)
        if name not in ("snapshot", "install", "resources", "keep", "restore"):
            return real

        async def verb(*arguments: Any) -> Any:
            self._fault.reached(name)
            if name == "install" and self._fault.on:
                arguments = (arguments[0], self._fault.bundle(arguments[1]))
            return await real(*arguments)

        return verb


def broken_configuration(file: Path) -> Fault:
    """Somebody left the configuration in a state in which the server will not reload."""
    text: list[str] = []

    def begin() -> None:
        text.append(file.read_text(encoding="ascii"))
        file.write_text(f"{text[-1]}\ninclude {file.parent}/not-there.conf;\n", encoding="ascii")

    return Fault(begin, lambda: file.write_text(text[-1], encoding="ascii") and None)


def full_disk(folder: Path) -> Fault:
    ballast = folder / "ballast"

    def begin() -> None:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size):
                        pass

    return Fault(begin, ballast.unlink)


def no_permission() -> Fault:
    """The service runs as a user who may do nothing there."""
    return Fault(enter=lambda: os.seteuid(NOBODY), leave=lambda: os.seteuid(0))


def another_pair() -> Fault:
    """The key that arrives at the target is not the certificate's."""
    other = tls.make("other.example.test").bundle.key
    return Fault(bundle=lambda bundle: replace(bundle, key=other))


def frozen(pid: Callable[[], int]) -> Fault:
    def begin() -> None:
        _stop([pid()])  # seen to stand still before its children are counted: a reload makes others
        _stop(_children(pid()))

    def end() -> None:
        _send([pid(), *_children(pid())], signal.SIGCONT)

    return Fault(begin, end)


def _stop(ones: list[int]) -> None:
    _send(ones, signal.SIGSTOP)
    until("they stand still", lambda: all(_stat(one)[:1] in (["T"], ["Z"], []) for one in ones))


def _send(ones: list[int], number: signal.Signals) -> None:
    for one in ones:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


def _stat(one: int) -> list[str]:
    """State, parent and more of what /proc says; empty when it has ended."""
    try:
        text = Path(f"/proc/{one}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    every = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return [one for one in every if _stat(one)[1:2] == [str(pid)]]


def cut(path: Path) -> Fault:
    """The file by which the server is spoken to (a socket, its process number) is away."""
    away = path.with_name(f"{path.name}.away")
    return Fault(lambda: path.rename(away) and None, lambda: away.rename(path) and None)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """`folder` on a disk of its own of that size; False where this user may not mount one."""
    folder.mkdir(parents=True)
    options = f"size={kilobytes}k,mode=0755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", folder], check=True)


WAITS = 900.0
"""Seconds of a client for a frozen server: longer than any fault lasts in the full form."""


@dataclass
class Visitor:
    """A client that shakes hands again and again.

    Attributes:
        first: what it does before TLS begins.
        seen: SHA-1 of what it was served.
        refused: what it met in place of a certificate.
    """

    port: int
    name: str
    first: Callable[[socket.socket], None] = lambda _: None
    seen: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    visits: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def visit(self) -> str:
        """SHA-1 of the certificate that is served now. A frozen server is waited for."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.port), WAITS) as plain,
            self._wrapped(context, plain) as secure,
        ):
            der = secure.getpeercert(binary_form=True)
        assert der is not None
        return facts(der).sha1

    def _wrapped(self, context: ssl.SSLContext, plain: socket.socket) -> ssl.SSLSocket:
        self.first(plain)
        return context.wrap_socket(plain, server_hostname=self.name)

    def _go_on(self) -> None:
        while not self._over.wait(0.01):
            try:
                self.seen.add(self.visit())
                self.visits += 1
            except OSError as error:
                self.refused.append(f"{errno.errorcode.get(error.errno or 0, '')} {error}")

    @contextmanager
    def visiting(self) -> Iterator["Visitor"]:
        thread = threading.Thread(target=self._go_on, name="visitor")
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
