"""A signed request taken apart: exactly the shape that RFC 8555 §6.2 allows, and nothing beside it."""

from dataclasses import dataclass
from typing import Any

from certdesk.lifecycle.enrolment.errors import malformed

from .keys import ALGORITHMS, bad_algorithm
from .strict import read, unb64

MOST_BYTES = 128 * 1024
MOST_PROTECTED = 16 * 1024  # characters
_MEMBERS = {"protected", "payload", "signature"}


@dataclass(frozen=True, slots=True)
class Message:
    """One JWS; nothing of it is verified yet.

    Attributes:
        payload: its bytes; empty = POST-as-GET.
        signed: what the signature is about.
    """

    protected: dict[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes

    @property
    def algorithm(self) -> str:
        return str(self.protected["alg"])

    @property
    def url(self) -> str:
        return str(self.protected["url"])

    @property
    def is_get(self) -> bool:
        """POST-as-GET (RFC 8555 §6.3)."""
        return not self.payload

    def object(self) -> dict[str, Any]:
        """The payload as a JSON object.

        Raises:
            AcmeError: malformed.
        """
        return read(self.payload, "The payload")


def parse(data: object) -> Message:
    """A flattened JWS with a protected header alone.

    Args:
        data: the body, or the object of an inner JWS.

    Raises:
        AcmeError: malformed, or badSignatureAlgorithm for an `alg` that no account may sign by.
    """
    found = read(data, "The request") if isinstance(data, bytes) else data
    if not isinstance(found, dict) or set(found) != _MEMBERS:
        raise malformed("A request is an object with protected, payload and signature, and nothing else.")
    header = found["protected"]
    if not isinstance(header, str) or len(header) > MOST_PROTECTED:
        raise malformed("The protected header is no string, or too long.")
    protected = read(unb64(header, "protected"), "The protected header")
    payload = unb64(found["payload"], "payload")
    signature = unb64(found["signature"], "signature")
    _check_header(protected)
    signed = f"{header}.{found['payload']}".encode("ascii")
    return Message(protected, payload, signature, signed)


def _check_header(protected: dict[str, Any]) -> None:
    if "crit" in protected or "b64" in protected:
        raise malformed("The protected header holds crit or b64, which ACME does not know.")
    for name in ("alg", "url"):
        if not isinstance(protected.get(name), str):
            raise malformed(f"The protected header has no {name}.")
    if "nonce" in protected and not isinstance(protected["nonce"], str):
        raise malformed("nonce must be a string.")
    if ("jwk" in protected) == ("kid" in protected):
        raise malformed("The protected header has exactly one of jwk and kid.")
    if "kid" in protected and not isinstance(protected["kid"], str):
        raise malformed("kid must be a string.")


def check_algorithm(message: Message) -> None:
    """Raises:
    AcmeError: badSignatureAlgorithm, e.g. for none and HS256, which are for no account.
    """
    if message.algorithm not in ALGORITHMS:
        raise bad_algorithm(f"Requests are not signed by {message.algorithm[:20]!r}.")
