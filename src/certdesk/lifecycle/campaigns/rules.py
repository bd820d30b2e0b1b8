"""What a campaign may ask for, which certificates it cannot touch and why, how fast it goes. Pure."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates import endings
from certdesk.lifecycle.certificates.states import ROWS, State

REVOKE, REISSUE = "scm:cert:revoke", "scm:cert:reissue"
MOST_PER_MINUTE = 3_000
USUAL_PER_MINUTE = 900
"""10,000 in a little over eleven minutes, where the machine keeps up."""
NAME_LIMIT = 64
UNDER_WAY_AT_ONCE = 100
"""So that whoever asks for something else meanwhile never waits behind a long queue of a campaign's jobs."""
NO_RIGHT = "Who asks for the campaign has no right to do that with this certificate."
GONE = "The certificate was deleted."
LAPSED = "It expired before it was revoked."
KEY_OF_A_CSR = "Its key came with a CSR, so the service cannot make a new one: reissue it with a new CSR."
OTHERWISE = "It was revoked or changed otherwise meanwhile."
NOT_REPLACED = "The new version was withdrawn or refused."
NOT_DEPLOYED = "The new version could not be deployed everywhere, so the old one was left as it is."
_ISSUER = re.compile(r"[a-z0-9][a-z0-9-]{0,18}(:[a-z0-9][a-z0-9-]{0,18})?")
_KEY = re.compile(r"[0-9a-f]{64}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


class Action(StrEnum):
    """What happens to each certificate; a drill does the work of a revocation, measures it and takes it back.

    A replacement is a further version with a new key, deployed where the old one is served.
    """

    REVOKE = "REVOKE"
    REPLACE = "REPLACE"
    REPLACE_AND_REVOKE = "REPLACE_AND_REVOKE"
    DRILL = "DRILL"


@dataclass(frozen=True, slots=True)
class Query:
    """Which certificates: all that is said must hold, and something is said.

    Attributes:
        issuer: who issued them, as a version names it: `builtin`, or one authority, `builtin:dv-p256`.
        key: SHA-256 of the public key (SubjectPublicKeyInfo), 64 hex digits.
        name: a domain name; it and everything under it.
    """

    issuer: str = ""
    key: str = ""
    name: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def query_of(given: Mapping[str, str]) -> Query:
    """The query in its one written form.

    Raises:
        BadParameter: nothing is asked for, or something that cannot be.
    """
    asked = Query(
        given.get("issuer", "").strip().lower(),
        given.get("key", "").strip().lower().replace(":", ""),
        given.get("name", "").strip().lower().rstrip(".").removeprefix("*."),
    )
    if not any((asked.issuer, asked.key, asked.name)):
        raise _bad(
            "A campaign has to say which certificates it is for.",
            "Give an issuer, a key or a domain name.",
            "query",
        )
    if asked.issuer and not _ISSUER.fullmatch(asked.issuer):
        raise _bad("This is no issuer.", "Write it as versions show it, e.g. builtin:dv-p256.", "issuer")
    if asked.key and not _KEY.fullmatch(asked.key):
        raise _bad(
            "This is no key.", "Give the SHA-256 of the public key (SPKI): 64 hexadecimal digits.", "key"
        )
    if asked.name and not _is_name(asked.name):
        raise _bad("This is no domain name.", "Write it as in example.com.", "name")
    return asked


def _is_name(text: str) -> bool:
    labels = text.split(".")
    return len(text) <= 253 and len(labels) > 1 and all(_LABEL.fullmatch(one) for one in labels)


def _bad(message: str, next_step: str, field: str) -> BadParameter:
    return BadParameter(message, next_step=next_step, field=field)


def action_of(text: str) -> Action:
    """Raises:
    BadParameter: there is no such action.
    """
    if text not in list(Action):
        raise _bad(f"A campaign cannot {text[:40]!r}.", f"Use one of: {', '.join(Action)}.", "action")
    return Action(text)


RIGHTS: Mapping[Action, tuple[str, ...]] = {
    Action.REVOKE: (REVOKE,),
    Action.REPLACE: (REISSUE,),
    Action.REPLACE_AND_REVOKE: (REISSUE, REVOKE),
    Action.DRILL: (REVOKE,),
}
"""What each certificate asks for; a deployment asks for `scm:cert:deploy` itself."""


def check_name(text: str) -> str:
    """Raises:
    BadParameter: empty or too long.
    """
    name = " ".join(text.split())
    if not 0 < len(name) <= NAME_LIMIT:
        raise _bad(
            f"The name of a campaign has 1 to {NAME_LIMIT} characters.", "Give it a short name.", "name"
        )
    return name


def check_pace(per_minute: int, issuer_per_minute: int) -> None:
    """Certificates begun a minute: in all, and of one issuer; 0 for the latter sets no limit of its own.

    Raises:
        BadParameter: out of its limits.
    """
    if not 1 <= per_minute <= MOST_PER_MINUTE:
        raise _bad(
            f"{per_minute} certificates a minute cannot be asked for.",
            f"Use 1 to {MOST_PER_MINUTE}.",
            "per_minute",
        )
    if not 0 <= issuer_per_minute <= MOST_PER_MINUTE:
        raise _bad(
            f"{issuer_per_minute} certificates a minute cannot be asked for.",
            f"Use 1 to {MOST_PER_MINUTE}, or 0 for no limit.",
            "issuer_per_minute",
        )


def replaces(action: Action) -> bool:
    return action in (Action.REPLACE, Action.REPLACE_AND_REVOKE)


def cannot(action: Action, state: State, source: str, *, allowed: bool) -> str:
    """Why a certificate is left out, when the list is frozen and again at its turn; empty when it is not.

    REV-6: a campaign knows no month before the end and waits for no confirmation.

    Args:
        state: as people see it, Expired computed.
        allowed: the right of who asks, to this very certificate.
    """
    if not allowed:
        return NO_RIGHT
    if source != "BOUGHT":
        return endings.NOT_ISSUED_HERE
    if state not in ((State.ISSUED,) if replaces(action) else (State.ISSUED, State.REVOKING)):
        return f"It is {ROWS[state].title!r}."
    return ""


def budget(per_minute: int, last_minute: int, last_second: int, under_way: int) -> int:
    """How many may begin now: the minute's pace, spread over its seconds, and few at once."""
    a_second = -(-per_minute // 60)
    return max(0, min(per_minute - last_minute, a_second - last_second, UNDER_WAY_AT_ONCE - under_way))


def time_left(waiting: int, per_minute: int, each: timedelta) -> timedelta:
    """How long so many certificates take: by the pace, or by the work where that is slower.

    Args:
        each: measured work of one certificate; nothing where none was measured.
    """
    return max(timedelta(minutes=waiting / per_minute), waiting * each)
