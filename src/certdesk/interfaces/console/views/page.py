"""What all pages share: who asks, by which right, and what a refusal looks like."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from certdesk.foundation.common.errors import CertdeskError, Forbidden, NotFound
from certdesk.foundation.iam import known
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.interfaces.operations.errors import KINDS
from certdesk.interfaces.operations.registry import Waiting
from certdesk.interfaces.words.say import both, say
from certdesk.lifecycle.certificates.errors import UnderReview
from certdesk.lifecycle.orders import unsubscribing

from .. import signing, switching

View = Callable[..., HttpResponseBase]

OPEN = "open"  # signing in and out: for everybody
OWN = "own"  # about the user alone: for whoever is signed in, whatever the policies


@dataclass(frozen=True, slots=True)
class Rights:
    """What a page asks for: an IAM action to look at it, one to send its form; empty = not possible."""

    get: str
    post: str


def page(action: str, *, post: str = "", fresh: bool = False) -> Callable[[View], View]:
    """Declares a page: `action` is needed to see it, `post` to send its form.

    Args:
        fresh: whoever signed in more than 10 minutes ago says again who it is (`views/again.py`).

    The view is called with the principal after the request; a refusal becomes a page of words.
    """

    known.declare(*(one for one in (action, post) if ":" in one))

    def declare(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_login(request)
            needed = {"GET": action, "HEAD": action, "POST": post}.get(request.method or "", "")
            if not needed:
                return HttpResponseNotAllowed(
                    [name for name, one in (("GET", action), ("POST", post)) if one]
                )
            try:
                switched = switching.is_switched(request)
                principal = principal_of(request)
                if switched and not principal.agency:
                    return switched_back(request)  # and nothing is done: it was meant for the other account
                if needed != OWN:
                    principal.require(needed)
                elif switched:
                    switching.refuse_ones_own(request)
                if fresh and not signing.is_fresh(request):
                    return to_again(request)
                return view(request, principal, **parameters)
            except Waiting as waiting:
                return waits(request, waiting)
            except CertdeskError as error:
                if isinstance(error, UnderReview) and request.method == "POST":
                    unsubscribing.interrupt(principal_of(request), error)
                return refused(request, error)

        answer.rights = Rights(action, post)  # type: ignore[attr-defined]
        return answer

    return declare


def principal_of(request: HttpRequest) -> Principal:
    """The signed-in user with the policies of this moment, or the agency it has switched to; read once a
    request."""
    kept: Principal | None = getattr(request, "principal", None)
    if kept is None:
        home = home_of(request)
        kept = switching.acting(request, home) or home
        request.principal = kept  # type: ignore[attr-defined]
    return kept


def home_of(request: HttpRequest) -> Principal:
    """The signed-in user in its own account, whatever it has switched to."""
    kept: Principal | None = getattr(request, "home", None)
    if kept is None:
        kept = iam.principal_of(
            str(request.user.pk),
            Via.CONSOLE,
            source=str(request.META.get("REMOTE_ADDR", "")),
            request_id=str(getattr(request, "request_id", "")),
            mfa=signing.of(request).mfa,
        )
        request.home = kept  # type: ignore[attr-defined]
    return kept


def switched_back(request: HttpRequest) -> HttpResponse:
    """The other account lets the user in no longer: says so at home."""
    told = _("The other account no longer lets you in. You act in your own account again; nothing was done.")
    messages.warning(request, told, extra_tags="agency.over")
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("iam-switch")})
    return back_to("iam-switch")


def to_login(request: HttpRequest) -> HttpResponse:
    """To the sign-in page, and back afterwards; a fragment makes the whole page go there."""
    login = reverse("account_login")
    if request.headers.get("HX-Request"):
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = f"{shown.path}?{shown.query}" if shown.query else shown.path
        return HttpResponse(status=204, headers={"HX-Redirect": _and_back(login, back)})
    return HttpResponseRedirect(_and_back(login, request.get_full_path() if request.method == "GET" else ""))


def _and_back(login: str, path: str) -> str:
    return f"{login}?{urlencode({'next': path})}" if path else login


def to_again(request: HttpRequest) -> HttpResponse:
    """To the page that asks again who one is; then back to this one, or to where the button was pressed."""
    shown = urlsplit(request.headers.get("Referer", ""))
    pressed = request.method == "POST" and shown.netloc == request.get_host()
    return HttpResponseRedirect(
        _and_back(reverse("again"), shown.path if pressed else request.get_full_path())
    )


def code_of(error: CertdeskError) -> str:
    """The code that the API gives for the same refusal; messages carry it as `data-code`."""
    return error.code or KINDS[error.kind].code


def refused(request: HttpRequest, error: CertdeskError) -> HttpResponse:
    """A refusal as a page: what, why and what to do."""
    if isinstance(error, NotFound):
        template = "404.html"
    elif isinstance(error, Forbidden):
        template = "403.html"
    else:
        template = "console/refused.html"
    missing = str(error.details.get("action", ""))
    plain = bool(missing) and missing in error.message  # then the page's own words say as much
    context = {
        "sentence": "" if plain else say(error.message),
        "next_step": "" if plain else say(error.next_step),
        "code": code_of(error),
        "missing_action": missing,
        "is_zone": request.path.startswith("/zones/"),
    }
    return render(request, template, context, status=KINDS[error.kind].status)


def waits(request: HttpRequest, waiting: Waiting) -> HttpResponse:
    """What was asked for needs other people first: to the page of the request, wherever it came from."""
    told = _("This needs a second person. Your request waits here; whoever may decide it is told by mail.")
    tell(request, told, "approval.waiting")
    return back_to("approval", waiting.approval_id)


def tell(request: HttpRequest, text: str, code: str) -> None:
    """A message of success for the next page."""
    messages.success(request, text, extra_tags=code)


def alert(request: HttpRequest, error: CertdeskError) -> None:
    """A refusal for the next page."""
    messages.error(
        request,
        both(error),
        extra_tags=code_of(error),
    )


def back_to(name: str, *arguments: object) -> HttpResponse:
    """After a form was taken: another page, by GET."""
    return redirect(reverse(name, args=arguments))
