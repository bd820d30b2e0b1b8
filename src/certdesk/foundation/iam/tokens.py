"""Tokens for a password (API §4.3): made, believed, ended. Only their digests are kept."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password, make_password

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import Unauthenticated

from . import queries, second_factor, throttle
from .errors import BadSignature
from .models import Account, Token, User
from .principal import Principal, Via

LIFE = timedelta(hours=24)
MOST = 20
"""Living tokens of one user; an older one makes place for a new one."""
REFUSED = "decrypt token fail"


class BadPassword(Unauthenticated):
    """One text for an unknown user, a wrong password and a user who is switched off."""

    def __init__(self) -> None:
        super().__init__(
            "The user name, the password or the account is wrong.",
            next_step="Check them. A password set by somebody else must first be changed at the console.",
            code="APIGW.0301",
        )


class SecondFactorMissing(Unauthenticated):
    """The password was right and is not enough."""

    def __init__(self) -> None:
        super().__init__(
            "The password alone is not enough for this user: a second factor is needed.",
            next_step='Send the methods ["password", "totp"] with a code of the authenticator app, or use an'
            " access key. Who has no app enrols it at the console.",
            code="APIGW.0301",
        )


def create(
    account: str,
    name: str,
    password: str,
    now: datetime,
    *,
    passcode: str = "",
    source: str = "",
    request_id: str = "",
) -> tuple[str, Token]:
    """A token for a user of the named account (name or id).

    Args:
        passcode: of the user's authenticator app; needed from who has a second factor.

    Raises:
        SlowDown: too many failures. BadPassword: the rest, also for a password that has yet to be changed.
        SecondFactorMissing: none was given, and the user has one or the account wants one.
        WrongCode: the code is wrong or was used.
    """
    user = _user(account, name)
    login = user.login if user else f"{account}/{name}"  # as at the console: both doors count together
    throttle.check(login, source, now)
    good = _verify(user, password)
    if user is None or not good:
        throttle.failed(login, source, now)
        raise BadPassword()
    throttle.succeeded(login, source, now)
    mfa = _second(user, passcode, source, now)
    token = secrets.token_urlsafe(48)
    principal = queries.principal_of(user, Via.API, source=source, request_id=request_id, mfa=mfa)
    with sql.short_transaction():
        made = Token.objects.create(
            digest=_digest(token), user=user, issued_at=now, expires_at=now + LIFE, mfa=mfa
        )
        old = user.tokens.order_by("-issued_at", "digest").values_list("digest", flat=True)[MOST:]
        Token.objects.filter(digest__in=list(old)).delete()
        audit.record(principal, "iam:tokens:create", resource=f"user:{user.id}")
    return token, made


def _second(user: User, passcode: str, source: str, now: datetime) -> bool:
    """Whether a second factor was shown; who has one, or has to, gets nothing for a password alone."""
    if passcode:
        second_factor.check(user, passcode, source, now)
        return True
    if second_factor.has(user.id) or user.account.second_factor_required:
        raise SecondFactorMissing()
    return False


def _user(account: str, name: str) -> User | None:
    found = Account.objects.filter(id=account).first() or Account.objects.filter(name=account).first()
    if found is None:
        return None
    return User.objects.select_related("account").filter(account=found, name=name).first()


def _verify(user: User | None, password: str) -> bool:
    """The same work for a user who is not there."""
    encoded = user.password if user is not None and user.has_usable_password() else _stand_in()
    good = check_password(password, encoded)
    return good and user is not None and user.is_active and not user.must_change_password


_kept: list[str] = []


def _stand_in() -> str:
    if not _kept:
        _kept.append(make_password(secrets.token_hex(16)))
    return _kept[0]


def find(token: str, now: datetime) -> Token:
    """The token's row.

    Raises:
        BadSignature: unknown, over, or its user is switched off; one text for all.
    """
    found = Token.objects.select_related("user__account").filter(digest=_digest(token)).first()
    if found is None or found.expires_at <= now or not found.user.is_active:
        raise BadSignature(REFUSED)
    return found


def authenticate(token: str, now: datetime) -> Principal:
    """Who sends this token, with the rights of this moment.

    Raises:
        BadSignature: as `find`.
    """
    found = find(token, now)
    return queries.principal_of(found.user, Via.API, mfa=found.mfa)


def revoke_all(user: User) -> None:
    """Ends every token of a user, e.g. when its password changes."""
    Token.objects.filter(user=user).delete()


def prune(now: datetime) -> int:
    """Deletes at most 100 tokens that are over."""
    with sql.short_transaction():
        return sql.execute(
            "DELETE FROM iam_token WHERE digest IN (SELECT digest FROM iam_token"
            " WHERE expires_at < %s LIMIT 100)",
            [clock.to_micros(now)],
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
