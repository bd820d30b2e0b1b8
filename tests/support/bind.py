"""A real BIND 9 on a free loopback port for a test: zones from text, updates, TSIG keys."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from certdesk.connectors.dns.roots import Hints

NAMED = shutil.which("named") or (
    "/usr/sbin/named" if Path("/usr/sbin/named").exists() else None  # not in every user's PATH
)
REASON = "BIND 9 (named) is not installed"

_CONFIGURATION = """
options {{
  directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }};
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
_UNSIGNED = "allow-update { 127.0.0.1; }; allow-transfer { any; };"
_HEAD = "$TTL 60\n@ IN SOA ns1 hostmaster 1 60 60 86400 5\n@ IN NS ns1\nns1 IN A 127.0.0.1\n"


@dataclass(frozen=True)
class Bind:
    port: int

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"


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
    text = "".join(_KEY.format(name=name, secret=secret) for name, secret in (keys or {}).items())
    for zone, lines in zones.items():
        file = folder / f"{zone}.zone"
        file.write_text(_HEAD + lines + "\n", encoding="ascii")
        text += _ZONE.format(zone=zone, file=file, rights=(rights or {}).get(zone, _UNSIGNED))
    with _running(folder, _CONFIGURATION, text) as made:
        yield made


@contextlib.contextmanager
def primary(folder: Path, files: Mapping[str, str]) -> Iterator[Bind]:
    """A primary of zone files that stand in `folder` as they are: apex → file name."""
    zones = "".join(
        _ZONE.format(zone=zone, file=folder / file, rights="check-names ignore;")
        for zone, file in files.items()
    )
    with _running(folder, _CONFIGURATION, zones) as made:
        yield made


_RESOLVER = """
options {{
  directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile "{folder}/session.key";
  managed-keys-directory "{folder}";
  recursion yes;
  allow-recursion {{ any; }};
  dnssec-validation yes;
  empty-zones-enable no;
  qname-minimization off;
}};
controls {{ }};
"""


@contextlib.contextmanager
def validating(folder: Path, root: Hints) -> Iterator[Bind]:
    """A resolver that validates from the anchors of a laboratory's root, which it asks at its port."""
    anchors = ""
    for one in root.anchors:
        tag, algorithm, digest, rest = one.split(maxsplit=3)
        anchors += f'  . static-ds {tag} {algorithm} {digest} "{rest.replace(" ", "")}";\n'
    forward = f"forward only; forwarders {{ {root.addresses[0]} port {root.port}; }};"
    zones = f'trust-anchors {{\n{anchors}}};\nzone "." {{ type forward; {forward} }};\n'
    with _running(folder, _RESOLVER, zones) as made:
        yield made


@contextlib.contextmanager
def _running(folder: Path, head: str, rest: str) -> Iterator[Bind]:
    assert NAMED, REASON
    with free_port() as port:
        pass
    (folder / "named.conf").write_text(head.format(folder=folder, port=port) + rest, encoding="ascii")
    with (folder / "named.log").open("wb") as log:
        process = subprocess.Popen([NAMED, "-g", "-c", str(folder / "named.conf")], stdout=log, stderr=log)
        try:
            _wait(process, port, folder)
            yield Bind(port)
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Until TCP connects and the zones are loaded: named listens before that and says SERVFAIL."""
    end = time.monotonic() + 15
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            if b"all zones loaded" in (folder / "named.log").read_bytes():
                return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError((folder / "named.log").read_text(errors="replace")[-2000:])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
