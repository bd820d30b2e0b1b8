"""The key of an ACME account: made or read, shown as a JWK, signing (RFC 7515, RFC 8555 §6)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_SHORTEST_RSA = 2048
_CURVES: Mapping[str, tuple[str, str, hashes.HashAlgorithm]] = {
    "secp256r1": ("P-256", "ES256", hashes.SHA256()),
    "secp384r1": ("P-384", "ES384", hashes.SHA384()),
}


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def unb64(text: str) -> bytes:
    """The other way; padding may stand or not.

    Raises:
        ValueError: it is no base64url.
    """
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


@dataclass(frozen=True, slots=True, repr=False)
class AccountKey:
    """A private key with what requests show of it; its text shows nothing."""

    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    algorithm: str
    jwk: dict[str, str]

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return b64(hashlib.sha256(text.encode()).digest())

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        digest = _CURVES[self.private.curve.name][2]
        size = (self.private.curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def make() -> str:
    """A new key on P-256, which every ACME server takes. PEM (PKCS #8)."""
    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def read(pem: str) -> AccountKey:
    """A key in PEM without a password.

    Raises:
        ValueError: it is none, or one that ACME servers do not take; the message shows nothing of it.
    """
    try:
        private = load_pem_private_key(pem.encode(), None)
    except Exception:  # noqa: BLE001 - parsers raise many types for foreign text, some with it inside
        raise ValueError("this is no private key in PEM without a password") from None
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _SHORTEST_RSA:
        numbers = private.public_key().public_numbers()
        return AccountKey(private, "RS256", {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)})
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _of_curve(private)
    raise ValueError("the key of an ACME account is RSA of 2048 bits or more, or on P-256 or P-384")


def _of_curve(private: ec.EllipticCurvePrivateKey) -> AccountKey:
    curve, algorithm, _ = _CURVES[private.curve.name]
    size = (private.curve.key_size + 7) // 8
    point = private.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size)}
    return AccountKey(private, algorithm, jwk)


def _number(value: int, size: int = 0) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def signed(key: AccountKey, header: Mapping[str, Any], payload: object) -> dict[str, str]:
    """A flattened JWS. A payload of None is that of POST-as-GET (RFC 8555 §6.3)."""
    return _flattened({"alg": key.algorithm, **header}, payload, key.sign)


def bound(key_id: str, mac_key: bytes, url: str, jwk: Mapping[str, str]) -> dict[str, str]:
    """The binding of an account to one that the CA knows already (RFC 8555 §7.3.4)."""
    header = {"alg": "HS256", "kid": key_id, "url": url}
    return _flattened(header, jwk, lambda data: hmac.digest(mac_key, data, "sha256"))


def _flattened(header: Mapping[str, Any], payload: object, sign: Any) -> dict[str, str]:
    protected = b64(json.dumps(header).encode())
    held = "" if payload is None else b64(json.dumps(payload).encode())
    return {
        "protected": protected,
        "payload": held,
        "signature": b64(sign(f"{protected}.{held}".encode("ascii"))),
    }
