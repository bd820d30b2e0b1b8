"""The headline figures of the overview in words: for the console's tiles and for the weekly mail."""

from collections.abc import Callable

from django.utils.translation import ngettext

from certdesk.lifecycle.certificates.attention import COUNT_UP_TO, Tab
from certdesk.lifecycle.overview.queries import Figure, Overview

Headline = tuple[str, Figure, str, str]
"""Name, figure, words behind the number, tone where it is not zero."""


def bounded(count: int) -> str:
    """`37`, or `1,000+` for a count that stopped there."""
    return f"{count:,}{'+' if count >= COUNT_UP_TO else ''}"


def headlines(found: Overview, *, may_act: bool) -> list[Headline]:
    """In the order of urgency; what is not to be seen is left out.

    Args:
        may_act: the reader has the applicant's rights; who only reads is not told to act.
    """
    lines: list[tuple[str, Figure | None, Callable[[int], str], str]] = [
        ("needs", (found.tabs or {}).get(Tab.YOU), _need_you if may_act else _need_applicant, "you"),
        ("by_hand", found.by_hand, _by_hand, "bad"),
        ("by_itself", found.by_itself, _by_itself, ""),
        ("by_client", found.by_client, _by_client, ""),
        ("unserved", found.unserved, _unserved, "bad"),
        ("drifted", found.drifted, _drifted, "bad"),
        ("proofs", found.proofs, _proofs, "you"),
        ("organizations", found.organizations, _organizations, "you"),
        ("decisions", found.decisions, _decisions, "you"),
    ]
    return [(name, one, words(one.count), tone) for name, one, words, tone in lines if one is not None]


def _need_you(count: int) -> str:
    return ngettext("needs you", "need you", count)


def _need_applicant(count: int) -> str:
    return ngettext("needs the applicant", "need the applicant", count)


def _by_hand(count: int) -> str:
    return ngettext(
        "ends within 30 days and does not renew by itself",
        "end within 30 days and do not renew by themselves",
        count,
    )


def _by_itself(count: int) -> str:
    return ngettext("renews by itself within 30 days", "renew by themselves within 30 days", count)


def _by_client(count: int) -> str:
    return ngettext(
        "ends within 30 days, and its ACME client renews it",
        "end within 30 days, and their ACME clients renew them",
        count,
    )


def _unserved(count: int) -> str:
    return ngettext("is not served where it should be", "are not served where they should be", count)


def _drifted(count: int) -> str:
    return ngettext(
        "place serves something else than it should", "places serve something else than they should", count
    )


def _proofs(count: int) -> str:
    return ngettext(
        "proof of a domain name runs out within 30 days",
        "proofs of domain names run out within 30 days",
        count,
    )


def _organizations(count: int) -> str:
    return ngettext("organization check waits for you", "organization checks wait for you", count)


def _decisions(count: int) -> str:
    return ngettext("request waits for your decision", "requests wait for your decision", count)
