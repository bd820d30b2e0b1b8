"""One step of a running campaign: look what became of what is under way, then begin a few more.

Each step is one short transaction and finds its place in the rows alone: killed at any line, the next
worker goes on from there, and a certificate that was begun is not begun again.
"""

from datetime import datetime, timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.issuance import revocation_jobs

from . import clients, freezing, outcome, pace, queries, replacing, rules, standing
from .models import Campaign, Item
from .pace import Room
from .replacing import Known
from .rules import Action
from .states import AT_WORK, ItemState

SETTLED_AT_ONCE = 50
PAUSE = timedelta(milliseconds=100)  # nothing can begin: the pace, or what is under way, is waited for
LONG_PAUSE = timedelta(seconds=10)  # all that is left stands still: for a proof, or for an issuer
LEAVING = timedelta(seconds=2)  # paused or cancelled: nothing begins any more, the rest comes to its end


def step(principal: Principal, campaign: Campaign, now: datetime) -> timedelta | None:
    """In the caller's transaction; how long the next step waits, None when nothing is left to do.

    One that began something waits no longer than the jobs it made: they stand before it in the queue.

    Args:
        now: business time, the moment of the revocations.
    """
    known = Known()
    settle(campaign)
    advance(principal, campaign, now, known)
    room = Room(campaign)
    moved = clients.follow(principal, campaign, now, room, known)
    begun = _next(campaign, room)
    for item in begun:
        _begin(principal, campaign, item, now, known)
    if begun or moved:
        return timedelta(0)
    open_ones = queries.items(campaign)
    if queries.is_at_work(campaign) or open_ones.filter(state=ItemState.WAITING).exists():
        return PAUSE
    if clients.due(campaign, room).exists():
        return PAUSE
    if open_ones.filter(state__in=AT_WORK).exists():
        return LONG_PAUSE
    return clients.PAUSE if open_ones.filter(state=ItemState.RENEWING).exists() else None


def settle(campaign: Campaign) -> None:
    """What became of certificates whose revocation was asked for."""
    found = queries.items(campaign).filter(state=ItemState.REVOKING).select_related("certificate")
    settled = found.exclude(certificate__state__in=BEING_REVOKED)[:SETTLED_AT_ONCE]
    for item in settled:
        revoked = item.certificate.state == State.REVOKED
        outcome.end(item, ItemState.DONE if revoked else ItemState.FAILED, "" if revoked else _why(item))


def advance(principal: Principal, campaign: Campaign, now: datetime, known: Known) -> None:
    """Replacements that can go on: their new version is there, or will never be, or is deployed."""
    if not rules.replaces(Action(campaign.action)):
        return
    for item in queries.to_advance(campaign)[: pace.BEGUN_AT_ONCE]:
        state, why = _advanced(principal, campaign, item, now, known)
        if state in (ItemState.DONE, ItemState.FAILED):
            outcome.end(item, state, why)
        else:
            Item.objects.filter(id=item.id).update(
                state=state, version=item.version, why="", looked_at=clock.real_now()
            )
    for item in standing.look(campaign):
        outcome.end(item, ItemState.FAILED, rules.NOT_PROVED)


def _advanced(
    principal: Principal, campaign: Campaign, item: Item, now: datetime, known: Known
) -> replacing.Outcome:
    """A refusal ends this one alone."""
    try:
        return replacing.advance(principal, campaign, item, now, known)
    except CertdeskError as refusal:
        return ItemState.FAILED, str(refusal)


def _why(item: Item) -> str:
    return rules.GONE if item.certificate.state == State.DELETED else rules.LAPSED


def bring_to_end(campaign: Campaign, principal: Principal | None, now: datetime) -> timedelta | None:
    """A paused or cancelled one: what is under way goes on, nothing else begins. As `step`.

    Args:
        principal: whoever started it; None has no right to go on, so that replacements stay where they are.
    """
    _go_on(campaign, principal, now)
    return _until_over(campaign, principal)


def _go_on(campaign: Campaign, principal: Principal | None, now: datetime) -> None:
    settle(campaign)
    if principal is not None:
        advance(principal, campaign, now, Known())


def _until_over(campaign: Campaign, principal: Principal | None) -> timedelta | None:
    moving = AT_WORK if principal is not None else (ItemState.REVOKING,)
    if not queries.items(campaign).filter(state__in=moving).exists():
        return None
    return LEAVING if queries.is_at_work(campaign) else LONG_PAUSE


def leave(campaign: Campaign, principal: Principal | None, now: datetime) -> timedelta | None:
    """A cancelled one: a page of what waits is left as it is, what is under way comes to its end. As `step`.

    Args:
        principal: whoever started it; None has no right to go on, so that what is being replaced is left too.
    """
    _go_on(campaign, principal, now)
    left = queries.to_leave(campaign, replacing=principal is None).values_list("id")[: freezing.AT_ONCE]
    numbers = [number for (number,) in left]
    Item.objects.filter(id__in=numbers).update(state=ItemState.LEFT)
    return PAUSE if len(numbers) == freezing.AT_ONCE else _until_over(campaign, principal)


def _next(campaign: Campaign, room: Room) -> list[Item]:
    """Whose turn it is."""
    if not room.left:
        return []
    waiting = queries.items(campaign, ItemState.WAITING).filter(client=False).select_related("certificate")
    if not campaign.issuer_per_minute:
        return list(waiting[: room.left])
    issuers = waiting.order_by().values_list("issuer").distinct()
    found: list[Item] = []
    for (issuer,) in sorted(issuers):
        found += [one for one in waiting.filter(issuer=issuer)[: room.of(issuer)] if room.take(issuer)]
    return found


def _begin(principal: Principal, campaign: Campaign, item: Item, now: datetime, known: Known) -> None:
    action = Action(campaign.action)
    why = freezing.why_not(principal, action, item.certificate, now, campaign, known)
    if why:
        outcome.end(item, ItemState.FAILED, why)
        return
    begun = clock.real_now()
    try:
        if rules.replaces(action):
            replacing.begin(principal, campaign, item.certificate, now, known)
            state, item.looked_at = ItemState.REPLACING, begun
        elif action is Action.DRILL:
            item.work = round(revocation_jobs.rehearse(item.certificate, now) / timedelta(microseconds=1))
            state = ItemState.DONE
        else:
            outcome.revoke(campaign, item.certificate, now)
            state = ItemState.REVOKING
    except CertdeskError as refusal:
        outcome.end(item, ItemState.FAILED, str(refusal))
        return
    ended = clock.real_now() if state == ItemState.DONE else None
    Item.objects.filter(id=item.id).update(
        state=state, begun_at=begun, ended_at=ended, work=item.work, looked_at=item.looked_at
    )
