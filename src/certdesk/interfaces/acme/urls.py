"""Routes of the ACME server; the edge answers them before sessions and pages."""

from django.http import HttpRequest, HttpResponse

from . import gate, views

urlpatterns = views.ROUTES
_resolver = gate.resolver(urlpatterns)


def answer(request: HttpRequest) -> HttpResponse | None:
    """The answer to an ACME client; None for anything else."""
    return gate.answer(request, _resolver)
