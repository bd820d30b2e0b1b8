"""Clients that buy, pay, apply, prove and issue over HTTP while the servers are killed under them.

Each keeps what was acknowledged to it. What got no answer is asked again with the same Idempotency-Key,
as a careful client would.
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certdesk.interfaces.cli.client import Client
from certdesk.lab.dns_server import LabDns

C = "/v3/scm/certificates"
PRODUCT = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "effective_time": 1,
    "agree_privacy_protection": True,
}
BUY = {**PRODUCT, "domain_type": "SINGLE_DOMAIN", "domain_numbers": 1, "order_number": 1}
PERSON = {
    "applicant_name": "Crash Person",
    "applicant_phone": "+1 202 555 0102",
    "applicant_email": "crash@crash-shop.com",
}
UNANSWERED = frozenset({409, 502, 503})
"""Not refused: ask again with the same key."""


class NoAnswer(Exception):
    """The server went away, or is not ready with an earlier try: whether it was done is not known."""


@dataclass
class Log:
    """What the servers acknowledged; every thread writes here.

    Attributes:
        answers: (path, key, body) -> the answer, for requests that may be sent again.
        pending: requests that got no answer yet.
        certificates: certificate id -> PEM as it was answered.
        expected: certificates whose application and proof were acknowledged: they must be issued.
        refused: answers that no client should get; must stay empty.
    """

    answers: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    pending: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    certificates: dict[str, tuple[str, str]] = field(default_factory=dict)
    serials: set[str] = field(default_factory=set)
    expected: set[str] = field(default_factory=set)
    orders: dict[str, list[str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    lost_connections: int = 0


def csr(name: str) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Crowd:
    """Client threads over one installation; use as a context manager."""

    def __init__(self, base: str, key: dict[str, str], dns: LabDns, name: str) -> None:
        self.base, self.key, self.dns, self.name = base, key, dns, name
        self.log = Log()
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def client(self) -> Client:
        return Client(self.base, self.key["access_key"], self.key["secret_key"], timeout=30)

    def __enter__(self) -> "Crowd":
        for work in (self.buy_and_pay, self.whole_path, self.issue_one, self.issue_many):
            self.threads.append(threading.Thread(target=self._work, args=(work,), name=work.__name__))
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def _work(self, work: Callable[[Client], None]) -> None:
        with closing(self.client()) as client:
            while not self.stop.wait(0.02):  # a pause between two requests, as people and programs make it
                try:
                    work(client)
                except NoAnswer:
                    self._wait_for_server()
                    self._ask_again(client)

    def _wait_for_server(self) -> None:
        while not self.stop.wait(0.1):
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.base}/healthz", timeout=2, trust_env=False).raise_for_status()
                return

    def _ask_again(self, client: Client) -> None:
        """Sends once more what this thread got no answer to; what is still not answered stays pending."""
        mine = f"{threading.current_thread().name}-"
        for key, (path, body) in list(self.log.pending.items()):
            if key.startswith(mine) and not self.stop.is_set():
                with suppress(NoAnswer):
                    self.keyed(client, path, body, key)

    def once(self, client: Client, method: str, path: str, body: object = None, key: str = "") -> Any:
        """One request; the answer's object.

        Raises:
            NoAnswer: as there.
        """
        try:
            answer = client.send(method, path, body, {"Idempotency-Key": key} if key else None)
        except httpx.HTTPError as error:
            self.log.lost_connections += 1
            raise NoAnswer(str(error)) from None
        if answer.status_code in UNANSWERED:
            raise NoAnswer(answer.text)
        if answer.status_code >= 400:
            self.log.refused.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            raise NoAnswer(answer.text)
        return answer.json()

    def keyed(self, client: Client, path: str, body: dict[str, Any], key: str = "") -> dict[str, Any]:
        """A request that is paid for: kept as pending until it is answered."""
        key = key or f"{threading.current_thread().name}-{secrets.token_hex(8)}"
        self.log.pending[key] = (path, body)
        answer: dict[str, Any] = self.once(client, "POST", path, body, key)
        del self.log.pending[key]
        self.log.answers[key] = (path, body, answer)
        self._acknowledged(answer)
        return answer

    def _acknowledged(self, answer: dict[str, Any]) -> None:
        """Orders and certificates that an answer promises."""
        for item in answer.get("items", [answer]):
            if item.get("certificate"):
                self.log.certificates[item["cert_id"]] = (item["certificate"], item["certificate_chain"])
                self.log.serials.add(item["serial"])
            if "order_id" in item:
                made = [one["cert_id"] for one in item.get("cert", [])] or item.get("cert_ids", [])
                made = made or [item[name] for name in ("cert_id",) if item.get(name)]
                self.log.orders[item["order_id"]] = made or self.log.orders.get(item["order_id"], [])
            if item.get("status") in ("CHECKING", "ISSUING"):
                self.log.expected.add(item["cert_id"])  # its name is proved: the workers bring it

    def buy_and_pay(self, client: Client) -> None:
        bought = self.keyed(client, f"{C}/buy", {**BUY, "is_auto_pay": False, "order_number": 2})
        self.keyed(client, f"/v3/scm/orders/{bought['order_id']}/pay", {"payment_method": "BALANCE"})

    def whole_path(self, client: Client) -> None:
        bought = self.keyed(client, f"{C}/buy", {**BUY, "is_auto_pay": True})
        path = f"{C}/{bought['cert'][0]['cert_id']}"
        name = f"w{secrets.token_hex(4)}.{self.name}"
        form = {"domain": name, "agree_privacy_protection": True, "key_algorithm": "EC_P256", **PERSON}
        self.once(client, "POST", f"{path}/apply", form)
        for domain in self.once(client, "GET", f"{path}/domain-verification")["domains"]:
            self.dns.set(domain["record_name"], domain["record_type"], [domain["record_value"].strip('"')])
        self.log.expected.add(bought["cert"][0]["cert_id"])

    def issue_one(self, client: Client) -> None:
        self.keyed(client, f"{C}/issue", {**PRODUCT, "domain": self.name, "csr": csr(self.name)})

    def issue_many(self, client: Client) -> None:
        items = [{**PRODUCT, "domain": self.name, "csr": csr(self.name)} for _ in range(5)]
        self.keyed(client, f"{C}/batch-issue", {"items": items})

    def prove(self, client: Client) -> None:
        """The name for *issue now*: proved once, by the whole path."""
        bought = self.keyed(client, f"{C}/buy", {**BUY, "is_auto_pay": True})
        path = f"{C}/{bought['cert'][0]['cert_id']}"
        form = {"domain": self.name, "agree_privacy_protection": True, "key_algorithm": "EC_P256", **PERSON}
        self.once(client, "POST", f"{path}/apply", form)
        for domain in self.once(client, "GET", f"{path}/domain-verification")["domains"]:
            self.dns.set(domain["record_name"], domain["record_type"], [domain["record_value"].strip('"')])
        seen = self.once(client, "POST", f"{path}/verify")
        assert all(domain["status"] == "VERIFIED" for domain in seen["domains"]), seen
