"""Secrets in every form in which they could leak, and a search for them in bytes."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

SHORTEST = 12
"""Bytes: what is shorter could stand somewhere by chance."""


@dataclass
class Flock:
    """The planted secrets. `forms` maps each form to the name of its secret."""

    forms: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, secret: bytes) -> None:
        """One secret as it is, in hex, and in Base64 at each of the three alignments."""
        if len(secret) < SHORTEST:
            raise ValueError(f"{name} is too short to be searched for")
        for form in (secret, secret.hex().encode(), secret.hex().upper().encode(), *_base64(secret)):
            self.forms[form] = name

    def add_text(self, name: str, secret: str) -> None:
        self.add(name, secret.encode("ascii"))

    def add_key(self, name: str, key: object) -> None:
        """A private key: its numbers, and its body in PKCS#8 and in the traditional form, DER and PEM."""
        for part, value in _numbers(key):
            self.add(f"{name}.{part}", value)
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            if isinstance(key, ed25519.Ed25519PrivateKey) and form is not PrivateFormat.PKCS8:
                continue
            der = key.private_bytes(Encoding.DER, form, NoEncryption())  # type: ignore[attr-defined]
            pem = key.private_bytes(Encoding.PEM, form, NoEncryption())  # type: ignore[attr-defined]
            self.add(f"{name} DER", der)
            for line in _secret_lines(key, pem):
                self.forms[line] = f"{name} PEM line"

    def add_pem(self, name: str, pem: str) -> None:
        self.add_key(name, load_pem_private_key(pem.encode("ascii"), None))

    def add_sealed(self, name: str, plain: bytes) -> None:
        """What the sealing room holds: a key in DER where it is one, else plain bytes."""
        try:
            self.add_key(name, load_der_private_key(plain, None))
        except ValueError:
            self.add(name, plain)

    def hits(self, places: Mapping[str, bytes]) -> list[str]:
        """`secret in place` for every find."""
        return [
            f"{name} in {place}"
            for place, content in places.items()
            for form, name in self.forms.items()
            if form in content
        ]


def _secret_lines(key: object, pem: bytes) -> list[bytes]:
    """The lines of a PEM that hold no public part: the first of an elliptic key, the inner ones of RSA
    from the private exponent on."""
    lines = pem.splitlines()[1:-1]
    if isinstance(key, rsa.RSAPrivateKey):
        return lines[len(lines) // 3 : -1]
    return lines[:1]


def _base64(secret: bytes) -> Iterator[bytes]:
    """The inner characters of the secret's Base64 behind 0, 1 or 2 other bytes, in both alphabets."""
    for before in range(3):
        padded = bytes(before) + secret
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(padded).rstrip(b"=")
            yield text[4 if before else 0 : -1]


def _numbers(key: object) -> Iterable[tuple[str, bytes]]:
    if isinstance(key, rsa.RSAPrivateKey):
        held = key.private_numbers()
        named = {"d": held.d, "p": held.p, "q": held.q, "dp": held.dmp1, "dq": held.dmq1, "qi": held.iqmp}
        return [(name, value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in named.items()]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [("d", key.private_numbers().private_value.to_bytes(key.curve.key_size // 8, "big"))]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return [("seed", key.private_bytes_raw())]
    raise TypeError(f"no form known for {type(key).__name__}")
