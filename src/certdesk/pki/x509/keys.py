"""Key algorithms, key making and the byte forms of keys. Sealing and storing are the keystore's."""

import hashlib
from collections.abc import Callable
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

PUBLIC_EXPONENT = 65537

# The standard's own names where they are better known than OpenSSL's.
_CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp192r1": "P-192"}


class KeyAlgorithm(StrEnum):
    """The key algorithms of the service by their API values (APP-3)."""

    RSA_2048 = "RSA_2048"
    RSA_3072 = "RSA_3072"
    RSA_4096 = "RSA_4096"
    EC_P256 = "EC_P256"
    EC_P384 = "EC_P384"

    @property
    def is_rsa(self) -> bool:
        """RSA keys take 50 ms (2048) to some seconds (4096) to make: make them in a worker thread."""
        return self.value.startswith("RSA_")


def _rsa(bits: int) -> Callable[[], PrivateKey]:
    return lambda: rsa.generate_private_key(PUBLIC_EXPONENT, bits)


_MAKERS: dict[KeyAlgorithm, Callable[[], PrivateKey]] = {
    KeyAlgorithm.RSA_2048: _rsa(2048),
    KeyAlgorithm.RSA_3072: _rsa(3072),
    KeyAlgorithm.RSA_4096: _rsa(4096),
    KeyAlgorithm.EC_P256: lambda: ec.generate_private_key(ec.SECP256R1()),
    KeyAlgorithm.EC_P384: lambda: ec.generate_private_key(ec.SECP384R1()),
}

_BY_DESCRIPTION = {
    "RSA 2048": KeyAlgorithm.RSA_2048,
    "RSA 3072": KeyAlgorithm.RSA_3072,
    "RSA 4096": KeyAlgorithm.RSA_4096,
    "EC P-256": KeyAlgorithm.EC_P256,
    "EC P-384": KeyAlgorithm.EC_P384,
}


def generate(algorithm: KeyAlgorithm) -> PrivateKey:
    """A new private key from the operating system's random source."""
    return _MAKERS[algorithm]()


def spki_der(public_key: PublicKeyTypes) -> bytes:
    """DER of the SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)."""
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(public_key: PublicKeyTypes) -> bytes:
    """The 32 bytes by which a key is known, compared and blocked."""
    return hashlib.sha256(spki_der(public_key)).digest()


def describe(public_key: PublicKeyTypes) -> str:
    """Type and size for people, e.g. `RSA 2048`, `EC P-256`, `Ed25519`."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"RSA {public_key.key_size}"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return f"EC {_CURVE_NAMES.get(public_key.curve.name, public_key.curve.name)}"
    if isinstance(public_key, dsa.DSAPublicKey):
        return f"DSA {public_key.key_size}"
    name = type(public_key).__name__.removesuffix("PublicKey")
    return name.replace("MLDSA", "ML-DSA-")


def algorithm_of(public_key: PublicKeyTypes) -> KeyAlgorithm | None:
    """The algorithm of the service that the key belongs to; None for any other, e.g. RSA 8192."""
    return _BY_DESCRIPTION.get(describe(public_key))


def private_to_der(private_key: PrivateKey) -> bytes:
    """PKCS#8 in DER, not encrypted: the caller seals it."""
    return private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def private_to_pem(private_key: PrivateKey) -> bytes:
    """PKCS#8 in PEM, not encrypted, as the servers read it."""
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def private_from_der(der: bytes) -> PrivateKey:
    """The key from `private_to_der` bytes that we sealed ourselves.

    The RSA consistency check is left out: it costs more than a signature, and the seal has already
    proved that the bytes are the ones that we made. Never use this for a key from outside.

    Raises:
        ValueError: the bytes are no RSA or EC private key.
    """
    key = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, PrivateKey):
        raise ValueError("a sealed key is neither RSA nor EC")
    return key
