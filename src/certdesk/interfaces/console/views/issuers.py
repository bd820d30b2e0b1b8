"""Issuers: the certificate authorities behind the catalogue, how each does, what it may serve."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.connectors.issuers.registry import KINDS
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, WrongState
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.campaigns import actions as campaigns
from certdesk.lifecycle.certificates import rows as certificates
from certdesk.lifecycle.issuers import queries, rules, setting_up
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.lifecycle.issuers.queries import Budget
from certdesk.lifecycle.issuers.setting_up import CREATE, DELETE, GET, LIST, TEST, UPDATE
from certdesk.lifecycle.issuers.states import State

from ..forms.common import put
from ..forms.issuing import IssuerForm
from . import issuer_facts
from .page import alert, back_to, code_of, page, tell


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The built-in CA and the others, with how they do; nobody is asked here."""
    found, own = [queries.built_in(), *setting_up.listed(principal)], queries.own_orders()
    spent = queries.budgets(found, clock.real_now())
    listable = principal.may(certificates.LIST)
    context = {
        "title": _("Issuers"),
        "lines": [_line(one, own, spent[one.slug], listable=listable) for one in found],
        "may_add": iam.is_operator(principal, CREATE) and bool(KINDS),
        "may_order": iam.is_operator(principal, UPDATE),
    }
    return render(request, "console/issuers.html", context)


def _line(one: Issuer, own: dict[str, tuple[str, ...]], spent: Budget, *, listable: bool) -> dict[str, Any]:
    tone, label = issuer_facts.state(one)
    return {
        "issuer": one,
        "url": reverse("issuer", args=[one.id]),
        "title": say(one.title),
        "kind": issuer_facts.kind(one),
        "trust": issuer_facts.trust(one),
        "tone": tone,
        "label": label,
        "next": issuer_facts.next_actor(one),
        "budget": issuer_facts.budget(spent),
        "count": len(queries.served_by(one.slug, own)),
        "certificates": certificates_of(one) if listable else "",
    }


def certificates_of(one: Issuer) -> str:
    """The list of the certificates whose current version is from it."""
    return f"{reverse('certificates')}?{urlencode({'issuer': one.slug})}"


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """First the kind, then its form; once set up it is tested."""
    iam.require_operator(principal, CREATE)
    kind = request.GET.get("kind", "")
    if kind not in KINDS:
        kinds = [
            {
                "title": _(one.label),
                "url": f"{reverse('issuer-add')}?{urlencode({'kind': name})}",
                "text": about(name),
            }
            for name, one in KINDS.items()
        ]
        context = {"title": _("Set up an issuer"), "crumbs": crumbs(), "kinds": kinds}
        return render(request, "console/issuer_kinds.html", context)
    form = IssuerForm(kind, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = setting_up.add(principal, kind=kind, given=form.options(), **form.values())
        except CertdeskError as error:
            return _form(request, _("Set up an issuer"), form, reverse("issuers"), error)
        return _tested(request, principal, made.id)
    return _form(request, _("Set up an issuer"), form, reverse("issuers"))


def about(kind: str) -> str:
    """For whom a kind is."""
    texts = {
        "acme": _("Let's Encrypt, ZeroSSL, Google, step-ca, and every other CA with an ACME directory."),
        "certcentral": _("The commercial service: DV, OV and EV with the trust of every browser."),
        "manual": _("A CA without an interface: an officer takes the CSR there and uploads what comes back."),
        "vault": _("The PKI secrets engine inside your own network: certificates at once."),
    }
    return texts.get(kind, "")


@page(UPDATE, post=UPDATE)
def edit(request: HttpRequest, principal: Principal, issuer_id: str) -> HttpResponse:
    issuer = setting_up.fetch(principal, UPDATE, issuer_id)
    back = reverse("issuer", args=[issuer_id])
    form = IssuerForm(issuer.kind, request.POST if request.method == "POST" else None, issuer=issuer)
    if request.method == "POST" and form.is_valid():
        changes = form.values()
        changes["title"] = changes["title"] or issuer.title
        changes["options"] = form.options()
        try:
            changed = setting_up.edit(principal, issuer_id, changes)
        except CertdeskError as error:
            return _form(request, _("Edit the issuer"), form, back, error)
        if changed.state == State.UNKNOWN:  # its options are others now
            return _tested(request, principal, issuer_id)
        tell(request, _("The issuer is changed."), "issuer.changed")
        return back_to("issuer", issuer_id)
    return _form(request, _("Edit the issuer"), form, back)


def _form(
    request: HttpRequest, title: str, form: IssuerForm, back: str, error: CertdeskError | None = None
) -> HttpResponse:
    if error is not None:
        put(form, error)
    context = {
        "title": title,
        "subtitle": _(KINDS[form.kind].label),
        "form": form,
        "code": code_of(error) if error else "",
        "back": back,
        "crumbs": crumbs(),
    }
    return render(request, "console/issuer_form.html", context, status=422 if form.errors else 200)


def crumbs(issuer: Issuer | None = None) -> list[dict[str, str]]:
    found = [{"label": _("Issuers"), "url": reverse("issuers")}]
    if issuer is not None:
        found.append({"label": say(issuer.title), "url": reverse("issuer", args=[issuer.id])})
    return found


def _tested(request: HttpRequest, principal: Principal, issuer_id: str) -> HttpResponse:
    """After saving it is tested at once, where the user may do that."""
    if not iam.is_operator(principal, TEST):
        tell(request, _("The issuer is saved. It was not tested."), "issuer.saved")
        return back_to("issuer", issuer_id)
    found = setting_up.test(principal, issuer_id)
    if found.ok:
        tell(request, _("It answers and accepts our account. Nothing was ordered."), "issuer.tested")
    else:
        problem = _("The test failed: %(problem)s") % {"problem": say(found.problem)}
        alert(request, WrongState(problem, next_step=say(found.next_step)))
    return back_to("issuer", issuer_id)


@page("", post=TEST)
def test(request: HttpRequest, principal: Principal, issuer_id: str) -> HttpResponse:
    setting_up.fetch(principal, TEST, issuer_id)
    return _tested(request, principal, issuer_id)


@page(GET)
def shown(request: HttpRequest, principal: Principal, issuer_id: str) -> HttpResponse:
    """One issuer: how it does, what it can, which products and certificates it has to do with."""
    one = setting_up.look_at(principal, issuer_id)
    tone, label = issuer_facts.state(one)
    ours = not rules.is_built_in(one.slug)
    spent = queries.budget(one, clock.real_now())
    context = {
        "title": say(one.title),
        "subtitle": f"{issuer_facts.kind(one)} · {issuer_facts.trust(one)}",
        "crumbs": crumbs(),
        "issuer": one,
        "tone": tone,
        "label": label,
        "bad": one.state == State.DOWN and one.enabled,
        "problem": say(one.problem),
        "next_step": say(one.next_step),
        "next": issuer_facts.next_actor(one),
        "notes": [say(note) for note in one.notes],
        "health": issuer_facts.health(one, spent) if ours else [],
        "able": issuer_facts.able(one),
        "known": issuer_facts.known(one),
        "rehearsals": issuer_facts.rehearsals(principal, one) if ours else [],
        "options": issuer_facts.options(one),
        "products": issuer_facts.products(one.slug),
        "count": queries.in_force(one.slug, clock.now()),
        "certificates": certificates_of(one) if principal.may(certificates.LIST) else "",
        "campaign": f"{reverse('campaign-add')}?{urlencode({'issuer': one.slug})}"
        if principal.may(campaigns.CREATE)
        else "",
        "may_test": ours and iam.is_operator(principal, TEST),
        "may_edit": ours and one.kind in KINDS and iam.is_operator(principal, UPDATE),
        "may_order": iam.is_operator(principal, UPDATE),
        "may_remove": ours and iam.is_operator(principal, DELETE),
    }
    return render(request, "console/issuer.html", context)


@page(DELETE, post=DELETE)
def remove(request: HttpRequest, principal: Principal, issuer_id: str) -> HttpResponse:
    """Asks first, naming what is lost."""
    issuer = setting_up.fetch(principal, DELETE, issuer_id)
    if request.method == "POST":
        try:
            setting_up.remove(principal, issuer_id)
        except WrongState as error:
            alert(request, error)
            return back_to("issuer", issuer_id)
        tell(request, _("The issuer is removed."), "issuer.removed")
        return back_to("issuers")
    context = {
        "title": _("Remove the issuer"),
        "crumbs": crumbs(issuer),
        "issuer": issuer,
        "back": reverse("issuer", args=[issuer_id]),
    }
    return render(request, "console/issuer_remove.html", context)
