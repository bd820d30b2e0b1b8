"""Credentials of ACME clients: listed, made with ready-to-paste commands, taken back."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.iam.queries import names_of
from certdesk.lifecycle.catalogue.queries import brand_title, catalogue
from certdesk.lifecycle.enrolment import credentials
from certdesk.lifecycle.enrolment.credentials import CREATE, DELETE, GET, LIST
from certdesk.lifecycle.enrolment.models import Credential

from ..acme_commands import commands
from ..forms.acme import CredentialForm
from ..forms.common import put
from .page import back_to, page
from .people import SURE, crumb, form_page, tried

PLACEHOLDER = "HMAC-KEY"


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """The account's credentials, and where clients find the server."""
    found = credentials.listed(principal)
    people = names_of(principal.account_id, {one.user_id for one in found}, ())
    context = {
        "title": _("ACME"),
        "subtitle": _("Clients on your servers get and renew their certificates by themselves."),
        "directory": credentials.directory(),
        "lines": [_line(one, people.get(one.user_id, "")) for one in found],
        "may_add": principal.may(CREATE),
        "may_delete": principal.may(DELETE),
    }
    return render(request, "console/acme.html", context)


def _line(one: Credential, user: str) -> dict[str, Any]:
    most = _("%(issued)s of %(quota)s") % {"issued": one.issued, "quota": one.quota}
    kinds = catalogue().types
    what = ", ".join(kinds[each].title if each in kinds else each for each in one.types)
    return {
        "one": one,
        "user": user,
        "names": ", ".join(one.names) or _("any that proves itself"),
        "issuer": f"{brand_title(one.issuer)} · {what}" if one.issuer else _("Built-in CA, free of charge"),
        "count": most if one.quota else str(one.issued),
    }


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Makes one; its key is on the page that answers, and nowhere else ever again."""
    book = catalogue()
    brands = [(code, one.title) for code, one in book.brands.items()]
    types = [(code, one.title) for code, one in book.types.items()]
    form = CredentialForm(brands, types, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made, key = credentials.create(
                principal,
                clock.now(),
                label=form.cleaned_data["label"],
                names=form.names_given(),
                types=[form.cleaned_data["types"]] if form.cleaned_data["types"] else [],
                issuer=form.cleaned_data["issuer"],
                quota=form.cleaned_data["quota"],
            )
        except CertdeskError as error:
            put(form, error)
        else:
            return _shown(request, made, key)
    return form_page(
        request,
        _("Make an ACME credential"),
        form,
        submit=_("Make the credential"),
        back=reverse("acme"),
        operation="acme-save",
        crumbs=[crumb(_("ACME"), "acme")],
        note=_("Whatever its clients do, they do with your rights of that moment."),
    )


@page(GET)
def shown(request: HttpRequest, principal: Principal, credential_id: str) -> HttpResponse:
    """The commands once more; the key stands in them by a placeholder."""
    return _shown(request, credentials.fetch(principal, GET, credential_id), "")


def _shown(request: HttpRequest, one: Credential, key: str) -> HttpResponse:
    directory = credentials.directory()
    context = {
        "title": one.label or _("ACME credential"),
        "crumbs": [crumb(_("ACME"), "acme")],
        "one": one,
        "key": key,
        "directory": directory,
        "placeholder": PLACEHOLDER,
        "commands": commands(directory, one.id, key or PLACEHOLDER),
        "back": reverse("acme"),
    }
    return render(request, "console/acme_credential.html", context)


@page(DELETE, post=DELETE)
def delete(request: HttpRequest, principal: Principal, credential_id: str) -> HttpResponse:
    """Asks first, naming what follows."""
    one = credentials.fetch(principal, DELETE, credential_id)
    if request.method == "POST":
        told = _("The credential is taken back.")
        tried(request, told, "acme.deleted", "acme_credentials.delete", principal=principal, id=one.id)
        return back_to("acme")
    context = {
        "title": _("Take back the ACME credential %(name)s?") % {"name": one.label or one.id},
        "crumbs": [crumb(_("ACME"), "acme")],
        "losses": [
            _("Clients that have registered with it are refused at once."),
            _("Their certificates stay valid; nobody renews them until they have another credential."),
        ],
        "submit": _("Take it back"),
        "operation": "acme-delete-sure",
        "back": reverse("acme"),
    }
    return render(request, SURE, context)
