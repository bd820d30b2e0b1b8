"""What all resources share: the methods they take, and refusals as problem documents, whatever happens."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, URLResolver
from django.urls.resolvers import RegexPattern
from django.views.decorators.csrf import csrf_exempt

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.lifecycle.enrolment.errors import AcmeError, malformed

from . import answers
from .door import ROOT, base_of

View = Callable[..., HttpResponse]


def resource(*methods: str) -> Callable[[View], View]:
    """Declares a resource: nothing but an answer of ACME leaves it. What takes GET takes HEAD (RFC 9110
    §9.1); the listener leaves the content out."""
    taken = {*methods, "HEAD"} if "GET" in methods else set(methods)

    def declare(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, **parameters: str) -> HttpResponse:
            if request.method not in taken:
                allowed = ", ".join(sorted(taken))
                refusal = AcmeError(
                    "malformed", f"This resource takes {allowed}.", status=405, headers={"Allow": allowed}
                )
                return answers.problem(refusal, base_or_own(request))
            try:
                return view(request, **parameters)
            except CertdeskError as error:
                return answers.problem(error, base_or_own(request))
            except Exception:  # noqa: BLE001 the one place where what nobody expected becomes a bland 500
                return answers.unknown(str(getattr(request, "request_id", "")), base_or_own(request))

        return answer

    return declare


def base_or_own(request: HttpRequest) -> str:
    try:
        return base_of(request)
    except CertdeskError:
        return settings.get().base_url


def is_acme(path: str) -> bool:
    return path.startswith(ROOT + "/")


def refuse(request: HttpRequest, error: CertdeskError) -> HttpResponse:
    """A request that is refused before it is read."""
    return answers.problem(error, base_or_own(request))


def resolver(routes: list[URLPattern]) -> URLResolver:
    """Made once: each answer asks it."""
    return URLResolver(RegexPattern(r"^/"), routes)


def answer(request: HttpRequest, routes: URLResolver) -> HttpResponse | None:
    """The answer to an ACME client, before sessions, CSRF and pages; None for anything else."""
    if not is_acme(request.path_info):
        return None
    try:
        found = routes.resolve(request.path_info)
    except Resolver404:
        return refuse(request, malformed("There is no such resource.", 404))
    response: HttpResponse = found.func(request, *found.args, **found.kwargs)
    return response
