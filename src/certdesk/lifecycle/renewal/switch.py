"""The switch of auto-renewal, and what comes next for one certificate (REN-7, REN-10)."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue import rehearsal
from certdesk.lifecycle.certificates import editing, endings, further, states
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.actions import SUBSCRIBE

from . import blockers, planning, schedule
from . import facts as fact_reads
from .causes import SENTENCES, Blocker, Cause
from .facts import Facts
from .models import AutoRenewal, Renewal
from .schedule import Kind

AUTO = "scm:cert:autoRenew"


@dataclass(frozen=True, slots=True)
class Next:
    """What the machine does next: `action` BUY, ROLLOVER or empty, `at` business time."""

    action: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How auto-renewal stands for one certificate.

    Attributes:
        impossible: why it cannot be switched on.
    """

    enabled: bool
    deploy: bool
    impossible: WrongState | None
    next: Next
    blockers: tuple[Blocker, ...]


def set_auto(
    principal: Principal, certificate_id: str, now: datetime, *, enabled: bool, deploy: bool
) -> Standing:
    """Switches it on or off; what it will do, it does with the rights of whoever switched it on.

    Raises:
        NoCertificate, Forbidden, UnderReview: no such certificate, or no right to it, to buy or to pay.
        WrongState: not in force, free, uploaded, or its contact data are gone (REN-10).
    """
    certificate = certificates.fetch(principal, AUTO, certificate_id)
    if enabled:
        about = certificate_rules.resource_of(certificate)
        principal.require(SUBSCRIBE, about)
        principal.require(orders.PAY)
        check_possible(certificate, now)
    with short_transaction():
        editing.switch_renewal(certificate.id, now, on=enabled)
        AutoRenewal.objects.update_or_create(
            certificate_id=certificate.id,
            defaults={
                "account_id": certificate.account_id,
                "user_id": principal.user_id,
                "deploy": deploy,
                "changed_at": now,
            },
        )
        if enabled:
            _again(certificate.id, now)
        audit.record(
            principal,
            AUTO,
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={"enabled": enabled, "deploy": deploy},
        )
    certificate.auto_renewal = enabled
    return _standing(certificate, now)


def check_possible(certificate: Certificate, now: datetime) -> None:
    """Raises WrongState with the reason that it cannot renew itself."""
    reason = _impossible(fact_reads.of([certificate]), certificate, now)
    if reason is not None:
        raise reason


def _impossible(facts: Facts, certificate: Certificate, now: datetime) -> WrongState | None:
    if certificate.source != "BOUGHT":
        return WrongState(endings.NOT_RENEWED_HERE)
    if certificate.free or rehearsal.is_rehearsal(certificate.brand):
        return WrongState(further.FREE_NOT_RENEWED)
    state = certificate_rules.state_of(certificate, now)
    if state not in states.ROLLS_OVER:
        return WrongState(
            f"A certificate that is {states.ROWS[state].title!r} cannot renew itself.",
            next_step="Possible only while it is Issued.",
        )
    if any(one.cause is Cause.PRIVACY for one in blockers.of(facts, certificate, Kind.BUY, now)):
        sentence, next_step = SENTENCES[Cause.PRIVACY]
        return WrongState(sentence, next_step=next_step)
    return None


def _again(certificate_id: str, now: datetime) -> None:
    """A renewal that ended because it was switched off, or its purchase was taken back, begins anew."""
    ended = Renewal.objects.filter(certificate_id=certificate_id, kind=Kind.BUY, state="ENDED").first()
    if ended is not None:
        Renewal.objects.filter(id=ended.id).update(
            state="OPEN", new_id="", cause="", reason="", told="", attempts=0, next_at=now, done_at=None
        )
        planning.send(ended.id, certificate_id)


def standing(principal: Principal, certificate_id: str, now: datetime) -> Standing:
    """How it stands. Raises as `set_auto`, but for the state."""
    return _standing(certificates.fetch(principal, AUTO, certificate_id), now)


def _standing(certificate: Certificate, now: datetime) -> Standing:
    facts = fact_reads.of([certificate])
    kept = facts.switches.get(certificate.id)
    coming = next_of(facts, certificate, now)
    if not coming.action and certificate_rules.state_of(certificate, now) not in states.ROLLS_OVER:
        found: list[Blocker] = []
    else:
        found = blockers.of(facts, certificate, Kind(coming.action or "BUY"), coming.at or now)
    return Standing(
        certificate.auto_renewal,
        kept.deploy if kept is not None else True,
        _impossible(facts, certificate, now),
        coming,
        tuple(found),
    )


def next_of(facts: Facts, certificate: Certificate, now: datetime) -> Next:
    """The earlier of purchase and rollover; one under way is what comes next."""
    under_way = next(iter(facts.open.get(certificate.id, ())), None)
    if under_way is not None:
        return Next(under_way.kind, max(under_way.next_at, now))
    begin, end, paid = certificate.not_before, certificate.not_after, endings.paid_end(certificate)
    if certificate_rules.state_of(certificate, now) not in states.ROLLS_OVER or not (begin and end and paid):
        return Next("", None)
    if rehearsal.is_rehearsal(certificate.brand):
        return Next("", None)
    found = []
    advised = facts.advice.get(certificate.id)
    hurried = advised is not None and advised.hurried
    if (paid > end or hurried) and certificate.id not in facts.left:
        found.append((schedule.rollover_at(certificate.id, begin, end, advised), Kind.ROLLOVER.value))
    if certificate.auto_renewal and certificate.id not in facts.bought:
        found.append((schedule.buy_at(certificate.id, paid), Kind.BUY.value))
    if not found:
        return Next("", None)
    at, action = min(found)
    return Next(action, max(at, now))
