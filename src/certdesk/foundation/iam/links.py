"""Links by which a user sets its own password: an invitation, or a forgotten password. One use each."""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import NotFound

from . import actions, queries
from .models import SignInLink, User
from .principal import Via


class Purpose(StrEnum):
    INVITATION = "invitation"
    PASSWORD = "password"  # noqa: S105 a word, no secret


LIFE = {Purpose.INVITATION: timedelta(days=7), Purpose.PASSWORD: timedelta(hours=1)}


class LinkOver(NotFound):
    """One text for a link that never was, was used, is too old, or whose user is switched off."""

    def __init__(self) -> None:
        super().__init__(
            "This link is not valid any more.",
            next_step="Ask for a new one: it works once and for a while.",
        )


def make(user: User, purpose: Purpose, now: datetime) -> tuple[str, datetime]:
    """A token and when it ends; an older link of the same purpose ends now. In the caller's transaction."""
    token = secrets.token_urlsafe(32)
    SignInLink.objects.filter(user=user, purpose=purpose).delete()
    ends = now + LIFE[purpose]
    SignInLink.objects.create(
        digest=_digest(token), user=user, purpose=purpose, created_at=now, expires_at=ends
    )
    return token, ends


def find(token: str, now: datetime) -> SignInLink:
    """Raises: LinkOver."""
    found = SignInLink.objects.select_related("user__account").filter(digest=_digest(token)).first()
    if found is None or found.expires_at <= now or not found.user.is_active:
        raise LinkOver()
    return found


def redeem(token: str, password: str, now: datetime, *, source: str = "", request_id: str = "") -> User:
    """Sets the password of the link's user and ends every link, session and token of it.

    Raises:
        LinkOver. BadParameter: the password is poor; the link can be used again.
    """
    with sql.short_transaction():
        link = find(token, now)
        if not SignInLink.objects.filter(digest=link.digest).delete()[0]:
            raise LinkOver()
        user = link.user
        by = queries.principal_of(user, Via.CONSOLE, source=source, request_id=request_id)
        actions.set_password(user, password, by=by)
        SignInLink.objects.filter(user=user).delete()
        audit.record(
            by, "iam:users:redeemLink", resource=f"user:{user.id}", details={"purpose": link.purpose}
        )
    return user


def prune(now: datetime) -> int:
    """Deletes at most 100 links that are over."""
    with sql.short_transaction():
        return sql.execute(
            "DELETE FROM iam_signinlink WHERE digest IN"
            " (SELECT digest FROM iam_signinlink WHERE expires_at < %s LIMIT 100)",
            [clock.to_micros(now)],
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
