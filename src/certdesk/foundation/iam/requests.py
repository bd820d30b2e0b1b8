"""Signed requests: who sent this, was it sent before, and what did we answer then (IAM-10)."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter

from . import assuming, keys, queries, signature
from .errors import BadSignature, StillRunning
from .principal import Principal
from .queries import KnownKey
from .signature import Authorization, Message

TOKEN_HEADER = "x-security-token"  # noqa: S105 a header's name
REPEAT = timedelta(seconds=2)
IDEMPOTENCY_LIFE = timedelta(hours=24)
ABANDONED_AFTER = timedelta(seconds=15)
"""A request without a final answer after this time is taken for dead: a repeat gets the interim answer
that it noted, or runs in its place where it noted none. One of those that lives after all cannot finish:
`finish` and `note` then refuse, and its transaction rolls back."""
READING = frozenset({"GET", "HEAD"})
MAX_IDEMPOTENCY_KEY = 128
_PRUNE_BATCH = 100

_REMEMBER = """
INSERT INTO iam_usedsignature (signature, seen_at, expires_at) VALUES (%s, %s, %s)
ON CONFLICT (signature) DO NOTHING
"""
_BEGIN = """
INSERT INTO iam_idempotencykey
(user_id, operation, key, body_sha256, status, answer, interim_status, interim_answer, created_at)
VALUES (%s, %s, %s, %s, NULL, '', NULL, '', %s)
ON CONFLICT (user_id, operation, key) DO NOTHING
"""
_NOTE = "UPDATE iam_idempotencykey SET interim_status = %s, interim_answer = %s WHERE id = %s"
_FORGET = "DELETE FROM iam_idempotencykey WHERE id = %s AND status IS NULL AND interim_status IS NULL"
_SETTLE = (
    "UPDATE iam_idempotencykey SET status = interim_status, answer = interim_answer"
    " WHERE id = %s AND status IS NULL AND interim_status IS NOT NULL"
)


def authenticate(message: Message, authorization: str, now: datetime) -> Principal:
    """The principal whose key signed this request.

    Args:
        now: real time.

    Raises:
        BadSignature: wrong, late, repeated, or of a key that is unknown or disabled; an unknown key and
            a wrong MAC take the same path and give the same words.
    """
    read = signature.read(authorization)
    known = queries.principal_by_key(read.access_key)
    usable = known is not None and known.enabled and _is_of_now(known, message, read, now)
    secret = known.secret if known is not None and usable else signature.NO_SECRET
    try:
        date = signature.verify(message, read, secret, now)
        if known is None or not usable:
            raise BadSignature()
    except BadSignature:
        if known is not None:
            queries.look_in_vain()  # an unknown key cost one look-up: so does a wrong MAC
        raise
    if message.method not in READING:
        _refuse_repeat(read.signature, date, now)
    if known.token_digest:
        return _of_temporary(known, now)
    keys.note_use(read.access_key, now)
    return known.principal


def _is_of_now(known: KnownKey, message: Message, read: Authorization, now: datetime) -> bool:
    """A temporary key needs its time and its security token, which must be signed with the rest."""
    if not known.token_digest:
        return True
    token = message.header(TOKEN_HEADER) or ""
    fits = hmac.compare_digest(assuming.digest(token), known.token_digest)
    in_time = known.expires_at is not None and now < known.expires_at
    return fits and in_time and TOKEN_HEADER in read.signed_headers


def _of_temporary(known: KnownKey, now: datetime) -> Principal:
    """Whether the agency still lets the user in is asked for every request."""
    if not known.agency_id:
        return known.principal
    found = assuming.again(known.principal, known.agency_id, now)
    if found is None:
        raise BadSignature("the agency is not open to this user any more")
    return found


def _refuse_repeat(mac: str, date: datetime, now: datetime) -> None:
    """A repeat is served for 2 s (a client that retries at once), then refused.

    A date ahead of our clock does not lengthen that: the 2 s then run from when it first came.
    """
    if _remember(mac, date, now):
        return
    found = sql.row("SELECT seen_at FROM iam_usedsignature WHERE signature = %s", [mac])
    first = clock.from_micros(found[0]) if found else now
    if now - min(date, first) > REPEAT:
        raise BadSignature("this signature was used before")


def _remember(mac: str, date: datetime, now: datetime) -> bool:
    """Writes the signature down; false when it was there. It must survive the end of a process, not a power
    cut, and the request's own commit flushes it anyway."""
    params = [mac, clock.to_micros(now), clock.to_micros(max(date, now) + 2 * signature.WINDOW)]
    with sql.short_transaction(flush=False):
        return sql.execute(_REMEMBER, params) == 1


class Outcome(StrEnum):
    RUN = "run"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do with a request that has an Idempotency-Key: run it, or repeat the answer of before."""

    outcome: Outcome
    row_id: int = 0
    status: int = 0
    answer: str = ""


def begin(principal: Principal, operation: str, key: str, body: bytes, now: datetime) -> Turn:
    """Takes the key for this request; scope is user and operation, for 24 h.

    The key of a process that was killed before it kept anything is free again after `ABANDONED_AFTER`:
    an operation keeps its answer, or an interim one by `note`, in its first transaction, so nothing
    was done under such a key.

    Raises:
        BadParameter: the key is malformed, or was used with another body.
        StillRunning: the first request is under way.
    """
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY or not key.isascii() or not key.isprintable():
        raise BadParameter(
            f"Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters.",
            field="Idempotency-Key",
        )
    digest = hashlib.sha256(body).hexdigest()
    scope = [principal.scope, operation, key]
    abandoned = clock.to_micros(now - ABANDONED_AFTER)
    with sql.short_transaction():
        sql.execute(
            "DELETE FROM iam_idempotencykey WHERE user_id = %s AND operation = %s AND key = %s"
            " AND (created_at <= %s OR (status IS NULL AND interim_status IS NULL AND created_at <= %s))",
            [*scope, clock.to_micros(now - IDEMPOTENCY_LIFE), abandoned],
        )
        is_first = sql.execute(_BEGIN, [*scope, digest, clock.to_micros(now)]) == 1
        found = sql.row(
            "SELECT id, body_sha256, status, answer, interim_status, interim_answer, created_at <= %s"
            " FROM iam_idempotencykey WHERE user_id = %s AND operation = %s AND key = %s",
            [abandoned, *scope],
        )
    if found is None or is_first:
        return Turn(Outcome.RUN, found[0] if found else 0)
    return _repeat(found, digest)


def _repeat(found: sql.Row, digest: str) -> Turn:
    row_id, body_sha256, status, answer, interim_status, interim_answer, is_dead = found
    if body_sha256 != digest:
        raise BadParameter(
            "This Idempotency-Key was used with another body.",
            next_step="Use a new key for a new request.",
            field="Idempotency-Key",
        )
    if status is None and is_dead:
        status, answer = interim_status, interim_answer
    if status is None:
        raise StillRunning(
            "The first request with this Idempotency-Key is still running.",
            next_step="Ask again in a moment with the same key and body.",
            retry_after=1,
        )
    return Turn(Outcome.REPEAT, row_id, status, answer)


def finish(turn: Turn, status: int, answer: str) -> None:
    """Keeps the answer for repeats; inside the operation's transaction where it has only one.

    Raises:
        StillRunning: this request was taken for dead and a repeat took its place; roll back.
    """
    _keep("UPDATE iam_idempotencykey SET status = %s, answer = %s WHERE id = %s", turn, status, answer)


def _keep(statement: str, turn: Turn, status: int, answer: str) -> None:
    if not sql.execute(statement, [status, answer, turn.row_id]):
        raise StillRunning(
            "Another request with this Idempotency-Key has taken the place of this one.",
            next_step="Ask again in a moment with the same key and body.",
            retry_after=1,
        )


_noting: ContextVar[Turn | None] = ContextVar("noting", default=None)


@contextmanager
def noting(turn: Turn) -> Iterator[None]:
    """While it lasts, `note` keeps an interim answer for `turn`."""
    token = _noting.set(turn)
    try:
        yield
    finally:
        _noting.reset(token)


def note(status: int, answer: str) -> None:
    """For an operation of several transactions: keeps, in its first one, what to answer to a repeat
    if this process ends before the last. Does nothing for a request without an Idempotency-Key.

    Raises:
        StillRunning: as `finish`.
    """
    turn = _noting.get()
    if turn is not None:
        _keep(_NOTE, turn, status, answer)


def give_up(turn: Turn) -> None:
    """Forgets the key of a request that was refused or failed: it did nothing, so it may be sent again.

    One that noted an interim answer did something: its key stays, with that answer for good.
    """
    if not sql.execute(_FORGET, [turn.row_id]):
        settle(turn)


def settle(turn: Turn) -> None:
    """The request is over without an answer of its own: the interim one, if it noted any, is its last."""
    sql.execute(_SETTLE, [turn.row_id])


def prune(now: datetime) -> int:
    """Deletes what has run out, at most 100 rows of each kind; answers how many went."""
    with sql.short_transaction():
        gone = sql.execute(
            "DELETE FROM iam_usedsignature WHERE signature IN"
            " (SELECT signature FROM iam_usedsignature WHERE expires_at < %s LIMIT %s)",
            [clock.to_micros(now), _PRUNE_BATCH],
        )
        gone += sql.execute(
            "DELETE FROM iam_idempotencykey WHERE id IN"
            " (SELECT id FROM iam_idempotencykey WHERE created_at < %s LIMIT %s)",
            [clock.to_micros(now - IDEMPOTENCY_LIFE), _PRUNE_BATCH],
        )
    return gone
