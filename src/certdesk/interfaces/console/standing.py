"""How a certificate stands, as its pages and rows need it. Pure but for words."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.lifecycle.catalogue.working_days import Promise
from certdesk.lifecycle.certificates.states import State

from .templatetags.certdesk_ui import duration


@dataclass(frozen=True, slots=True)
class Standing:
    """How a certificate stands, as its pages need it.

    Attributes:
        state: as people see it, Expired computed.
        applied_at: when the last application was submitted.
        approval: the type's approval period (table 3-6), e.g. `3 to 5 working days`.
        failure: the words of whoever refused the last step.
        promise: the approval period in working days, while an organization is checked (ISS-5).
        watched: it came from elsewhere without its key.
    """

    state: State
    since: datetime
    level: str
    approval: str
    method: str = "DNS"
    failure: str = ""
    created_at: datetime | None = None
    applied_at: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    promise: Promise | None = None
    watched: bool = False

    @property
    def needs_organization(self) -> bool:
        return self.level in ("OV", "EV")


def ends(standing: Standing, now: datetime) -> bool:
    """Whether only another certificate helps: it has expired, or does so in its last 30 days."""
    return standing.state is State.EXPIRED or soon(standing, now)


def soon(standing: Standing, now: datetime) -> bool:
    """LST-3."""
    end = standing.not_after
    return (
        end is not None and standing.state in (State.ISSUED, State.UPLOAD) and end - now <= timedelta(days=30)
    )


def waited(since: datetime, now: datetime) -> str:
    """`6 hours`: the time that somebody has waited, never below a minute's rounding."""
    span = now - since
    whole = span - span % timedelta(minutes=1)
    return duration(whole) if whole else _("less than a minute")


def promised(promise: Promise | None) -> str:
    """How the promised period stands in working days; empty where none was promised."""
    if promise is None:
        return ""
    facts = {
        "waited": ngettext("%(count)d working day", "%(count)d working days", promise.waited)
        % {"count": promise.waited},
        "due": date_format(promise.due, _("j M Y")),
    }
    if promise.late:
        return _("%(waited)s have passed: it should have been decided by %(due)s.") % facts
    return _("%(waited)s have passed; to be decided by %(due)s.") % facts
