"""A real BIND 9 on a free loopback port for a test: zones from text, dynamic updates allowed."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
_ZONE = 'zone "{zone}" {{ type primary; file "{file}"; allow-update {{ 127.0.0.1; }}; }};\n'
_HEAD = "$TTL 60\n@ IN SOA ns1 hostmaster 1 60 60 86400 5\n@ IN NS ns1\nns1 IN A 127.0.0.1\n"


@dataclass(frozen=True)
class Bind:
    port: int

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def bind(folder: Path, zones: Mapping[str, str]) -> Iterator[Bind]:
    """`zones`: apex → zone-file lines beside SOA and NS, which are added. Needs `NAMED`."""
    assert NAMED, REASON
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    text = _CONFIGURATION.format(folder=folder, port=port)
    for zone, lines in zones.items():
        file = folder / f"{zone}.zone"
        file.write_text(_HEAD + lines + "\n", encoding="ascii")
        text += _ZONE.format(zone=zone, file=file)
    (folder / "named.conf").write_text(text, encoding="ascii")
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
