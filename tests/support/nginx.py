"""A real nginx on loopback whose web root the test writes."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; default_type text/plain;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/web/$host;
    {more}
  }}
}}
"""


@dataclass
class Nginx:
    port: int
    folder: Path

    def put(self, host: str, path: str, content: str) -> None:
        """A file of the web root of one host."""
        file = self.folder / "web" / host / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


@contextmanager
def serving(folder: Path, more: str = "") -> Iterator[Nginx]:
    """`more`: lines of the server block. Skips where there is no nginx."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        pytest.skip("nginx is not installed")
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, more=more), encoding="utf-8")
    process = subprocess.Popen([program, "-c", str(config), "-e", str(folder / "error.log")])
    try:
        _wait(port)
        yield Nginx(port, folder)
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("nginx does not listen")
