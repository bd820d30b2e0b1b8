"""What a campaign may ask for, which certificates it cannot touch and why, how fast it goes. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates import endings
from certdesk.lifecycle.certificates.states import BEING_REVOKED, ROWS, State

REVOKE, REISSUE = "scm:cert:revoke", "scm:cert:reissue"
MOST_PER_MINUTE = 3_000
USUAL_PER_MINUTE = 900
"""10,000 in a little over eleven minutes, where the machine keeps up."""
NAME_LIMIT = 64
SLUG_LIMIT = 19
UNDER_WAY_AT_ONCE = 100
"""So that whoever asks for something else meanwhile never waits behind a long queue of a campaign's jobs."""
AT_CAS_AT_ONCE = 3_000
"""Orders that wait at CAs outside: they stand in no queue of ours, and each asks again in its own time."""
NO_RIGHT = "Who asks for the campaign has no right to do that with this certificate."
GONE = "The certificate was deleted."
LAPSED = "It expired before it was revoked."
NOT_RENEWED = "It expired before its ACME client renewed it."
KEY_OF_A_CSR = "Its key came with a CSR, so the service cannot make a new one: reissue it with a new CSR."
OTHERWISE = "It was revoked or changed otherwise meanwhile."
NO_OTHER = "Its product has no other issuer than %s, which is to be left."
NOT_OF_PRODUCT = "The issuer %s is not among those of its product."
FROM_THE_SAME = (
    "Its ACME client has renewed it, but not from the new issuer: change the order of issuers of its "
    "product, or switch the old one off."
)
SAME_KEY = (
    "Its ACME client has renewed it with the key that is to be given up: let the client make a new key, then "
    "renew it once more."
)
ONCE_MORE = frozenset({FROM_THE_SAME, SAME_KEY})
"""What has come in a certificate's place does not count; what comes after it may."""
STILL_SERVED = "Its ACME client has renewed it; the old one was still served at %s when last looked."
NOT_REPLACED = "The new version was withdrawn or refused."
WAITS_FOR_PROOF = (
    "Control of its names is not proved yet: its page shows the record to be set for the domain."
)
WAITS_FOR_ISSUER = "Its issuer has not issued the new version yet; it is asked again by itself."
NOT_PROVED = (
    "Nobody proved control of its names within seven days, so the old version is in force as before."
    " Prove them on its page, then make a new campaign for it."
)
PATIENCE = timedelta(minutes=30)
"""So long a replacement may take before it is said what it waits for."""
LONGEST = timedelta(days=7)
"""So long a campaign waits for a proof."""
NOT_DEPLOYED = "The new version could not be deployed everywhere, so the old one was left as it is."
_ISSUER = re.compile(r"[a-z0-9][a-z0-9-]{0,18}(:[^\x00-\x1f]{1,39})?")
_KEY = re.compile(r"[0-9a-f]{64}")
_PROFILE = re.compile(r"(public|private)(:(dv|ov|ev))?")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,18}")
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
        issuer: who issued them, as a version names it: `builtin` or the slug of an issuer outside, or one
            authority of it, `builtin:dv-p256`.
        key: SHA-256 of the public key (SubjectPublicKeyInfo), 64 hex digits.
        name: a domain name; it and everything under it.
        profile: under which they were issued: `public` or `private`, or one level of it, `public:ev`.
    """

    issuer: str = ""
    key: str = ""
    name: str = ""
    profile: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def query_of(given: Mapping[str, str]) -> Query:
    """The query in its one written form.

    Raises:
        BadParameter: nothing is asked for, or something that cannot be.
    """
    asked = Query(
        _issuer_of(given.get("issuer", "")),
        given.get("key", "").strip().lower().replace(":", ""),
        given.get("name", "").strip().lower().rstrip(".").removeprefix("*."),
        given.get("profile", "").strip().lower(),
    )
    if not any((asked.issuer, asked.key, asked.name, asked.profile)):
        raise _bad(
            "A campaign has to say which certificates it is for.",
            "Give an issuer, a key, a domain name or a profile.",
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
    if asked.profile and not _PROFILE.fullmatch(asked.profile):
        raise _bad(
            "This is no profile.", "Use public or private, or one level of it, e.g. public:ev.", "profile"
        )
    return asked


def _issuer_of(text: str) -> str:
    """A slug is lower case; the name of a CA outside, which may follow it, is as its certificate has it."""
    slug, colon, authority = text.strip().partition(":")
    return f"{slug.lower()}{colon}{authority}"


def check_issuer(action: Action, slug: str) -> str:
    """Whom replacements come from; empty = as the products' order says, without whom the query names.

    Raises:
        BadParameter: no slug, or the action replaces nothing.
    """
    found = slug.strip().lower()
    if found and not replaces(action):
        raise _bad(
            "Only a campaign that replaces has a new issuer.",
            "Leave the new issuer out, or replace.",
            "issuer",
        )
    if found and not _SLUG.fullmatch(found):
        raise _bad("This is no issuer.", "Give its slug from the list of issuers, or builtin.", "issuer")
    return found


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a replacement may be issued: `at` one issuer, `not_at` one; both empty = as usual. `why`: it
    cannot be replaced, for there is none."""

    at: str = ""
    not_at: str = ""
    why: str = ""

    def takes(self, slug: str) -> bool:
        """Whether what this issuer has issued counts; the built-in CA has one name, see `plain`."""
        return slug != self.not_at and (not self.at or slug == self.at)


def goal(order: Sequence[str], wanted: str, left: str, *, built_in: bool) -> Goal:
    """The new issuer of one certificate.

    Args:
        order: the issuers of its product.
        wanted: whom the campaign names; empty = nobody.
        left: the issuer whose certificates are looked for; empty where the query names none.
        built_in: that one is the house's own CA, which has other authorities to go to.
    """
    if wanted:
        return Goal(at=wanted) if wanted in order else Goal(why=NOT_OF_PRODUCT % wanted)
    if not left or (built_in and not any(one != left for one in order)):
        return Goal()
    if any(one != left for one in order):
        return Goal(not_at=left)
    return Goal(why=NO_OTHER % left)


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
    if state not in ({State.ISSUED} if replaces(action) else {State.ISSUED, *BEING_REVOKED}):
        return f"It is {ROWS[state].title!r}."
    return ""


def budget(per_minute: int, last_minute: int, last_second: int, under_way: int, away: int = 0) -> int:
    """How many may begin now: the minute's pace, spread over its seconds, and few at once.

    Args:
        under_way: in our own queues; `away`: waiting at CAs outside.
    """
    a_second = -(-per_minute // 60)
    room = min(UNDER_WAY_AT_ONCE - under_way, AT_CAS_AT_ONCE - away)
    return max(0, min(per_minute - last_minute, a_second - last_second, room))


def time_left(waiting: int, per_minute: int, each: timedelta) -> timedelta:
    """How long so many certificates take: by the pace, or by the work where that is slower.

    Args:
        each: measured work of one certificate; nothing where none was measured.
    """
    return max(timedelta(minutes=waiting / per_minute), waiting * each)
