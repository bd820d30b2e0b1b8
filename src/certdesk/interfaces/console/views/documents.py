"""Documents for the check of an organisation: upload, save, take back (§3.3)."""

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, NotFound
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.validation import document_rules, documents

from .page import alert, back_to, page, tell

SAVED_ONLY = {
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Download-Options": "noopen",
    "Cache-Control": "no-store",
}
"""A document comes from outside and may be anything behind its first bytes: no browser shows it here."""


@page("", post=documents.ADD)
def add(request: HttpRequest, principal: Principal, certificate_id: str) -> HttpResponse:
    """One file a form."""
    try:
        name, content = _given(request)
        documents.add(principal, certificate_id, name, content, clock.now())
        tell(request, _("The document is stored encrypted; the officers can open it."), "document.added")
    except NotFound:
        raise
    except CertdeskError as error:
        alert(request, error)
    return back_to("organization", certificate_id)


def _given(request: HttpRequest) -> tuple[str, bytes]:
    file = request.FILES.get("document")
    if getattr(request, "upload_too_large", False) or (file and (file.size or 0) > document_rules.MAX_BYTES):
        raise document_rules.too_large()
    if file is None:
        raise BadParameter(
            "No file was chosen.", next_step="Choose a PDF, PNG or JPEG file.", field="document"
        )
    return file.name or "", file.read()


@page(documents.READ)
def download(
    request: HttpRequest, principal: Principal, certificate_id: str, document_id: int
) -> HttpResponse:
    """As a file to save, of a type that no browser opens."""
    found = documents.read(principal, certificate_id, document_id)
    response = HttpResponse(found.content, content_type="application/octet-stream", headers=SAVED_ONLY)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.name, safe='')}"
    return response


@page("", post=documents.ADD)
def remove(request: HttpRequest, principal: Principal, certificate_id: str, document_id: int) -> HttpResponse:
    try:
        documents.remove(principal, certificate_id, document_id, clock.now())
        tell(request, _("The document is deleted."), "document.removed")
    except NotFound:
        raise
    except CertdeskError as error:
        alert(request, error)
    return back_to("organization", certificate_id)
