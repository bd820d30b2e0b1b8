"""The API reference: the bundled viewer of `/openapi.json`. Nobody has to sign in, as for the file itself."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .page import OPEN, Rights

DOCUMENT = "/openapi.json"


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    return render(request, "console/openapi.html", {"document": DOCUMENT})


reference.rights = Rights(OPEN, "")  # type: ignore[attr-defined]
