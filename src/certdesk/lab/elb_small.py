"""A small TLS server that understands the part of HAProxy's Runtime API that deployment uses, and its files.

For machines without HAProxy, and for tests that need a load balancer able to misbehave.
"""

import asyncio
import hashlib
import re
import ssl
import tempfile
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from certdesk.lab import elb_site

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
_NOT_FOUND = "Can't display the certificate: Not found or the certificate is a bundle!"


class Fault(StrEnum):
    """What the server can do wrong on purpose."""

    DEAF = "DEAF"  # says Success! and serves what it served before
    NO_CHAIN = "NO_CHAIN"  # sends the leaf alone
    SILENT = "SILENT"  # the Runtime API does not answer
    RESTARTED = "RESTARTED"  # clients are turned away


@dataclass
class _Line:
    path: str
    names: list[str]


@dataclass
class SmallElb:
    """The server's state; `start` and `stop` run in its loop."""

    folder: Path
    faults: set[Fault] = field(default_factory=set)
    port: int = 0
    _held: dict[str, str] = field(default_factory=dict)
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    _lines: dict[int, _Line] = field(default_factory=dict)
    _pending: tuple[str, str] = ("", "")
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def start(self, port: int) -> None:
        """Reads the files, as HAProxy does at its start, and listens."""
        self._read_files()
        listener = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._front())
        self.port = int(listener.sockets[0].getsockname()[1])
        runtime = await asyncio.start_unix_server(self._command, str(self.folder / elb_site.SOCKET))
        self._servers += [listener, runtime]

    def _read_files(self) -> None:
        text = (self.folder / elb_site.LIST).read_text(encoding="ascii")
        for number, line in enumerate([one for one in text.splitlines() if one.strip()], 1):
            path, *names = line.split()
            self._lines[number] = _Line(path, names)
            self._take(path, Path(path).read_text(encoding="ascii"))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        (self.folder / elb_site.SOCKET).unlink(missing_ok=True)

    def _front(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._lines[1].path)
        context.sni_callback = self._choose
        return context

    def _choose(self, found: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if Fault.RESTARTED in self.faults:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        wanted = name or ""
        parent = "*." + wanted.partition(".")[2]
        fits = [one.path for one in self._lines.values() if wanted in one.names or parent in one.names]
        found.context = self._contexts[fits[0] if fits else self._lines[min(self._lines)].path]
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # a client that only shook hands
        finally:
            writer.transport.abort()

    def _take(self, path: str, pem: str) -> None:
        """Certificate and key of a PEM file into force.

        Raises:
            ssl.SSLError: they do not belong together.
        """
        served = pem
        if Fault.NO_CHAIN in self.faults:
            _, *rest = _CERTIFICATE.findall(pem)
            for one in rest:
                served = served.replace(one, "")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".tmp") as file:
            file.write(served)
            file.flush()
            context.load_cert_chain(file.name)
        if Fault.DEAF not in self.faults or path not in self._contexts:
            self._contexts[path] = context
        self._held[path] = pem

    async def _command(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readline()).decode()
            payload = ""
            if line.rstrip().endswith("<<"):
                while (more := (await reader.readline()).decode()).strip():
                    payload += more
            if Fault.SILENT in self.faults:
                await asyncio.sleep(3600)
            answer = self._answer(line.replace("<<", "").split(), payload)
            writer.write(f"{answer}\n\n".encode())
            await writer.drain()
        finally:
            writer.transport.abort() if Fault.SILENT in self.faults else writer.close()

    def _answer(self, words: list[str], payload: str) -> str:
        match words:
            case ["show", "ssl", "cert"]:
                pending = f"# transaction\n*{self._pending[0]}\n" if self._pending[0] else ""
                return f"{pending}# filename\n" + "\n".join(self._held)
            case ["show", "ssl", "cert", path]:
                return self._described(path)
            case ["show", "ssl", "crt-list"]:
                return str(self.folder / elb_site.LIST)
            case ["show", "ssl", "crt-list", "-n", file]:
                lines = [f"{one.path}:{number} {' '.join(one.names)}" for number, one in self._lines.items()]
                return "\n".join([f"# {file}", *lines])
            case ["new", "ssl", "cert", path]:
                self._held[path] = ""
                return f"New empty certificate store '{path}'!"
            case ["set", "ssl", "cert", path]:
                created = not self._pending[0]
                self._pending = (path if created else self._pending[0], payload)
                return (
                    f"Transaction {'created' if created else 'updated'} for certificate {self._pending[0]}!"
                )
            case ["commit", "ssl", "cert", path]:
                return self._commit(path)
            case ["abort", "ssl", "cert", path]:
                self._pending = ("", "")
                return f"Transaction aborted for certificate '{path}'!"
            case ["add", "ssl", "crt-list", _]:
                path, *names = payload.split()
                self._lines[max(self._lines) + 1] = _Line(path, names)
                return f"Inserting certificate '{path}'.\nSuccess!"
            case ["del", "ssl", "crt-list", _, entry]:
                return self._drop(entry)
        return "Unknown command"

    def _described(self, path: str) -> str:
        if path not in self._held:
            return _NOT_FOUND
        pem = self._held[path]
        if not pem:
            return f"Filename: {path}\nStatus: Empty"
        leaf = x509.load_pem_x509_certificate(pem.encode())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        digest = hashlib.sha1(ssl.PEM_cert_to_DER_cert(_CERTIFICATE.findall(pem)[0]), usedforsecurity=False)
        used = any(one.path == path for one in self._lines.values())
        listed = ", ".join(f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName))
        return (
            f"Filename: {path}\nStatus: {'Used' if used else 'Unused'}\nSubject Alternative Name: {listed}\n"
            f"SHA1 FingerPrint: {digest.hexdigest().upper()}"
        )

    def _commit(self, path: str) -> str:
        wanted, pem = self._pending
        if wanted != path:
            return f"The ongoing transaction is about '{wanted}' but you are trying to set '{path}'"
        try:
            self._take(path, pem)
        except ssl.SSLError:
            return (
                f"inconsistencies between private key and certificate loaded '{path}'.\nCan't commit {path}!"
            )
        self._pending = ("", "")
        return f"Committing {path}\nSuccess!"

    def _drop(self, entry: str) -> str:
        path, _, number = entry.rpartition(":")
        if int(number) == min(self._lines):
            return f"Can't delete the entry: certificate '{path}' is used as default certificate"
        del self._lines[int(number)]
        return f"Entry '{path}' deleted in crtlist!"
