"""JSON Web Keys of ACME accounts (RFC 7517, RFC 7518 §6, RFC 8037), and signatures by them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certdesk.lifecycle.enrolment.errors import AcmeError, malformed
from certdesk.pki.x509.errors import WeakKey
from certdesk.pki.x509.weak_keys import refuse_weak

from .strict import unb64

ALGORITHMS = ("RS256", "ES256", "ES384", "ES512", "EdDSA")
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_CURVES: Mapping[str, tuple[str, ec.EllipticCurve, int]] = {
    "P-256": ("ES256", ec.SECP256R1(), 32),
    "P-384": ("ES384", ec.SECP384R1(), 48),
    "P-521": ("ES512", ec.SECP521R1(), 66),
}
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
}

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Key:
    """A checked key.

    Attributes:
        jwk: its public members alone, as the thumbprint wants them.
        algorithm: the one that it signs by; the message has no say.
    """

    jwk: dict[str, Any]
    algorithm: str
    public: Public

    @property
    def spki(self) -> bytes:
        return self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _bad_key(message: str) -> AcmeError:
    return AcmeError("badPublicKey", message)


def read(jwk: object) -> Key:
    """The key of a JWK.

    Raises:
        AcmeError: malformed, or badPublicKey: too weak, or with its private part.
    """
    if not isinstance(jwk, dict):
        raise malformed("jwk must be an object.")
    if _PRIVATE & set(jwk):
        raise _bad_key("The jwk holds a private or symmetric key: make a new one, and send its public part.")
    reader: Callable[[Mapping[str, Any]], Key] | None = _READERS.get(str(jwk.get("kty")))
    if reader is None:
        raise _bad_key("The key is of no type that is taken here: RSA, EC or OKP.")
    key = reader(jwk)
    if "alg" in jwk and jwk["alg"] != key.algorithm:
        raise _bad_key("The jwk names another algorithm than its key has.")
    return key


def _rsa(jwk: Mapping[str, Any]) -> Key:
    n, e = unb64(jwk.get("n"), "n"), unb64(jwk.get("e"), "e")
    if n[:1] == b"\0" or e[:1] == b"\0" or len(n) > 1024 or len(e) > 8:
        raise _bad_key("The numbers of the RSA key are too long or begin with zeros.")
    try:
        public = rsa.RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big")).public_key()
        refuse_weak(public)
    except WeakKey as error:
        raise _bad_key(str(error)) from error
    except ValueError:
        raise _bad_key("The RSA key cannot be used.") from None
    return Key({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}, "RS256", public)


def _ec(jwk: Mapping[str, Any]) -> Key:
    found = _CURVES.get(str(jwk.get("crv")))
    if found is None:
        raise _bad_key("The key is on no curve that is taken here: P-256, P-384 or P-521.")
    algorithm, _, size = found
    x, y = unb64(jwk.get("x"), "x"), unb64(jwk.get("y"), "y")
    if len(x) != size or len(y) != size:
        raise _bad_key("The coordinates of the key do not have the length of its curve.")
    try:
        public = _point(str(jwk["crv"]), x, y)
    except ValueError:
        raise _bad_key("The point is not on its curve.") from None
    return Key({"kty": "EC", "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"]}, algorithm, public)


@lru_cache(maxsize=1024)
def _point(curve: str, x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    """Kept: each request of an account brings the same one.

    Raises:
        ValueError: it is not on the curve.
    """
    on = _CURVES[curve][1]
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), on).public_key()


def _okp(jwk: Mapping[str, Any]) -> Key:
    if jwk.get("crv") != "Ed25519":
        raise _bad_key("The key is on no curve that is taken here: Ed25519.")
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk.get("x"), "x"))
    except ValueError:
        raise _bad_key("The Ed25519 key cannot be used.") from None
    return Key({"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]}, "EdDSA", public)


_READERS: dict[str, Callable[[Mapping[str, Any]], Key]] = {"RSA": _rsa, "EC": _ec, "OKP": _okp}


def verify(key: Key, algorithm: str, signature: bytes, data: bytes) -> None:
    """Raises:
    AcmeError: badSignatureAlgorithm for another algorithm than the key's; unauthorized for a wrong signature.
    """
    if algorithm != key.algorithm:
        raise bad_algorithm(f"The key signs by {key.algorithm}, not by {algorithm[:20]!r}.")
    try:
        if isinstance(key.public, rsa.RSAPublicKey):
            key.public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key.public, ed25519.Ed25519PublicKey):
            key.public.verify(signature, data)
        else:
            _verify_ec(key, key.public, signature, data)
    except InvalidSignature:
        raise AcmeError("unauthorized", "The signature is wrong.", status=403) from None


def _verify_ec(key: Key, public: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    size = (public.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature
    r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
    if not r or not s:
        raise InvalidSignature
    public.verify(encode_dss_signature(r, s), data, ec.ECDSA(_HASHES[key.algorithm]))


def bad_algorithm(message: str) -> AcmeError:
    """RFC 8555 §6.2: with the list of those that are taken."""
    return AcmeError("badSignatureAlgorithm", message, extra={"algorithms": list(ALGORITHMS)})
