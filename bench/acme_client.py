"""A small ACME client for load: whole orders, one after the other, each name proved by dns-01.

The same for every server that is measured, so that what differs is the server.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

PAUSE = 1.0
"""Seconds between two looks at what a server is still at, where it does not name them (`Retry-After`)."""
PATIENCE = 60.0
Publish = Callable[[str, str], None]
"""Sets the TXT record of an owner name."""


class Failed(Exception):
    """The server's own words."""


@dataclass
class Seen:
    """What a run came to: orders done, seconds of each, problems that were answered."""

    orders: int = 0
    latencies: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


class Client:
    """One account at one server; used by one thread."""

    def __init__(self, directory: str, seen: Seen, trust: ssl.SSLContext | None = None) -> None:
        self.http = httpx.Client(verify=trust or True, timeout=60)
        self.urls: dict[str, Any] = self.http.get(directory).json()
        self.key, self.kid, self.nonce, self.seen = ec.generate_private_key(ec.SECP256R1()), "", "", seen
        numbers = self.key.public_key().public_numbers()
        x, y = (b64(one.to_bytes(32, "big")) for one in (numbers.x, numbers.y))
        self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        self.thumbprint = b64(hashlib.sha256(text.encode()).digest())

    def register(self, kid: str = "", mac_key: str = "") -> None:
        """Makes the account, bound to a credential where there is one."""
        body: dict[str, Any] = {"termsOfServiceAgreed": True, "contact": ["mailto:bench@example.com"]}
        if kid:
            header = {"alg": "HS256", "kid": kid, "url": self.urls["newAccount"]}
            first, payload = (b64(json.dumps(one).encode()) for one in (header, self.jwk))
            secret = base64.urlsafe_b64decode(mac_key + "==")
            mac = b64(hmac.new(secret, f"{first}.{payload}".encode(), hashlib.sha256).digest())
            body["externalAccountBinding"] = {"protected": first, "payload": payload, "signature": mac}
        self.kid = self.post(self.urls["newAccount"], body).headers["Location"]

    def post(self, url: str, body: object = None) -> httpx.Response:
        """Signed; None is POST-as-GET. A refused nonce is counted, and tried again.

        Raises:
            Failed: it was refused.
        """
        while True:
            answer = self._once(url, body)
            if answer.status_code < 400:
                return answer
            kind = str(answer.json().get("type", "")).rpartition(":")[2]
            with self.seen.lock:
                self.seen.problems[kind] += 1
            if kind != "badNonce":
                raise Failed(f"{url}: {answer.text[:500]}")

    def _once(self, url: str, body: object) -> httpx.Response:
        nonce = self.nonce or self.http.head(self.urls["newNonce"]).headers["Replay-Nonce"]
        named: dict[str, Any] = {"kid": self.kid} if self.kid else {"jwk": self.jwk}
        header = b64(json.dumps({"alg": "ES256", "nonce": nonce, "url": url, **named}).encode())
        payload = "" if body is None else b64(json.dumps(body).encode())
        made = decode_dss_signature(self.key.sign(f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256())))
        signature = b64(b"".join(one.to_bytes(32, "big") for one in made))
        answer = self.http.post(
            url,
            json={"protected": header, "payload": payload, "signature": signature},
            headers={"Content-Type": "application/jose+json"},
        )
        self.nonce = answer.headers.get("Replay-Nonce", "")
        return answer

    def order(self, name: str, publish: Publish) -> bytes:
        """From the order to the certificate (PEM): order, record, challenge, CSR, download."""
        placed = self.post(self.urls["newOrder"], {"identifiers": [{"type": "dns", "value": name}]})
        order = placed.json()
        for url in order["authorizations"]:
            self._prove(url, publish)
        self.post(order["finalize"], {"csr": b64(_csr(name))})
        done = self._until(placed.headers["Location"])
        return self.post(done["certificate"]).content

    def _prove(self, url: str, publish: Publish) -> None:
        found = self.post(url).json()
        (way,) = [one for one in found["challenges"] if one["type"] == "dns-01"]
        digest = hashlib.sha256(f"{way['token']}.{self.thumbprint}".encode()).digest()
        publish(f"_acme-challenge.{found['identifier']['value']}", b64(digest))
        self.post(way["url"], {})
        self._until(url)

    def _until(self, url: str) -> dict[str, Any]:
        """Looks until the server is done.

        Raises:
            Failed: it refused, or never was.
        """
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self.post(url)
            found: dict[str, Any] = answer.json()
            if found["status"] == "valid":
                return found
            if found["status"] == "invalid":
                break
            time.sleep(float(answer.headers.get("Retry-After", PAUSE)))
        raise Failed(f"{url}: {json.dumps(found)[:500]}")


_CSR_KEY = ec.generate_private_key(ec.SECP256R1())


def _csr(name: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(_CSR_KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def run(clients: list[Client], seconds: float, names: Callable[[], str], publish: Publish) -> None:
    """Each client orders one name after the other until the time is over; what was begun is ended."""
    until, errors = time.monotonic() + seconds, list[BaseException]()

    def work(client: Client) -> None:
        try:
            while time.monotonic() < until:
                began = time.monotonic()
                client.order(names(), publish)
                with client.seen.lock:
                    client.seen.orders += 1
                    client.seen.latencies.append(time.monotonic() - began)
        except BaseException as error:  # noqa: BLE001 raised below, in the thread that asked
            errors.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
