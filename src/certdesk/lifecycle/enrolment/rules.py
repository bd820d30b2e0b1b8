"""What may be asked for, and what a challenge expects. Pure."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from certdesk.pki.x509 import renewal_info
from certdesk.pki.x509.errors import BadName
from certdesk.pki.x509.names import Name, parse_name

from .errors import AcmeError, Sub, malformed, sub

MOST_NAMES = 250
HTTP, DNS, ALPN = "http-01", "dns-01", "tls-alpn-01"
WELL_KNOWN = "/.well-known/acme-challenge/"
RECORD_LABEL = "_acme-challenge"
BR_METHOD = {HTTP: "3.2.2.4.19", DNS: "3.2.2.4.7", ALPN: "3.2.2.4.20"}
BR_METHOD_OF_ADDRESS = {HTTP: "3.2.2.5.6", ALPN: "3.2.2.5.7"}
LOOK = {HTTP: "HTTP", DNS: "DNS", ALPN: "ALPN"}
"""The method as evidence keeps it."""

CRL_REASONS = {0: "UNSPECIFIED", 1: "KEY_COMPROMISE", 3: "AFFILIATION_CHANGED", 4: "SUPERSEDED",
               5: "CESSATION_OF_OPERATION"}  # fmt: skip
"""CRLReason -> what a subscriber may say (RFC 5280 §5.3.1; Baseline Requirements 4.9.1.1)."""

USUAL_PROFILE = "default"
PROFILES = {
    USUAL_PROFILE: "What the credential stands for: its first certificate type, or a DV certificate of the"
    " built-in private CA, free of charge.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One identifier of an order."""

    kind: str
    name: Name

    @property
    def text(self) -> str:
        return self.name.text


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638 §3, of a key whose members were checked."""
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
    text = json.dumps({one: jwk[one] for one in members[jwk["kty"]]}, sort_keys=True, separators=(",", ":"))
    return b64(hashlib.sha256(text.encode()).digest())


def key_authorization(token: str, thumb: str) -> str:
    """RFC 8555 §8.1."""
    return f"{token}.{thumb}"


def record_value(authorization: str) -> str:
    """What the TXT record of dns-01 holds (RFC 8555 §8.4)."""
    return b64(hashlib.sha256(authorization.encode()).digest())


def challenge_types(kind: str, *, wildcard: bool, alpn: bool) -> tuple[str, ...]:
    """The ways to prove a name, http-01 first: some clients look at the first one alone.

    Args:
        alpn: False where remote places must agree that cannot look by TLS.
    """
    if wildcard:
        return (DNS,)
    found = (HTTP, DNS, ALPN) if kind == "dns" else (HTTP, ALPN)  # RFC 8738 §7: no dns-01 for addresses
    return tuple(one for one in found if alpn or one != ALPN)


def identifiers(given: object, *, allow_ip: bool, allow_internal: bool) -> tuple[Asked, ...]:
    """The checked names of an order (RFC 8555 §7.1.3, RFC 8738 §3), without duplicates.

    Raises:
        AcmeError: malformed, or rejectedIdentifier or unsupportedIdentifier with a subproblem a name.
    """
    if not isinstance(given, list) or not given:
        raise malformed("identifiers must be a list with at least one identifier.")
    if len(given) > MOST_NAMES:
        raise malformed(f"An order holds at most {MOST_NAMES} identifiers.")
    found: dict[str, Asked] = {}
    faults: list[Sub] = []
    for one in given:
        kind, value = _pair(one)
        asked = _identifier(kind, value, allow_ip=allow_ip, allow_internal=allow_internal)
        if isinstance(asked, Asked):
            found[asked.text] = asked
        else:
            faults.append(asked)
    if faults:
        raise refused_names(faults)
    return tuple(found.values())


def _pair(one: object) -> tuple[str, str]:
    if not isinstance(one, dict) or not isinstance(one.get("type"), str):
        raise malformed("Each identifier is an object with type and value.")
    value = one.get("value")
    if not isinstance(value, str):
        raise malformed("The value of an identifier is a string.")
    return one["type"], value


def _identifier(kind: str, value: str, *, allow_ip: bool, allow_internal: bool) -> Asked | Sub:
    if kind not in ("dns", "ip"):
        return sub("unsupportedIdentifier", kind[:40], value[:255], "Identifiers are of type dns or ip.")
    try:
        name = parse_name(value, allow_internal=allow_internal, allow_ip=kind == "ip" and allow_ip)
    except BadName as fault:
        return sub("rejectedIdentifier", kind, value[:255], str(fault))
    if name.ip != (kind == "ip"):
        return sub("rejectedIdentifier", kind, value[:255], f"{value[:255]} is no identifier of type {kind}.")
    return Asked(kind, name)


def refused_names(faults: Sequence[Sub]) -> AcmeError:
    """One name: its own problem. Several: a compound one that says each (RFC 8555 §6.7.1)."""
    kinds = {str(one["type"]) for one in faults}
    problem = kinds.pop().rpartition(":")[2] if len(kinds) == 1 else "rejectedIdentifier"
    said = str(faults[0]["detail"]) if len(faults) == 1 else f"{len(faults)} names are refused."
    return AcmeError(problem, said, subproblems=faults)


def covers(patterns: Iterable[str], name: str) -> bool:
    """Whether a credential for these patterns may ask for the name; no pattern at all: any.

    `example.com` is that name alone; `*.example.com` is everything below it, wildcards too, not itself.
    """
    listed = list(patterns)
    if not listed:
        return True
    bare = name.removeprefix("*.")
    return any(
        name == one or (one.startswith("*.") and (bare.endswith(one[1:]) or name == one)) for one in listed
    )


def renewal_window(
    not_before: datetime, not_after: datetime, *, now: datetime, hurry: bool
) -> tuple[datetime, datetime]:
    """When to renew (RFC 9773 §4.2): around two thirds of the lifetime.

    Args:
        hurry: it is revoked, or going to be: the window is over, which means at once.
    """
    if hurry:
        return now - timedelta(hours=2), now - timedelta(hours=1)
    life = not_after - not_before
    start = not_before + life * 2 / 3
    return start, start + max(life / 50, timedelta(hours=1))


def certificate_key(text: str) -> tuple[bytes, str]:
    """Key identifier of the authority and serial (lower-case hex) of a certID (RFC 9773 §4.1).

    Raises:
        AcmeError: it is no certID.
    """
    try:
        return renewal_info.read_certificate_id(text)
    except ValueError:
        raise malformed("This is no certificate identifier.") from None
