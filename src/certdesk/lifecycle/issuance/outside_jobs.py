"""Orders at CAs outside, by workers: one call, what it brought is stored, the next call has its own moment.

A kill at any line leaves the row and a job that is taken over: `place` with the same reference finds the
order that is there (law 3), and no new one begins while one may be live.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import structlog

from certdesk.connectors.issuers.protocol import (
    ByHand,
    IssuerConnector,
    IssuerError,
    Order,
    OrderState,
    Reason,
    Wanted,
)
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.lifecycle.applications.models import ApplicationState
from certdesk.lifecycle.applications.purposes import may_sign
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.states import Event, State
from certdesk.lifecycle.validation import proofs
from certdesk.pki.authority.types import Signed
from certdesk.pki.x509.certificates import chain_to_pem, facts, load_chain_pem

from . import (
    acceptance,
    advice,
    outside,
    outside_orders,
    outside_revoking,
    outside_tasks,
    pipeline,
    withdrawal,
)
from . import outside_rules as rules
from .acceptance import Accepted, Expected, Wrong
from .actions import SIGN, WITHDRAWAL
from .models import OutsideOrder, PlacementState
from .outside_orders import ASK
from .outside_rules import Duty, Kept

log = structlog.get_logger(__name__)

CALL_SECONDS = 120.0
PATIENCE = 3  # failures in a row that time may heal, before another issuer gets the turn
NONSENSE = 20  # unreadable answers in a row, some eleven hours: no maintenance page lasts that long
CESSATION, UNSPECIFIED = 5, 0  # CRLReason, RFC 5280 §5.3.1
KNOWN = "It was sent and recorded before: its serial number is known."
WRONG = "certificate.wrong_answer"
"""Audit action: a CA sent a certificate that is not what was ordered."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as plain values: `perform` touches no database.

    Attributes:
        secret_id: of the options that the connector has.
    """

    duty: Duty
    connector: IssuerConnector
    secret_id: str
    wanted: Wanted
    handle: str
    state: str
    tasks: tuple[Kept, ...]
    quiet: int
    brought: str
    refusal: str
    unwanted: bytes
    expected: Expected
    now: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What a call brought: the order, the tasks that were found standing, the verdict on a certificate."""

    order: Order
    marks: dict[str, str]
    verdict: Accepted | Wrong | None = None


def _row(reference: str) -> OutsideOrder | None:
    found = OutsideOrder.objects.select_related("placement", "certificate", "application")
    return found.filter(placement_id=reference, unfinished=True).first()


def _principal(order: OutsideOrder) -> Principal:
    return system_principal(order.certificate.account_id, ASK)


@handler(ASK, max_attempts=1_000_000, lock="issuance:{subject}")
class Ask(Handler[Call, "Told | IssuerError"]):
    """Whatever the order needs next: see `outside_rules.duty`."""

    def load(self, job: Job) -> Call | None:
        order = _row(str(job.payload["reference"]))
        if order is None or not _may_go_on(order):
            return None
        duty = rules.duty(order)
        if duty is Duty.NOTHING:  # it was never asked, so there is nothing to take back
            _left(order, clock.real_now())
            return None
        connector, secret_id = outside.connected(order.issuer)
        now = clock.now()
        first = False
        if duty is Duty.PLACE:
            lost = order.lost or order.asking  # still `asking`: whoever asked before died with the answer
            OutsideOrder.objects.filter(placement_id=order.placement_id).update(asking=True, lost=lost)
            first = not lost and order.asked_at is None  # also an answer that made no sense may be an order's
        return Call(
            duty=duty,
            connector=connector,
            secret_id=secret_id,
            wanted=outside_orders.wanted_of(order, first=first),
            handle=order.handle,
            state=order.state,
            tasks=rules.kept(order.tasks),
            quiet=order.quiet,
            brought=bytes(order.brought or b"").decode("ascii", "replace"),
            refusal=order.refusal,
            unwanted=bytes(order.unwanted or b""),
            expected=outside_orders.expected_of(order, now),
            now=now,
        )

    async def perform(self, work: Call) -> "Told | IssuerError":
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await _called(work)
        except IssuerError as error:
            return error
        except TimeoutError:
            return IssuerError(Reason.TIMEOUT, f"The CA was not done after {CALL_SECONDS:g} s.")

    def store(self, job: Job, work: Call, result: "Told | IssuerError") -> None:
        order = _row(work.wanted.reference)
        if order is None:
            return
        locked = proofs.lock(order.application_id)
        if locked is None:
            order.application.state = ApplicationState.WITHDRAWN  # whatever ended it: nobody waits any more
            order.leaving = order.leaving or order.unwanted is None
        if isinstance(result, IssuerError):
            _failed(order, work, result)
        else:
            outside.note_success(order.issuer, clock.real_now(), secret_id=work.secret_id)
            _heard(order, work, result)


def _may_go_on(order: OutsideOrder) -> bool:
    """Marks what nobody wants any more; False while a withdrawal decides about it first."""
    if order.unwanted is not None or order.leaving:
        return True
    if proofs.lock(order.application_id) is None:
        order.leaving = True
        order.save(update_fields=["leaving"])
        return True
    return may_sign(order.application.purpose, order.certificate.state)


async def _called(work: Call) -> Told:
    """The call itself; a certificate that comes is judged before anything is stored."""
    order, marks = await _ordered(work)
    verdict = None
    if order.state is OrderState.ISSUED and work.duty is not Duty.DISOWN and order.chain:
        verdict = await asyncio.to_thread(acceptance.check, order.chain, work.expected, work.now)
    return Told(order, marks, verdict)


async def _ordered(work: Call) -> tuple[Order, dict[str, str]]:
    ca, wanted, handle = work.connector, work.wanted, work.handle
    if work.duty is Duty.PLACE:
        return await ca.place(wanted), {}
    if work.duty is Duty.FIND:
        found = await ca.place(wanted)
        return (found if found.state is OrderState.ISSUED else await _withdrawn(work, found.handle)), {}
    if work.duty is Duty.WITHDRAW:
        return await _withdrawn(work, handle), {}
    if work.duty is Duty.DISOWN:
        await ca.revoke(work.unwanted, handle, UNSPECIFIED)
        return Order(handle, OrderState.ISSUED), {}
    if work.duty is Duty.BRING and isinstance(ca, ByHand):
        chain = tuple(load_chain_pem(work.brought)) if work.brought.strip() else ()
        return await ca.bring(wanted, handle, chain, work.refusal), {}
    return await _carried_on(work)


async def _withdrawn(work: Call, handle: str) -> Order:
    """Taken back; where the CA was quicker, what `poll` brings is judged: it alone knows what was ordered."""
    taken = await work.connector.withdraw(handle)
    quicker = taken.state is OrderState.ISSUED
    return await work.connector.poll(work.wanted, handle) if quicker else taken


async def _carried_on(work: Call) -> tuple[Order, dict[str, str]]:
    """Looks whether what the CA asks for stands by now, tells it so, or asks how the order is."""
    seen = await outside_tasks.standing(rules.to_look_at(work.tasks), work.now)
    marks = dict.fromkeys(seen, outside_tasks.READY)
    tasks = outside_tasks.marked(work.tasks, marks)
    telling = rules.to_tell(tasks, work.quiet)
    if not rules.must_proceed(work.state, tasks, telling):
        return await work.connector.poll(work.wanted, work.handle), marks
    answer = await work.connector.proceed(work.wanted, work.handle, telling)
    return answer, marks | dict.fromkeys(telling, outside_tasks.TOLD)


def _failed(order: OutsideOrder, work: Call, error: IssuerError) -> None:
    """What time may heal is tried again for ever (ISS-4); what will never be gives the turn to the next."""
    now = clock.real_now()
    outside.note_failure(order.issuer, error, now, secret_id=work.secret_id)
    placing = work.duty in (Duty.PLACE, Duty.FIND)
    harmless = work.connector.capabilities.harmless_until_proceed
    never = placing and outside.surely_not_live(error, asked_before=order.lost, harmless=harmless)
    lost = placing and outside.may_be_there(error, asked_before=order.lost)
    outside_orders.note_failure(order, error, now, lost=lost)
    if work.duty is Duty.DISOWN:
        _not_disowned(order, error, now)
    elif order.leaving and (never or error.reason is Reason.NOT_THERE or order.unreadable >= NONSENSE):
        _left(order, now)
    elif _is_refused(work, error) or (never and _is_worth_it(order, error)):
        outside_orders.end(order, PlacementState.REFUSED, now, refused=_is_refused(work, error))
        _next(order)
    else:
        _mend(order, work, error)
        _show(order, error)
        outside_orders.enqueue(order, rules.pause_after_failure(error.retry_after, order.failures))


def _is_refused(work: Call, error: IssuerError) -> bool:
    return error.reason is Reason.REFUSED and work.duty in (Duty.PLACE, Duty.CARRY_ON)


def _not_disowned(order: OutsideOrder, error: IssuerError, now: datetime) -> None:
    """Given up only where the CA itself will not; what somebody may mend here is tried again every hour."""
    if error.permanent:
        log.error("a refused certificate could not be revoked", order=order.placement_id, why=error.message)
    if error.reason in (Reason.REFUSED, Reason.NOT_THERE):
        outside_orders.end(order, PlacementState.REFUSED, now)
        return
    again = outside_revoking.again_at(error, order.failures)
    outside_orders.enqueue(order, (again - now).total_seconds())


def _mend(order: OutsideOrder, work: Call, error: IssuerError) -> None:
    """An order that the CA knows no more is placed again; one of which it tells nonsense for hours is taken
    back."""
    if work.duty is not Duty.CARRY_ON:
        return
    if error.reason is Reason.NOT_THERE:
        order.handle, order.state, order.tasks = "", "", []
    elif order.unreadable >= NONSENSE:
        order.leaving, order.refused, order.refusal = True, True, error.message[:500]
        order.failures = order.unreadable = 0  # taking it back is another call, with a patience of its own
    order.save(update_fields=_MENDED)


_MENDED = ("handle", "state", "tasks", "leaving", "refused", "refusal", "failures", "unreadable")


def _show(order: OutsideOrder, error: IssuerError) -> None:
    words = f"{error.message} {error.next_step or 'Nothing is lost: it is tried again.'}"
    certificate = order.certificate
    certificates.note_failure(certificate.id, State(certificate.state), words[:500], clock.now())


def _heard(order: OutsideOrder, work: Call, told: Told) -> None:
    """Carries on by what the CA said."""
    now = clock.real_now()
    if work.duty is Duty.DISOWN:
        order.words = "The certificate that was refused here is revoked."
        outside_orders.end(order, PlacementState.REFUSED, now)
        return
    outside_orders.note_answer(order, told.order, told.marks, now)
    state = told.order.state
    if state is OrderState.ISSUED:
        _issued(order, work, told, now)
    elif state in (OrderState.REFUSED, OrderState.CANCELLED) and order.leaving:
        _left(order, now)
    elif state in (OrderState.REFUSED, OrderState.CANCELLED):
        order.words = order.words or "The CA has cancelled the order."
        outside_orders.end(order, PlacementState.REFUSED, now, refused=True)
        _next(order)
    else:
        outside_orders.enqueue(order, _pause(order, told.order))


def _pause(order: OutsideOrder, answer: Order) -> float:
    """At once where the next step is ours and ready; else when the CA wants, or by growing steps."""
    tasks = rules.kept(order.tasks)
    ours = rules.must_proceed(order.state, tasks, rules.to_tell(tasks, 0))
    if ours and order.quiet == 0 and answer.retry_after is None:
        return 0.0
    return rules.pause(answer.retry_after, order.quiet)


def _issued(order: OutsideOrder, work: Call, told: Told, now: datetime) -> None:
    if told.verdict is None:
        outside_orders.enqueue(order, rules.pause(told.order.retry_after, order.quiet))
    elif isinstance(told.verdict, Wrong):
        _refuse_wrong(order, work, told, told.verdict, now)
    elif not outside_orders.is_wanted(order):  # e.g. a rollover that something else went before
        order.words = "Nobody wanted it any more when it came, so it is revoked."
        unwanted = _to_disown(order, told.verdict.leaf)
        outside_orders.end(order, PlacementState.DROPPED, now, unwanted=unwanted)
    elif outside_orders.is_recorded(order, told.verdict.facts):
        _refuse_wrong(order, work, told, Wrong(KNOWN), now)
    else:
        _accept(order, told.verdict, now)


def _accept(order: OutsideOrder, found: Accepted, now: datetime) -> None:
    """Recorded as a version; a withdrawal that came too late is told so (WDR-3)."""
    principal, certificate = _principal(order), order.certificate
    if certificate.state in withdrawal.PENDING:
        certificates.move(
            certificate.id,
            Event.WITHDRAWAL_REFUSED,
            clock.now(),
            principal=principal,
            note=withdrawal.REFUSED,
        )
        certificate.refresh_from_db()
    slug = order.issuer
    signed = Signed(
        serial=found.facts.serial,
        der=found.leaf,
        chain_pem=chain_to_pem(found.chain).encode("ascii"),
        issuer=acceptance.issuer_of(slug, found.authority).partition(":")[2],
        not_before=found.facts.not_before,
        not_after=found.facts.not_after,
        reference=order.placement_id,
        lint_due=False,
    )
    pipeline.fulfil(principal, order.placement, signed, clock.now(), names=found.names)
    order.serial = found.facts.serial
    outside_orders.end(order, PlacementState.FULFILLED, now)
    certificate.refresh_from_db(fields=["current_version"])
    advice.begin(order, certificate.current_version, now)


def _refuse_wrong(order: OutsideOrder, work: Call, told: Told, wrong: Wrong, now: datetime) -> None:
    """Never shown as issued: revoked at the CA, the operator is told, the application says why."""
    words = f"The CA's order {order.handle[:200]} brought a certificate that is not taken. {wrong.sentence}"
    log.error("a CA sent a wrong certificate", issuer=order.issuer, order=order.handle, why=wrong.sentence)
    broken = IssuerError(Reason.BAD_ANSWER, words)
    outside.note_failure(order.issuer, broken, now, secret_id=work.secret_id)
    audit.record(
        _principal(order),
        WRONG,
        resource=f"cert:{order.certificate_id}",
        account_id=order.certificate.account_id,
        details={"issuer": order.issuer, "order": order.handle[:300], "why": wrong.sentence[:300]},
    )
    order.problem = words[:1000]
    unwanted = _to_disown(order, told.order.chain[0]) if told.order.chain else None
    outside_orders.end(order, PlacementState.REFUSED, now, unwanted=unwanted, refused=True)
    _next(order)


def _to_disown(order: OutsideOrder, leaf: bytes) -> bytes | None:
    """What is to be revoked at the CA: never what an earlier order brought and is served."""
    try:
        found = facts(leaf)
    except (CertdeskError, ValueError):
        return leaf  # the CA may read what we cannot
    return None if outside_orders.is_recorded(order, found) else leaf


def _left(order: OutsideOrder, now: datetime) -> None:
    """It is taken back: a withdrawal that waits for that is settled, or another issuer gets the turn."""
    outside_orders.end(order, PlacementState.DROPPED, now)
    _next(order)


def _next(order: OutsideOrder) -> None:
    """Another issuer of the product gets the turn; where none is left, `Sign` refuses the application."""
    if not outside_orders.is_wanted(order):
        return
    kind = WITHDRAWAL if order.certificate.state in withdrawal.PENDING else SIGN
    jobs.enqueue(kind, subject=order.certificate_id, dedupe_key=f"{kind}:{order.certificate_id}")


def _is_worth_it(order: OutsideOrder, error: IssuerError) -> bool:
    """Whether the order moves on now: the issuer cannot be asked, and another one is there to be."""
    if not error.permanent and order.failures < PATIENCE:
        return False
    without = outside_orders.over(order.application_id).passed | {order.issuer: error.message}
    choices = outside_orders.choices_of(order.certificate, order.application, without)
    return any(one.taken for one in choices)
