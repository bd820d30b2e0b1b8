"""Seals events: gives each its place in its account's chain, its digest, and signs the chain's head.

What is sealed next is found by `sequence IS NULL`, never by an id: on PostgreSQL a lower id may be
committed after a higher one, and a watermark would lose it.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from certdesk.foundation.common import clock, sql
from certdesk.foundation.sealing import actions as sealing

from . import heads, queries
from .models import SigningKey
from .verify import GENESIS, Row, checkpoint_text, digest

CHUNK = 100
PAUSE = 0.002
TENANT = "system"
PURPOSE = "audit-checkpoint"

_loaded: dict[str, "Signer"] = {}


@dataclass(frozen=True)
class Signer:
    key: Ed25519PrivateKey
    public: bytes


def seal_pending(limit: int = 1000) -> int:
    """Seals up to `limit` events, at most 100 a transaction; answers how many.

    Zero also when another worker is sealing at this moment.
    """
    sealed = 0
    ends: dict[str, Row] = {}
    try:
        while sealed < limit:
            with sql.short_transaction():
                count, new = _seal_chunk(min(CHUNK, limit - sealed))
            sealed += count
            ends |= new
            if count < CHUNK:
                break
            time.sleep(PAUSE)  # law 13: lets waiting writers through
    finally:
        if ends:
            transaction.on_commit(partial(heads.keep, tuple(ends.values())))
    return sealed


def _seal_chunk(limit: int) -> tuple[int, dict[str, Row]]:
    """How many events were sealed, and the new checkpoint of each account."""
    if not queries.take_sealing_lock():
        return 0, {}
    events = queries.unsealed(limit)
    signer = _signer() if events else None
    ends = {}
    for account_id, group in groupby(events, key=lambda event: str(event["account_id"])):
        assert signer is not None  # noqa: S101 there are events
        ends[account_id] = _seal_account(account_id, list(group), signer)
    return len(events), ends


def _seal_account(account_id: str, events: Iterable[dict[str, object]], signer: Signer) -> Row:
    sequence, head = queries.head(account_id) or (0, GENESIS)
    places: list[tuple[object, int, str]] = []
    for event in events:
        sequence += 1
        head = digest(head, sequence, event)
        places.append((event["id"], sequence, head))
    queries.store_places(places)
    queries.store_head(account_id, sequence, head)
    at = clock.to_micros(clock.real_now())
    signature = signer.key.sign(checkpoint_text(account_id, sequence, head, at))
    queries.add_checkpoint(account_id, sequence, head, at, signature, signer.public)
    return {
        "account_id": account_id, "sequence": sequence, "digest": head, "at": at,
        "signature": signature.hex(), "public_key": signer.public.hex(),
    }  # fmt: skip


def _signer() -> Signer:
    """The newest signing key, made at first use; called under the sealing lock, so only once."""
    return _of(SigningKey.objects.order_by("-id").first() or _make())


def _of(row: SigningKey) -> Signer:
    """Unsealed once a process."""
    if row.secret_id not in _loaded:
        _loaded[row.secret_id] = _load(row)
    return _loaded[row.secret_id]


def _make() -> SigningKey:
    key = Ed25519PrivateKey.generate()
    return SigningKey.objects.create(
        secret_id=sealing.seal(TENANT, PURPOSE, key.private_bytes_raw()),
        public_key=key.public_key().public_bytes_raw(),
        created_at=clock.real_now(),
    )


def _load(row: SigningKey) -> Signer:
    key = Ed25519PrivateKey.from_private_bytes(sealing.unseal(row.secret_id, TENANT, PURPOSE))
    return Signer(key, key.public_key().public_bytes_raw())


def sign(text: bytes) -> bytes:
    """By the newest signing key; for a log that has been sealed before."""
    return _signer().key.sign(text)


def public_key() -> str:
    """The newest signing key's public one, hex."""
    return _signer().public.hex()


def trusted_keys() -> set[str]:
    """Public keys (hex) of all signing keys, from the sealed private ones: the database alone cannot
    put a foreign key among them.
    """
    return set(keys_by_age())


def keys_by_age() -> list[str]:
    """As `trusted_keys`, newest last."""
    return [_of(row).public.hex() for row in SigningKey.objects.order_by("id")]
