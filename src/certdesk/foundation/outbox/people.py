"""Mails that let a user set its own password: an invitation, and a forgotten password."""

import hashlib
import secrets
from datetime import datetime, timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam import finding, links, people, snapshot, throttle
from certdesk.foundation.iam.links import Purpose
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal

from . import actions
from .models import Message

INVITE = "iam:users:invite"
TEMPLATES = {Purpose.INVITATION: "invitation", Purpose.PASSWORD: "password-reset"}
MOST_AN_HOUR = 3
HOUR = timedelta(hours=1)


def invite(principal: Principal, user_id: str, now: datetime) -> User:
    """Mails a user a link, good for 7 days and one use, by which it sets its password.

    Raises:
        NotFound, Forbidden: also when the user holds more than the principal.
        WrongState: no mail address, switched off, or it has a password already.
    """
    user = finding.user(principal, INVITE, user_id)
    snapshot.require_not_above(principal, user)
    if not settings.get().smtp_url:
        raise WrongState("No mail server is set up.", next_step="Ask the operator, or set a first password.")
    if not user.email or not user.is_active or user.has_usable_password():
        raise WrongState(
            "Only an active user with a mail address and without a password can be invited.",
            next_step="Add the address, or let the user ask for a new password at the sign-in page.",
        )
    with sql.short_transaction():
        _send(user, Purpose.INVITATION, now)
        audit.record(principal, INVITE, resource=f"user:{user.id}")
    return user


def forgotten(login: str, source: str, now: datetime) -> None:
    """Mails a link to the user of that name, if there is one with an address. The caller is told nothing.

    Raises:
        SlowDown: this name was asked for too often from here, or this address asks too much.
    """
    asked = f"forgotten/{login}"
    throttle.check(asked, source, now)
    throttle.failed(asked, source, now)
    user = (
        User.objects.select_related("account").filter(login=login, is_active=True).exclude(email="").first()
    )
    if user is None:
        return
    sent = Message.objects.filter(
        account_id=user.account_id,
        template=TEMPLATES[Purpose.PASSWORD],
        recipient=user.email,
        created_at__gt=now - HOUR,
    ).count()
    if sent < MOST_AN_HOUR:
        with sql.short_transaction():
            _send(user, Purpose.PASSWORD, now)


def reset_second_factor(principal: Principal, user_id: str, now: datetime) -> User:
    """Takes every second factor off a user who lost them, and mails the user that this was done.

    Raises:
        NotFound, Forbidden, WrongState: as `people.reset_second_factor`.
    """
    with sql.short_transaction():
        user = people.reset_second_factor(principal, user_id)
        if user.email:
            actions.send(
                user.account_id,
                "second-factor-reset",
                user.email,
                {
                    "name": user.name,
                    "login": user.login,
                    "by": principal.name,
                    "at": now,
                    "link": f"{settings.get().base_url}/account",
                },
                locale=user.language,
                dedupe_key=f"second-factor-reset:{secrets.token_hex(16)}",
            )
    return user


def _send(user: User, purpose: Purpose, now: datetime) -> None:
    token, ends = links.make(user, purpose, now)
    actions.send(
        user.account_id,
        TEMPLATES[purpose],
        user.email,
        {"name": user.name, "login": user.login, "until": ends},
        locale=user.language,
        dedupe_key=f"{purpose}:{hashlib.sha256(token.encode()).hexdigest()}",
        secrets={"link": f"{settings.get().base_url}/login/link/{token}"},
    )
