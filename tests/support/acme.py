"""A small ACME client over Django's test client: each part of a request can be made wrong."""

import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import Client as Browser

from tests.support.jose import algorithm_of, binding, jwk_of, jws, record_of

HOST = "localhost"
BASE = f"http://{HOST}"
JOSE = "application/jose+json"


@dataclass
class Acme:
    """One client: a key, and the account that it has."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    kid: str = ""
    http: Browser = field(default_factory=lambda: Browser(headers={"host": HOST}))

    def nonce(self) -> str:
        return str(self.http.head("/acme/new-nonce").headers["Replay-Nonce"])

    def header(self, path: str, **other: Any) -> dict[str, Any]:
        header: dict[str, Any] = {"alg": algorithm_of(self.key), "nonce": self.nonce(), "url": BASE + path}
        header |= {"kid": self.kid} if self.kid else {"jwk": jwk_of(self.key)}
        return {name: value for name, value in (header | other).items() if value is not None}

    def send(self, path: str, body: object, content_type: str = JOSE) -> HttpResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(path, data, content_type=content_type)  # type: ignore[return-value]

    def post(self, path: str, payload: object = None, **header: Any) -> HttpResponse:
        path = path.removeprefix(BASE)
        return self.send(path, jws(self.key, self.header(path, **header), payload))

    def binding(self, key_id: str, mac_key: str, **header: Any) -> dict[str, str]:
        return binding(self.key, f"{BASE}/acme/new-account", key_id, mac_key, **header)

    def register(self, kid: str, mac_key: str) -> HttpResponse:
        answer = self.post(
            "/acme/new-account",
            {"contact": ["mailto:ada@example.com"], "externalAccountBinding": self.binding(kid, mac_key)},
        )
        self.kid = str(answer.headers.get("Location", ""))
        return answer

    def order(self, *names: str, **more: Any) -> HttpResponse:
        asked = [{"type": "ip" if one[-1:].isdigit() else "dns", "value": one} for one in names]
        return self.post("/acme/new-order", {"identifiers": asked} | more)

    def read(self, url: str) -> Any:
        return self.post(url).json()

    def record_of(self, authorization: dict[str, Any]) -> tuple[str, str, str]:
        """Owner and value of the TXT record of dns-01, and the challenge's URL."""
        (found,) = [one for one in authorization["challenges"] if one["type"] == "dns-01"]
        owner, value = record_of(self.key, authorization["identifier"]["value"], found["token"])
        return owner, value, found["url"]
