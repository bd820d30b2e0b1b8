"""How people sign in: django-allauth with our rules."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from certdesk.foundation.common import clock
from certdesk.foundation.iam import second_factor, throttle
from certdesk.foundation.iam.models import User
from certdesk.interfaces.words.say import both

from . import signing
from .signing import Method, source_of


class Backend(AuthenticationBackend):  # type: ignore[misc]
    """As allauth's; a session's user comes with the account, which every page names."""

    def get_user(self, user_id: str) -> User | None:
        user = User.objects.select_related("account").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves; failures make one wait (`iam/throttle.py`); sessions are noted."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            throttle.check(_login(credentials), source_of(request), clock.real_now())
        except throttle.SlowDown as error:
            raise ValidationError(both(error), code="too_many_login_attempts") from None

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            throttle.succeeded(_login(credentials), source_of(request), clock.real_now())
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        throttle.failed(_login(credentials), source_of(request), clock.real_now())

    def _rollback_login_failed_rl_usage(self) -> None:
        """There is none to give back."""

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **more: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **more)
        signing.opened(request, Method.PASSWORD, mfa=False)
        return response

    def pre_login(self, request: HttpRequest, user: Any, **more: Any) -> HttpResponse | None:
        """The password was right; who has a second factor is not in yet."""
        refused: HttpResponse | None = super().pre_login(request, user, **more)
        if refused is None and second_factor.has(user.id):
            back = str(more.get("redirect_url") or "")
            return signing.wait_for_second(request, user, Method.PASSWORD, back)
        return refused


def _login(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username", ""))[:200]
