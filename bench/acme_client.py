"""A small ACME client for load: whole orders, one after the other, each name proved by dns-01.

The same for every server that is measured, so that what differs is the server.
"""

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import jose

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


class Client:
    """One account at one server; used by one thread."""

    def __init__(self, directory: str, seen: Seen, trust: ssl.SSLContext | None = None) -> None:
        self.http = httpx.Client(verify=trust or True, timeout=60)
        self.urls: dict[str, Any] = self.http.get(directory).json()
        self.key, self.kid, self.nonce, self.seen = ec.generate_private_key(ec.SECP256R1()), "", "", seen

    def register(self, kid: str = "", mac_key: str = "") -> None:
        """Makes the account, bound to a credential where there is one."""
        body: dict[str, Any] = {"termsOfServiceAgreed": True, "contact": ["mailto:bench@example.com"]}
        if kid:
            body["externalAccountBinding"] = jose.binding(self.key, self.urls["newAccount"], kid, mac_key)
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
        named: dict[str, Any] = {"kid": self.kid} if self.kid else {"jwk": jose.jwk_of(self.key)}
        header = {"alg": "ES256", "nonce": nonce, "url": url, **named}
        signed = jose.jws(self.key, header, body)
        answer = self.http.post(url, json=signed, headers={"Content-Type": "application/jose+json"})
        self.nonce = answer.headers.get("Replay-Nonce", "")
        return answer

    def order(self, name: str, publish: Publish) -> bytes:
        """From the order to the certificate (PEM): order, record, challenge, CSR, download."""
        placed = self.post(self.urls["newOrder"], {"identifiers": [{"type": "dns", "value": name}]})
        order = placed.json()
        for url in order["authorizations"]:
            self._prove(url, publish)
        self.post(order["finalize"], {"csr": jose.b64(jose.csr(name, key=_CSR_KEY))})
        done = self._until(placed.headers["Location"])
        return self.post(done["certificate"]).content

    def _prove(self, url: str, publish: Publish) -> None:
        found = self.post(url).json()
        (way,) = [one for one in found["challenges"] if one["type"] == "dns-01"]
        publish(*jose.record_of(self.key, found["identifier"]["value"], way["token"]))
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
