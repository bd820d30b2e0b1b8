"""What a role allows, and the end of validity by which an order is found again (pure).

The engine keeps no reference of ours with a certificate. What it keeps to the second is the end of validity
that we name: its place within the hour is made of the reference, so a repeated order recognises its own
certificate among others for the same key and names. It costs at most an hour of the validity.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from certdesk.connectors.issuers.protocol import Capabilities
from certdesk.pki.x509.keys import KeyAlgorithm

_HOUR = 3600
_SHORTEST_MARKED = timedelta(days=2)
_MARGIN = timedelta(minutes=5)  # by which the server's clock may be behind ours
_NAMED_END = frozenset({"", "permit", "ttl-limited"})  # OpenBao's `not_after_bound`; Vault has none
_RSA = (KeyAlgorithm.RSA_2048, KeyAlgorithm.RSA_3072, KeyAlgorithm.RSA_4096)
_EC = (KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384)
_BITS = {
    KeyAlgorithm.RSA_2048: 2048,
    KeyAlgorithm.RSA_3072: 3072,
    KeyAlgorithm.RSA_4096: 4096,
    KeyAlgorithm.EC_P256: 256,
    KeyAlgorithm.EC_P384: 384,
}
_USUAL = Capabilities(key_algorithms=frozenset(KeyAlgorithm))


@dataclass(frozen=True, slots=True)
class Role:
    """What is known of a role; as the default says, nothing.

    Attributes:
        longest: of validity, by the role or its mount; None where nobody told.
        names_end: it takes the end of validity that we name.
        stores: it keeps certificates, so they can be found and read again.
        issuer: the engine's name of the CA certificate it signs with.
    """

    capabilities: Capabilities = _USUAL
    longest: timedelta | None = None
    names_end: bool = False
    stores: bool = True
    issuer: str = "default"


def role_of(row: Mapping[str, Any], mount_seconds: int) -> Role:
    """From the engine's answer for a role; `mount_seconds`: the mount's longest, 0 for unknown.

    Raises:
        KeyError, TypeError, ValueError: the answer is not shaped as documented.
    """
    seconds = int(row["max_ttl"]) or mount_seconds
    longest = timedelta(seconds=seconds) if seconds else None
    bound = str(row.get("not_after_bound") or "")
    return Role(
        capabilities=_capabilities(row, longest),
        longest=longest,
        names_end=bound in _NAMED_END and not row.get("not_after"),
        stores=not row.get("no_store"),
        issuer=str(row.get("issuer_ref") or "default"),
    )


def _capabilities(row: Mapping[str, Any], longest: timedelta | None) -> Capabilities:
    below = row["allow_any_name"] or row["allow_subdomains"] or row.get("allow_glob_domains")
    bounded = not row["allow_any_name"] and not row.get("allowed_domains_template")
    domains = tuple(map(str, row.get("allowed_domains") or ())) if bounded else ()
    return Capabilities(
        wildcard=bool(below and row.get("allow_wildcard_certificates", True)),
        ip=bool(row["allow_ip_sans"]),
        key_algorithms=_algorithms(str(row["key_type"]), int(row["key_bits"])),
        longest_days=longest.days if longest else _USUAL.longest_days,
        domains=() if any("*" in one for one in domains) else domains,  # patterns: nobody else reads them
    )


def _algorithms(kind: str, bits: int) -> frozenset[str]:
    """Bits of a role are the least that it takes."""
    families = {"any": (*_RSA, *_EC), "rsa": _RSA, "ec": _EC}
    return frozenset(one for one in families.get(kind, ()) if _BITS[one] >= bits)


def mark(reference: str) -> int:
    """Seconds within an hour."""
    return int.from_bytes(hashlib.sha256(reference.encode()).digest()[:8], "big") % _HOUR


def end_of(not_after: datetime, role: Role, reference: str, now: datetime) -> tuple[datetime, bool]:
    """The end of validity to ask for, and whether it bears the mark: only where the end can be named, and
    not for certificates of two days or less, of which an hour would be too much."""
    end = not_after.replace(microsecond=0)
    if role.longest is not None:
        end = min(end, (now + role.longest - _MARGIN).replace(microsecond=0))
    if role.longest is None or not role.names_end or end - now <= _SHORTEST_MARKED:
        return end, False
    return end - timedelta(seconds=(int(end.timestamp()) - mark(reference)) % _HOUR), True


def bears(end: datetime, reference: str) -> bool:
    """The end of validity has the reference's place within its hour."""
    return int(end.timestamp()) % _HOUR == mark(reference)
