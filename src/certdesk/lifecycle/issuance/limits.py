"""Orders counted against the limits that a CA outside publishes. Joins the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count

from certdesk.connectors.issuers.acme.presets import Preset
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers.rules import Passed

from . import limit_rules as rules
from .limit_rules import Counting
from .models import Counted, OutsideOrder

CHUNK = 100  # rows of one transaction (law 13)


def published(slug: str) -> Preset | None:
    """The facts of a CA that publishes limits; None for any other."""
    preset = issuers.preset_of(slug)
    return preset if preset is not None and preset.limits else None


def counting(preset: Preset, slug: str, names: Sequence[str]) -> Counting:
    """What an order for these names counts for at this CA."""
    known = preset.frees_same_names and _issued_for(slug, names)
    return rules.counting(preset.limits, names, known=known)


def _issued_for(slug: str, names: Sequence[str]) -> bool:
    """Whether an order there brought a certificate for exactly these names."""
    found = OutsideOrder.objects.filter(issuer=slug, names_digest=rules.digest_of(names))
    return found.exclude(serial="").exists()


def passed(slug: str, counted: Counting, now: datetime) -> Passed | None:
    """Why this CA would refuse one more such order now, by the longest wait; None: it would not.

    Args:
        now: real time, as everywhere here.
    """
    found: list[Passed] = []
    for limit, keys in counted.items():
        since = now - timedelta(seconds=limit.seconds)
        rows = Counted.objects.filter(issuer=slug, key__in=[one.key for one in keys], at__gt=since)
        sums = rows.values("key").annotate(placed=Count("id")).filter(placed__gte=limit.most)
        full = set(sums.values_list("key", flat=True))
        for key in (one for one in keys if one.key in full):
            moments = rows.filter(key=key.key).order_by("-at").values_list("at", flat=True)
            told = rules.used_up(limit, key, next(iter(moments[limit.most - 1 : limit.most]), None))
            found += [told] if told else []
    return max(found, key=lambda one: one.again_at or now, default=None)


def note(order: OutsideOrder, counted: Counting, now: datetime) -> None:
    """An order is placed: it counts from now on."""
    keys = dict.fromkeys(one for found in counted.values() for one in found)
    Counted.objects.bulk_create(
        [Counted(order=order, issuer=order.issuer, key=key.key, at=now) for key in keys]
    )


def forget(now: datetime) -> int:
    """Deletes what counts no more; answers how many, at most `CHUNK`."""
    old = Counted.objects.filter(at__lt=now - rules.LONGEST).order_by("at")
    found = list(old.values_list("id", flat=True)[:CHUNK])
    return Counted.objects.filter(id__in=found).delete()[0]


def give_back(order: OutsideOrder) -> None:
    """It brought no certificate, so only its being an order counts."""
    Counted.objects.filter(order=order).exclude(key=rules.ACCOUNT_KEY.key).delete()
