"""What the page of one certificate shows, put together from its cards."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates import queries, rules
from certdesk.lifecycle.certificates.editing import MIGRATE
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROWS, State, Tone
from certdesk.lifecycle.renewal import queries as renewals

from .. import next_steps, present
from ..standing import Standing, ends, waited
from ..steps import steps
from . import rows, tag_parts
from .cards import ca_order, notice_thread, renewal
from .cards.facts import facts
from .cards.findings import findings
from .cards.history import history
from .cards.names import names, next_check
from .cards.notices import switches
from .cards.standing import failed_at, standing_of

WAITING = frozenset(
    {
        State.CHECKING,
        State.CHECKING_ORG,
        State.ISSUING,
        State.CANCELCHECKING,
        State.SUPPLEMENTCHECKING,
        State.CANCELSUPPLEMENTING,
        State.REISSUING,
        State.UNSUBSCRIBING,
    }
)
"""While the certificate is here, the open page asks whether it has moved on."""


def context(principal: Principal, certificate: Certificate, now: datetime) -> dict[str, Any]:
    """Everything for `console/certificate.html`."""
    application = applications.latest(certificate.id)
    versions = list(queries.versions(certificate))
    keyless = certificate.source == "UPLOADED" and not any(one.key_id for one in versions)
    standing = replace(standing_of(certificate, application, now), watched=keyless)
    resource = rules.resource_of(certificate)
    buttons = present.buttons(
        rules.offers(certificate, now, in_console=True),
        rows.url_of(certificate.id),
        lambda action: principal.may(action, resource),
        certificate.name,
        small=False,
        urgent=ROWS[standing.state].tone is not Tone.WAIT,
    )
    if ends(standing, now) and rows.may_buy(principal):
        buttons = present.renewal(buttons, urgent=True) or present.replaced(
            buttons, rows.successor(certificate, urgent=True, small=False)
        )
    ordered = ca_order.card(principal, certificate)
    return {
        "title": certificate.domain or certificate.name,
        "title_is_domain": bool(certificate.domain),
        "crumbs": [crumb(_("Certificates"), reverse("certificates")), crumb(certificate.name, "")],
        "certificate": certificate,
        "state": standing.state.value,
        "waiting": standing.state in WAITING,
        "progress": ROWS[standing.state].progress,
        "steps": steps(standing, failed_at(certificate)),
        "next": _next(standing, ordered, now, may_act=principal.may(rows.APPLY, resource)),
        **ordered,
        "buttons": buttons,
        "private_ca_matters": certificate.source != "UPLOADED" and not ordered,
        "names": names(certificate, standing.state),
        "facts": facts(
            principal, certificate, application, versions, ordered["ca_order"].title if ordered else ""
        ),
        "versions": versions,
        "events": history(certificate),
        "findings": findings(certificate, now),
        "notices": switches(certificate, standing.state)
        if principal.may("scm:notification:update", resource)
        else [],
        **notice_thread.context(principal, certificate, now),
        "move": reverse("move", args=[certificate.id]) if principal.may(MIGRATE, resource) else "",
        "edit": reverse("edit", args=[certificate.id]) if principal.may("scm:cert:update", resource) else "",
        "renewal": renewal.card(principal, certificate, now),
        "next_check": next_check(certificate, application),
        "rollover_waits": renewals.waits_for_proof(certificate.id),
        **tag_parts.context(principal, certificate),
        "failure": certificate.last_failure if standing.state is not State.UNPASSED else "",
    }


def _next(standing: Standing, ordered: dict[str, Any], now: datetime, *, may_act: bool) -> next_steps.Callout:
    """The state's own sentence, unless its order at a CA outside waits for somebody else."""
    told = None
    if ordered and standing.state is State.ISSUING:
        told = ca_order.callout(ordered["ca_order"], waited(standing.since, now))
    return told or next_steps.callout(standing, now, may_act=may_act)


def crumb(label: str, url: str) -> dict[str, str]:
    return {"label": label, "url": url}


def crumbs(certificate: Certificate) -> dict[str, Any]:
    """For the pages under a certificate."""
    return {
        "certificate": certificate,
        "crumbs": [
            crumb(_("Certificates"), reverse("certificates")),
            crumb(certificate.name, reverse("certificate", args=[certificate.id])),
        ],
        "back": reverse("certificate", args=[certificate.id]),
    }
