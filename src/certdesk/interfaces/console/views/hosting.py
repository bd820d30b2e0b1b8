"""Uploading a certificate from elsewhere (§5.6), and watching a list of them without their keys."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates.uploading import UPLOAD
from certdesk.lifecycle.notifications import channels, threads

from ..forms.common import put
from ..forms.hosting import UploadForm, WatchForm
from . import detail
from .page import back_to, code_of, page, tell


@page(UPLOAD, post=UPLOAD)
def upload(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Certificate, chain and key, typed or as files; what is refused is said beside its field."""
    posted = request.method == "POST"
    form = UploadForm(request.POST, request.FILES) if posted else UploadForm()
    code = ""
    if posted and form.is_valid():
        try:
            _status, answer = call("certificates.import", principal, body=form.cleaned_data)
        except CertdeskError as error:
            put(form, error)
            code = code_of(error)
        else:
            tell(request, _("The certificate is hosted."), "certificate.uploaded")
            return back_to("certificate", cast(dict[str, Any], answer)["certificate_id"])
    context = {
        "title": _("Upload certificate"),
        "form": form,
        "code": code,
        "crumbs": [detail.crumb(_("Certificates"), reverse("certificates"))],
        "back": reverse("certificates"),
    }
    return render(request, "console/upload.html", context, status=422 if form.errors else 200)


@page(UPLOAD, post=UPLOAD)
def watch(request: HttpRequest, principal: Principal) -> HttpResponse:
    """Many certificates at once; what became of them stands above the form, each refusal with its reason."""
    posted = request.method == "POST"
    form = WatchForm(request.POST, request.FILES) if posted else WatchForm()
    code, answer = "", dict[str, Any]()
    if posted and form.is_valid():
        try:
            _status, answer = cast(
                tuple[int, dict[str, Any]],
                call("certificates.batch_watch", principal, body=form.cleaned_data),
            )
        except CertdeskError as error:
            put(form, error)
            code = code_of(error)
        else:
            form = WatchForm()
    held = next((one["certificate_id"] for one in answer.get("items", ()) if "certificate_id" in one), "")
    context = {
        "title": _("Watch a list of certificates"),
        "held": held,
        "is_told": bool(held) and threads.is_told(held),
        "may_rules": principal.may(channels.CREATE),
        "form": form,
        "code": code,
        "answer": answer,
        "refused": [one for one in answer.get("items", ()) if "error_code" in one],
        "crumbs": [
            detail.crumb(_("Certificates"), reverse("certificates")),
            detail.crumb(_("Upload certificate"), reverse("upload")),
        ],
        "back": reverse("certificates"),
        "watched": f"{reverse('certificates')}?status=UPLOAD",
    }
    return render(request, "console/watch.html", context, status=422 if form.errors else 200)
