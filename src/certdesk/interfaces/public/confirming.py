"""The page behind a mail's link (DOM-9): it says what is asked; only its button confirms.

Whoever has the link speaks for the mailbox, so there is no session to protect from forged posts. Programs
that open every link of a mail before its reader does send GET, which changes nothing.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from certdesk.foundation.common import clock
from certdesk.lifecycle.validation import confirming, rules
from certdesk.lifecycle.validation.confirming import Asked, Standing

STATUS = {Standing.UNKNOWN: 404, Standing.OLD: 410, Standing.OVER: 410, Standing.ENDED: 410}
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Shows what a link is for; a POST confirms it."""
    now, posted = clock.now(), request.method == "POST"
    if not token.startswith(rules.DOMAIN_LINK):
        asked = Asked(Standing.UNKNOWN)
    elif posted:
        asked = confirming.confirm(token, now, source=str(request.META.get("REMOTE_ADDR", "")))
    else:
        asked = confirming.inspect(token, now)
    good = asked.standing is Standing.GOOD
    status = STATUS.get(asked.standing, 409 if posted and not good else 200)
    context = {"asked": asked, "standing": asked.standing.value, "done": posted and good}
    response = render(request, "public/confirm.html", context, status=status)
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
