"""Which CRLs are due, their numbers, and what is served: the writers of `Crl` around the signatures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.common import clock, settings, sql
from certdesk.pki.keystore.models import Held

from . import crl, issuers, queries
from .crl import Plan
from .models import Authority, Crl, Level
from .queries import Entry

EVERY = timedelta(days=1)  # an unchanged CRL is made anew this often
BASE_EVERY = timedelta(days=1)  # a new base, from which the deltas count
AT_ONCE = 64  # CRLs of one job, and
MOST_ENTRIES = 5_000  # their entries together: its transactions stay short. A larger CRL has a job of its own
LONGEST = 100_000  # entries of one CRL, beyond which it is too long to load
NEARLY = 80_000  # entries at which an operator is warned
AHEAD = 7 * 24 * 3600  # of a restored number: more CRLs than anybody signs beyond one a second


@dataclass(frozen=True, slots=True)
class Signed:
    """Both forms of one CRL."""

    plan: Plan
    full: bytes
    delta: bytes


def due(now: datetime) -> list[str]:
    """Names of CRLs that have to be signed: never made, a day old, from the future, or without some entry."""
    able = Authority.objects.exclude(key__held=Held.ELSEWHERE).order_by("slug")
    wanted = [name for row in able for name in _names(row)]
    ours = Crl.objects.exclude(authority__key__held=Held.ELSEWHERE)
    held = {row.name: row for row in ours.defer("der", "delta")}
    unlisted = queries.unlisted()
    names = sorted({*wanted, *held, *unlisted})
    return [name for name in names if name in unlisted or _is_old(held.get(name), now)]


def longest() -> tuple[str, int]:
    """Name and entries of the longest CRL that is served; no name and 0 before the first one."""
    found = Crl.objects.order_by("-entries", "name").values_list("name", "entries").first()
    return found or ("", 0)


def at_once(names: Sequence[str]) -> Sequence[str]:
    """As many of these, from the first on, as one job takes; at least one."""
    known = dict(Crl.objects.filter(name__in=names).values_list("name", "entries"))
    new, entries = queries.unlisted_counts(), 0
    for taken, name in enumerate(names[:AT_ONCE]):
        entries += known.get(name, 0) + new.get(name, 0)
        if entries > MOST_ENTRIES and taken:
            return names[:taken]
    return names[:AT_ONCE]


def _names(authority: Authority) -> Sequence[str]:
    return [authority.slug] if authority.level == Level.ROOT else issuers.partitions(authority.slug)


def _is_old(row: Crl | None, now: datetime) -> bool:
    return row is None or row.this_update is None or not row.this_update <= now < row.this_update + EVERY


def take_numbers(names: Sequence[str], now: datetime) -> list[Plan]:
    """Plans with a number of their own each, in the caller's transaction; commit it before signing.

    A number is at least the seconds since 1970, so that even a restored old database uses none again.
    """
    now = now.replace(microsecond=0)
    authorities = {row.slug: row for row in Authority.objects.all()}
    plans = []
    for name in names:
        authority = authorities[_slug(name, authorities)]
        row, _ = Crl.objects.get_or_create(name=name, defaults={"authority": authority})
        number = max(row.number + 1, int(clock.real_now().timestamp()))
        rebased = not row.base or row.based_at is None or not row.based_at <= now < row.based_at + BASE_EVERY
        Crl.objects.filter(name=name).update(number=number)
        plans.append(_plan(authority, row, number, number if rebased else row.base, now))
    return plans


def _slug(name: str, authorities: dict[str, Authority]) -> str:
    return name if name in authorities else name.rpartition("-")[0]


def _plan(authority: Authority, row: Crl, number: int, base: int, now: datetime) -> Plan:
    return Plan(
        name=row.name,
        holder=issuers.holder(authority.slug),
        number=number,
        base=base,
        this_update=_not_before_last(row, now),
        entries=queries.revoked(row.name, now - crl.KEPT),
        whole=authority.level == Level.ROOT,
        location=issuers.crl_url(row.name, settings.get().pki_base_url),
    )


def _not_before_last(row: Crl, now: datetime) -> datetime:
    """No CRL is older than the last one, whatever the clock does; a laboratory's may go back on purpose."""
    last: datetime | None = row.this_update
    return now if last is None or settings.get().lab else max(now, last)


def sign(plan: Plan) -> Signed:
    """Both signatures; no database."""
    return Signed(plan, crl.full(plan), crl.delta(plan))


def publish(signed: Signed) -> bool:
    """Serve it from now on, in the caller's transaction; False when a later number was taken meanwhile."""
    plan = signed.plan
    changes: dict[str, object] = {
        "base": plan.base,
        "der": signed.full,
        "delta": signed.delta,
        "sha256": hashlib.sha256(signed.full).hexdigest(),
        "entries": len(plan.entries),
        "this_update": plan.this_update,
        "next_update": plan.this_update + crl.VALID,
    }
    if plan.base == plan.number:
        changes["based_at"] = plan.this_update
    if not Crl.objects.filter(name=plan.name, number=plan.number).update(**changes):
        return False
    queries.set_listed(plan.name, plan.number, [_hex(entry) for entry in plan.entries if not entry.listed_in])
    return True


def jump() -> None:
    """After a restore: numbers higher than any that was taken since the backup, and new bases.

    In the caller's transaction. Numbers follow the clock, but many CRLs within a second run ahead of it.
    """
    least = int(clock.real_now().timestamp())
    for row in Crl.objects.exclude(authority__key__held=Held.ELSEWHERE).only("name", "number"):
        Crl.objects.filter(name=row.name).update(
            number=max(row.number, least) + AHEAD, base=0, based_at=None, this_update=None
        )


def publish_all(now: datetime) -> dict[str, int]:
    """Signs every CRL that is due, here and now: no worker runs beside a restore. Name -> number."""
    numbers: dict[str, int] = {}
    while names := [name for name in due(now) if name not in numbers]:
        with sql.short_transaction():
            plans = take_numbers(at_once(names), now)
        for signed in [sign(plan) for plan in plans]:
            with sql.short_transaction():
                publish(signed)
            numbers[signed.plan.name] = signed.plan.number
    return numbers


def _hex(entry: Entry) -> str:
    return f"{entry.serial:032x}"
