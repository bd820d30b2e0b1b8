"""Which of a product's issuers gets an order, and why; when an order may be followed by another. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.connectors.issuers.acme.presets import PRESETS
from certdesk.connectors.issuers.protocol import Capabilities, IssuerError, Reason
from certdesk.foundation.common.clock import wire

from .states import State

BUILT_IN = "builtin"
LOOK_AGAIN = timedelta(minutes=5)
LONGEST_REASON = 500
BILLS = frozenset({"certcentral", "manual"})
"""Kinds of CAs that may take money for whatever they issue."""

FIRST = "%s takes the order: it is the first of the issuers."
AFTER = "%s takes the order. Passed over: %s"
NOBODY = "No issuer takes the order now. %s"
NONE_LISTED = "No issuer is configured for this product."
ABLE = "It can take the order."


def is_built_in(slug: str) -> bool:
    """`builtin-…` is the built-in CA under another profile."""
    return slug == BUILT_IN or slug.startswith(f"{BUILT_IN}-")


def plain(slug: str) -> str:
    """As versions name an issuer: the built-in CA under any profile is the built-in CA."""
    return BUILT_IN if is_built_in(slug) else slug


def may_bill(kind: str, preset: str, directory: str = "") -> bool:
    """Whether the CA may take money for what it issues, as far as its kind and its preset tell.

    Args:
        directory: its own address; the facts of a preset hold only at the preset's own, where it has one.
    """
    known = PRESETS.get(preset)
    if known is not None and directory and known.directory not in ("", directory):
        known = PRESETS["other"]
    return kind in BILLS or (known is not None and known.bills)


@dataclass(frozen=True, slots=True)
class Need:
    """What has to be issued.

    Attributes:
        names: canonical, the primary one first.
        trust: `public` or `private`, as the product's profile.
    """

    names: tuple[str, ...]
    level: str
    key_algorithm: str
    trust: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An issuer as it stands now; moments are real time.

    Attributes:
        profile: whose trust it gives.
        used: orders of the last week; `free_at`: when one of them counts no more.
    """

    slug: str
    title: str
    profile: str
    capabilities: Capabilities
    configured: bool = True
    enabled: bool = True
    state: State = State.OK
    since: datetime | None = None
    retry_at: datetime | None = None
    weekly_limit: int = 0
    used: int = 0
    free_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided about one candidate.

    Attributes:
        taken: nothing speaks against it; the first that is taken gets the order.
        reason: one sentence.
        again_at: when it may be free again; None where it is taken, or where time changes nothing.
    """

    slug: str
    title: str
    taken: bool
    reason: str
    again_at: datetime | None = None


def choose(
    candidates: Sequence[Candidate],
    need: Need,
    now: datetime,
    without: Mapping[str, str] | None = None,
    busy: Mapping[str, "Passed"] | None = None,
) -> tuple[Choice, ...]:
    """Every candidate once, in their order, with what speaks for or against it.

    Args:
        without: slugs that the caller rules out, each with one sentence, e.g. that CAA does not permit it.
        busy: those whom the caller rules out for a while; what else speaks against them is told before.
        now: real time.
    """
    said, waits = without or {}, busy or {}
    return tuple(_decided(one, need, now, said.get(one.slug, ""), waits.get(one.slug)) for one in candidates)


def _decided(one: Candidate, need: Need, now: datetime, said: str, waits: "Passed | None") -> Choice:
    against = Passed(said) if said else against_it(one, need, now) or waits
    if against is None:
        return Choice(one.slug, one.title, True, ABLE)
    return Choice(one.slug, one.title, False, against.reason, against.again_at)


def taken(choices: Sequence[Choice]) -> str:
    """The slug of who gets the order; empty when nobody can take it now."""
    return next((one.slug for one in choices if one.taken), "")


def again_at(choices: Sequence[Choice]) -> datetime | None:
    """When it makes sense to choose again; None where only a person can help."""
    return min((one.again_at for one in choices if one.again_at is not None), default=None)


def because(choices: Sequence[Choice]) -> str:
    """Who takes the order and who was passed over, and why: to be kept with it, at most 500 characters."""
    if not choices:
        return NONE_LISTED
    place = next((number for number, one in enumerate(choices) if one.taken), len(choices))
    told = " ".join(f"{one.title}: {one.reason}" for one in choices[:place])
    if place == len(choices):
        return (NOBODY % told)[:LONGEST_REASON]
    title = choices[place].title
    return (AFTER % (title, told) if told else FIRST % title)[:LONGEST_REASON]


@dataclass(frozen=True, slots=True)
class Passed:
    """Why a candidate is passed over; `again_at` is None where time changes nothing."""

    reason: str
    again_at: datetime | None = None


def against_it(one: Candidate, need: Need, now: datetime) -> Passed | None:
    """What speaks against a candidate; None when nothing does. What lasts is told before what passes."""
    if not one.configured:
        return Passed("It is not set up.")
    if not one.enabled:
        return Passed("It is switched off.")
    return _unable(one, need) or _busy(one, now)


def _unable(one: Candidate, need: Need) -> Passed | None:
    able = one.capabilities
    wildcard = any(name.startswith("*.") for name in need.names)
    addresses = any(is_address(name) for name in need.names)
    foreign = next((name for name in need.names if not _covers(able.domains, name)), "")
    checks = (
        (need.trust == "public" and one.profile != "public",
         "Its certificates are private, and this product is trusted by the public."),
        (need.level not in able.levels, f"It issues no {need.level} certificates."),
        (wildcard and not able.wildcard, "It issues nothing for wildcard names."),
        (addresses and not able.ip, "It issues nothing for IP addresses."),
        (bool(foreign),
         f"It issues for names of {', '.join(able.domains[:3])} alone, and {foreign} is none of them."),
        (len(need.names) > able.most_names,
         f"It takes at most {able.most_names} names, and {len(need.names)} are wanted."),
        (bool(able.key_algorithms) and need.key_algorithm not in able.key_algorithms,
         f"It takes no keys of the kind {need.key_algorithm}."),
    )  # fmt: skip
    return next((Passed(sentence) for holds, sentence in checks if holds), None)


def _covers(domains: Sequence[str], name: str) -> bool:
    """A name is one of these or lies below; of addresses they say nothing."""
    plain = name.removeprefix("*.")
    below = any(plain == one.lower() or plain.endswith(f".{one.lower()}") for one in domains)
    return not domains or is_address(name) or below


def _busy(one: Candidate, now: datetime) -> Passed | None:
    if one.state == State.DOWN:
        since = f" since {wire(one.since)} UTC" if one.since else ""
        return Passed(f"It is down{since}.", max(one.retry_at or now, now + LOOK_AGAIN))
    if one.retry_at is not None and now < one.retry_at:
        return Passed(f"It takes no orders until {wire(one.retry_at)} UTC.", one.retry_at)
    if one.weekly_limit and one.used >= one.weekly_limit:
        until = one.free_at or now + LOOK_AGAIN
        sentence = f"Its {one.weekly_limit} orders a week are used up until {wire(until)} UTC."
        return Passed(sentence, until)
    return None


def is_address(name: str) -> bool:
    """An IP address among canonical names: a name's last label is never digits alone."""
    return ":" in name or name.rpartition(".")[2].isdigit()


class Standing(StrEnum):
    """Where an order stands that may be followed by one at another issuer."""

    NEVER_ASKED = "NEVER_ASKED"  # the intent is recorded, and `place` was not called
    NOT_SENT = "NOT_SENT"  # no connection was made
    REFUSED = "REFUSED"
    NOT_THERE = "NOT_THERE"  # the CA says that it knows no such order
    UNKNOWN = "UNKNOWN"  # a call was lost: it may be there


_CERTAIN = {
    Reason.OPTIONS: Standing.NEVER_ASKED,
    Reason.NOT_ALLOWED: Standing.NEVER_ASKED,
    Reason.CREDENTIALS: Standing.REFUSED,
    Reason.REFUSED: Standing.REFUSED,
    Reason.RATE_LIMITED: Standing.REFUSED,
    Reason.NOT_THERE: Standing.NOT_THERE,
}


def standing_after(error: IssuerError, *, asked_before: bool) -> Standing:
    """Where an order stands after `place` failed with `error`.

    Args:
        asked_before: an earlier `place` of the same reference was lost, so an order may be there already:
            only that the CA refuses it, or knows it not, is certain then.
    """
    usual = Standing.UNKNOWN if error.sent else Standing.NOT_SENT
    found = _CERTAIN.get(error.reason, usual)
    refused = error.reason in (Reason.REFUSED, Reason.NOT_THERE)
    return Standing.UNKNOWN if asked_before and not refused else found


def surely_not_live(error: IssuerError, *, asked_before: bool, harmless: bool = False) -> bool:
    """Whether another issuer may get the order after `place` failed here: never two that may be live.

    Args:
        harmless: this issuer issues and bills nothing before our `proceed`, which was not called.
    """
    return harmless or standing_after(error, asked_before=asked_before) is not Standing.UNKNOWN
