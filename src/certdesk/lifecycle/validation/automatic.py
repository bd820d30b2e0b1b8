"""Automatic DNS (DOM-7): which values are written where, what happened, when they must go. Rows only.

A value's row is committed before the value is written and stays open until it is gone from the zone, so a
kill at whatever moment leaves nothing behind that the sweeper does not know of. The network stands in
`automatic_jobs`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications.models import Application, ApplicationState
from certdesk.lifecycle.applications.rules import Checked

from . import rules
from .models import AskedRecord, AutomaticRecord, AutomaticStep, Challenge, DnsConnection, RecordState

FIND, FIND_ASKED, WRITE, WAIT, REMOVE = (
    "validation.auto_find",
    "validation.auto_find_asked",
    "validation.auto_write",
    "validation.auto_wait",
    "validation.auto_remove",
)
RIGHT = "dns:recordset:create"
"""ORD-1: DNS Administrator, for the automatic DNS step."""

TTL = 300
BATCH = 100
LATE_WRITE = timedelta(minutes=2)
"""A write that was never confirmed may still be on its way when its removal says that nothing is there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done or met, for people."""

    at: datetime
    domain: str
    step: str
    good: bool
    sentence: str
    next_step: str


def check_allowed(principal: Principal, account_id: str, checked: Checked) -> None:
    """Whether an application may ask for automatic DNS; whether the zone is there is looked at by a job.

    Raises:
        Forbidden: no `dns:recordset:create` (ORD-1).
        WrongState: the account has no DNS connection.
    """
    if not checked.auto_dns:
        return
    principal.require(RIGHT, Resource("recordset", "", account_id))
    if not DnsConnection.objects.filter(account_id=account_id).exists():
        raise WrongState(
            "The account has no DNS connection, so no record can be added automatically.",
            next_step="Connect the DNS provider of the domain first, or set the records yourself.",
            field="auto_dns_auth",
        )


def is_offered(principal: Principal) -> bool:
    """Whether the console offers *automatic*: a zone is connected and the principal may write records."""
    return principal.may(RIGHT, Resource("recordset", "", principal.account_id)) and bool(
        zones_of(principal.account_id)
    )


def zones_of(account_id: str) -> dict[str, DnsConnection]:
    """Zone name -> connection, as the providers last told; the older connection holds a zone of two."""
    found: dict[str, DnsConnection] = {}
    for connection in DnsConnection.objects.filter(account_id=account_id).order_by("created_at", "id"):
        for zone in connection.zones:
            found.setdefault(str(zone), connection)
    return found


def covering(zones: Sequence[str] | dict[str, DnsConnection], domain: str) -> str:
    """The longest of the zones that a name ends in, whole labels compared; empty when none does. Pure."""
    labels = domain.split(".")
    tails = (".".join(labels[at:]) for at in range(len(labels)))
    return next((tail for tail in tails if tail in zones), "")


def begin(application: Application) -> None:
    """Starts the automatic way of an application that asked for it, in the caller's transaction."""
    if application.auto_dns:
        find(FIND, application)


def find(kind: str, application: Application) -> None:
    """Looks for the zones of what is to be written, `FIND` or `FIND_ASKED`; one such job waits at most."""
    jobs.enqueue(
        kind,
        {
            "application": application.id,
            "user_id": application.submitted_by,
            "account_id": application.account_id,
        },
        subject=application.certificate_id,
        dedupe_key=f"{kind}:{application.id}",
    )


def restart(account_id: str) -> None:
    """A connection came or was put right: open applications that found no way try again."""
    planned = _open_rows().filter(challenge_id=OuterRef("id"), value=OuterRef("value"))
    waiting = Challenge.objects.filter(
        ~Exists(planned),
        account_id=account_id,
        verified_at__isnull=True,
        application__auto_dns=True,
        application__state=ApplicationState.OPEN,
    )
    given_up = _open_rows().filter(account_id=account_id, state=RecordState.PLANNED).exclude(problem="")
    for record in list(given_up[:BATCH]):
        if is_wanted(record, clock.now()):
            AutomaticRecord.objects.filter(id=record.id).update(problem="", tries=0, next_try_at=None)
            submitted = Application.objects.filter(id=record.application_id).values_list(
                "submitted_by", flat=True
            )
            enqueue_write(
                record, {"record": record.id, "user_id": submitted.first(), "account_id": record.account_id}
            )
    ids = list(waiting.values_list("application_id", flat=True).distinct()[:BATCH])
    for application in Application.objects.filter(id__in=ids):
        begin(application)
    unplanned = AskedRecord.objects.filter(~_planned_for_asked(), account_id=account_id, wanted=True)
    asking = list(unplanned.values_list("application_id", flat=True).distinct()[:BATCH])
    for application in Application.objects.filter(id__in=asking, auto_dns=True, state=ApplicationState.OPEN):
        find(FIND_ASKED, application)


def asked_without_place(application_id: int) -> list[AskedRecord]:
    """Wanted ones of a CA outside for which nothing was planned yet."""
    found = AskedRecord.objects.filter(~_planned_for_asked(), application_id=application_id, wanted=True)
    return list(found.order_by("id"))


def _planned_for_asked() -> Exists:
    return Exists(_open_rows().filter(asked_id=OuterRef("id")))


def open_challenges(application_id: int) -> list[Challenge]:
    """Unproved challenges of an open application for whose present value nothing was planned yet."""
    planned = _open_rows().filter(challenge_id=OuterRef("id"), value=OuterRef("value"))
    found = Challenge.objects.filter(
        ~Exists(planned), application_id=application_id, verified_at__isnull=True, method="DNS"
    )
    return list(found.filter(application__state=ApplicationState.OPEN).order_by("id"))


def is_wanted(record: AutomaticRecord, now: datetime) -> bool:
    """Whether the value is still asked for: by an open application, and not too old (DOM-6, DOM-11)."""
    if record.asked_id:
        still = Application.objects.filter(id=record.application_id, state=ApplicationState.OPEN)
        return AskedRecord.objects.filter(id=record.asked_id, wanted=True).exists() and still.exists()
    challenge = Challenge.objects.filter(
        id=record.challenge_id, value=record.value, application__state=ApplicationState.OPEN
    ).first()
    return challenge is not None and not rules.value_is_old(challenge.value_made_at, now)


def note(
    application_id: int, domain: str, step: str, *, good: bool, sentence: str, next_step: str = ""
) -> None:
    """One more line of the story; the same line is not told twice in a row."""
    last = AutomaticStep.objects.filter(application_id=application_id, domain=domain).order_by("-id").first()
    if last and (last.step, last.good, last.sentence) == (step, good, sentence[:2000]):
        return
    AutomaticStep.objects.create(
        application_id=application_id,
        domain=domain,
        step=step,
        good=good,
        sentence=sentence[:2000],
        next_step=next_step[:1000],
        at=clock.now(),
    )


def steps(application_id: int) -> tuple[Step, ...]:
    """What happened so far, oldest first."""
    return tuple(
        Step(one.at, one.domain, one.step, one.good, one.sentence, one.next_step)
        for one in AutomaticStep.objects.filter(application_id=application_id).order_by("id")[:500]
    )


def unwanted(now: datetime, real: datetime) -> list[AutomaticRecord]:
    """Open rows whose value must go now, the longest open first."""
    wanted = Challenge.objects.filter(
        id=OuterRef("challenge_id"),
        value=OuterRef("value"),
        value_made_at__gte=now - rules.VALUE_LIFE,
        application__state=ApplicationState.OPEN,
    )
    still = Application.objects.filter(id=OuterRef("application_id"), state=ApplicationState.OPEN)
    asked = AskedRecord.objects.filter(id=OuterRef("asked_id"), wanted=True)
    due = Q(next_try_at__isnull=True) | Q(next_try_at__lte=real)
    given_up = Q(state=RecordState.PLANNED) & ~Q(problem="")
    gone = ~Exists(wanted) & (~Exists(asked) | ~Exists(still))
    return list(_open_rows().filter(due, gone | given_up).order_by("id")[:BATCH])


def _open_rows() -> QuerySet[AutomaticRecord]:
    return AutomaticRecord.objects.exclude(state=RecordState.REMOVED)


def enqueue_write(
    record: AutomaticRecord, payload: Mapping[str, Any], pause: timedelta = timedelta(0)
) -> None:
    jobs.enqueue(
        WRITE,
        payload,
        subject=record.certificate_id,
        run_at=clock.real_now() + pause,
        dedupe_key=f"{WRITE}:{record.id}",
    )


def enqueue_remove(record: AutomaticRecord) -> None:
    jobs.enqueue(
        REMOVE,
        {"record": record.id},
        subject=record.certificate_id,
        dedupe_key=f"{REMOVE}:{record.id}",
    )


def enqueue_wait(record: AutomaticRecord, waits: int, pause: timedelta = timedelta(0)) -> None:
    """`waits`: how many waits there were."""
    jobs.enqueue(
        WAIT,
        {"record": record.id, "waits": waits},
        subject=record.certificate_id,
        run_at=clock.real_now() + pause,
        dedupe_key=f"{WAIT}:{record.id}",
    )
