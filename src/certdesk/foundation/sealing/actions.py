"""Seal, unseal, destroy, rotate: the only writers of sealed secrets (law 10)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock, ids, settings, sql

from . import envelope, kek, queries
from .envelope import Label, Sealed
from .errors import KekRefused, SealBroken, SecretMissing
from .kek import KeyRing
from .models import Secret

BATCH = 100  # rows a transaction (law 13)
PAUSE = 0.002  # seconds between them, for other writers


@dataclass(frozen=True)
class RotationReport:
    """What a rotation did.

    Attributes:
        version: the KEK that now wraps every secret.
        rewrapped: rows moved to it in this run.
        remaining: rows still under an older one; 0 when the rotation is complete.
        broken: ids that cannot be opened and were left as they are, under the version they name.
        retired: versions removed from the file: those that no row names any more.
        resumed: an interrupted rotation was finished, no new version was made.
    """

    version: int
    rewrapped: int
    remaining: int
    broken: tuple[str, ...]
    retired: tuple[int, ...]
    resumed: bool


def seal(tenant: str, purpose: str, plaintext: bytes) -> str:
    """Store a secret sealed; answers its id. Joins the caller's transaction."""
    return seal_many(tenant, purpose, [plaintext])[0]


def seal_many(tenant: str, purpose: str, plaintexts: Sequence[bytes]) -> list[str]:
    """As `seal` for several, in one INSERT; answers their ids in the same order."""
    labelled = [(Label(tenant, ids.hex32(), purpose), plaintext) for plaintext in plaintexts]
    with sql.short_transaction():
        ring = kek.load()
        _insert(labelled, ring)
        # A rotation may have begun since the ring was read. The rows are in the table now, so the
        # rotation's last count either sees them or this check sees the rotation.
        while (newer := kek.load()).current != ring.current:
            ring = newer
            Secret.objects.filter(id__in=[label.id for label, _ in labelled]).delete()
            _insert(labelled, ring)
    return [label.id for label, _ in labelled]


def _insert(labelled: Sequence[tuple[Label, bytes]], ring: KeyRing) -> None:
    now = clock.real_now()
    sql.insert(
        "sealing_secret", [_row(label, envelope.close(label, text, ring), now) for label, text in labelled]
    )


def _row(label: Label, sealed: Sealed, now: datetime) -> dict[str, object]:
    return {
        "id": label.id,
        "tenant": label.tenant,
        "purpose": label.purpose,
        "kek_version": sealed.kek_version,
        "wrapped_key": sealed.wrapped_key,
        "ciphertext": sealed.ciphertext,
        "created_at": now,
    }


def unseal(secret_id: str, tenant: str, purpose: str) -> bytes:
    """The plaintext; keep it no longer than needed and never log it.

    Raises:
        SecretMissing: there is no such row.
        SealBroken: the row was changed or swapped, or belongs to another tenant or purpose.
        KekRefused: the KEK file cannot be used.
    """
    label = Label(tenant, secret_id, purpose)
    sealed = _find(secret_id)
    try:
        return envelope.open_sealed(label, sealed, kek.load())
    except KekRefused:
        # A rotation may have moved the row and retired its old version since it was read.
        newer = _find(secret_id)
        if newer.kek_version == sealed.kek_version:
            raise
        return envelope.open_sealed(label, newer, kek.load())


def _find(secret_id: str) -> Sealed:
    sealed = queries.find(secret_id)
    if sealed is None:
        raise SecretMissing("The secret does not exist any more.", next_step="Make a new one in its place.")
    return sealed


def destroy(secret_id: str) -> None:
    """Delete the row: its data key is gone with it. Deleting a missing one is no error."""
    Secret.objects.filter(id=secret_id).delete()


def check_kek() -> None:
    """For the start: whether the KEK file is the one that this database was sealed with.

    Raises:
        KekRefused: it is another one, e.g. made anew after the first was lost.
    """
    row = Secret.objects.order_by("-created_at").first()
    if row is None:
        return
    try:
        unseal(row.id, row.tenant, row.purpose)
    except SealBroken:
        raise KekRefused(
            "The KEK file is not the one that this database was sealed with.",
            next_step="Put back the file from where you keep it; a new one cannot open the old secrets.",
        ) from None


def rotate(*, retire: bool = True) -> RotationReport:
    """Put every secret under a new KEK while the service runs; safe to kill and to call again.

    A call after an interrupted one finishes that one. Old versions leave the file only when no row needs
    them. With `retire=False` they stay: for several nodes that each have a copy of the file.

    Rows that nobody can open are passed over: they must not keep the others from a new KEK.
    """
    path = settings.get().kek_path
    resumed = _was_interrupted(kek.load(path))
    if not resumed:
        kek.add_version(path)
    rewrapped, broken = _rewrap_all()
    remaining, retired = _retire_unused(retire)
    return RotationReport(kek.load(path).current, rewrapped, remaining, broken, retired, resumed)


def _was_interrupted(ring: KeyRing) -> bool:
    """Whether a row that can be opened still stands under an older version."""
    broken: list[str] = []
    while rows := queries.under_old_keks(ring.current, BATCH, broken):
        for label, sealed in rows:
            try:
                envelope.rewrap(label, sealed, ring)
            except (SealBroken, KekRefused):
                broken.append(label.id)
            else:
                return True
    return False


def _rewrap_all() -> tuple[int, tuple[str, ...]]:
    done = 0
    broken: list[str] = []
    while True:
        ring = kek.load()
        changes: list[tuple[str, Sealed, Sealed]] = []
        with sql.short_transaction():
            old_rows = queries.under_old_keks(ring.current, BATCH, broken)
            for label, sealed in old_rows:
                try:
                    changes.append((label.id, sealed, envelope.rewrap(label, sealed, ring)))
                except (SealBroken, KekRefused):  # changed, or its version has left the file
                    broken.append(label.id)
            done += queries.swap_wrapped(changes) if changes else 0
        if not old_rows:
            return done, tuple(broken)
        time.sleep(PAUSE)


def _retire_unused(allowed: bool) -> tuple[int, tuple[int, ...]]:
    path = settings.get().kek_path
    ring = kek.load(path)
    with sql.short_transaction():
        queries.wait_for_writers()
        remaining = queries.count_under(ring.current)
        needed = queries.versions()
        unused = tuple(one for one in ring.versions[:-1] if allowed and one not in needed)
        if unused:
            kek.retire(path, unused)
    return remaining, unused
