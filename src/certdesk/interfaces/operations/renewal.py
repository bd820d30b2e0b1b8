"""Renewing a certificate (API §10)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.actions import SUBSCRIBE
from certdesk.lifecycle.renewal import actions, calendar, switch
from certdesk.lifecycle.renewal.causes import Blocker
from certdesk.lifecycle.renewal.rules import CHANGEABLE, Wish

from .registry import operation
from .renewal_schemas import AutoRenewal, CalendarQuery, Renew
from .shapes import Shape

C = "/v3/scm/certificates/{certificate_id}"


@operation(
    "certificates.renew",
    "POST",
    f"{C}/renew",
    SUBSCRIBE,
    also=(orders.PAY,),
    request=Renew,
    idempotent=True,
    one_transaction=True,
)
def renew(principal: Principal, certificate_id: str, body: Renew) -> Shape:
    """Orders the same certificate anew, in the last 30 days of the old one (REN-1..3)."""
    wish = Wish(body.effective_time, body.agree_privacy_protection, body.model_dump(include=set(CHANGEABLE)))
    done = actions.renew(principal, certificate_id, wish, clock.now(), auto_pay=body.is_auto_pay)
    answer: Shape = {
        "order_id": done.order.order_id,
        "cert": [{"cert_id": one} for one in done.order.certificate_ids],
        "inherits_remaining": done.inherits,
    }
    return answer if done.order.paid else answer | {"unpaid_reason": say(done.order.unpaid_reason)}


@operation("certificates.show_auto_renewal", "GET", f"{C}/auto-renewal", switch.AUTO)
def show_auto_renewal(principal: Principal, certificate_id: str) -> Shape:
    """Whether it renews itself, what comes next and when, and what stands in the way (REN-7, REN-10)."""
    return _standing(switch.standing(principal, certificate_id, clock.now()))


@operation("certificates.set_auto_renewal", "PUT", f"{C}/auto-renewal", switch.AUTO, request=AutoRenewal)
def set_auto_renewal(principal: Principal, certificate_id: str, body: AutoRenewal) -> Shape:
    """Switches it on, with the rights of whoever does, or off."""
    return _standing(
        switch.set_auto(principal, certificate_id, clock.now(), enabled=body.enabled, deploy=body.deploy)
    )


def _standing(found: switch.Standing) -> Shape:
    return {
        "enabled": found.enabled,
        "deploy": found.deploy,
        "next_action": found.next.action,
        "next_action_at": wire(found.next.at),
        "blockers": [blocker(one) for one in found.blockers],
    }


def blocker(one: Blocker) -> Shape:
    """What stands in the way, as a code and in words."""
    return {
        "code": one.cause.value,
        "sentence": say(one.sentence),
        "next_step": say(one.next_step),
        "detail": say(one.detail) if one.detail else "",
    }


@operation("renewals.calendar", "GET", "/v3/scm/calendar", "scm:cert:list", query=CalendarQuery)
def show_calendar(principal: Principal, query: CalendarQuery) -> Shape:
    """What is replaced when, by the machine or by a person, and what stands in the way; what ends first."""
    found = calendar.page(principal, clock.now(), by=query.by, marker=query.marker, limit=query.limit)
    return {"items": [_entry(one) for one in found.items], "next_marker": found.next_marker}


def _entry(one: calendar.Entry) -> Shape:
    return {
        "cert_id": one.row.id,
        "name": one.row.name,
        "domain": one.row.domain,
        "expires_at": wire(one.row.not_after),
        "planned_at": wire(one.at),
        "action": one.action,
        "by": one.by.value,
        "blockers": [blocker(each) for each in one.blockers],
    }
