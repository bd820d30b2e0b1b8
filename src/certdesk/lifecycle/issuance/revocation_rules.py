"""Which certificates may be revoked, for which reason, who has to confirm (REV-1..6). Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.lifecycle.certificates import endings

LINK_LIFE = timedelta(days=30)  # REV-9
REMIND_AFTER = timedelta(days=3)
REASON_LIMIT = 255  # characters of the requester's own words


class Code(StrEnum):
    """Reasons that a subscriber may give (API §10); `NUMBERS` has their CRLReason (RFC 5280 §5.3.1)."""

    UNSPECIFIED = "UNSPECIFIED"
    KEY_COMPROMISE = "KEY_COMPROMISE"
    AFFILIATION_CHANGED = "AFFILIATION_CHANGED"
    SUPERSEDED = "SUPERSEDED"
    CESSATION_OF_OPERATION = "CESSATION_OF_OPERATION"


NUMBERS = {
    Code.UNSPECIFIED: 0,
    Code.KEY_COMPROMISE: 1,
    Code.AFFILIATION_CHANGED: 3,
    Code.SUPERSEDED: 4,
    Code.CESSATION_OF_OPERATION: 5,
}


class Revocable(endings.Ending, Protocol):
    @property
    def level(self) -> str: ...


def code_of(text: str) -> Code:
    """The reason of that name; nothing said is UNSPECIFIED.

    Raises:
        BadParameter: there is no such reason.
    """
    if not text:
        return Code.UNSPECIFIED
    if text not in list(Code):
        raise BadParameter(
            f"There is no reason {text[:40]!r}.",
            next_step=f"Give one of {', '.join(Code)}.",
            field="reason_code",
        )
    return Code(text)


def check_words(text: str) -> str:
    """The requester's own words, kept for the record.

    Raises:
        BadParameter: too long.
    """
    if len(text) > REASON_LIMIT:
        raise BadParameter(
            f"The reason has {len(text)} characters; at most {REASON_LIMIT} are kept.",
            next_step="Say it shorter.",
            field="reason",
        )
    return text


def check_time(one: Revocable, code: Code, now: datetime) -> None:
    """REV-1, REV-6: the month before the end bars a subscriber's request, a compromised key never does.

    Raises:
        WrongState: with what can be done instead.
    """
    why = endings.no_revocation(one, now)
    if why and (code is not Code.KEY_COMPROMISE or why == endings.NOT_ISSUED_HERE):
        raise WrongState(why)


def needs_confirmation(one: Revocable) -> bool:
    """REV-2: organisations are asked by mail first; a domain's own word is enough."""
    return one.level != "DV"


def link_is_old(made_at: datetime, now: datetime) -> bool:
    """REV-9: the last second of the thirtieth day counts (TIM-1)."""
    return now > made_at + LINK_LIFE
