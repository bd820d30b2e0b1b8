"""A small ACME client over Django's test client: each part of a request can be made wrong."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from django.http import HttpResponse
from django.test import Client as Browser

HOST = "localhost"
BASE = f"http://{HOST}"
JOSE = "application/jose+json"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, size: int = 0) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk_of(key: Any) -> dict[str, str]:
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
    size = (key.curve.key_size + 7) // 8
    numbers = public.public_numbers()
    name = {256: "P-256", 384: "P-384", 521: "P-521"}[key.curve.key_size]
    return {"kty": "EC", "crv": name, "x": number(numbers.x, size), "y": number(numbers.y, size)}


def algorithm_of(key: Any) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    return {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]


def sign(key: Any, data: bytes) -> bytes:
    if isinstance(key, bytes):
        return hmac.new(key, data, hashlib.sha256).digest()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    size = (key.curve.key_size + 7) // 8
    digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def thumbprint(key: Any) -> str:
    text = json.dumps(jwk_of(key), sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


def jws(key: Any, header: dict[str, Any], payload: object) -> dict[str, str]:
    """A flattened JWS; a payload of None is that of POST-as-GET, bytes stand as they are."""
    protected = b64(json.dumps(header).encode())
    raw = b"" if payload is None else payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = sign(key, f"{protected}.{b64(raw)}".encode())
    return {"protected": protected, "payload": b64(raw), "signature": b64(signature)}


def csr(*names: str, key: Any = None, common: str = "") -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    held = [
        x509.IPAddress(__import__("ipaddress").ip_address(one)) if one[-1:].isdigit() else x509.DNSName(one)
        for one in names
    ]
    if held:
        builder = builder.add_extension(x509.SubjectAlternativeName(held), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        Encoding.DER
    )


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
        secret = base64.urlsafe_b64decode(mac_key + "==")
        inner = {"alg": "HS256", "kid": key_id, "url": f"{BASE}/acme/new-account"} | header
        return jws(secret, inner, jwk_of(self.key))

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
        digest = hashlib.sha256(f"{found['token']}.{thumbprint(self.key)}".encode()).digest()
        return f"_acme-challenge.{authorization['identifier']['value']}", b64(digest), found["url"]
