"""What only the real listener shows: bodies that are refused, on connections that stay whole."""

import socket
from pathlib import Path

import httpx
import pytest

from certdesk.interfaces.cli.installation import Installation

pytestmark = [pytest.mark.server, pytest.mark.slow]
PATH = "/v3/scm/certificates/import"


def test_a_refused_body_does_not_cost_the_connection(tmp_path: Path) -> None:
    with Installation(tmp_path / "home", workers="1") as home:
        home.set_up()
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


def _bare_head(home: Installation) -> bytes:
    """As a simple health checker asks."""
    host, _, port = home.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
        return connection.recv(4096).partition(b"\r\n")[0]
