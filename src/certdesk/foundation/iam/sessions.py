"""Where a user is signed in at the console: noted at sign-in, listed, ended one by one or all."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.sessions.models import Session

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql

from . import finding
from .models import UserSession
from .principal import Principal

_UNPRINTABLE = "?"


@dataclass(frozen=True, slots=True)
class Line:
    """A session that is alive."""

    id: int
    source: str
    agent: str
    created_at: datetime
    is_this: bool
    method: str
    mfa: bool


def note(
    user_id: str,
    session_key: str,
    source: str,
    agent: str,
    now: datetime,
    *,
    method: str = "",
    mfa: bool = False,
) -> None:
    """Remembers a session and how it was opened; what the browser calls itself is cut and cleaned."""
    clean = "".join(letter if letter.isprintable() else _UNPRINTABLE for letter in agent)[:200]
    with sql.short_transaction():
        UserSession.objects.update_or_create(
            session_key=session_key,
            defaults={
                "user_id": user_id,
                "source": source[:64],
                "agent": clean,
                "method": method,
                "mfa": mfa,
                "created_at": now,
            },
        )


def listed(principal: Principal, this: str, now: datetime) -> list[Line]:
    """The principal's own sessions that are alive, the newest first.

    Args:
        this: key of the session that asks.
    """
    rows = list(UserSession.objects.filter(user_id=principal.user_id).order_by("-created_at", "-id")[:100])
    keys = [row.session_key for row in rows]
    alive = set(
        Session.objects.filter(session_key__in=keys, expire_date__gt=now).values_list(
            "session_key", flat=True
        )
    )
    return [
        Line(row.id, row.source, row.agent, row.created_at, row.session_key == this, row.method, row.mfa)
        for row in rows
        if row.session_key in alive
    ]


def end(principal: Principal, session_id: int) -> None:
    """Ends one of one's own sessions.

    Raises:
        NotFound: it is none of one's own, or over.
    """
    with sql.short_transaction():
        found = UserSession.objects.filter(id=session_id, user_id=principal.user_id).first()
        if found is None:
            raise finding.missing("session", str(session_id))
        end_all(principal.user_id, only=found.session_key)
        audit.record(principal, "iam:sessions:delete", resource=f"user:{principal.user_id}")


def end_all(user_id: str, *, only: str = "", but: str = "") -> None:
    """Ends sessions of a user, all or one or all but one, in the caller's transaction."""
    rows = UserSession.objects.filter(user_id=user_id)
    if only:
        rows = rows.filter(session_key=only)
    if but:
        rows = rows.exclude(session_key=but)
    Session.objects.filter(session_key__in=list(rows.values_list("session_key", flat=True))).delete()
    rows.delete()
