"""Scans: made, changed, begun, stopped; and what their workers write, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs.actions import enqueue

from . import queries, rules
from .models import Endpoint, Repeat, Scan, ScanState
from .work import Page

CREATE, UPDATE, DELETE = "scm:scan:create", "scm:scan:update", "scm:scan:delete"
RUN = "scm:scan:run"
PAGE, FORGET = "discovery.page", "discovery.forget"
PAUSE = timedelta(milliseconds=2)  # law 13
MOST = 100
BATCH = 100  # places, and so about as many rows, in one job (law 13)
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scan as it is asked for."""

    name: str
    ranges: Sequence[str] = ()
    ports: Sequence[str] = ()
    sni: Sequence[str] = ()
    protocol: str = "TLS"
    targets: bool = False
    per_second: int = 50
    repeat: str = "ONCE"


def create(principal: Principal, wanted: Wanted, now: datetime) -> Scan:
    """Keeps a scan; nothing is looked at yet.

    Raises:
        Forbidden: no `scm:scan:create`. BadParameter: what may not be looked at, or is too much.
        CertdeskError: the account has 100 scans already.
    """
    principal.require(CREATE, queries.resource_of(principal.account_id))
    values = _checked(wanted)
    made = Scan(account_id=principal.account_id, created_by=principal.user_id, created_at=now, **values)
    made.runs_as = principal.user_id
    made.next_at = rules.next_run(made.repeat, now)
    with short_transaction():
        if Scan.objects.filter(account_id=principal.account_id).count() >= MOST:
            raise CertdeskError(
                f"The account has {MOST} scans already.",
                next_step="Delete one that is not needed any more.",
                kind=Kind.QUOTA,
                code="SCM.9011",
            )
        made.save(force_insert=True)
        _note(principal, CREATE, made)
    return made


def update(principal: Principal, scan_id: str, wanted: Wanted, now: datetime) -> Scan:
    """All of a scan that is not running; whoever changes it lends it the right for its next runs.

    Raises:
        NoScan, Forbidden: as `queries.fetch`. BadParameter: as `create`. WrongState: it is running.
    """
    scan = queries.fetch(principal, UPDATE, scan_id)
    values = _checked(wanted)
    values |= {"next_at": rules.next_run(str(values["repeat"]), now), "runs_as": principal.user_id}
    with short_transaction():
        changed = Scan.objects.filter(id=scan.id).exclude(state=ScanState.RUNNING).update(**values)
        if not changed:
            raise _running()
        _note(principal, UPDATE, scan)
    return queries.fetch(principal, UPDATE, scan_id)


def delete(principal: Principal, scan_id: str) -> None:
    """Forgets a scan and what it found.

    Raises:
        NoScan, Forbidden: as `queries.fetch`. WrongState: it is running.
    """
    scan = queries.fetch(principal, DELETE, scan_id)
    with short_transaction():
        if not Scan.objects.filter(id=scan.id).exclude(state=ScanState.RUNNING).delete()[0]:
            raise _running()
        _note(principal, DELETE, scan)
        forget(scan.id)


def forget(scan_id: str) -> None:
    """One piece of what a deleted scan found, and a job for more of it; in the caller's transaction."""
    some = list(Endpoint.objects.filter(scan_id=scan_id).values_list("id", flat=True)[:BATCH])
    Endpoint.objects.filter(id__in=some).delete()
    if len(some) == BATCH:
        run_at = clock.real_now() + PAUSE
        enqueue(FORGET, subject=scan_id, dedupe_key=f"{FORGET}:{scan_id}", run_at=run_at)


def run(principal: Principal, scan_id: str, now: datetime) -> Scan:
    """Begins a run.

    Raises:
        NoScan, Forbidden: as `queries.fetch`. WrongState: it runs already.
        BadParameter: the operator has closed one of its networks.
    """
    scan = queries.fetch(principal, RUN, scan_id)
    begin(scan, principal.user_id, now)
    with short_transaction():
        _note(principal, RUN, scan)
    return queries.fetch(principal, RUN, scan_id)


def begin(scan: Scan, user_id: str, now: datetime) -> None:
    """Raises: WrongState: it runs already. BadParameter: it may not be run any more."""
    total = queries.plan_of(scan).total
    if scan.targets:
        total += len(queries.places_of_targets(scan.account_id))
    with short_transaction():
        begun = (
            Scan.objects.filter(id=scan.id, run=scan.run)
            .exclude(state=ScanState.RUNNING)
            .update(
                state=ScanState.RUNNING,
                run=scan.run + 1,
                marker=0,
                total=total,
                found=0,
                note="",
                runs_as=user_id,
                started_at=now,
                finished_at=None,
                next_at=rules.next_run(scan.repeat, now),
            )
        )
        if not begun:
            raise _running()
        scan.refresh_from_db()
        send(scan)


def send(scan: Scan) -> None:
    """The job for the next page; in the caller's transaction. One of a run waits at most."""
    enqueue(
        PAGE,
        {"user_id": scan.runs_as, "account_id": scan.account_id, "run": scan.run},
        subject=scan.id,
        dedupe_key=f"{PAGE}:{scan.id}:{scan.run}",
    )


def cancel(principal: Principal, scan_id: str, now: datetime) -> Scan:
    """Stops a run; what was found stays.

    Raises:
        NoScan, Forbidden: as `queries.fetch`. WrongState: it does not run.
    """
    scan = queries.fetch(principal, RUN, scan_id)
    with short_transaction():
        stopped = Scan.objects.filter(id=scan.id, state=ScanState.RUNNING)
        if not stopped.update(state=ScanState.CANCELED, finished_at=now):
            raise WrongState("This scan is not running.", next_step="Start it to look again.")
        _note(principal, RUN, scan, canceled=True)
    return queries.fetch(principal, RUN, scan_id)


def page_of(scan: Scan) -> Page:
    """The next places of the run; none at its end.

    Raises:
        BadParameter: as `queries.plan_of`.
    """
    plan = queries.plan_of(scan)
    places = list(plan.places(scan.marker, BATCH))
    if scan.targets and len(places) < BATCH:
        start = max(0, scan.marker - plan.total)
        places += queries.places_of_targets(scan.account_id)[start : start + BATCH - len(places)]
    known = queries.known_places(scan.account_id, places)
    return Page(scan.id, scan.run, scan.marker, tuple(places), scan.per_second, known)


def give_up(scan_id: str, run: int, why: str, now: datetime) -> None:
    """In the transaction that gives the job up."""
    Scan.objects.filter(id=scan_id, run=run, state=ScanState.RUNNING).update(
        state=ScanState.FAILED, note=why[:2000], finished_at=now
    )


def put_off(scan: Scan, why: CertdeskError, now: datetime) -> None:
    """A run that could not begin by itself: says why, and is tried in its turn."""
    if why.kind is Kind.WRONG_STATE:
        return  # somebody began it meanwhile
    Scan.objects.filter(id=scan.id).exclude(state=ScanState.RUNNING).update(
        state=ScanState.FAILED,
        note=f"{why.message} {why.next_step}".strip()[:2000],
        next_at=rules.next_run(scan.repeat, now),
    )


def _running() -> WrongState:
    return WrongState("The scan is running.", next_step="Wait until it is over, or stop it.")


def _checked(wanted: Wanted) -> dict[str, object]:
    """The columns of a scan.

    Raises:
        BadParameter: with the field.
    """
    name = " ".join(wanted.name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        field, least = "name", 1
        raise BadParameter(
            f"{field} has {least} to {LONGEST_NAME} printable characters.",
            next_step="Shorten it.",
            field=field,
        )
    if wanted.repeat not in Repeat.values:
        raise BadParameter(
            f"{wanted.repeat[:20]!r} is no rhythm.", next_step=f"Use {', '.join(Repeat)}.", field="repeat"
        )
    if not 1 <= wanted.per_second <= rules.MOST_PER_SECOND:
        raise BadParameter(
            f"per_second is 1 to {rules.MOST_PER_SECOND}.", next_step="Look slower.", field="per_second"
        )
    if not wanted.ranges and not wanted.targets:
        raise BadParameter(
            "A scan needs a range, or the targets.", next_step="Name hosts or networks.", field="ranges"
        )
    networks = settings.get().allow_networks
    rules.plan(wanted.ranges, wanted.ports, wanted.sni, wanted.protocol, networks)
    return {
        "name": name,
        "ranges": list(wanted.ranges),
        "ports": list(wanted.ports),
        "sni": list(wanted.sni),
        "protocol": wanted.protocol,
        "targets": wanted.targets,
        "per_second": wanted.per_second,
        "repeat": wanted.repeat,
    }


def _note(principal: Principal, action: str, scan: Scan, **more: object) -> None:
    audit.record(
        principal,
        action,
        resource=f"scan:{scan.id}",
        account_id=scan.account_id,
        details={"name": scan.name, "ranges": scan.ranges[:20], **more},
    )
