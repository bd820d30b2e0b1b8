"""The egress rule for libraries that open their own connections (law 11), in a process of its own.

Such a library, and what stands below it, looks for credentials in files and in the environment by itself. So
the rule sits under it: an audit hook sees every connection, datagram, file and program of the process, and
refuses what is not allowed. The address that is looked at is the one connected to: no name is asked twice.
"""

import asyncio
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import certdesk
from certdesk.connectors.egress import is_allowed

_PASSED_ON = ("LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "COVERAGE_PROCESS_CONFIG")
_TO_ADDRESS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"})
# What libraries read to work at all; nothing of ours and no one's credentials.
_READABLE = ("/usr/lib/", "/usr/share/", "/usr/local/lib/", "/lib/", "/etc/ssl/", "/dev/null", "/dev/urandom")
_READABLE_FILES = frozenset(f"/etc/{name}" for name in ("hosts", "resolv.conf", "nsswitch.conf", "localtime"))


class NotAllowed(Exception):
    """Our rule refused an address, a file or a program."""


def guard(request: Mapping[str, Any]) -> None:
    """From here on only what the request names can be reached. A hook cannot be taken away again."""
    networks = [ipaddress.ip_network(text) for text in request["networks"]]
    own = {(address, int(port)) for host, port in request["own"] for address in _addresses(host)}
    homes = (sys.prefix, sys.base_prefix, str(Path(certdesk.__file__).parent), *map(str.strip, _READABLE))

    def check_address(address: object) -> None:
        if not isinstance(address, tuple):
            raise NotAllowed("a socket of this machine")
        host, port = str(address[0]), int(address[1])
        if (host, port) not in own and (port not in request["ports"] or not is_allowed(host, networks)):
            raise NotAllowed(f"{host} port {port}")

    def check_file(path: object) -> None:
        if isinstance(path, int):
            return
        text = os.fspath(path)  # type: ignore[call-overload]
        real = os.path.realpath(text.decode() if isinstance(text, bytes) else text)
        if real not in _READABLE_FILES and not real.startswith(homes):
            raise NotAllowed("a file of this machine")

    sys.addaudithook(_hook(check_address, check_file))


def _hook(
    check_address: Callable[[object], None], check_file: Callable[[object], None]
) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _TO_ADDRESS:
            if arguments[1] is not None:
                check_address(arguments[1])
        elif event == "open":
            check_file(arguments[0])
        elif event in _PROGRAMS:
            raise NotAllowed("another program")

    return hook


def _addresses(host: str) -> set[str]:
    try:
        return {str(row[4][0]) for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


async def ask(module: str, request: bytes, seconds: float) -> dict[str, Any]:
    """Runs a module as such a process: one JSON request in, one JSON answer out, an empty environment.

    Raises:
        TimeoutError: it took longer, and was killed.
        ValueError: it ended without an answer.
    """
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-B", "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    try:
        async with asyncio.timeout(seconds):
            raw, _ = await process.communicate(request)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = json.loads(raw)
    return answer if isinstance(answer, dict) else {}


def answer_with(run: Callable[[Mapping[str, Any]], Any]) -> None:
    """The body of such a process: reads the request, sets the guard, writes `run`'s result or its failure."""
    request = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is not the answer
    try:
        guard(request)
        answer = {"result": run(request)}
    except BaseException as error:  # noqa: BLE001 - whatever a library throws is an answer
        answer = failure(error)
    answers.write(json.dumps(answer, default=str))
    answers.flush()
    os._exit(0)  # no thread of an SDK holds the process


def failure(error: BaseException) -> dict[str, Any]:
    """Kinds and HTTP status along the causes. Their texts may hold secrets: only our own rule's is told."""
    kinds: list[str] = []
    status, refused = 0, ""
    cause: BaseException | None = error
    while cause is not None and len(kinds) < 10:
        kinds.append(type(cause).__name__)
        status = status or int(getattr(getattr(cause, "response", None), "status_code", 0) or 0)
        refused = refused or (str(cause) if isinstance(cause, NotAllowed) else "")
        cause = cause.__cause__ or cause.__context__
    return {"kinds": kinds, "status": status, "refused": refused}
