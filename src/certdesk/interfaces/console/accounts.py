"""How people sign in: django-allauth with our rules."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves; an administrator makes each user."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
