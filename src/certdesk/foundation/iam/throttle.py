"""Counts attempts to sign in, at the console and for tokens alike, in the database: for every process."""

import hashlib
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import CertdeskError, Kind

from . import throttle_rules as rules
from .throttle_rules import Tries

_FAILED = """
INSERT INTO iam_signintry (login_digest, source, failures, since, succeeded_at) VALUES (%s, %s, 1, %s, NULL)
ON CONFLICT (login_digest, source) DO UPDATE SET
  failures = CASE WHEN iam_signintry.since > %s THEN iam_signintry.failures + 1 ELSE 1 END,
  since = CASE WHEN iam_signintry.since > %s THEN iam_signintry.since ELSE excluded.since END
"""
_SUCCEEDED = """
INSERT INTO iam_signintry (login_digest, source, failures, since, succeeded_at) VALUES (%s, %s, 0, %s, %s)
ON CONFLICT (login_digest, source) DO UPDATE SET failures = 0, succeeded_at = excluded.succeeded_at
"""
_PAIR = "SELECT failures, since, succeeded_at FROM iam_signintry WHERE login_digest = %s AND source = %s"
_OF_ADDRESS = (
    "SELECT COALESCE(SUM(failures), 0) FROM iam_signintry"
    " WHERE source = %s AND since > %s AND login_digest <> %s"
)
_OF_NAME = (
    "SELECT COALESCE(SUM(failures), 0) FROM iam_signintry"
    " WHERE login_digest = %s AND since > %s AND source <> %s"
)


class SlowDown(CertdeskError):
    """Too many attempts; `retry_after` says when the next one may be made."""

    kind = Kind.TOO_MANY


def check(login: str, source: str, now: datetime) -> None:
    """Passes an attempt that may be made; looks at nothing but the counts, so it tells nothing of the user.

    Raises:
        SlowDown: with the time to wait.
    """
    name, since = _digest(login), clock.to_micros(now - rules.WINDOW)
    pair = sql.row(_PAIR, [name, source]) or (0, None, None)
    of_address = sql.row(_OF_ADDRESS, [source, since, name])
    of_name = sql.row(_OF_NAME, [name, since, source])
    tries = Tries(
        pair[0],
        sql.moment(pair[1]),
        int(of_address[0]) if of_address else 0,
        int(of_name[0]) if of_name else 0,
        sql.moment(pair[2]),
    )
    waiting = rules.wait(tries, now)
    if waiting is not None:
        raise SlowDown(
            "Too many failed attempts to sign in.",
            next_step=f"Wait {max(1, int(waiting / timedelta(minutes=1)))} minutes and try again.",
            retry_after=max(1, int(waiting.total_seconds())),
        )


def failed(login: str, source: str, now: datetime) -> None:
    """One more failure; the name may be nobody's."""
    since = clock.to_micros(now - rules.WINDOW)
    with sql.short_transaction():
        sql.execute(_FAILED, [_digest(login), source, clock.to_micros(now), since, since])


def succeeded(login: str, source: str, now: datetime) -> None:
    """The name is known at this address from now on."""
    moment = clock.to_micros(now)
    with sql.short_transaction():
        sql.execute(_SUCCEEDED, [_digest(login), source, moment, moment])


def prune(now: datetime) -> int:
    """Deletes at most 100 rows that no rule looks at any more."""
    old = clock.to_micros(now - rules.KNOWN_FOR)
    with sql.short_transaction():
        return sql.execute(
            "DELETE FROM iam_signintry WHERE id IN (SELECT id FROM iam_signintry"
            " WHERE since < %s AND (succeeded_at IS NULL OR succeeded_at < %s) LIMIT 100)",
            [old, old],
        )


def _digest(login: str) -> str:
    return hashlib.sha256(login.strip().casefold().encode("utf-8", "replace")).hexdigest()
