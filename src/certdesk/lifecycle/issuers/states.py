"""How an issuer does, from what its tests and orders met. Pure; moments are real time.

A test alone brings an issuer back that only tests found broken. Where orders failed, a good test proves
little: after a pause it gets an order again, and one more failure takes it down at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

from django.db import models

from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.protocol import ConnectorError

DOWN_AFTER = 3
"""Failures in a row; a single one is the weather of the internet."""
PAUSES = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
UNNAMED_LIMIT = timedelta(minutes=15)
"""A CA that asks us to slow down and does not say until when."""
LONGEST = timedelta(days=8)
"""No longer than the longest period by which CAs count; what they ask beyond is a mistake of theirs."""


class State(models.TextChoices):
    UNKNOWN = "UNKNOWN"  # not asked yet
    OK = "OK"
    DEGRADED = "DEGRADED"  # failed lately; it still gets orders, unless it asked us to wait
    DOWN = "DOWN"  # gets no orders


class Weight(IntEnum):
    """What a failure says about the issuer itself."""

    NOTHING = 0  # about one order
    WAIT = 1
    PASSING = 2
    LASTING = 3  # only a person can mend it


_WEIGHTS = {
    Reason.REFUSED: Weight.NOTHING,
    Reason.NOT_THERE: Weight.NOTHING,
    Reason.RATE_LIMITED: Weight.WAIT,
    Reason.OPTIONS: Weight.LASTING,
    Reason.NOT_ALLOWED: Weight.LASTING,
    Reason.CREDENTIALS: Weight.LASTING,
}


@dataclass(frozen=True, slots=True)
class Health:
    """`orders_fail`: an order was among the failures; `retry_at`: nothing new is asked before."""

    state: State = State.UNKNOWN
    failures: int = 0
    orders_fail: bool = False
    retry_at: datetime | None = None


def weight_of(error: ConnectorError) -> Weight:
    if isinstance(error, IssuerError):
        return _WEIGHTS.get(error.reason, Weight.PASSING)
    return Weight.LASTING if error.permanent else Weight.PASSING


def after_success(was: Health, now: datetime, *, ordered: bool) -> Health:
    """`ordered`: an order went well, not a test alone."""
    if ordered:
        return Health(State.OK)
    if was.retry_at is not None and now < was.retry_at:
        return was
    if was.orders_fail and was.failures:
        return replace(was, state=State.DEGRADED, retry_at=None)
    return Health(State.OK)


def after_failure(
    was: Health, weight: Weight, now: datetime, *, ordered: bool, retry_after: int | None = None
) -> Health:
    """`retry_after`: seconds that the CA named."""
    named = now + min(timedelta(seconds=retry_after), LONGEST) if retry_after else None
    if weight is Weight.NOTHING:
        return was
    if weight is Weight.WAIT:
        state = State.DOWN if was.state == State.DOWN else State.DEGRADED
        return replace(was, state=state, retry_at=_later(was.retry_at, named or now + UNNAMED_LIMIT))
    failures = was.failures + 1
    down = weight is Weight.LASTING or failures >= DOWN_AFTER
    wait = _later(was.retry_at, named)
    if down and ordered:
        wait = _later(wait, now + PAUSES[min(max(failures - DOWN_AFTER, 0), len(PAUSES) - 1)])
    return Health(State.DOWN if down else State.DEGRADED, failures, was.orders_fail or ordered, wait)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)
