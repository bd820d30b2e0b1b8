"""The audit log of one's own account: pages of events, and an export that proves itself (API §10)."""

from typing import Any

import orjson
from pydantic import ConfigDict, Field

from certdesk.foundation.audit import actions, exporting, reading
from certdesk.foundation.audit.filters import Filters
from certdesk.foundation.audit.reading import Place
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.iam.rules import Resource
from certdesk.lifecycle.certificates.filters import check_limit

from . import paging
from .moments import moment
from .registry import Stream, operation
from .schemas import Body, Line, Number, Word

EVENTS = "/v3/scm/audit-events"
LIST = "scm:audit:list"
EXPORTED = "audit.exported"
JSON_LINES = "application/x-ndjson"


class AuditFilters(Body):
    """Times as we write them, or dates; `action` may end with `*`; `resource` is `type:id` or the id."""

    model_config = ConfigDict(populate_by_name=True)

    since: Word = Field("", alias="from")
    until: Word = Field("", alias="to")
    actor: Line = ""
    action: Line = ""
    resource: Line = ""


class AuditQuery(AuditFilters):
    limit: Number = 10
    marker: Line = ""


@operation("audit.list", "GET", EVENTS, LIST, query=AuditQuery)
def list_events(principal: Principal, query: AuditQuery) -> dict[str, Any]:
    """Events of the own account, newest first; a page may be short and still have a marker (rare filters)."""
    require(principal)
    check_limit(query.limit)
    found = reading.page(principal.account_id, filters_of(query), query.limit, place(query.marker))
    return {"items": [_shape(one) for one in found.events], "next_marker": marker(found.next)}


@operation("audit.export", "GET", f"{EVENTS}/export", LIST, query=AuditFilters)
def export(principal: Principal, query: AuditFilters) -> Stream:
    """The same events by place as JSON lines that `certdesk audit verify FILE --key KEY` checks offline.

    With filters the file says so, and gives the rows around as neighbours, as far as the proof needs them.
    The export itself is the log's last event then.
    """
    return exported(principal, filters_of(query))


def exported(principal: Principal, filters: Filters) -> Stream:
    """As `export`, for filters that have been read; written to the log.

    Raises:
        Forbidden, CertdeskError: as `require` and `exporting.export`.
    """
    require(principal)
    now = clock.real_now()
    with sql.short_transaction():
        actions.record(
            principal, EXPORTED, resource=f"account:{principal.account_id}", details=filters.as_text()
        )
    actions.seal_pending()
    pieces = exporting.export(principal.account_id, filters, now)
    part = "-part" if filters.is_set else ""
    return Stream(f"audit-{now:%Y-%m-%d}{part}.jsonl", JSON_LINES, b"", pieces)


def require(principal: Principal) -> None:
    """The right to read the account's log as a whole: one within an enterprise project shows none of it.

    Raises:
        Forbidden: naming the missing action.
    """
    principal.require(LIST, Resource("audit", "", principal.account_id, ""))


def filters_of(query: AuditFilters) -> Filters:
    """The filters in the log's terms.

    Raises:
        BadParameter: a time that is none, or an end before the beginning.
    """
    since, until = moment(query.since, "from"), moment(query.until, "to", end_of_day=True)
    if since and until and until < since:
        raise BadParameter("to lies before from.", next_step="Exchange them.", field="to")
    return Filters(since, until, query.actor.strip(), query.action.strip(), query.resource.strip())


def place(marker: str) -> Place | None:
    """Where a page goes on.

    Raises:
        BadParameter: a marker that no page gave.
    """
    if not marker:
        return None
    at, _, event_id = marker.partition("-")
    return Place(paging.number(at), paging.number(event_id))


def marker(place: Place | None) -> str | None:
    return f"{place.at}-{place.id}" if place else None


def _shape(event: dict[str, Any]) -> dict[str, Any]:
    details = orjson.loads(event["details"])
    return {
        **{name: event[name] for name in ("id", "sequence", "actor", "actor_name", "via", "source")},
        **{name: event[name] for name in ("request_id", "action", "resource")},
        "at": clock.wire(clock.from_micros(event["at"])),
        "access_key": event["key_id"],
        "agency": str(details.get("agency", "")) if isinstance(details, dict) else "",
        "details": details,
    }
