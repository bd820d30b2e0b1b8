"""The page behind the link in an expiry notice (NTF-5): only its button acknowledges."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.lifecycle.notifications import acknowledging
from certdesk.lifecycle.notifications.acknowledging import Standing

from .confirming import HEADERS

STATUS = {Standing.UNKNOWN: 404, Standing.OLD: 410}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge(request: HttpRequest, secret: str) -> HttpResponse:
    """Shows what would be silent; a POST acknowledges it."""
    now, posted = clock.now(), request.method == "POST"
    if posted:
        asked = acknowledging.acknowledge(secret, now, source=str(request.META.get("REMOTE_ADDR", "")))
    else:
        asked = acknowledging.inspect(secret)
    done = posted and asked.standing is Standing.GOOD
    context = {"asked": asked, "standing": asked.standing.value, "done": done}
    response = render(request, "public/notice.html", context, status=STATUS.get(asked.standing, 200))
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
