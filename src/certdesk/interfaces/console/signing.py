"""What a session knows of how it was opened: by which method, with a second factor, when one last proved
who one is. Kept in the session itself, so that a page needs no further look at the database."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import second_factor, sessions
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of

_SIGNED_IN, _PENDING = "signed_in", "pending"
FRESH_SECONDS = 600
"""So long after signing in, or saying again who one is, what is sensitive may be changed."""
PENDING_SECONDS = 600
"""So long the second step of a sign-in may take."""


class Method(StrEnum):
    PASSWORD = "password"  # noqa: S105 a word, no secret
    PASSKEY = "passkey"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Attributes:
    at: when who sits there last proved it, seconds since 1970.
    enrol: the account wants a second factor, and this user has none: no other page works.
    """

    method: str = ""
    mfa: bool = False
    at: float = 0.0
    enrol: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that waits for its second step; `stamp` ends it when the password changes meanwhile."""

    user_id: str
    method: str
    at: float
    stamp: str
    back: str


def source_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _seconds() -> float:
    return clock.real_now().timestamp()


def of(request: HttpRequest) -> SignedIn:
    kept = request.session.get(_SIGNED_IN)
    return SignedIn(**kept) if isinstance(kept, dict) else SignedIn()


def _keep(request: HttpRequest, found: SignedIn) -> None:
    request.session[_SIGNED_IN] = asdict(found)


def is_fresh(request: HttpRequest) -> bool:
    return 0 <= _seconds() - of(request).at < FRESH_SECONDS


def proved_again(request: HttpRequest, *, second: bool) -> None:
    """Who sits there has shown again who it is; a second factor counts from now on."""
    known = of(request)
    found = SignedIn(known.method, known.mfa or second, _seconds(), known.enrol and not second)
    _keep(request, found)
    note(request)


def note(request: HttpRequest) -> None:
    """Lets the user see this session among its own."""
    if request.session.session_key is None:
        request.session.save()
    known = of(request)
    sessions.note(
        str(request.user.pk),
        str(request.session.session_key),
        source_of(request),
        request.headers.get("User-Agent", ""),
        clock.real_now(),
        method=known.method,
        mfa=known.mfa,
    )


def opened(request: HttpRequest, method: Method, *, mfa: bool) -> None:
    """Django has just signed the user in: keeps how, and whether a second factor has to be enrolled."""
    user: Any = request.user
    required = not mfa and user.account.second_factor_required and not second_factor.has(user.id)
    _keep(request, SignedIn(method.value, mfa, _seconds(), required))
    note(request)
    by = principal_of(
        user.id, Via.CONSOLE, source=source_of(request), request_id=str(getattr(request, "request_id", ""))
    )
    with sql.short_transaction():
        details = {"method": method.value, "second_factor": mfa}
        audit.record(by, "iam:users:signIn", resource=f"user:{user.id}", details=details)


def wait_for_second(request: HttpRequest, user: User, method: Method, back: str) -> HttpResponse:
    """The first step was good: the second one is asked for; nobody is signed in yet."""
    request.session.cycle_key()
    stamp = user.get_session_auth_hash()
    request.session[_PENDING] = asdict(Pending(user.id, method.value, _seconds(), stamp, back))
    return HttpResponseRedirect(reverse("second-step"))


def pending(request: HttpRequest) -> tuple[User, Pending] | None:
    """Who stands before the second step; None when nobody does, or it took too long."""
    kept = request.session.get(_PENDING)
    if not isinstance(kept, dict):
        return None
    found = Pending(**kept)
    user = User.objects.select_related("account").filter(id=found.user_id, is_active=True).first()
    late = not 0 <= _seconds() - found.at < PENDING_SECONDS
    if user is None or late or user.get_session_auth_hash() != found.stamp:
        request.session.pop(_PENDING, None)
        return None
    return user, found


def complete(request: HttpRequest, user: User, method: Method, back: str, *, mfa: bool) -> HttpResponse:
    """Signs the user in and goes where it wanted to."""
    request.session.pop(_PENDING, None)
    get_adapter(request).login(request, user)
    opened(request, method, mfa=mfa)
    return HttpResponseRedirect(safe(request, back))


def safe(request: HttpRequest, back: str) -> str:
    """A page of this console; the first one when `back` is none."""
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        return back
    return reverse("home")
