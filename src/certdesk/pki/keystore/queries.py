"""Reads of the keystore, and the claim of a key from the pool, hand-written for the hot path."""

from collections.abc import Collection
from dataclasses import dataclass

from certdesk.foundation.common import sql
from certdesk.pki.x509.keys import KeyAlgorithm

from . import blocklist
from .models import Held, State

_DIGESTS_A_STATEMENT = 500


def is_blocked(spki_sha256: bytes | str) -> bool:
    """Whether the key is known to be compromised, here or by the operator's own list.

    Args:
        spki_sha256: the digest, 32 bytes or in hex.

    Raises:
        BlocklistUnreadable: that list cannot be read.
    """
    digest = spki_sha256 if isinstance(spki_sha256, str) else spki_sha256.hex()
    listed = blocklist.load()
    if listed and bytes.fromhex(digest) in listed:
        return True
    return sql.row("SELECT 1 FROM keystore_blockedkey WHERE spki_sha256 = %s", [digest]) is not None


def blocked_among(digests: Collection[bytes]) -> frozenset[bytes]:
    """As `is_blocked` for many: those that are.

    Raises:
        BlocklistUnreadable: as `is_blocked`.
    """
    wanted, listed = list(digests), blocklist.load()
    found = {one for one in wanted if one in listed}
    for start in range(0, len(wanted), _DIGESTS_A_STATEMENT):
        some = wanted[start : start + _DIGESTS_A_STATEMENT]
        text = f"SELECT spki_sha256 FROM keystore_blockedkey WHERE spki_sha256 IN ({sql.marks(some)})"
        found |= {bytes.fromhex(str(row[0])) for row in sql.rows(text, [one.hex() for one in some])}
    return frozenset(found)


def pool_counts() -> dict[str, int]:
    """Ready keys by algorithm."""
    found = sql.rows("SELECT algorithm, count(*) FROM keystore_key WHERE state = 'POOL' GROUP BY algorithm")
    return {algorithm: int(count) for algorithm, count in found}


def pooled_spki(algorithm: KeyAlgorithm) -> bytes | None:
    """The public half of some ready key: what is made for it looks like what is made for any of them."""
    found = sql.row(
        "SELECT spki FROM keystore_key WHERE state = 'POOL' AND algorithm = %s LIMIT 1", [algorithm.value]
    )
    return bytes(found[0]) if found else None


def take_from_pool(tenant: str, algorithm: KeyAlgorithm) -> str | None:
    """Give one ready key to a tenant in one statement; its id, or None when the pool is empty."""
    skip = "" if sql.is_sqlite() else " FOR UPDATE SKIP LOCKED"
    taken = sql.row(
        "UPDATE keystore_key SET state = %s, tenant = %s WHERE state = 'POOL' AND id ="
        " (SELECT id FROM keystore_key WHERE state = 'POOL' AND algorithm = %s"
        f" ORDER BY id LIMIT 1{skip}) RETURNING id",
        [State.ASSIGNED, tenant, algorithm],
    )
    return str(taken[0]) if taken else None


@dataclass(frozen=True, slots=True)
class Where:
    """Where the private half of a key is. `spki`: its public half, DER."""

    held: Held
    secret_id: str
    object_id: str
    purpose: str
    spki: bytes


def where(key_id: str, tenant: str) -> Where | None:
    """Where a tenant's key is that still exists."""
    found = sql.row(
        "SELECT held, secret_id, object_id, purpose, spki FROM keystore_key"
        " WHERE id = %s AND tenant = %s AND state = 'ASSIGNED'",
        [key_id, tenant],
    )
    if found is None:
        return None
    held, secret_id, object_id, purpose, spki = found
    return Where(Held(held), str(secret_id), str(object_id), str(purpose), bytes(spki))


def secret_of(key_id: str, tenant: str) -> tuple[str, str] | None:
    """(secret id, purpose) of a tenant's key that still exists; the id is empty if it is not sealed here."""
    found = where(key_id, tenant)
    return (found.secret_id, found.purpose) if found else None


def is_held(spki_sha256: bytes) -> bool:
    """Whether this service made or keeps the private half, in whatever account."""
    found = sql.row("SELECT 1 FROM keystore_key WHERE spki_sha256 = %s LIMIT 1", [spki_sha256.hex()])
    return found is not None
