"""The page behind the mailed link of a reissue (REI-4): only its buttons decide."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import WrongState
from certdesk.interfaces.words.say import both
from certdesk.lifecycle.issuance import reissue_link
from certdesk.lifecycle.issuance.revocation_link import Standing

from .confirming import HEADERS
from .revocation_link import STATUS


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: HttpRequest, secret: str) -> HttpResponse:
    """Shows what would be replaced; a POST confirms it, or declines with `decision=decline`."""
    now, posted, problem = clock.now(), request.method == "POST", ""
    agree = request.POST.get("decision") != "decline"
    asked = reissue_link.inspect(secret, now)
    if posted:
        source = str(request.META.get("REMOTE_ADDR", ""))
        try:
            asked = reissue_link.decide(secret, now, agree=agree, source=source)
        except WrongState as error:
            problem = both(error)
    done = posted and not problem and asked.standing is Standing.GOOD
    context = {
        "asked": asked,
        "standing": asked.standing.value,
        "confirmed": done and agree,
        "declined": done and not agree,
        "problem": problem,
    }
    status = 409 if problem else STATUS.get(asked.standing, 200)
    response = render(request, "public/reissue.html", context, status=status)
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
