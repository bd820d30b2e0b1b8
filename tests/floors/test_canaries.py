"""Whole journeys with planted secrets; then every byte that was kept or answered is searched."""

import base64
import io
import json
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation, free_port
from certdesk.lab.dns_server import LabDns
from tests.support.canaries import Flock
from tests.support.crowd import BUY, PERSON, PRODUCT, C, csr

pytestmark = [pytest.mark.server, pytest.mark.slow]
UNSEAL = Path(__file__).with_name("unseal_all.py")
NAME = "canary-shop.com"
KEYS = ("EC_P256", "RSA_2048", "RSA_3072")


class Journeys:
    """Clients whose every answer is kept: `secret` ones may hold a private key, `open` ones never."""

    def __init__(self, home: Installation, dns: LabDns, client: Client) -> None:
        self.home, self.dns, self.client = home, dns, client
        self.open: list[bytes] = []
        self.secret: list[bytes] = []

    def send(self, method: str, path: str, body: object = None, *, secret: bool = False) -> bytes:
        answer = self.client.send(method, path, body)
        assert answer.status_code < 400, answer.text
        headers = repr(sorted(answer.headers.items())).encode()
        (self.secret if secret else self.open).append(headers + answer.content)
        return answer.content

    def ask(self, method: str, path: str, body: object = None, *, secret: bool = False) -> Any:
        return json.loads(self.send(method, path, body, secret=secret))

    def buy(self) -> str:
        answer = self.ask("POST", f"{C}/buy", {**BUY, "is_auto_pay": True, "domain_type": "SINGLE_DOMAIN"})
        return str(answer["cert"][0]["cert_id"])

    def issued(self, **form: object) -> str:
        """One certificate by the whole path."""
        certificate_id = self.buy()
        self.ask(
            "POST",
            f"{C}/{certificate_id}/apply",
            {"domain": NAME, "agree_privacy_protection": True, **PERSON, **form},
        )
        for one in self.ask("GET", f"{C}/{certificate_id}/domain-verification")["domains"]:
            if one["status"] != "VERIFIED":  # else the evidence of an earlier one was used again
                self.dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])
        until = time.monotonic() + 60
        while self.ask("GET", f"{C}/{certificate_id}")["status"] != "ISSUED":
            assert time.monotonic() < until, self.home.log_end()
            threading.Event().wait(0.1)
        return certificate_id

    def look_at(self, certificate_id: str) -> None:
        """Everything that can be asked about it without the right to its key."""
        for path in ("", "/versions", "/events?limit=50", "/domain-verification"):
            self.send("GET", f"{C}/{certificate_id}{path}")

    def key_of(self, certificate_id: str) -> str:
        """The exported key; the archives hold the same one."""
        exported = self.ask("POST", f"{C}/{certificate_id}/export", secret=True)
        archive = self.send("GET", f"{C}/{certificate_id}/download?server=all", secret=True)
        with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
            has_key = any(name.endswith(".key") for name in bundle.namelist())
        assert has_key == bool(exported["private_key"])
        return str(exported["private_key"])


# rule: DLD-1
def test_no_secret_is_found_where_it_does_not_belong(tmp_path: Path) -> None:
    flock = Flock()
    with (
        LabDns() as dns,
        Installation(
            tmp_path / "home", dns_resolvers=dns.server, workers="1", https=f"127.0.0.1:{free_port()}"
        ) as home,
    ):
        first = home.set_up()
        second = home.access_key("officer")
        home.start()
        home.wait_ready()
        with closing(Client(home.url, first["access_key"], first["secret_key"])) as client:
            travel(Journeys(home, dns, client), flock)
        plant(flock, home, first, second)
        running = places(home)
        assert flock.hits(running) == []
        home.stop()
        assert flock.hits(places(home)) == []
        check_data_folder(Path(home.environment["CERTDESK_DATA"]))
        print(  # noqa: T201  # the figures of the run
            f"\n{len(flock.forms)} forms of {len(set(flock.forms.values()))} secrets searched in"
            f" {len(running)} places, {sum(map(len, running.values())):,} bytes: 0 hits"
        )


def travel(journeys: Journeys, flock: Flock) -> None:
    """Every way to a certificate, and every look at it; the exported keys join the flock."""
    made = [journeys.issued(key_algorithm=algorithm) for algorithm in KEYS]
    uploaded = journeys.issued(csr=csr(NAME))
    at_once = journeys.ask("POST", f"{C}/issue", {**PRODUCT, "domain": NAME, "key_algorithm": "EC_P256"})
    journeys.ask("POST", f"{C}/issue", {**PRODUCT, "domain": NAME, "csr": csr(NAME)})
    made.append(at_once["cert_id"])
    keys = [journeys.key_of(certificate_id) for certificate_id in made]
    assert all(keys)
    assert journeys.key_of(uploaded) == ""
    for certificate_id in [*made, uploaded]:
        journeys.look_at(certificate_id)
    for path in (
        f"{C}?limit=50",
        f"{C}/search?limit=50",
        "/v3/scm/orders",
        "/v3/scm/balance",
        "/v3/scm/products",
    ):
        journeys.send("GET", path)
    for number, key in enumerate(keys):
        flock.add_pem(f"exported key {number}", key)
    found = flock.hits({"the export": b"".join(journeys.secret)})
    assert {hit.split(" PEM")[0] for hit in found if " PEM" in hit} >= {
        f"exported key {number}" for number in range(len(keys))
    }  # the search finds what is there
    assert flock.hits({"answers": b"\n".join(journeys.open)}) == []
    assert b"PRIVATE KEY" not in b"\n".join(journeys.open)


def plant(flock: Flock, home: Installation, first: dict[str, str], second: dict[str, str]) -> None:
    """The secrets of the house: all that is sealed, KEK, session key, passwords, the listener's key."""
    done = subprocess.run(
        [sys.executable, str(UNSEAL)], env=home.environment, capture_output=True, text=True, check=True
    )
    sealed = [line.split() for line in done.stdout.splitlines()]
    assert {purpose for purpose, _ in sealed} >= {"private-key", "access-key"}
    for number, (purpose, plain) in enumerate(sealed):
        flock.add_sealed(f"{purpose} {number}", bytes.fromhex(plain))
    held = {bytes.fromhex(plain) for purpose, plain in sealed if purpose == "access-key"}
    assert {first["secret_key"].encode(), second["secret_key"].encode()} <= held
    data = Path(home.environment["CERTDESK_DATA"])
    kek = data.with_name(data.name + ".kek")
    for line in kek.read_text(encoding="ascii").splitlines():
        flock.add("KEK", base64.b64decode(json.loads(line)["key"]))
    session = kek.with_suffix(".session").read_text(encoding="ascii").strip()
    flock.add_text("session key as text", session)
    flock.add("session key", bytes.fromhex(session))
    flock.add_text("password", (home.folder / "password").read_text(encoding="ascii").strip())
    plant_listener(flock, home)


def plant_listener(flock: Flock, home: Installation) -> None:
    """Its key and the password of its file, as the process derives them."""
    script = (
        "from certdesk.config.settings import load\n"
        "from certdesk.interfaces.cli import listener_certificate as listener\n"
        "settings = load()\n"
        "print(listener.files(settings).password)\n"
        "print(listener.plain_key(settings).decode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=home.environment, capture_output=True, text=True, check=True
    )
    password, _, pem = done.stdout.partition("\n")
    flock.add_text("listener password", password)
    flock.add_key("listener key", load_pem_private_key(pem.encode("ascii"), None))


def places(home: Installation) -> dict[str, bytes]:
    """Every file of the data folder, the log of web and worker, and each table as text."""
    data = Path(home.environment["CERTDESK_DATA"])
    found = {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert "certdesk.sqlite3" in found
    found["log"] = home.log.read_bytes()
    with closing(sqlite3.connect(f"file:{data / 'certdesk.sqlite3'}?mode=ro", uri=True)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in set(tables) - {"certificates_namesearch"}:  # keeps no text of its own
            lines = connection.execute(f'SELECT * FROM "{table}"').fetchall()
            found[f"table {table}"] = b"\n".join(_bytes(value) for line in lines for value in line)
    assert {"table audit_event", "table jobs_job", "table outbox_message"} <= set(found)
    return found


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def check_data_folder(data: Path) -> None:
    """The one private key that lies in a file is the listener's, encrypted."""
    holders = {
        str(path.relative_to(data)): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    }
    assert set(holders) == {"listener/key.pem"}
    (content,) = holders.values()
    assert content.count(b"PRIVATE KEY") == content.count(b"ENCRYPTED PRIVATE KEY") == 2
