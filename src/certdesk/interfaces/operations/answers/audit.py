"""The audit log: pages of events and the export."""

from typing import Any

from typing_extensions import TypedDict

from .common import FileAnswer, Marker, Moment


class AuditEvent(TypedDict):
    """`sequence`: its place in the account's chain; null for the second before it is sealed."""

    id: int
    sequence: int | None
    at: Moment
    actor: str
    actor_name: str
    via: str
    access_key: str
    agency: str
    source: str
    request_id: str
    action: str
    resource: str
    details: dict[str, Any]


class AuditPage(TypedDict):
    items: list[AuditEvent]
    next_marker: Marker


ANSWERS: dict[str, object] = {
    "audit.list": AuditPage,
    "audit.export": FileAnswer("application/x-ndjson"),
}
