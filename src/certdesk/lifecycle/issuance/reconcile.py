"""Settles what was left open, by a kill at whatever moment: at each start and every few seconds (law 3)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Concat

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.models import State as JobState
from certdesk.lifecycle.applications.models import ApplicationState
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation import proofs
from certdesk.lifecycle.validation import queries as proved
from certdesk.pki.authority import issue as authority

from . import issuers, outside_orders, pipeline, queries, withdrawal
from .actions import PLACE, SIGN, WITHDRAWAL
from .models import OutsideOrder, Placement, PlacementState

log = structlog.get_logger(__name__)

STALE_SECONDS = 4.0
"""A signature takes milliseconds; a placement that is open longer than this was left behind."""
BATCH = 100  # law 13: rows of one round


def reconcile(stale_seconds: float = STALE_SECONDS) -> int:
    """Settles stale placements and intents and gives every waiting certificate its job back; how many.

    Every step may be done twice and by two workers at once; the conditional updates decide.
    """
    settled = sum(_settled(placement.reference) for placement in _stale(stale_seconds))
    settled += _abandon(stale_seconds)
    settled += _carry_on_outside()
    waiting = [(State.ISSUING, PLACE), *((state, WITHDRAWAL) for state in withdrawal.PENDING)]
    for state, kind in waiting:
        settled += _restart(state, f"{kind.partition('.')[0]}.", _enqueuer(kind))
    settled += _carry_on(queries.followups_without_job(BATCH))
    return settled + _restart(State.CHECKING, validation.CHECK, _check)


def _stale(seconds: float) -> list[Placement]:
    """Older than `seconds`, or dated in the future because the clock was set back since.

    Not those whose worker is alive: a slow signature is no lost one.
    """
    now, age = clock.real_now(), timedelta(seconds=seconds)
    old = Q(created_at__lte=now - age) | Q(created_at__gt=now + age)
    alive = Job.objects.filter(
        kind=SIGN, state=JobState.RUNNING, lease_until__gt=now, subject=OuterRef("certificate_id")
    )
    found = Placement.objects.filter(old, ~Exists(alive), state=PlacementState.PLACED, outside=None)
    return list(found.order_by("created_at")[:BATCH])


def _carry_on_outside() -> int:
    """Orders at CAs outside that no job carries on; what `place` was asked, it finds again."""
    waiting = Job.objects.filter(
        subject=OuterRef("certificate_id"),
        state__in=(JobState.READY, JobState.RUNNING),
        dedupe_key=Concat(Value(f"{outside_orders.ASK}:"), OuterRef("placement_id")),
    )
    lost = OutsideOrder.objects.filter(~Exists(waiting), unfinished=True).order_by("next_poll_at")[:BATCH]
    for order in lost:
        with short_transaction():
            outside_orders.resume(order)
    return len(lost)


def _abandon(seconds: float) -> int:
    """Intents without an open placement, such as those of the listener's own certificate."""
    now, age = clock.real_now(), timedelta(seconds=seconds)
    with short_transaction():
        return sum(authority.abandon(serial) for serial in queries.lost_intents(now - age, now + age, BATCH))


def _settled(reference: str) -> int:
    """One placement that cannot be settled now does not keep the others from it."""
    try:
        with short_transaction():
            return _settle(reference)
    except CertdeskError as error:
        log.warning("placement stays open", reference=reference, reason=error.message)
        return 0


def _settle(reference: str) -> int:
    placement = (
        Placement.objects.select_related("certificate", "application")
        .filter(reference=reference, state=PlacementState.PLACED)
        .first()
    )
    if placement is None:
        return 0
    principal = system_principal(placement.certificate.account_id, "issuance.reconcile")
    proofs.lock(placement.application_id)
    if not settle_placement(principal, placement, clock.now()):
        _enqueuer(PLACE)(placement.certificate_id)
    return 1


def settle_earlier(principal: Principal, certificate: Certificate, now: datetime) -> bool:
    """Settles open placements before a new one is made; True when one of them brought the certificate.

    Those at CAs outside are carried on by jobs of their own.
    """
    open_ones = Placement.objects.select_related("certificate", "application").filter(
        certificate=certificate, outside=None, state=PlacementState.PLACED
    )
    return sum(settle_placement(principal, placement, now) for placement in open_ones) > 0


def settle_placement(principal: Principal, placement: Placement, now: datetime) -> bool:
    """Stores what was signed, or drops the placement so that nothing signed under it can count any more."""
    issuer = issuers.find(placement.issuer)
    signed = issuer.settle(placement.reference)
    if signed is not None and placement.application.state == ApplicationState.OPEN:
        pipeline.fulfil(principal, placement, signed, now)
        return True
    Placement.objects.filter(reference=placement.reference, state=PlacementState.PLACED).update(
        state=PlacementState.DROPPED, settled_at=now
    )
    return False


def _restart(state: State, kinds: str, restart: Callable[[str], None]) -> int:
    """Certificates that wait in a state while no job is there that would carry them on."""
    waiting = queries.without_job(state.value, kinds, BATCH)
    for certificate_id in waiting:
        with short_transaction():
            restart(certificate_id)
    return len(waiting)


def _carry_on(certificate_ids: list[str]) -> int:
    """Additions and rollovers, whose state does not say how far they are."""
    for certificate_id in certificate_ids:
        with short_transaction():
            application = queries.open_application(certificate_id)
            if application is not None and proved.all_proved(application):
                _enqueuer(PLACE)(certificate_id)
            elif application is not None:
                validation.schedule(application)
    return len(certificate_ids)


def _enqueuer(kind: str) -> Callable[[str], None]:
    def enqueue(certificate_id: str) -> None:
        jobs.enqueue(kind, subject=certificate_id, dedupe_key=f"{kind}:{certificate_id}")

    return enqueue


def _check(certificate_id: str) -> None:
    application = queries.open_application(certificate_id)
    if application is not None:
        validation.schedule(application)
