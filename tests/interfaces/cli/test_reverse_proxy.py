"""Behind a real nginx, as docs/examples/nginx.conf says: the signed Host arrives, trusted addresses count."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import pytest

from certdesk.foundation.iam import signature
from certdesk.interfaces.cli.client import ApiRefused, Client
from certdesk.interfaces.cli.installation import Installation, free_port
from tests.support import prepared

pytestmark = [pytest.mark.server, pytest.mark.slow]

CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
{user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
{location}
  }}
}}
"""


def location_of_the_example(upstream: str) -> str:
    """The `location` block of the shipped example, pointed at this installation."""
    text = Path("docs/examples/nginx.conf").read_text(encoding="utf-8")
    block = text[text.index("    location / {") : text.rindex("}")]
    return block.replace("http://127.0.0.1:8080", upstream)


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[str]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    folder.mkdir()
    port = free_port()
    text = CONFIGURATION.format(
        folder=folder,
        port=port,
        user="user root;" if os.geteuid() == 0 else "",
        location=location_of_the_example(upstream),
    )
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    command = [program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("trusted", ["127.0.0.1/32", "192.0.2.0/24"])
def test_a_signed_request_goes_through_and_trusted_addresses_alone_count(
    tmp_path: Path, trusted: str
) -> None:
    with Installation(tmp_path / "home", trusted_proxies=trusted, workers="1") as home:
        key = prepared.set_up(home)
        home.start("web")
        home.wait_ready()
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        keys = key["access_key"], key["secret_key"]
        with nginx(tmp_path / "nginx", home.url) as url:
            _wait(url)
            with Client(url, *keys) as through:
                assert through.get("/v3/scm/certificates")["total_count"] == 0
            order = _bought(home.url, *keys, forged)
            # Through the proxy: what it does not drop would stand in the place of its own header.
            names = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded-For": "203.0.113.9"}
            hidden = _bought(url, *keys, names)
            with Client(url, keys[0], "wrong") as wrong, pytest.raises(ApiRefused, match="401"):
                wrong.get("/v3/scm/certificates")
        assert _source_of_the_order(home, order["order_id"]) == (
            "203.0.113.9" if trusted.startswith("127.") else "127.0.0.1"
        )
        assert _source_of_the_order(home, hidden["order_id"]) == "127.0.0.1"


def _bought(base: str, access_key: str, secret_key: str, forged: dict[str, str]) -> dict[str, str]:
    """A signed purchase with headers that were added on the way, as a proxy adds them."""
    body = orjson.dumps(PURCHASE)
    url = f"{base}/v3/scm/certificates/buy"
    now = datetime.now(UTC)
    json = {"Content-Type": "application/json"}
    signed = signature.sign("POST", url, access_key, secret_key, now=now, body=body, headers=json)
    answer = httpx.post(url, content=body, headers=signed | forged, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


PURCHASE = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "effective_time": 1,
    "domain_numbers": 1,
    "order_number": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}


def _wait(url: str) -> None:
    transport = httpx.HTTPTransport(retries=20)  # backs off between tries until nginx listens
    with httpx.Client(transport=transport, trust_env=False) as client:
        assert client.get(f"{url}/healthz").status_code == 200


def _source_of_the_order(home: Installation, order_id: str) -> str:
    """The client address that the audit row of the purchase holds."""
    database = sqlite3.connect(home.folder / "data" / "certdesk.sqlite3")
    try:
        row = database.execute(
            "SELECT source FROM audit_event WHERE resource = ?", (f"order:{order_id}",)
        ).fetchone()
    finally:
        database.close()
    return str(row[0])
