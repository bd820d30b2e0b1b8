"""A real BIND 9 on a free loopback port for a test: zones from text, updates, TSIG keys, a secondary."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMED = shutil.which("named") or (
    "/usr/sbin/named" if Path("/usr/sbin/named").exists() else None  # not in every user's PATH
)
REASON = "BIND 9 (named) is not installed"

_CONFIGURATION = """
options {{
  directory "{folder}";
  listen-on port {port} {{ {address}; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile "{folder}/session.key";
  managed-keys-directory "{folder}";
  recursion no;
  dnssec-validation no;
  notify no;
}};
controls {{ }};
"""
_KEY = 'key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
_ZONE = 'zone "{zone}" {{ type primary; file "{file}"; {rights} }};\n'
_COPY = 'zone "{zone}" {{ type secondary; file "{file}"; primaries {{ 127.0.0.1 port {port}; }}; }};\n'
_UNSIGNED = "allow-update { 127.0.0.1; }; allow-transfer { any; };"
_HEAD = "$TTL 60\n@ IN SOA ns1 hostmaster 1 60 60 86400 5\n@ IN NS ns1\nns1 IN A 127.0.0.1\n"


@dataclass(frozen=True)
class Bind:
    port: int
    address: str = "127.0.0.1"

    @property
    def server(self) -> str:
        return f"{self.address}:{self.port}"


@contextlib.contextmanager
def free_port() -> Iterator[int]:
    """A loopback port at which nobody listens, kept from others inside the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield int(probe.getsockname()[1])


@contextlib.contextmanager
def bind(
    folder: Path,
    zones: Mapping[str, str],
    *,
    keys: Mapping[str, str] | None = None,
    rights: Mapping[str, str] | None = None,
) -> Iterator[Bind]:
    """A primary. Needs `NAMED`.

    Args:
        zones: apex → zone-file lines beside SOA and NS, which are added.
        keys: TSIG keys, name → base64 secret.
        rights: apex → its statements about updates and transfers; default: unsigned updates from here.
    """
    with free_port() as port:
        pass
    text = "".join(_KEY.format(name=name, secret=secret) for name, secret in (keys or {}).items())
    for zone, lines in zones.items():
        file = folder / f"{zone}.zone"
        file.write_text(_HEAD + lines + "\n", encoding="ascii")
        text += _ZONE.format(zone=zone, file=file, rights=(rights or {}).get(zone, _UNSIGNED))
    with _running(folder, Bind(port), text, b"all zones loaded") as server:
        yield server


@contextlib.contextmanager
def bind_copy(
    folder: Path, primary: Bind, zones: Sequence[str], address: str = "127.0.0.2"
) -> Iterator[Bind]:
    """A secondary at another loopback address and the same port; `notify_copy` makes it ask for changes."""
    text = "".join(_COPY.format(zone=zone, file=folder / zone, port=primary.port) for zone in zones)
    with _running(folder, Bind(primary.port, address), text, b"Transfer status: success") as server:
        yield server


@contextlib.contextmanager
def _running(folder: Path, server: Bind, text: str, ready: bytes) -> Iterator[Bind]:
    assert NAMED, REASON
    head = _CONFIGURATION.format(folder=folder, port=server.port, address=server.address)
    (folder / "named.conf").write_text(head + text, encoding="ascii")
    with (folder / "named.log").open("wb") as log:
        process = subprocess.Popen([NAMED, "-g", "-c", str(folder / "named.conf")], stdout=log, stderr=log)
        try:
            _wait(process, server, folder, ready)
            yield server
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], server: Bind, folder: Path, ready: bytes) -> None:
    """Until TCP connects and the zones are loaded: named listens before that and says SERVFAIL."""
    end = time.monotonic() + 15
    while True:
        with contextlib.suppress(OSError), socket.create_connection((server.address, server.port), 1):
            if ready in (folder / "named.log").read_bytes():
                return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError((folder / "named.log").read_text(errors="replace")[-2000:])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
