"""Reads of the audit log and the sealer's hand-written SQL."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from certdesk.foundation.common import sql

from .models import Event
from .verify import FIELDS

SEALING_LOCK = 0x61756469  # "audi": one sealer at a time
COLUMNS = FIELDS
NAMES = (*FIELDS, "sequence", "digest")
_SELECT = f"SELECT {', '.join(NAMES)} FROM audit_event WHERE account_id = %s"
_END = (
    "COALESCE((SELECT MAX(place) FROM (SELECT sequence AS place FROM audit_head WHERE account_id = %s"
    " UNION ALL SELECT sequence FROM audit_checkpoint WHERE account_id = %s) ends), 0)"
)


def events(*, resource: str = "", account_id: str = "") -> QuerySet[Event]:
    """Events of a resource ("cert:scs…"), of an account, or of both; newest first."""
    found = Event.objects.order_by("-id")
    if resource:
        found = found.filter(resource=resource)
    return found.filter(account_id=account_id) if account_id else found


def take_sealing_lock() -> bool:
    """Until the transaction ends; on SQLite the writer's lock is held already."""
    if sql.is_sqlite():
        return True
    return bool((sql.row("SELECT pg_try_advisory_xact_lock(%s)", [SEALING_LOCK]) or (False,))[0])


def unsealed(limit: int) -> list[dict[str, object]]:
    """The oldest unsealed events, those of one account together."""
    rows = sql.rows(
        f"SELECT {', '.join(COLUMNS)} FROM audit_event WHERE sequence IS NULL ORDER BY id LIMIT %s", [limit]
    )
    return sorted(
        (dict(zip(FIELDS, row, strict=True)) for row in rows), key=lambda event: str(event["account_id"])
    )


def head(account_id: str) -> tuple[int, str] | None:
    """Sequence and digest of the last sealed event."""
    found = sql.row("SELECT sequence, digest FROM audit_head WHERE account_id = %s", [account_id])
    return (int(found[0]), str(found[1])) if found else None


def store_places(places: Sequence[tuple[object, int, str]]) -> None:
    """Writes (event id, sequence, digest)."""
    values = ",".join(["(%s, %s, %s)"] * len(places))
    sql.execute(
        "UPDATE audit_event SET sequence = v.column2, digest = v.column3"
        f" FROM (VALUES {values}) AS v WHERE audit_event.id = v.column1",
        [value for place in places for value in place],
    )


def store_head(account_id: str, sequence: int, digest: str) -> None:
    sql.execute(
        "INSERT INTO audit_head (account_id, sequence, digest) VALUES (%s, %s, %s) ON CONFLICT (account_id)"
        " DO UPDATE SET sequence = excluded.sequence, digest = excluded.digest",
        [account_id, sequence, digest],
    )


def add_checkpoint(
    account_id: str, sequence: int, digest: str, at: int, signature: bytes, public_key: bytes
) -> None:
    row = {"account_id": account_id, "sequence": sequence, "digest": digest, "at": at}
    sql.insert("audit_checkpoint", [row | {"signature": signature, "public_key": public_key}])


def accounts() -> list[str]:
    """Every account that has events, checkpoints or a head."""
    statement = (
        "SELECT account_id FROM audit_event UNION SELECT account_id FROM audit_checkpoint"
        " UNION SELECT account_id FROM audit_head ORDER BY 1"
    )
    return [row[0] for row in sql.rows(statement)]


def end(account_id: str) -> int:
    """The last place that head or checkpoints tell of, in one look."""
    found = sql.row(f"SELECT {_END}", [account_id, account_id])
    return int(found[0]) if found else 0


def rows_until(account_id: str, last_place: int, chunk: int = 1000) -> Iterator[dict[str, Any]]:
    """An account's sealed events up to that place, by place; then the unsealed ones by id."""
    place, last_id = -(2**62), 0
    by_place = f"{_SELECT} AND sequence > %s AND sequence <= %s ORDER BY sequence LIMIT %s"
    while rows := sql.rows(by_place, [account_id, place, last_place, chunk]):
        yield from map(named, rows)
        place = rows[-1][-2]
    by_id = f"{_SELECT} AND sequence IS NULL AND id > %s ORDER BY id LIMIT %s"
    while rows := sql.rows(by_id, [account_id, last_id, chunk]):
        yield from map(named, rows)
        last_id = rows[-1][0]


def digest_at(account_id: str, place: int) -> str:
    """The digest of the row at that place; empty when there is none."""
    statement = "SELECT digest FROM audit_event WHERE account_id = %s AND sequence = %s"
    found = sql.row(statement, [account_id, place])
    return str(found[0]) if found else ""


def last_beyond(account_id: str) -> int:
    """The last place of rows behind the end, 0 when there are none: the sealer never leaves any.

    One statement, so that it sees rows and end at one moment.
    """
    statement = f"SELECT MAX(sequence) FROM audit_event WHERE account_id = %s AND sequence > {_END}"
    found = sql.row(statement, [account_id, account_id, account_id])
    return int(found[0] or 0) if found else 0


def named(row: sql.Row) -> dict[str, Any]:
    return dict(zip(NAMES, row, strict=True))


def checkpoints(account_id: str, last_place: int) -> Iterator[dict[str, Any]]:
    """Checkpoints of an account up to that place."""
    return checkpoints_between(account_id, -(2**62), last_place)


def checkpoints_between(account_id: str, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Checkpoints of an account from one place to another, both included."""
    rows = sql.rows(
        "SELECT sequence, digest, at, signature, public_key FROM audit_checkpoint WHERE account_id = %s"
        " AND sequence BETWEEN %s AND %s ORDER BY sequence",
        [account_id, first, last],
    )
    for row in rows:
        yield checkpoint(account_id, row)


def checkpoint(account_id: str, row: sql.Row) -> dict[str, Any]:
    """As an export has it: signature and key in hex."""
    sequence, digest, at, signature, public_key = row
    return {
        "account_id": account_id, "sequence": sequence, "digest": digest, "at": at,
        "signature": bytes(signature).hex(), "public_key": bytes(public_key).hex(),
    }  # fmt: skip
