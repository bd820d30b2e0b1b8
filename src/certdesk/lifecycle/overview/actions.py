"""Switching the weekly mail, and noting that it was told: the only writers of this room."""

from datetime import date, datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import profile
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal

from . import rules
from .models import WeeklyMail


def switch(principal: Principal, *, enabled: bool, weekday: int, now: datetime) -> None:
    """One's own mail on or off, and its day; the first one comes at the next turn, never at once.

    Args:
        weekday: 0 = Monday.

    Raises:
        BadParameter: there is no such day, or no address that a mail could go to.
    """
    user = profile.own(principal)
    if not 0 <= weekday <= 6:
        raise BadParameter("There is no such weekday.", field="weekday")
    if enabled and not user.email:
        raise BadParameter(
            "You have no mail address.",
            next_step="Ask an administrator of your account to enter it.",
            field="enabled",
        )
    last = rules.last_turn(now, weekday, profile.zone(user.time_zone)).date()
    values = {"enabled": enabled, "weekday": weekday, "told_on": last}
    details = {"weekly_mail": enabled, "weekday": weekday}
    with sql.short_transaction():
        WeeklyMail.objects.update_or_create(user_id=user.id, defaults=values)
        audit.record(principal, "iam:users:updateProfile", resource=f"user:{user.id}", details=details)


def told(user: User, day: date) -> bool:
    """Notes the mail of that day in the caller's transaction; False when somebody else was quicker."""
    row = WeeklyMail.objects.filter(user_id=user.id, enabled=True, told_on__lt=day)
    return bool(row.update(told_on=day))
