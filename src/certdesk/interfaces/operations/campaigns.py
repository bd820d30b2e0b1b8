"""Campaigns: many certificates revoked or replaced by one decision, previewed, paced and proved (API §10)."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil

from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.campaigns import actions, figures, queries, rules, states
from certdesk.lifecycle.campaigns.actions import CREATE, DELETE, PAUSE, PREVIEW, START, UPDATE, Wanted
from certdesk.lifecycle.campaigns.figures import Figures
from certdesk.lifecycle.campaigns.models import Campaign, Item
from certdesk.lifecycle.campaigns.queries import GET, LIST
from certdesk.lifecycle.campaigns.states import CampaignState, ItemState
from certdesk.pki.authority.queries import Listing

from . import paging
from .campaign_schemas import NewCampaign, ReportQuery
from .order_csv import BYTE_ORDER_MARK, harmless
from .registry import Stream, operation
from .schemas import PageQuery
from .shapes import Shape

BASE = "/v3/scm/campaigns"
ONE = f"{BASE}/{{id}}"
PIECE = 200  # lines of a report made at once
COLUMNS = (
    "certificate_id",
    "domain",
    "owner",
    "issuer",
    "serial",
    "version",
    "places",
    "acme_client",
    "state",
    "why",
    "new_certificate_id",
    "new_issuer",
    "new_serial",
    "served",
    "begun_at_utc",
    "ended_at_utc",
    "revoked_at_utc",
    "crl",
    "crl_number",
)


def shape(one: Campaign) -> Shape:
    """`seconds_left`: for what waits, by the pace, or by the work that a drill measured if that is more."""
    return _shape(one, figures.of_one(one))


def shapes(found: Sequence[Campaign]) -> list[Shape]:
    """As `shape`, of many with one count."""
    counted = figures.of(found)
    return [_shape(one, counted[one.id]) for one in found]


def _shape(one: Campaign, counted: Figures) -> Shape:
    drill = one.action == rules.Action.DRILL
    waiting = counted.total if drill else counted.counts[ItemState.WAITING]
    return {
        "id": one.id,
        "name": one.name,
        "query": one.query,
        "action": one.action,
        "issuer": one.issuer,
        "reason_code": one.reason_code,
        "reason": one.words,
        "per_minute": one.per_minute,
        "issuer_per_minute": one.issuer_per_minute,
        "state": one.state,
        "note": say(one.note),
        "operations": list(states.offers(CampaignState(one.state))),
        "total": counted.total,
        "counts": {state.lower(): count for state, count in counted.counts.items()},
        "acme_clients": {"total": counted.clients, "done": counted.renewed},
        "each_milliseconds": round(counted.each.total_seconds() * 1000, 3),
        "seconds_left": ceil(rules.time_left(waiting, one.per_minute, counted.each).total_seconds()),
        "created_at": wire(one.created_at),
        "previewed_at": wire(one.frozen_at),
        "started_at": wire(one.started_at),
        "ended_at": wire(one.ended_at),
    }


def _wanted(body: NewCampaign) -> Wanted:
    return Wanted(**body.model_dump())


@operation("campaigns.list", "GET", BASE, LIST, query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The account's campaigns, newest first."""
    found = queries.listed(principal)
    if query.marker:
        last = queries.fetch(principal, LIST, query.marker)
        found = found.filter(created_at__lte=last.created_at).exclude(
            created_at=last.created_at, id__gte=last.id
        )
    rows, more = paging.cut(found, query.limit)
    return {"items": shapes(rows), "next_marker": rows[-1].id if more else None}


@operation("campaigns.create", "POST", BASE, CREATE, request=NewCampaign, success=201)
def create(principal: Principal, body: NewCampaign) -> Shape:
    """A draft: nothing is looked up and nothing is done yet. A replacement has a new key, comes from `issuer`
    where one is given, and goes where the old one is served; what an ACME client asked for, it renews by
    itself. Actions: REVOKE, REPLACE, REPLACE_AND_REVOKE, DRILL."""
    return {"id": actions.create(principal, _wanted(body)).id}


@operation("campaigns.show", "GET", ONE, GET)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002 the path parameter of the contract
    """One campaign: how many certificates stand where, and how long it will take."""
    return shape(queries.fetch(principal, GET, id))


@operation("campaigns.update", "PUT", ONE, UPDATE, request=NewCampaign)
def update(principal: Principal, id: str, body: NewCampaign) -> Shape:  # noqa: A002
    """All of a campaign that was not started, which then needs a new preview; else the pace alone."""
    return shape(actions.update(principal, id, _wanted(body)))


@operation("campaigns.delete", "DELETE", ONE, DELETE, success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Forgets a campaign that was never started."""
    actions.delete(principal, id)


@operation("campaigns.preview", "POST", f"{ONE}/preview", PREVIEW)
def preview(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Looks its certificates up and freezes the list: READY says that the report shows what a start does."""
    return shape(actions.preview(principal, id))


@operation("campaigns.start", "POST", f"{ONE}/start", START)
def start(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Starts a campaign that was previewed, or goes on with a paused one."""
    return shape(actions.start(principal, id))


@operation("campaigns.pause", "POST", f"{ONE}/pause", PAUSE)
def pause(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Begins nothing new; what is under way comes to its end."""
    return shape(actions.pause(principal, id))


@operation("campaigns.cancel", "POST", f"{ONE}/cancel", actions.CANCEL)
def cancel(principal: Principal, id: str) -> Shape:  # noqa: A002
    """Ends it for good; what waits is left as it is."""
    return shape(actions.cancel(principal, id))


@operation("campaigns.report", "GET", f"{ONE}/report", GET, query=ReportQuery)
def report(principal: Principal, id: str, query: ReportQuery) -> Shape:  # noqa: A002
    """Each certificate with its outcome and proof; before the start, what the start would do."""
    campaign = queries.fetch(principal, GET, id)
    if query.state not in ("", *ItemState):
        raise BadParameter(
            f"There is no state {query.state[:20]!r}.",
            next_step=f"Use one of: {', '.join(ItemState)}.",
            field="state",
        )
    found = queries.items(campaign, query.state)
    if query.marker:
        found = found.filter(id__gt=paging.number(query.marker))
    rows, more = paging.cut(found, query.limit)
    return {
        "campaign": shape(campaign),
        "reasons": [{"why": say(why), "count": count} for why, count in queries.reasons(campaign)],
        "items": lines(principal, rows),
        "next_marker": str(rows[-1].id) if more else None,
    }


def lines(principal: Principal, found: Sequence[Item]) -> list[Shape]:
    """The certificates that the reader may see, with their proofs."""
    seen = queries.seen(principal, found)
    proofs, revoked = queries.proofs(seen), queries.revoked_at(seen)
    return [item_shape(one, proofs, revoked) for one in seen]


def item_shape(one: Item, proofs: Mapping[str, Listing], revoked: Mapping[str, datetime]) -> Shape:
    proof = proofs.get(one.serial)
    ended = proof.revoked_at if proof else revoked.get(one.serial)
    return {
        "certificate_id": one.certificate_id,
        "domain": one.domain,
        "owner": one.owner_id,
        "issuer": one.issuer,
        "serial": one.serial,
        "version": one.version,
        "places": one.places,
        "acme_client": one.client,
        "state": one.state,
        "why": say(one.why),
        "new_certificate_id": one.new_certificate_id,
        "new_issuer": one.new_issuer,
        "new_serial": one.new_serial,
        "served": one.served,
        "begun_at": wire(one.begun_at),
        "ended_at": wire(one.ended_at),
        "revoked_at": wire(ended),
        "crl": proof.crl if proof else "",
        "crl_number": proof.number if proof else None,
    }


@operation("campaigns.report_file", "GET", f"{ONE}/report.csv", GET)
def report_file(principal: Principal, id: str) -> Stream:  # noqa: A002
    """The whole report as CSV, a line a certificate."""
    campaign = queries.fetch(principal, GET, id)
    name = f"campaign-{campaign.id[:8]}.csv"
    return Stream(name, "text/csv; charset=utf-8", b"", pieces=_pieces(principal, campaign))


def _pieces(principal: Principal, campaign: Campaign) -> Iterator[bytes]:
    yield (BYTE_ORDER_MARK + _csv([COLUMNS])).encode()
    after = 0
    while rows := list(queries.items(campaign).filter(id__gt=after)[:PIECE]):
        told = [_line(one) for one in lines(principal, rows)]
        yield _csv(told).encode()
        after = rows[-1].id


def _line(one: Shape) -> list[str]:
    values = [one[name.removesuffix("_utc")] for name in COLUMNS]
    return ["" if value is None else harmless(str(value)) for value in values]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()
