"""What needs the principal today, and how its certificates stand: the console's start page as data."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.rows import LIST, Row
from certdesk.lifecycle.certificates.states import ROWS
from certdesk.lifecycle.overview import actions, mailing, queries
from certdesk.lifecycle.overview.queries import Figure, Overview, Week

from . import overview_mails
from .registry import operation
from .schemas import DAYS, WeeklyMail
from .shapes import Shape

FIGURES = (
    "by_itself",
    "by_client",
    "by_hand",
    "proofs",
    "unserved",
    "drifted",
    "issued",
    "served",
    "at_ca",
    "organizations",
    "decisions",
)


@operation("overview.show", "GET", "/v3/scm/overview", LIST, everyone=True)
def show(principal: Principal) -> Shape:
    """Each figure with the console's path that lists what it counts; what is not to be seen is left out."""
    found = queries.take(principal, clock.now())
    return {
        "at": wire(found.at),
        "needs": [_need(one) for one in found.needs],
        "figures": _figures(found),
        "states": [{"status": state.value, **_shape(one)} for state, one in found.states],
        "ending": [_week(one) for one in found.weeks],
        "ca": {"waiting_since": wire(found.ca_since), "late": found.ca_late},
    }


@operation("overview.show_mail", "GET", "/v3/scm/overview/mail", LIST)
def show_mail(principal: Principal) -> Shape:
    """One's own weekly mail: whether it is on, when the next one comes, and how it would look now."""
    now = clock.now()
    switch = mailing.own(principal, now)
    looks = overview_mails.preview(principal, switch.user, now)
    return {
        "enabled": switch.enabled,
        "weekday": DAYS[switch.weekday],
        "time_zone": switch.user.time_zone,
        "address": switch.user.email,
        "next_at": wire(switch.next_at),
        "subject": looks.subject,
        "text": looks.text,
    }


@operation("overview.set_mail", "PUT", "/v3/scm/overview/mail", LIST, request=WeeklyMail)
def set_mail(principal: Principal, body: WeeklyMail) -> Shape:
    """Switches one's own weekly mail on or off and chooses its day."""
    actions.switch(principal, enabled=body.enabled, weekday=DAYS.index(body.weekday), now=clock.now())
    return show_mail(principal)


def _figures(found: Overview) -> list[Shape]:
    named = {f"tab_{tab.value}": one for tab, one in (found.tabs or {}).items()}
    named |= {name: getattr(found, name) for name in FIGURES}
    return [{"name": name, **_shape(one)} for name, one in named.items() if one is not None]


def _shape(one: Figure) -> Shape:
    return {"count": one.count, "more": one.more, "path": one.path}


def _week(one: Week) -> Shape:
    return {"starts": wire(one.span.start), "before": wire(one.span.end), **_shape(one.figure)}


def _need(row: Row) -> Shape:
    return {
        "id": row.id,
        "name": row.name,
        "domain": row.domain,
        "status": row.state.value,
        "not_after": wire(row.not_after),
        "next_step": say(ROWS[row.state].next_step),
    }
