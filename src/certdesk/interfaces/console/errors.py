"""Error pages that say what happened and what to do; unknown faults stay bland and carry the request id."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token is missing or old, e.g. after signing in again in another tab."""
    return render(request, "403.html", {"sentence": "The page was too old to be sent."}, status=403)
