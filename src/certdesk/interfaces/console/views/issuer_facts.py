"""An issuer in words: its state and who acts next, what it can do, what is left of its week."""

from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from certdesk.connectors.issuers.acme.presets import Limit
from certdesk.connectors.issuers.registry import KINDS
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.issuance import rehearsing
from certdesk.lifecycle.issuers import dialing, queries, rules
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.lifecycle.issuers.queries import Budget
from certdesk.lifecycle.issuers.states import State

from .. import present
from ..forms.applying import ALGORITHMS
from ..templatetags.certdesk_ui import ago, moment

Fact = dict[str, Any]


def kind(one: Issuer) -> str:
    if rules.is_built_in(one.slug):
        return _("part of this installation")
    return _(KINDS[one.kind].label) if one.kind in KINDS else one.kind


def trust(one: Issuer) -> str:
    return _("trusted by everybody") if one.profile == "public" else _("private trust")


def state(one: Issuer) -> tuple[str, str]:
    """Tone and words."""
    if not one.enabled:
        return "end", _("Switched off")
    if one.retry_at is not None and clock.real_now() < one.retry_at and one.state != State.DOWN:
        return "wait", _("Asked us to wait")
    return {
        State.UNKNOWN: ("you", _("Not tested yet")),
        State.OK: ("good", _("Works")),
        State.DEGRADED: ("wait", _("Failed lately")),
        State.DOWN: ("bad", _("Down")),
    }[State(one.state)]


def next_actor(one: Issuer) -> str:
    """Who acts next; empty where nobody has to."""
    if not one.enabled:
        return _("The operator: switch it on when it shall get orders.")
    if one.state == State.UNKNOWN:
        return _("The operator: test it.")
    if one.state == State.DOWN:
        return _("It is tested every five minutes. The operator: see what it said last.")
    if one.retry_at is not None and clock.real_now() < one.retry_at:
        return _("Nobody: it gets orders again by itself.")
    return _("Nobody: the next test decides.") if one.state == State.DEGRADED else ""


def budget(spent: Budget) -> str:
    if not spent.limit:
        return str(spent.used) if spent.used else ""
    return _("%(used)s of %(limit)s") % {"used": spent.used, "limit": spent.limit}


def health(one: Issuer, spent: Budget) -> list[Fact]:
    """What happened last, and what comes next."""
    return [
        {"label": _("In this state since"), "value": moment(one.since) if one.since else ""},
        {"label": _("Tested"), "value": ago(one.asked_at) if one.asked_at else _("not yet")},
        {"label": _("Last success"), "value": moment(one.succeeded_at) if one.succeeded_at else ""},
        {"label": _("Last failure"), "value": moment(one.failed_at) if one.failed_at else ""},
        {"label": _("Failures in a row"), "value": str(one.failures) if one.failures else ""},
        {"label": _("No new orders before"), "value": moment(one.retry_at) if one.retry_at else ""},
        {"label": _("Orders in seven days"), "value": budget(spent)},
        {"label": _("Why it got its last order"), "value": say(one.chosen_because)},
    ]


def able(one: Issuer) -> list[Fact]:
    """What its connector told last."""
    found = dialing.read(one.capabilities)
    names = [_("domain names")]
    names += [_("wildcard names")] if found.wildcard else []
    names += [_("IP addresses")] if found.ip else []
    keys = ", ".join(ALGORITHMS.get(str(key), str(key)) for key in sorted(found.key_algorithms))
    return [
        {"label": _("Levels"), "value": ", ".join(sorted(found.levels, key="DV OV EV".find))},
        {"label": _("Names"), "value": ", ".join(names)},
        {"label": _("Names in one certificate"), "value": str(found.most_names)},
        {"label": _("Keys"), "value": keys or _("any")},
        {"label": _("Longest validity"), "value": _("%(days)s days") % {"days": found.longest_days}},
        {"label": _("CAA names"), "value": ", ".join(found.caa_domains), "mono": True},
        {"label": _("Our account, for CAA"), "value": ", ".join(found.account_uris), "mono": True},
        {"label": _("Proves names by"), "value": ", ".join(found.methods), "mono": True},
    ]


def rehearsals(principal: Principal, issuer: Issuer) -> list[dict[str, Any]]:
    """The last test orders, for the issuer's page."""
    found = []
    for one in rehearsing.rehearsals(principal, issuer.slug, clock.now()):
        found.append(
            {
                "url": reverse("certificate", args=[one.id]),
                "domain": one.domain,
                "label": _(states.ROWS[one.state].title),
                "code": one.state.value,
                "at": one.created_at,
                "failure": say(one.last_failure),
            }
        )
    return found


def known(one: Issuer) -> list[Fact]:
    """The dated facts of its preset: what the CA publishes of itself."""
    preset = queries.preset_of(one.slug)
    if preset is None or not preset.source:
        return []
    return [
        {"label": _("Certificate authority"), "value": _(preset.label)},
        {"label": _("To know before"), "value": _(preset.note) if preset.note else ""},
        *({"label": _(each.name).capitalize(), "value": limit(each)} for each in preset.limits),
        {
            "label": _("Replacements"),
            "value": _("count against none of these limits") if preset.frees_replacements else "",
        },
        {"label": _("As of"), "value": date_format(preset.as_of, _("j M Y"))},
        {"label": _("Source"), "value": preset.source, "url": preset.source},
    ]


def limit(one: Limit) -> str:
    """`50 in 7 days for each registered domain`."""
    days, hours = divmod(one.seconds // 3600, 24)
    period = _("%(days)s days") % {"days": days} if days else _("%(hours)s hours") % {"hours": hours}
    per = {"most": one.most, "period": period, "per": _(one.per)}
    return _("%(most)s in %(period)s for each %(per)s") % per


def options(one: Issuer) -> list[Fact]:
    """As they were given, secrets masked."""
    model = KINDS[one.kind].options.model_fields if one.kind in KINDS else {}
    found: list[Fact] = [{"label": _("Short name"), "value": one.slug, "mono": True}]
    for name, value in one.shown.items():
        title = model[name].title if name in model else name
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        found.append({"label": _(title or name), "value": text, "mono": True})
    return found


def product_title(product: Product) -> str:
    """Brand, type and domain type in one line."""
    kind = str(present.DOMAIN_TYPES[str(product.domain_type)])
    free = f" · {_('free')}" if product.free else ""
    return f"{product.brand_title} {_(product.type_title)} · {kind}{free}"


def products(slug: str) -> list[dict[str, str]]:
    """Each product that it may serve, which place it has there, and where that is changed."""
    found = []
    for product, order in queries.served_by(slug, queries.own_orders()):
        found.append(
            {
                "title": product_title(product),
                "place": _("number %(place)s of %(count)s")
                % {"place": order.index(slug) + 1, "count": len(order)},
                "url": reverse("issuer-order", args=[product.id]),
            }
        )
    return found
