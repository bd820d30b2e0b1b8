"""Reads and the re-wrapping update, hand-written: rotation goes over every row."""

from collections.abc import Sequence

from django.db import connection

from certdesk.foundation.common import sql

from .envelope import Label, Sealed

_COLUMNS = "id, tenant, purpose, kek_version, wrapped_key, ciphertext"


def find(secret_id: str) -> Sealed | None:
    found = sql.row(
        "SELECT kek_version, wrapped_key, ciphertext FROM sealing_secret WHERE id = %s", [secret_id]
    )
    return Sealed(int(found[0]), bytes(found[1]), bytes(found[2])) if found else None


def under_old_keks(current: int, limit: int, skip: Sequence[str] = ()) -> list[tuple[Label, Sealed]]:
    """At most `limit` rows that an older KEK wraps, by the index on the version."""
    but = f" AND id NOT IN ({','.join(['%s'] * len(skip))})" if skip else ""
    found = sql.rows(
        f"SELECT {_COLUMNS} FROM sealing_secret WHERE kek_version < %s{but} LIMIT %s",
        [current, *skip, limit],
    )
    return _labelled(found)


def page_after(secret_id: str, limit: int) -> list[tuple[Label, Sealed]]:
    """The next `limit` rows in the order of their ids."""
    return _labelled(
        sql.rows(
            f"SELECT {_COLUMNS} FROM sealing_secret WHERE id > %s ORDER BY id LIMIT %s", [secret_id, limit]
        )
    )


def _labelled(rows: Sequence[sql.Row]) -> list[tuple[Label, Sealed]]:
    return [
        (Label(tenant, secret_id, purpose), Sealed(int(version), bytes(wrapped), bytes(ciphertext)))
        for secret_id, tenant, purpose, version, wrapped, ciphertext in rows
    ]


def count_under(version_below: int) -> int:
    found = sql.row("SELECT count(*) FROM sealing_secret WHERE kek_version < %s", [version_below])
    return int(found[0]) if found else 0


def versions() -> set[int]:
    """The KEK versions that rows name."""
    return {int(row[0]) for row in sql.rows("SELECT DISTINCT kek_version FROM sealing_secret")}


def swap_wrapped(changes: Sequence[tuple[str, Sealed, Sealed]]) -> int:
    """Compare-and-set: a row that somebody changed in between stays as it is. Answers rows changed."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE sealing_secret SET kek_version = %s, wrapped_key = %s"
            " WHERE id = %s AND kek_version = %s AND wrapped_key = %s",
            [
                (new.kek_version, new.wrapped_key, secret_id, old.kek_version, old.wrapped_key)
                for secret_id, old, new in changes
            ],
        )
        return int(cursor.rowcount)


def wait_for_writers() -> None:
    """Inside a transaction: every row inserted before is committed or gone once this returns.

    SQLite needs nothing: BEGIN IMMEDIATE has waited already.
    """
    if not sql.is_sqlite():
        sql.execute("LOCK TABLE sealing_secret IN SHARE MODE")
