"""The page behind the applicant's mailed link (ORG-1): no sign-in is needed; only a POST does anything."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.lifecycle.validation import organization_links
from certdesk.lifecycle.validation.organization_links import Opened


@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, secret: str) -> HttpResponse:
    """How the organisation shall be verified (ORG-1)."""
    context: dict[str, object] = {"saved": False, "refusal": None}
    status = 200
    opened: Opened | None = None
    try:
        opened = organization_links.show(secret, clock.now())
        if request.method == "POST":
            organization_links.choose(
                secret,
                request.POST.get("method", ""),
                clock.now(),
                source=str(request.META.get("REMOTE_ADDR", "")),
                request_id=str(getattr(request, "request_id", "")),
            )
            opened = organization_links.show(secret, clock.now())
            context["saved"] = True
    except CertdeskError as error:
        status = 404 if isinstance(error, NotFound) else 422
        context["refusal"] = error
    context["opened"] = opened
    response = render(request, "console/organization_link.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
