"""Orders counted against the limits that a CA outside publishes. Joins the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers.rules import Passed

from . import limit_rules as rules
from .models import Counted, OutsideOrder


def passed(slug: str, names: Sequence[str], now: datetime) -> Passed | None:
    """Why this CA would refuse one more order for these names now, by the longest wait; None: it would not.

    Args:
        now: real time, as everywhere here.
    """
    published = issuers.limits(slug)
    found: list[Passed] = []
    for key in rules.keys_of(names) if published else ():
        for limit in rules.limited(published, key):
            since = now - timedelta(seconds=limit.seconds)
            rows = Counted.objects.filter(issuer=slug, key=key.key, at__gt=since).order_by("-at")
            last = rows.values_list("at", flat=True)[limit.most - 1 : limit.most]
            told = rules.used_up(limit, key, next(iter(last), None))
            found += [told] if told else []
    return max(found, key=lambda one: one.again_at or now, default=None)


def note(order: OutsideOrder, names: Sequence[str], now: datetime) -> None:
    """An order is placed: it counts from now on, where its CA publishes limits. What counts no more goes."""
    published = issuers.limits(order.issuer)
    keys = [key for key in rules.keys_of(names) if rules.limited(published, key)] if published else []
    if not keys:
        return
    Counted.objects.filter(issuer=order.issuer, at__lt=now - rules.LONGEST).delete()
    Counted.objects.bulk_create(
        [Counted(order=order, issuer=order.issuer, key=key.key, at=now) for key in keys]
    )


def frees_replacements(slug: str) -> bool:
    """Whether orders that name what they replace (ARI) count against none of its limits."""
    preset = issuers.preset_of(slug)
    return preset is not None and preset.frees_replacements


def give_back(order: OutsideOrder) -> None:
    """It brought no certificate, so only its being an order counts."""
    Counted.objects.filter(order=order).exclude(key=_account()).delete()


def _account() -> str:
    return rules.keys_of(())[-1].key
