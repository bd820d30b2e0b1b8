"""One action on many certificates: a preview of each, then a job with a report."""

from typing import Any

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.bulk import actions, queries
from certdesk.lifecycle.bulk.actions import BULK
from certdesk.lifecycle.bulk.models import BulkAction, BulkRow, Verdict

from . import paging
from .registry import operation
from .schemas import BulkRowsQuery, NewBulk, PageQuery
from .shapes import Shape

BASE = "/v3/scm/bulk-actions"
ONE = f"{BASE}/{{bulk_id}}"


@operation("bulk.list", "GET", BASE, BULK, query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """Bulk actions, newest first: one's own; with the right in the whole account all of them."""
    found = queries.listed(principal, BULK)
    if query.marker:
        last = queries.fetch(principal, BULK, query.marker)
        found = queries.before(found, last)
    page, more = paging.cut(found, query.limit)
    return {"items": [_shape(one) for one in page], "next_marker": page[-1].id if more else None}


@operation("bulk.create", "POST", BASE, BULK, request=NewBulk, success=201)
def create(principal: Principal, body: NewBulk) -> Shape:
    """Looks at the named certificates, or at all that the filters find; nothing is done before `start`."""
    made = actions.create(
        principal,
        body.action,
        body.options,
        clock.now(),
        certificate_ids=body.certificate_ids,
        filters=body.filters,
    )
    return _shape(made)


@operation("bulk.show", "GET", ONE, BULK)
def show(principal: Principal, bulk_id: str) -> Shape:
    """How far it is."""
    return _shape(queries.fetch(principal, BULK, bulk_id))


@operation("bulk.rows", "GET", f"{ONE}/rows", BULK, query=BulkRowsQuery)
def rows(principal: Principal, bulk_id: str, query: BulkRowsQuery) -> Shape:
    """What will happen to each certificate, or has happened, and why one was refused."""
    if query.verdict and query.verdict not in set(Verdict):
        raise BadParameter(
            f"verdict {query.verdict!r} is not allowed.",
            next_step=f"Use {', '.join(Verdict)}.",
            field="verdict",
        )
    found = queries.rows(queries.fetch(principal, BULK, bulk_id), query.verdict)
    if query.marker:
        found = found.filter(id__gt=paging.number(query.marker))
    page, more = paging.cut(found, query.limit)
    return {"items": [_row(one) for one in page], "next_marker": str(page[-1].id) if more else None}


@operation("bulk.start", "POST", f"{ONE}/start", BULK)
def start(principal: Principal, bulk_id: str) -> Shape:
    """Does what the preview says; the rights of whoever starts it are asked again for each certificate."""
    return _shape(actions.start(principal, bulk_id, clock.now()))


@operation("bulk.cancel", "POST", f"{ONE}/cancel", BULK)
def cancel(principal: Principal, bulk_id: str) -> Shape:
    """Stops it; what was done stays done."""
    return _shape(actions.cancel(principal, bulk_id, clock.now()))


def _shape(one: BulkAction) -> dict[str, Any]:
    found = queries.counts(one)
    return {
        "id": one.id,
        "action": one.action,
        "options": one.options,
        "state": one.state,
        "user": one.user_id,
        "user_name": one.user_name,
        "total": found.total,
        "will": found.will,
        "same": found.same,
        "refused": found.refused,
        "done": found.done,
        "failed": found.failed,
        "created_at": wire(one.created_at),
        "started_at": wire(one.started_at),
        "finished_at": wire(one.finished_at),
    }


def _row(one: BulkRow) -> dict[str, Any]:
    return {
        "certificate_id": one.certificate_id,
        "name": one.name,
        "domain": one.domain,
        "verdict": one.verdict,
        "before": one.before,
        "why": say(one.why),
        "next_step": say(one.next_step),
    }
