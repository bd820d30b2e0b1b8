"""What happens at an issuer: notes of orders and tests, and the health that follows. Joins the caller's
transaction; the operator's own changes stand in `setting_up`."""

from datetime import UTC, datetime

from certdesk.connectors.issuers.protocol import Capabilities, IssuerCheck, IssuerError
from certdesk.connectors.protocol import ConnectorError

from . import dialing, rules, states, telling
from .models import Day, Issuer
from .states import Health, State, Weight

RECENT = 60.0
"""Seconds within which a further success of an issuer that is well is not written down again."""
LONGEST = 2000


def note_placed(slug: str, now: datetime, because: str = "") -> None:
    """A new order is placed there: it counts against the week's limit.

    Args:
        now: real time, as everywhere here.
        because: why this issuer got it.
    """
    issuer = _held(slug)
    if issuer is None:
        return
    day, _ = Day.objects.get_or_create(issuer=issuer, day=now.astimezone(UTC).date())
    Day.objects.filter(id=day.id).update(orders=day.orders + 1)
    issuer.chosen_because, issuer.chosen_at = because[:500], now
    issuer.save(update_fields=["chosen_because", "chosen_at"])


def note_success(slug: str, now: datetime) -> None:
    """An order there went well. The row is held only where something is to be written: all polls ask."""
    known = Issuer.objects.filter(slug=slug).first()
    if known is None or _well_known(known, now):
        return
    issuer = _held(slug)
    if issuer is None or _well_known(issuer, now):
        return
    issuer.succeeded_at = now
    _settle(issuer, states.after_success(_health(issuer), now, ordered=True), now)


def note_failure(slug: str, error: ConnectorError, now: datetime) -> None:
    """An order there met this; a refusal of one order says nothing about the issuer."""
    issuer = _held(slug)
    weight = states.weight_of(error)
    if issuer is None or weight is Weight.NOTHING:
        return
    next_step = error.next_step if isinstance(error, IssuerError) else ""
    _failed(issuer, error.message, next_step, now)
    after = states.after_failure(_health(issuer), weight, now, ordered=True, retry_after=error.retry_after)
    _settle(issuer, after, now)


def note_test(
    slug: str, found: IssuerCheck, able: Capabilities | None, now: datetime, *, secret_id: str
) -> None:
    """What a test said; `able` is None where there was no connector to ask.

    Args:
        secret_id: of the options that were tested; once they are others, it says nothing about them.
    """
    issuer = _held(slug)
    if issuer is None or issuer.secret_id != secret_id:
        return
    issuer.asked_at, issuer.notes = now, list(found.notes)
    if able is not None:
        issuer.capabilities = dialing.stored(able)
    if found.ok:
        issuer.succeeded_at = now
        after = states.after_success(_health(issuer), now, ordered=False)
    else:
        _failed(issuer, found.problem, found.next_step, now)
        weight = Weight.LASTING if able is None else Weight.PASSING
        after = states.after_failure(_health(issuer), weight, now, ordered=False)
    _settle(issuer, after, now)


def _held(slug: str) -> Issuer | None:
    """None for the built-in CA: whether it works is told elsewhere."""
    if rules.is_built_in(slug):
        return None
    return Issuer.objects.select_for_update().filter(slug=slug).first()


def _well_known(issuer: Issuer, now: datetime) -> bool:
    fresh = issuer.succeeded_at is not None and (now - issuer.succeeded_at).total_seconds() < RECENT
    return fresh and issuer.state == State.OK and not issuer.failures


def _health(issuer: Issuer) -> Health:
    return Health(State(issuer.state), issuer.failures, issuer.orders_fail, issuer.retry_at)


def _failed(issuer: Issuer, problem: str, next_step: str, now: datetime) -> None:
    issuer.failed_at, issuer.problem, issuer.next_step = now, problem[:LONGEST], next_step[:LONGEST]


def _settle(issuer: Issuer, after: Health, now: datetime) -> None:
    """Writes the health, and tells the operator of the two changes that matter: down, and up again."""
    before = State(issuer.state)
    if after.state != before:
        issuer.since = now
    issuer.state, issuer.failures = after.state, after.failures
    issuer.orders_fail, issuer.retry_at = after.orders_fail, after.retry_at
    if after.state == State.OK:
        issuer.problem, issuer.next_step = "", ""
    issuer.save()
    if issuer.enabled and State.DOWN in (before, after.state) and before != after.state:
        telling.tell(issuer, down=after.state == State.DOWN)
