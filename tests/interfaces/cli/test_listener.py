"""What only the real listener shows: bodies that are refused, on connections that stay whole."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from certdesk.interfaces.cli.installation import Installation
from tests.support import prepared

pytestmark = [pytest.mark.server, pytest.mark.slow]
PATH = "/v3/scm/certificates/import"


def test_a_refused_body_does_not_cost_the_connection(tmp_path: Path) -> None:
    with Installation(tmp_path / "home", workers="1") as home:
        prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        with httpx.Client(base_url=home.url, trust_env=False) as client:
            for _ in range(2):
                answer = client.post(PATH, content=b"x" * 8_000_000)
                assert (answer.status_code, answer.json()["error_code"]) == (400, "SCM.0005")
            answer = client.post(PATH, content=iter([b"{", b"}"]))  # chunked
            assert answer.status_code == 411
            assert "Content-Length" in answer.json()["error_msg"]
        assert _bare_head(home) == b"HTTP/1.1 200 OK"


def test_a_slow_client_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    with Installation(tmp_path / "home", workers="1") as home:
        prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        head = b"POST /v3/scm/certificates/import HTTP/1.1\r\nHost: slow\r\nContent-Length: 1000\r\n\r\n"
        with _connected(home) as slow:
            slow.sendall(head + b"{")
            assert _bare_head(home) == b"HTTP/1.1 200 OK"
            slow.sendall(b" " * 999)
            assert slow.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_all_threads_of_a_process_share_one_connection(tmp_path: Path) -> None:
    with Installation(tmp_path / "home", workers="1") as home:
        prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        with httpx.Client(base_url=home.url, trust_env=False) as client, ThreadPoolExecutor(16) as crowd:
            answers = list(crowd.map(lambda _: client.get("/readyz").status_code, range(200)))
        assert answers == [200] * 200
        web = psutil.Process(home.processes["web"].pid)
        opened = [
            file.path
            for process in web.children(recursive=True)
            for file in process.open_files()
            if file.path.endswith(".sqlite3")
        ]
        assert len(opened) == 1


def _connected(home: Installation) -> socket.socket:
    host, _, port = home.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def _bare_head(home: Installation) -> bytes:
    """As a simple health checker asks."""
    with _connected(home) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
        return connection.recv(4096).partition(b"\r\n")[0]
