"""Access keys (IAM-7): at most two a user, secret shown once, on and off, last use."""

import threading
from datetime import datetime, timedelta

from django.db.models import QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.sealing import actions as sealing

from . import actions, finding, queries, snapshot
from .models import AccessKey, User
from .principal import Principal

LIST, GET, CREATE = "iam:credentials:list", "iam:credentials:get", "iam:credentials:create"
UPDATE, DELETE = "iam:credentials:update", "iam:credentials:delete"
MOST = 2
NOTED_EVERY = timedelta(minutes=1)

_lock = threading.Lock()
_noted: dict[str, datetime] = {}
_NOTED_LIMIT = 10_000


def listed(principal: Principal, user_id: str = "") -> "QuerySet[AccessKey]":
    """One's own keys; with the right those of another user, or of all."""
    found = AccessKey.objects.filter(user__account_id=principal.account_id).select_related("user")
    if user_id:
        finding.require_unless_own(principal, LIST, user_id)
        found = found.filter(user_id=user_id)
    elif not principal.may(LIST, finding.resource("credential", principal)):
        found = found.filter(user_id=principal.user_id)
    return found.order_by("user__name", "created_at", "access_key")


def fetch(principal: Principal, access_key: str) -> AccessKey:
    """Raises: NotFound, Forbidden as `finding.key`."""
    return finding.key(principal, GET, access_key)


def create(principal: Principal, user_id: str, description: str = "") -> tuple[AccessKey, str]:
    """A key for oneself, or with the right for a user who holds no more than oneself; and its secret.

    Raises:
        NotFound, Forbidden. Quota: the user has two already.
    """
    user = User.objects.filter(account_id=principal.account_id, id=user_id or principal.user_id).first()
    if user is None:
        raise finding.missing("user", user_id)
    finding.require_unless_own(principal, CREATE, user.id)
    text = actions.line(description, 255, "description")
    with sql.short_transaction():
        User.objects.select_for_update().get(id=user.id)
        snapshot.require_not_above(principal, user)
        if AccessKey.objects.filter(user=user).count() >= MOST:
            raise CertdeskError(
                f"The user has {MOST} access keys already.",
                next_step="Delete one that is not used any more.",
                kind=Kind.QUOTA,
                code="SCM.9020",
            )
        access_key, secret = actions.create_access_key(user, text, by=principal)
    return AccessKey.objects.select_related("user").get(access_key=access_key), secret


def update(principal: Principal, access_key: str, enabled: bool | None, description: str | None) -> AccessKey:
    """Switches a key on or off, or describes it anew.

    Raises:
        NotFound, Forbidden: also when the key's user holds more and it would be switched on.
    """
    key = finding.key(principal, UPDATE, access_key)
    text = None if description is None else actions.line(description, 255, "description")
    if enabled:
        snapshot.require_not_above(principal, key.user)
    with sql.short_transaction():
        if text is not None:
            AccessKey.objects.filter(access_key=key.access_key).update(description=text)
            audit.record(principal, UPDATE, resource=f"access-key:{key.access_key}")
        if enabled is not None:
            if not enabled:
                with snapshot.changing(principal, key.user.account_id):
                    actions.set_access_key_enabled(key.access_key, False, by=principal)
            else:
                actions.set_access_key_enabled(key.access_key, True, by=principal)
    key.refresh_from_db()
    return key


def delete(principal: Principal, access_key: str) -> None:
    """Destroys a key and its secret."""
    key = finding.key(principal, DELETE, access_key)
    with snapshot.changing(principal, key.user.account_id):
        audit.record(
            principal, DELETE, resource=f"access-key:{key.access_key}", details={"user": key.user_id}
        )
        sealing.destroy(key.secret_id)
        key.delete()
    queries.forget_keys()


def note_use(access_key: str, now: datetime) -> None:
    """Remembers when a key was used last; written at most once a minute a process and key."""
    last = _noted.get(access_key)
    if last is not None and now - last < NOTED_EVERY:
        return
    with _lock:
        if len(_noted) >= _NOTED_LIMIT:
            _noted.clear()
        _noted[access_key] = now
    with sql.short_transaction():
        sql.execute(
            "UPDATE iam_accesskey SET last_used_at = %s WHERE access_key = %s"
            " AND (last_used_at IS NULL OR last_used_at < %s)",
            [clock.to_micros(now), access_key, clock.to_micros(now - NOTED_EVERY)],
        )
