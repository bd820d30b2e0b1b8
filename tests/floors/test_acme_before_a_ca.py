"""Our ACME server with a CA outside behind it: a client of its own gets that CA's certificate by our door.

Pebble stands for the CA. What it wants to see is published as an administrator would, while the client waits.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.connectors.issuers.protocol import Task
from certdesk.interfaces.cli.client import Client
from tests.support import pebble
from tests.support.acme_front import Front, leaf, names_of, open_front
from tests.support.pebble import Pebble

from .test_acme_clients import certbot, state_of, waited

pytestmark = [pytest.mark.server, pytest.mark.slow]
PRODUCT = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"
C = "/v3/scm/certificates"
MAIL = "ada@example.com"
PAUSE = 0.5


@dataclass
class Administrator:
    """Sets the records that certificates under way wait for, until told to stop."""

    front: Front
    ca: Pebble
    api: Client
    over: threading.Event = field(default_factory=threading.Event)
    published: set[str] = field(default_factory=set)

    def work(self) -> None:
        while not self.over.wait(PAUSE):
            for row in self.api.get(f"{C}?status=ISSUING&limit=50")["certificates"]:
                order = self.api.get(f"{C}/{row['id']}").get("ca_order") or {}
                for task in order.get("tasks", ()):
                    self.publish(task)

    def publish(self, task: dict[str, Any]) -> None:
        if task["value"] in self.published:
            return
        self.front.dns.set(task["where"], task["record_type"], [task["value"]])
        self.ca.set_up(Task("", task["name"], task["method"], task["where"], task["value"]))
        self.published.add(task["value"])


@contextmanager
def at_work(one: Administrator) -> Iterator[None]:
    thread = threading.Thread(target=one.work)
    thread.start()
    try:
        yield
    finally:
        one.over.set()
        thread.join(30)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Administrator]:
    with ExitStack() as stack:
        front = stack.enter_context(open_front(tmp_path))
        ca = stack.enter_context(pebble.running(tmp_path / "pebble"))
        key = front.home.access_key("admin")
        api = stack.enter_context(Client(front.home.url, key["access_key"], key["secret_key"]))
        options = {"directory_url": ca.directory, "ca": ca.identity.pem, "methods": ["dns-01"]}
        body = {"kind": "acme", "slug": "behind", "profile": "private", "title": "The CA behind"}
        made = api.post("/v3/scm/issuers", {**body, "options": {**options, "terms_agreed": True}})
        assert api.post(f"/v3/scm/issuers/{made['id']}/test")["ok"]
        api.call("PUT", f"/v3/scm/products/{PRODUCT}/issuers", ["behind"])
        yield Administrator(front, ca, api)


def test_certbot_orders_renews_and_revokes_at_the_ca_behind_our_door(desk: Administrator) -> None:
    # rule: CAT-6
    # rule: ISS-1
    front, ca = desk.front, desk.ca
    place, name = front.place("certbot"), front.name()
    kid, key = front.credential("--issuer", "GEOTRUST", "--types", "DV_SSL_CERT", "--names", name)
    bound = ("--agree-tos", "-m", MAIL, "--eab-kid", kid, "--eab-hmac-key", key)
    solo = ("--standalone", "--http-01-port", front.http)
    pem = place / "c/live" / name / "fullchain.pem"
    with at_work(desk):
        certbot(front, place, "certonly", *bound, *solo, "-d", name)
        first = leaf(pem)
        certbot(front, place, "renew", *solo, "--no-random-sleep-on-renew", "--force-renewal")
    second = leaf(pem)
    assert first != second
    for one in (first, second):
        assert names_of(one) == {name}
        assert "Pebble Intermediate" in one.issuer.rfc4514_string()
        assert ca.status_of(der(one))["Status"] == "Valid"
    log = (place / "l/letsencrypt.log").read_text()
    assert '"status":"processing"' in log.replace(" ", "")
    assert "retry-after: 2" in log.lower()
    certbot(front, place, "revoke", "--cert-name", name, "--no-delete-after-revoke", "--reason", "superseded")
    assert waited(lambda: ca.status_of(der(second))["Status"] == "Revoked")
    assert waited(lambda: state_of(front, second) == "REVOKED")
    assert ca.status_of(der(first))["Status"] == "Valid"


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.DER)
