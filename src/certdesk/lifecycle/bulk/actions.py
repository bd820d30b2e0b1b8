"""Making, starting and canceling a bulk action, and its two batches: looking at certificates, and doing it.

The preview is the action itself, taken back: each certificate is changed in a savepoint that is rolled back,
so that what was promised and what is done cannot differ but by what changed in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter, CertdeskError, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.certificates import filters as checks
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import saved_view_rules, selecting
from certdesk.lifecycle.certificates.errors import NoCertificate
from certdesk.lifecycle.certificates.filters import Sort
from certdesk.lifecycle.certificates.models import Certificate

from . import doing, queries, rules
from .models import BulkAction, BulkRow, State, Verdict
from .rules import Action

BULK = "scm:cert:bulk"
LOOK, RUN = "bulk.look", "bulk.run"
BATCH = 50  # law 13 allows 100 rows; each of them is several statements
PAUSE = timedelta(milliseconds=2)
OPEN = (State.LOOKING, State.READY, State.RUNNING)
MOST_OPEN = 20


def create(
    principal: Principal,
    action: str,
    options: Mapping[str, object],
    now: datetime,
    *,
    certificate_ids: Sequence[str] | None = None,
    filters: Mapping[str, object] | None = None,
) -> BulkAction:
    """Looks at the certificates that were named, or at all that the filters name; nothing is done yet.

    Up to `BATCH` certificates are looked at at once, so that the preview stands in the answer.

    Raises:
        BadParameter: action, options or selection are none. Forbidden: no right to bulk actions.
        NotFound: no such owner, group or project. WrongState: deleting needs a second person, or the user
            has too many open ones.
    """
    principal.require(BULK)
    known = rules.check_options(action, options)
    kept = doing.settled(principal, Action(action), known)
    named = None if certificate_ids is None else checks.check_ids(certificate_ids, rules.MOST_NAMED)
    if (named is None) == (filters is None):
        raise BadParameter("Name certificates, or filters, and not both.", field="certificate_ids")
    wanted = saved_view_rules.read_query(filters or {})
    if not principal.user_id:
        raise BadParameter("A bulk action belongs to a user.", next_step="Sign in as one.")
    mine = BulkAction.objects.filter(account_id=principal.account_id, user_id=principal.user_id)
    if mine.filter(state__in=OPEN).count() >= MOST_OPEN:
        raise WrongState(
            f"You have {MOST_OPEN} open bulk actions.", next_step="Start or cancel some of them first."
        )
    made = BulkAction(
        account_id=principal.account_id,
        user_id=principal.user_id,
        user_name=principal.name,
        via=principal.via.value,
        action=action,
        options=kept,
        certificate_ids=named,
        filters=wanted,
        created_at=now,
    )
    with sql.short_transaction():
        made.save(force_insert=True)
        look(principal, made, now)
    return made


def look(principal: Principal, bulk: BulkAction, now: datetime) -> None:
    """One batch of the selection, in the caller's transaction; asks for another run while there are more.

    The list is read by name, which nothing of this changes.
    """
    filters = replace(
        saved_view_rules.as_filters(bulk.filters), sort=Sort.NAME.value, order="", limit=checks.PAGE_SIZES[0]
    )
    selected = selecting.select(principal, filters, now, ids=bulk.certificate_ids)
    page = certificates.page_of(selected, filters, bulk.marker or None, BATCH, now)
    found = Certificate.objects.in_bulk([one.id for one in page.items])
    known = set(bulk.rows.filter(certificate_id__in=list(found)).values_list("certificate_id", flat=True))
    rows = [_judged(principal, bulk, found[one.id], now) for one in page.items if one.id not in known]
    BulkRow.objects.bulk_create(rows)
    if page.next_marker is None:
        BulkRow.objects.bulk_create(_unseen(bulk), ignore_conflicts=True)
    bulk.marker = page.next_marker or ""
    if page.next_marker is None:
        bulk.state = State.READY
    BulkAction.objects.filter(id=bulk.id).update(marker=bulk.marker, state=bulk.state)
    if bulk.state == State.LOOKING:
        _again(LOOK, bulk)


def _unseen(bulk: BulkAction) -> list[BulkRow]:
    """Named ones that the user does not see: foreign, deleted and missing ones alike."""
    if bulk.certificate_ids is None:
        return []
    seen = set(bulk.rows.values_list("certificate_id", flat=True))
    found = []
    for one in bulk.certificate_ids:
        if one not in seen:
            row = BulkRow(bulk=bulk, certificate_id=one[:16], name=one[:63])
            _refuse(row, Verdict.REFUSED, NoCertificate(one))
            found.append(row)
    return found


def _judged(principal: Principal, bulk: BulkAction, certificate: Certificate, now: datetime) -> BulkRow:
    row = BulkRow(
        bulk=bulk,
        certificate_id=certificate.id,
        name=certificate.name,
        domain=certificate.domain,
        verdict=Verdict.WILL,
    )
    text, same = doing.before(Action(bulk.action), bulk.options, certificate)
    row.before = text[:400]
    refused = _tried(principal, bulk, certificate.id, now, keep=False)
    if refused is not None:
        _refuse(row, Verdict.REFUSED, refused)
    elif same:
        row.verdict = Verdict.SAME
    return row


def _tried(
    principal: Principal, bulk: BulkAction, certificate_id: str, now: datetime, *, keep: bool
) -> CertdeskError | None:
    """Does it in a savepoint, rolled back after a refusal and unless `keep`; answers the refusal."""
    try:
        with transaction.atomic():
            doing.do(principal, Action(bulk.action), bulk.options, certificate_id, now, via=bulk.via)
            if not keep:
                transaction.set_rollback(True)
    except CertdeskError as refused:
        return refused
    return None


def _refuse(row: BulkRow, verdict: Verdict, refused: CertdeskError) -> None:
    row.verdict, row.why, row.next_step = verdict, refused.message[:500], refused.next_step[:500]


def _again(kind: str, bulk: BulkAction) -> None:
    jobs.enqueue(
        kind,
        {"user_id": bulk.user_id, "account_id": bulk.account_id},
        subject=bulk.id,
        run_at=clock.real_now() + PAUSE,
        dedupe_key=f"{kind}:{bulk.id}",
    )


def start(principal: Principal, bulk_id: str, now: datetime) -> BulkAction:
    """Does what the preview says, by a job; from here on the rights of whoever starts it count.

    Raises:
        NotFound, Forbidden: as `queries.fetch`. WrongState: the preview is not ready, or it was started.
    """
    found = queries.fetch(principal, BULK, bulk_id)
    with sql.short_transaction():
        started = BulkAction.objects.filter(id=found.id, state=State.READY).update(
            state=State.RUNNING, started_at=now, user_id=principal.user_id, user_name=principal.name
        )
        if not started:
            raise WrongState(
                "Only a bulk action whose preview is ready can be started.",
                next_step="Look at its page: it was started before, canceled, or is still being looked at.",
            )
        found.refresh_from_db()
        details = {"action": found.action, "certificates": found.rows.filter(verdict=Verdict.WILL).count()}
        audit.record(
            principal, BULK, resource=f"bulk:{found.id}", details=details, account_id=found.account_id
        )
        _again(RUN, found)
    return found


def run(principal: Principal, bulk: BulkAction, now: datetime) -> None:
    """One batch of what is left to do, in the caller's transaction; what was done is done once."""
    left = list(bulk.rows.filter(verdict=Verdict.WILL).order_by("id")[:BATCH])
    for row in left:
        refused = _tried(principal, bulk, row.certificate_id, now, keep=True)
        if refused is None:
            row.verdict = Verdict.DONE
        else:
            _refuse(row, Verdict.FAILED, refused)
    BulkRow.objects.bulk_update(left, ["verdict", "why", "next_step"])
    if len(left) == BATCH:
        _again(RUN, bulk)
        return
    BulkAction.objects.filter(id=bulk.id, state=State.RUNNING).update(state=State.DONE, finished_at=now)


def cancel(principal: Principal, bulk_id: str, now: datetime) -> BulkAction:
    """Stops it: what was done stays done.

    Raises:
        NotFound, Forbidden: as `queries.fetch`. WrongState: it has ended.
    """
    found = queries.fetch(principal, BULK, bulk_id)
    with sql.short_transaction():
        changed = BulkAction.objects.filter(id=found.id, state__in=OPEN)
        if not changed.update(state=State.CANCELED, finished_at=now):
            raise WrongState("This bulk action has ended already.", next_step="Its report stays.")
        details = {"action": found.action, "canceled": True}
        audit.record(
            principal, BULK, resource=f"bulk:{found.id}", details=details, account_id=found.account_id
        )
    found.refresh_from_db()
    return found


def give_up(bulk_id: str, now: datetime) -> None:
    """Who asked for it is gone; in the transaction that gives the job up."""
    BulkAction.objects.filter(id=bulk_id, state__in=OPEN).update(state=State.FAILED, finished_at=now)
