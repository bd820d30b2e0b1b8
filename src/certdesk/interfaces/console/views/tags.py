"""Tags: all of them with what has them, and the tags of one certificate."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries, tags
from certdesk.lifecycle.certificates.tag_rules import TagPair
from certdesk.lifecycle.certificates.tags import ALL, BATCH, CREATE

from ..forms.common import put
from ..forms.csrs import TagForm
from . import detail
from .page import back_to, page, tell
from .tag_parts import filter_url

SHOWN = 500
"""Lines of the page of all tags; the keys that come first by name."""


@page(ALL)
def listed(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Every key with its values and how many certificates have them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in tags.counted(principal)[:SHOWN]:
        entry = {"value": one.value, "count": one.certificates, "url": filter_url(one.key, one.value)}
        found.setdefault(one.key, []).append(entry)
    lines = [{"key": key, "values": values, "url": filter_url(key, None)} for key, values in found.items()]
    return render(request, "console/tags.html", {"title": _("Tags"), "lines": lines})


@page(CREATE, post=CREATE)
def add(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """One more tag, or a new value for one; the page behind the small form, for what was refused."""
    certificate = queries.fetch(principal, CREATE, certificate_id)
    form = TagForm(request.POST or None, initial=request.GET, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            tags.put(principal, certificate_id, [TagPair(**form.cleaned_data)])
            tell(request, _("The tag is set."), "tag.set")
            return back_to("certificate", certificate_id)
        except CertdeskError as error:
            put(form, error)
    page_context = {"title": _("Set a tag"), "form": form, **detail.crumbs(certificate)}
    return render(request, "console/edit.html", page_context, status=422 if form.errors else 200)


@page("", post=BATCH)
def remove(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    tags.remove(principal, certificate_id, [TagPair(request.POST.get("key", ""))])
    tell(request, _("The tag is removed."), "tag.removed")
    return back_to("certificate", certificate_id)
