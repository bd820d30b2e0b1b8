"""Answers to htmx: a part of a page, or the word to load the page anew."""

from django.http import HttpRequest, HttpResponse


def is_fragment(request: HttpRequest) -> bool:
    return bool(request.headers.get("HX-Request"))


def unchanged() -> HttpResponse:
    """Nothing to swap; the page asks again."""
    return HttpResponse(status=204)


def reload() -> HttpResponse:
    """The page has become another one: load it whole."""
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


def go(url: str) -> HttpResponse:
    return HttpResponse(status=204, headers={"HX-Redirect": url})
