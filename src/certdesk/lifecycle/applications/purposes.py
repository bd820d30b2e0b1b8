"""Where each kind of application stands in the life of its certificate. Pure.

A first application and a reissue walk the states from Pending domain name verification on. An addition and a
rollover leave the certificate as it is until the new version is there: names are proved and the version is
signed in one and the same state.
"""

from certdesk.lifecycle.certificates.states import ROLLS_OVER, Event, State

from .models import Purpose

PROVING = {
    Purpose.ISSUE: frozenset({State.CHECKING}),
    Purpose.REISSUE: frozenset({State.CHECKING}),
    Purpose.ADDITION: frozenset({State.SUPPLEMENTCHECKING}),
    Purpose.ROLLOVER: ROLLS_OVER,
}
"""The states in which its names are looked at."""

SIGNING = {
    Purpose.ISSUE: frozenset({State.ISSUING}),
    Purpose.REISSUE: frozenset({State.ISSUING}),
    Purpose.ADDITION: frozenset({State.SUPPLEMENTCHECKING}),
    Purpose.ROLLOVER: ROLLS_OVER,
}
"""The states in which the issuer may be asked."""

ACCEPTED = {
    Purpose.ISSUE: Event.ISSUE,
    Purpose.REISSUE: Event.ISSUE,
    Purpose.ADDITION: Event.ADDITION_ISSUED,
    Purpose.ROLLOVER: Event.ROLL_OVER,
}

REFUSED: dict[Purpose, Event | None] = {
    Purpose.ISSUE: Event.ISSUER_REFUSED,
    Purpose.REISSUE: Event.ISSUER_REFUSED,
    Purpose.ADDITION: Event.ADDITION_REFUSED,
    Purpose.ROLLOVER: None,  # the certificate is as good as before
}


def is_proving(purpose: str, state: str) -> bool:
    """Whether the names of an application are looked at while its certificate is in `state`."""
    return state in PROVING[Purpose(purpose)]


def may_sign(purpose: str, state: str) -> bool:
    """Whether the issuer may be asked while the certificate is in `state`."""
    return state in SIGNING[Purpose(purpose)]


def is_beside(purpose: str) -> bool:
    """Whether the certificate of before stays in force meanwhile, whatever comes of the application."""
    return purpose in (Purpose.ADDITION, Purpose.ROLLOVER)
