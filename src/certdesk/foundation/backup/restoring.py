"""Puts a backup back on an empty machine, and says what it lacks (the rooms settle their own part)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certdesk.foundation.audit import heads as audit_heads
from certdesk.foundation.common import clock, sql

from . import making, target
from .errors import BackupBroken, BackupRefused
from .manifest import Manifest


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of an account that were signed after the backup was made: what they tell of is not in it.

    Attributes:
        first, last: places in the account's chain.
        at: when the last one that is known of was signed; UTC, ISO 8601.
    """

    account_id: str
    first: int
    last: int
    at: str


def fill(file: Path, passphrase: str) -> Manifest:
    """Inside `target.building`: everything of the file stands, at this release's schema.

    Raises:
        BackupRefused, KekRefused, BackupBroken: nothing is kept then.
    """
    target.refuse_other_kind(making.read_head(file).database)
    with making.opened(file, passphrase) as reader:
        found = target.fill(reader)
    for account_id, (sequence, digest) in found.heads.items():
        if sql.row("SELECT sequence, digest FROM audit_head WHERE account_id = %s", [account_id]) != (
            sequence,
            digest,
        ):
            raise BackupBroken(
                f"The audit log of {account_id} came back with another end.",
                next_step="Take another copy of it.",
            )
    return found


def noted(file: Path | None) -> list[dict[str, Any]]:
    """The checkpoints that were kept outside the database: of this file, or of the one beside the KEK.

    Raises:
        BackupRefused: the file cannot be read.
    """
    path = file or audit_heads.path()
    if file is None and not path.exists():
        return []
    try:
        return [dict(one) for one in audit_heads.read_heads(path)]
    except (OSError, ValueError) as error:
        raise BackupRefused(
            f"The file of the audit log's heads {path} cannot be read: {error}.",
            next_step="Name another copy, or move it away.",
        ) from None


def gaps(heads: Sequence[dict[str, Any]]) -> list[Gap]:
    """What the heads know of and the restored database does not."""
    found = []
    for one in heads:
        account, last = str(one["account_id"]), int(one["sequence"])
        first = _places_of(account) + 1
        if last >= first:
            at = clock.from_micros(int(one["at"])).isoformat(timespec="seconds")
            found.append(Gap(account, first, last, at))
    return found


def _places_of(account: str) -> int:
    """Events with a place in the chain, and those that get one next."""
    sealed = sql.row("SELECT sequence FROM audit_head WHERE account_id = %s", [account])
    waiting = sql.row(
        "SELECT count(*) FROM audit_event WHERE account_id = %s AND sequence IS NULL", [account]
    )
    return int(sealed[0] if sealed else 0) + int(waiting[0] if waiting else 0)


def set_heads_aside() -> str:
    """The heads of the time after the backup: kept under another name, or each check would name the gap.

    Answers that name, or nothing.
    """
    path = audit_heads.path()
    if not path.exists():
        return ""
    aside = path.with_name(f"{path.name}.before-restore")
    path.replace(aside)
    return str(aside)
