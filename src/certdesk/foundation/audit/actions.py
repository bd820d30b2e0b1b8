"""Writes audit rows in the caller's transaction; seals them into chains afterwards (law 12)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from certdesk.foundation.common import clock, sql

from .sealer import seal_pending
from .verify import canonical

__all__ = ["SYSTEM", "Actor", "Line", "record", "record_many", "seal_pending"]

SYSTEM = "system"
"""The account of events that belong to none."""
_LINES_A_STATEMENT = 2_000  # SQLite takes 32,766 parameters in one statement


class Line(NamedTuple):
    """One event, as `record` takes it. `request_id`: of the request that it belongs to, where the events
    of several requests of one principal are written together."""

    action: str
    resource: str
    details: Mapping[str, object]
    request_id: str = ""


class Actor(Protocol):
    """Who acts; `iam.principal.Principal` has this shape."""

    @property
    def account_id(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def via(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def agency(self) -> str: ...


def record(
    principal: Actor,
    action: str,
    *,
    resource: str = "",
    details: Mapping[str, object] | None = None,
    account_id: str = "",
) -> None:
    """Adds one event: one INSERT in the caller's transaction, so there is no change without its row.

    Args:
        action: the IAM action or the name of an event, e.g. "scm:cert:delete".
        resource: "type:id", e.g. "cert:scs1600313391074".
        details: JSON values; no secret and no personal data. The role assumed, if any, joins them.
        account_id: whose chain it joins; default: the principal's account, or "system".
    """
    record_many(principal, [Line(action, resource, details or {})], account_id=account_id)


def record_many(principal: Actor, events: Sequence[Line], *, account_id: str = "") -> None:
    """As `record` for several events of one account, in one INSERT."""
    who = {
        "account_id": account_id or principal.account_id or SYSTEM,
        "at": clock.to_micros(clock.real_now()),
        "actor": principal.actor[:200],
        "actor_name": principal.name[:120],
        "via": str(principal.via)[:20],
        "key_id": principal.access_key[:40],
        "source": principal.source[:45],
        "digest": "",
    }
    lines = [
        {
            **who,
            "action": action[:80],
            "resource": resource[:80],
            "details": canonical({**details, "agency": principal.agency} if principal.agency else details),
            "request_id": (request_id or principal.request_id)[:40],
        }
        for action, resource, details, request_id in events
    ]
    for start in range(0, len(lines), _LINES_A_STATEMENT):
        sql.insert("audit_event", lines[start : start + _LINES_A_STATEMENT])
