"""The page behind the mailed link that confirms a revocation (REV-2): only its button revokes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.lifecycle.issuance import revocation_link
from certdesk.lifecycle.issuance.revocation_link import Standing

from .confirming import HEADERS

STATUS = {Standing.UNKNOWN: 404, Standing.OLD: 410}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, secret: str) -> HttpResponse:
    """Shows what would be revoked; a POST confirms it."""
    now, posted = clock.now(), request.method == "POST"
    if posted:
        asked = revocation_link.confirm(secret, now, source=str(request.META.get("REMOTE_ADDR", "")))
    else:
        asked = revocation_link.inspect(secret, now)
    done = posted and asked.standing is Standing.GOOD
    context = {"asked": asked, "standing": asked.standing.value, "done": done}
    response = render(request, "public/revocation.html", context, status=STATUS.get(asked.standing, 200))
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
