"""What an ACME client signs (RFC 7515, 7638, 8555): requests, bindings, proofs, CSRs; no way to a server."""

import base64
import hashlib
import hmac
import json
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding


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


def binding(key: Any, url: str, key_id: str, mac_key: str, /, **header: Any) -> dict[str, str]:
    """The external account binding of a key (RFC 8555 §7.3.4), for newAccount's `url`."""
    secret = base64.urlsafe_b64decode(mac_key + "==")
    return jws(secret, {"alg": "HS256", "kid": key_id, "url": url} | header, jwk_of(key))


def record_of(key: Any, name: str, token: str) -> tuple[str, str]:
    """Owner and value of the TXT record of dns-01 (RFC 8555 §8.4)."""
    digest = hashlib.sha256(f"{token}.{thumbprint(key)}".encode()).digest()
    return f"_acme-challenge.{name}", b64(digest)


def csr(*names: str, key: Any = None, common: str = "") -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    held = [x509.IPAddress(ip_address(one)) if one[-1:].isdigit() else x509.DNSName(one) for one in names]
    if held:
        builder = builder.add_extension(x509.SubjectAlternativeName(held), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        Encoding.DER
    )
