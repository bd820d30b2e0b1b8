"""Deleting and unsubscribing: which, how long, by which door (DEL-1, UNS-1, UNS-2, FRE-4). Pure."""

from datetime import datetime, timedelta
from typing import Protocol

from certdesk.foundation.common.errors import WrongState

from . import further, states
from .further import FREE_NOT_RENEWED
from .states import EXPIRING, Event, State, Step, Via

UNSUBSCRIBE_FOR = timedelta(days=7)  # TIM-1: 604,800 s, exclusive

FREE_BY_API = "A free certificate in force is deleted by the API only."
PAID_IS_UNSUBSCRIBED = "A paid certificate that was never issued is not deleted: unsubscribe from it instead."
NOT_RENEWED_HERE = "It was not bought here, so it cannot be renewed: buy a certificate instead."
RENEWAL_LATER = "A certificate can be renewed in the last 30 days before its paid period ends."
RENEWAL_WINDOW = timedelta(days=30)  # REN-1, TIM-1: 30 × 86,400 s
NOT_BOUGHT_HERE = "It was not bought here, so there is nothing to give back."
FREE_IS_DELETED = "Nothing was paid for a free certificate: delete it instead."
TOO_LATE = "The seven days after its payment are over."
NOTHING_KEPT = "No personal data is kept for this certificate, so there is nothing to cancel."
NOT_ISSUED_HERE = "It was uploaded, so only the CA that issued it can revoke it."
MONTH_BEFORE_END = (
    "A certificate is not revoked within one month before it expires, unless its key is compromised."
)
REVOCATION_BAR = timedelta(days=30)  # REV-1, TIM-1
SHORT_LIVED = timedelta(days=100)  # REV-6: those of at most so long have no such month
_DELETABLE = frozenset({State.PAID, State.ISSUED, State.REVOKED, State.UPLOAD, State.EXPIRED})
_REFUNDABLE = frozenset({State.PAID, State.REVOKED})


class Ending(further.Further, Protocol):
    """What the rules look at: a `Certificate` or a row of a list."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def personal_data(self) -> bool: ...
    @property
    def not_before(self) -> datetime | None: ...
    @property
    def not_after(self) -> datetime | None: ...
    @property
    def paid_until(self) -> datetime | None: ...


def bar(operation: str, one: Ending, state: State, now: datetime, *, in_console: bool) -> str:
    """Why this very certificate does not allow an operation that its state may list; empty when it does."""
    if operation == "renew":
        return no_renewal(one, state, now)
    if operation == "reissue":
        return further.no_reissue(one, now)
    if operation == "add-domains":
        return further.no_addition(one)
    if operation == "delete" and state in _DELETABLE:
        return _no_delete(one, state, in_console)
    if operation == "privacy" and operation in states.ROWS[state].operations:
        return "" if one.personal_data else NOTHING_KEPT
    if operation == "unsubscribe" and state in _REFUNDABLE:
        return _no_refund(one, now)
    if operation == "revoke":
        return no_revocation(one, now)
    return ""


def no_renewal(one: Ending, state: State, now: datetime) -> str:
    """REN-1, REN-2: why this very certificate cannot be renewed now; empty when only its state decides."""
    if one.source != "BOUGHT":
        return NOT_RENEWED_HERE
    if one.free:
        return FREE_NOT_RENEWED
    end = paid_end(one)
    if "renew" not in states.ROWS[state].operations or end is None:
        return ""
    return RENEWAL_LATER if now < end - RENEWAL_WINDOW else ""


def paid_end(one: Ending) -> datetime | None:
    """Last second of the paid period: where an issuer's certificates are shorter, later than notAfter."""
    if one.paid_until is None or one.not_after is None:
        return one.not_after
    return max(one.paid_until, one.not_after)


def check_renewable(one: Ending, state: State, now: datetime) -> None:
    """REN-1, REN-2, REN-6.

    Args:
        state: as people see it, Expired computed.

    Raises:
        WrongState: with the reason.
    """
    if one.source == "BOUGHT" and "renew" not in states.ROWS[state].operations:
        raise WrongState(
            f"A certificate that is {states.ROWS[state].title!r} cannot be renewed.",
            next_step="Possible only in the last 30 days before it expires; buy a new certificate instead.",
        )
    why = no_renewal(one, state, now)
    if why:
        raise WrongState(why, next_step=_INSTEAD.get(why, ""))


_INSTEAD = {RENEWAL_LATER: "Wait until then, or buy another certificate now."}


def no_revocation(one: Ending, now: datetime) -> str:
    """REV-1, REV-6: why an ordinary request is refused whatever the state; empty when it is not."""
    if one.source != "BOUGHT":
        return NOT_ISSUED_HERE
    begin, end = one.not_before, one.not_after
    if begin is None or end is None or end - begin <= SHORT_LIVED:
        return ""
    return MONTH_BEFORE_END if now >= end - REVOCATION_BAR else ""


def check_deletable(one: Ending, state: State, *, in_console: bool) -> None:
    """DEL-1, FRE-4.

    Args:
        state: as people see it, Expired computed.
        in_console: the request came from the console.

    Raises:
        WrongState: with what can be done instead.
    """
    if state not in _DELETABLE:
        raise WrongState(
            f"A certificate that is {states.ROWS[state].title!r} cannot be deleted.",
            next_step=states.ROWS[state].next_step,
        )
    why = _no_delete(one, state, in_console)
    if why:
        raise WrongState(why)


def _no_delete(one: Ending, state: State, in_console: bool) -> str:
    if state is State.PAID and not one.free:
        return PAID_IS_UNSUBSCRIBED
    if state is State.ISSUED and one.free and in_console:
        return FREE_BY_API
    return ""


def deletion_steps(stored: State, shown: State) -> list[Step]:
    """The way along the table; what was pending on an expired one ends first (LST-7)."""
    pending = shown is State.EXPIRED and stored in EXPIRING - {State.ISSUED, State.UPLOAD}
    before: list[Step] = [(Event.LAPSE, Via.ANY)] if pending else []
    return [*before, (Event.DELETE, Via.ANY)]


def check_unsubscribable(one: Ending, state: State, now: datetime) -> None:
    """UNS-1, UNS-2: bought here, within seven days of payment, Pending application or Revoked.

    Certificates are made in the moment of payment, so their age is that of the payment.

    Raises:
        WrongState: with the reason.
    """
    if state not in _REFUNDABLE:
        raise WrongState(
            f"A certificate that is {states.ROWS[state].title!r} cannot be unsubscribed from.",
            next_step="Possible only while it is pending application, or after it was revoked.",
        )
    why = _no_refund(one, now)
    if why:
        raise WrongState(why)


def _no_refund(one: Ending, now: datetime) -> str:
    if one.source != "BOUGHT":
        return NOT_BOUGHT_HERE
    if one.free:
        return FREE_IS_DELETED
    return "" if now < one.created_at + UNSUBSCRIBE_FOR else TOO_LATE
