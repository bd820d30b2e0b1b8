"""What happens at an issuer: notes of orders and tests, and the health that follows. Joins the caller's
transaction; the operator's own changes stand in `setting_up`."""

from datetime import UTC, datetime
from typing import Any

from certdesk.connectors.issuers.protocol import Capabilities, IssuerCheck, IssuerError
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.jobs import actions as jobs

from . import dialing, queries, rules, states, telling
from .models import Day, Issuer
from .states import Health, State, Weight

RECENT = 60.0
"""Seconds within which a further success of an issuer that is well is not written down again."""
LONGEST = 2000
ADVISES = "issuer.advises"
"""Topic, its subject a slug: from now on this CA says when to replace what it issued (ARI, RFC 9773)."""


def hold_for_order(slug: str, now: datetime) -> bool:
    """Whether one more order may be placed there. The issuer's row is held to the end of the transaction:
    who asks next sees what this one has counted."""
    issuer = _held(slug)
    if issuer is None:  # removed meanwhile
        return False
    spent = queries.budget(issuer, now)
    return not spent.limit or spent.used < spent.limit


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


def note_success(slug: str, now: datetime, *, secret_id: str = "") -> None:
    """An order there went well. The row is held only where something is to be written: all polls ask.

    Args:
        secret_id: see `_held`.
    """
    known = Issuer.objects.filter(slug=slug).first()
    if known is None or _well_known(known, now):
        return
    issuer = _held(slug, secret_id)
    if issuer is None or _well_known(issuer, now):
        return
    issuer.succeeded_at = now
    _settle(issuer, states.after_success(_health(issuer), now, ordered=True), now)


def note_failure(slug: str, error: ConnectorError, now: datetime, *, secret_id: str = "") -> None:
    """An order there met this; a refusal of one order says nothing about the issuer.

    Args:
        secret_id: see `_held`.
    """
    issuer = _held(slug, secret_id)
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
        secret_id: see `_held`.
    """
    issuer = _held(slug, secret_id)
    if issuer is None:
        return
    issuer.asked_at, issuer.notes = now, list(found.notes)
    if able is not None and (found.ok or not issuer.capabilities):  # unheard, it tells less than was learnt
        learn(issuer, dialing.stored(able))
    if found.ok:
        issuer.succeeded_at = now
        after = states.after_success(_health(issuer), now, ordered=False)
    else:
        _failed(issuer, found.problem, found.next_step, now)
        weight = Weight.LASTING if able is None else Weight.PASSING
        after = states.after_failure(_health(issuer), weight, now, ordered=False)
    _settle(issuer, after, now)


def learn(issuer: Issuer, told: dict[str, Any]) -> None:
    """What its connector says of the CA now, as `dialing.stored`; the caller saves the row."""
    begins = dialing.read(told).advises and not dialing.read(issuer.capabilities).advises
    issuer.capabilities = told
    if begins:
        jobs.emit(ADVISES, issuer.slug)


def _held(slug: str, secret_id: str = "") -> Issuer | None:
    """None for the built-in CA: whether it works is told elsewhere.

    Args:
        secret_id: of the options that the call was made with; None is answered once they are others, for it
            says nothing about them. Empty = whichever they are.
    """
    if rules.is_built_in(slug):
        return None
    found = Issuer.objects.select_for_update().filter(slug=slug).first()
    changed = found is not None and secret_id not in ("", found.secret_id)
    return None if changed else found


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
