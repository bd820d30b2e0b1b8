"""The switch of the weekly mail, and whose turn it is."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from certdesk.foundation.iam import profile
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal

from . import rules
from .models import WeeklyMail

PAGE = 500  # users whose turn is looked at in one job


@dataclass(frozen=True, slots=True)
class Switch:
    """Attributes:
    weekday: 0 = Monday.
    next_at: when the next mail is written; None while it is off.
    """

    user: User
    enabled: bool
    weekday: int
    next_at: datetime | None


def own(principal: Principal, now: datetime) -> Switch:
    """The principal's own; off, on Mondays, where he has chosen nothing."""
    user = profile.own(principal)
    row = WeeklyMail.objects.filter(user_id=user.id).first()
    if row is None:
        return Switch(user, False, 0, None)
    turn = rules.last_turn(now, row.weekday, profile.zone(user.time_zone)) + timedelta(days=7)
    return Switch(user, row.enabled, row.weekday, turn if row.enabled else None)


def due(after: str, now: datetime) -> tuple[list[str], str]:
    """Users of a page behind `after` whose mail is due, and where the next page begins; empty at the end."""
    found = list(WeeklyMail.objects.filter(enabled=True, user_id__gt=after).order_by("user_id")[:PAGE])
    users = User.objects.filter(id__in=[row.user_id for row in found], is_active=True).exclude(email="")
    zones = dict(users.values_list("id", "time_zone"))
    late = [row.user_id for row in found if row.user_id in zones and _turn(row, zones[row.user_id], now)]
    return late, found[-1].user_id if len(found) == PAGE else ""


def turn_of(user: User, now: datetime) -> date | None:
    """The date of the mail that this user is owed now; None when there is none."""
    row = WeeklyMail.objects.filter(user_id=user.id, enabled=True).first()
    return _turn(row, user.time_zone, now) if row is not None else None


def _turn(row: WeeklyMail, zone: str, now: datetime) -> date | None:
    return rules.due(now, row.weekday, profile.zone(zone), row.told_on)
