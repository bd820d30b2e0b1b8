"""What narrows the list of certificates beside status, search and tag: links of the overview lead here."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import narrowing
from certdesk.lifecycle.certificates.attention import Condition
from certdesk.lifecycle.certificates.narrowing import Narrow
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.overview import queries as overview

DAYS = ("ends_from", "ends_before", "issued_since")
WORDS = {"renewal": overview.WAYS, "served": ("no",)}


def given(query: QueryDict) -> dict[str, str]:
    """What the address says; unknown values are those of the plain list."""
    found = {name: query.get(name, "") for name in (*DAYS, *WORDS)}
    return {name: text for name, text in found.items() if text and _known(name, text)}


def _known(name: str, text: str) -> bool:
    return text in WORDS[name] if name in WORDS else day(text) is not None


def day(text: str) -> datetime | None:
    """The beginning of `2026-11-30`, UTC; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def conditions(principal: Principal, asked: Mapping[str, str], now: datetime) -> list[Condition]:
    """The same conditions as those of the overview's figures."""
    ids = None
    if "served" in asked:
        ids = deployments.unserved(principal.account_id) if principal.may(deployments.LIST_BINDINGS) else []
    narrow = Narrow(
        ends_from=day(asked.get("ends_from", "")),
        ends_before=day(asked.get("ends_before", "")),
        issued_since=day(asked.get("issued_since", "")),
        ids=ids,
    )
    found = narrowing.conditions(narrow, now)
    return [*found, *overview.renewing(asked["renewal"])] if "renewal" in asked else found


def words(asked: Mapping[str, str]) -> list[str]:
    """What the list shows now, one sentence each."""
    found = []
    first, last = day(asked.get("ends_from", "")), day(asked.get("ends_before", ""))
    if first or last:
        found.append(_ends(first, last))
    if "renewal" in asked:
        found.append(_renewing(asked["renewal"]))
    since = day(asked.get("issued_since", ""))
    if since:
        found.append(_("Issued or renewed since %(date)s.") % {"date": _date(since)})
    if "served" in asked:
        found.append(_("Not served at every place where they should be."))
    return found


def _renewing(way: str) -> str:
    return {
        "on": _("They renew by themselves."),
        "client": _("The ACME clients that ordered them renew them."),
        "off": _("They do not renew by themselves."),
    }[way]


def _ends(first: datetime | None, last: datetime | None) -> str:
    if first is None:
        assert last is not None  # noqa: S101 one of the two is given
        return _("In force, ending until %(date)s.") % {"date": _last_day(last)}
    if last is None:
        return _("In force, ending from %(date)s on.") % {"date": _date(first)}
    return _("In force, ending from %(first)s to %(last)s.") % {
        "first": _date(first),
        "last": _last_day(last),
    }


def _last_day(before: datetime) -> str:
    return _date(before - timedelta(days=1)) if before > datetime.min.replace(tzinfo=UTC) else _date(before)


def _date(moment: datetime) -> str:
    return date_format(moment, _("j M Y"))
