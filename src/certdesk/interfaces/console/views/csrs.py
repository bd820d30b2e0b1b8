"""CSR management: the list, making and uploading one, its page, its files, deleting it."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import csrs
from certdesk.lifecycle.certificates.csr_rules import ALGORITHMS, CsrFilters
from certdesk.lifecycle.certificates.csrs import CREATE, DELETE, EXPORT, GET, LIST, UPDATE, UPLOAD
from certdesk.lifecycle.certificates.models import Csr

from ..forms.applying import ALGORITHMS as TITLES
from ..forms.common import put
from ..forms.csrs import CsrForm, CsrNameForm, CsrUploadForm
from ..templatetags.certdesk_ui import moment
from . import fragments
from .cards.facts import Fact
from .detail import crumb
from .listing import Choice, Menu
from .page import back_to, code_of, page, tell

PAGE = 20


@page(LIST)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Newest first; found by name, filtered by algorithm."""
    given = request.GET
    algorithm = given.get("algorithm", "")
    asked = {
        "content": given.get("content", "").strip()[:63],
        "algorithm": algorithm if algorithm in ALGORITHMS else "",
    }
    offset = int(given["offset"]) if given.get("offset", "").isdecimal() and len(given["offset"]) < 9 else 0
    filters = CsrFilters(PAGE, offset, asked["content"], asked["algorithm"])
    found, total = csrs.listed(principal, filters)
    context = {
        "title": _("CSR management"),
        "lines": [_line(one) for one in found],
        "menus": [_algorithms(asked)],
        "tabs": [Choice(_("All CSRs"), reverse("csrs"), not any(asked.values()))],
        "query": asked["content"],
        "filtered": any(asked.values()),
        "search_url": reverse("csrs"),
        "next_url": _url(asked, offset + PAGE) if total > offset + PAGE else "",
        "previous_url": _url(asked, max(0, offset - PAGE)) if offset else "",
        "may_create": principal.may(CREATE),
        "may_upload": principal.may(UPLOAD),
    }
    return render(request, "console/csrs.html", context)


def _url(asked: dict[str, str], offset: int = 0, **changes: str) -> str:
    given = {**asked, **changes, "offset": str(offset) if offset else ""}
    kept = {name: value for name, value in given.items() if value}
    return f"?{urlencode(kept)}" if kept else reverse("csrs")


def _algorithms(asked: dict[str, str]) -> Menu:
    wanted = asked["algorithm"]
    everything = Choice(_("All key algorithms"), _url(asked, algorithm=""), not wanted)
    choices = [Choice(TITLES[one], _url(asked, algorithm=one), one == wanted) for one in ALGORITHMS]
    return Menu(TITLES.get(wanted, _("All key algorithms")), (everything, *choices))


def _line(one: Csr) -> dict[str, Any]:
    return {
        "csr": one,
        "url": reverse("csr", args=[one.id]),
        "algorithm": TITLES[one.private_key_algo],
        "more_names": len(one.names) - 1,
        "key": _key_word(one),
        "tone": "wait" if one.being_made else "good" if one.key_id else "end",
    }


def _key_word(one: Csr) -> str:
    if one.being_made:
        return _("Being made")
    if not one.key_id:
        return _("Not here")
    return _("Made here") if one.made_here else _("Uploaded")


@page(CREATE, post=CREATE)
def create(request: HttpRequest, principal: Principal) -> HttpResponse:
    form = CsrForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            made = csrs.create(principal, form.request(), clock.now())
        except CertdeskError as error:
            return _form(request, "console/csr_create.html", _("Create a CSR"), form, error)
        tell(request, _("The CSR is created. Its private key is kept sealed."), "csr.created")
        return back_to("csr", made.id)
    return _form(request, "console/csr_create.html", _("Create a CSR"), form)


@page(UPLOAD, post=UPLOAD)
def upload(request: HttpRequest, principal: Principal) -> HttpResponse:
    form = CsrUploadForm(request.POST if request.method == "POST" else None, label_suffix="")
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = csrs.upload(principal, given["name"], given["csr"], given["private_key"], clock.now())
        except CertdeskError as error:
            return _form(request, "console/csr_upload.html", _("Upload a CSR"), form, error)
        tell(request, _("The CSR is uploaded."), "csr.uploaded")
        return back_to("csr", made.id)
    return _form(request, "console/csr_upload.html", _("Upload a CSR"), form)


@page(UPDATE, post=UPDATE)
def rename(request: HttpRequest, principal: Principal, csr_id: str) -> HttpResponse:
    found = csrs.fetch(principal, UPDATE, csr_id)
    form = CsrNameForm(request.POST or None, initial={"name": found.name}, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            csrs.rename(principal, csr_id, form.cleaned_data["name"], clock.now())
        except CertdeskError as error:
            return _form(request, "console/edit.html", _("Rename"), form, error, found)
        tell(request, _("Changed successfully."), "csr.renamed")
        return back_to("csr", csr_id)
    return _form(request, "console/edit.html", _("Rename"), form, about=found)


def _form(
    request: HttpRequest,
    template: str,
    title: str,
    form: forms.Form,
    error: CertdeskError | None = None,
    about: Csr | None = None,
) -> HttpResponse:
    if error is not None:
        put(form, error)
    _forget_key(form)
    context = {
        "title": title,
        "form": form,
        "code": code_of(error) if error else "",
        "back": reverse("csr", args=[about.id]) if about else reverse("csrs"),
        "crumbs": _crumbs(about),
    }
    return render(request, template, context, status=422 if form.errors else 200)


def _forget_key(form: forms.Form) -> None:
    """A private key that was typed is never sent back to the browser; said, lest it is left out next time."""
    if form.is_bound and form.data.get("private_key"):
        form.data = {name: value for name, value in form.data.items() if name != "private_key"}
        form.add_error("private_key", _("It is not sent back to your browser: paste it once more."))


def _crumbs(about: Csr | None = None) -> list[dict[str, str]]:
    found = [crumb(_("CSR management"), reverse("csrs"))]
    return [*found, crumb(about.name, reverse("csr", args=[about.id]))] if about else found


@page(GET)
def shown(request: HttpRequest, principal: Principal, csr_id: str) -> HttpResponse:
    """One CSR with its text; the private key is not shown, only handed out as a file."""
    found = csrs.fetch(principal, GET, csr_id)
    resource = csrs.resource_of(found.account_id, found.id)
    context = {
        "title": found.name,
        "crumbs": _crumbs(),
        "csr": found,
        "facts": _facts(found),
        "names": found.names if len(found.names) > 1 else (),
        "may_rename": principal.may(UPDATE, resource),
        "may_delete": principal.may(DELETE, resource),
        "may_export": bool(found.key_id) and principal.may(EXPORT, resource),
    }
    return render(request, "console/csr.html", context)


def _facts(found: Csr) -> list[Fact]:
    usages = {"PERSONAL": _("Personal"), "ENTERPRISE": _("Enterprise")}
    company = found.company
    place = [company[key] for key in ("city", "province", "country") if company.get(key)]
    return [
        Fact(_("Domain name"), found.domain_name, mono=True),
        Fact(_("Key algorithm"), TITLES[found.private_key_algo]),
        Fact(_("Private key"), _key_word(found)),
        Fact(_("Usage"), usages.get(found.usage, "")),
        Fact(_("Company"), company.get("name", "")),
        Fact(_("Place"), ", ".join(place)),
        Fact(_("Created"), moment(found.created_at)),
        Fact(_("Changed"), moment(found.updated_at) if found.updated_at != found.created_at else ""),
        Fact(_("CSR ID"), found.id, mono=True),
    ]


@page(GET)
def status(request: HttpRequest, principal: Principal, csr_id: str) -> HttpResponse:
    """Asked by the open page while a worker makes the key."""
    found = csrs.fetch(principal, GET, csr_id)
    return fragments.unchanged() if found.being_made else fragments.reload()


@page(GET)
def text(request: HttpRequest, principal: Principal, csr_id: str) -> HttpResponse:
    """The CSR as a file."""
    found = csrs.fetch(principal, GET, csr_id)
    csrs.refuse_unready(found)
    return _file(found.csr, f"{found.id}.csr", "application/pkcs10")


@page("", post=EXPORT)
def private_key(request: HttpRequest, principal: Principal, csr_id: str) -> HttpResponse:
    """The private key as a file; by POST, so that no link and no prefetch leaves a trace in the audit."""
    _status, answer = call("csrs.private_key", principal, id=csr_id)
    pem = cast(Mapping[str, str], answer)["private_key"]
    return _file(pem, f"{csr_id}.key", "application/x-pem-file")


def _file(content: str, name: str, content_type: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=content_type, headers=headers)


@page(DELETE, post=DELETE)
def delete(request: HttpRequest, principal: Principal, csr_id: str) -> HttpResponse:
    """Asks first, naming what is lost."""
    found = csrs.fetch(principal, DELETE, csr_id)
    if request.method == "POST":
        csrs.delete(principal, csr_id)
        tell(request, _("The CSR is deleted."), "csr.deleted")
        return back_to("csrs")
    context = {
        "title": _("Delete the CSR"),
        "crumbs": _crumbs(found),
        "csr": found,
        "key_held": bool(found.key_id),
        "back": reverse("csr", args=[csr_id]),
    }
    return render(request, "console/csr_delete.html", context)
