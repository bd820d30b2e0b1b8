"""One step of a running campaign: look what became of what is under way, then begin a few more.

Each step is one short transaction and finds its place in the rows alone: killed at any line, the next
worker goes on from there, and a certificate that was begun is not begun again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.issuance import revocation_jobs, revoking
from certdesk.lifecycle.issuance.revocation_rules import Code

from . import freezing, queries, replacing, rules, standing
from .models import Campaign, Item
from .rules import Action
from .states import AT_WORK, ItemState

BEGUN_AT_ONCE = 8  # each is about ten rows (law 13)
SETTLED_AT_ONCE = 50
CLIENTS_AT_ONCE = 50
CLIENTS_PAUSE = timedelta(minutes=1)  # between two looks at what one ACME client has got
PAUSE = timedelta(milliseconds=100)  # nothing can begin: the pace, or what is under way, is waited for
LONG_PAUSE = timedelta(seconds=10)  # all that is left stands still: for a proof, or for an issuer
LEAVING = timedelta(seconds=2)  # paused or cancelled: nothing begins any more, the rest comes to its end
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class Room:
    """How many may begin in this step, by the pace in all and of each issuer."""

    def __init__(self, campaign: Campaign) -> None:
        now = clock.real_now()
        last_minute = queries.begun_since(campaign, now - MINUTE)
        last_second = queries.begun_since(campaign, now - SECOND)
        free = rules.budget(campaign.per_minute, last_minute, last_second, *queries.at_work(campaign))
        self.left = min(free, BEGUN_AT_ONCE)
        self._campaign, self._since = campaign, now - MINUTE
        self._issuers: dict[str, int] = {}

    def of(self, issuer: str) -> int:
        most = self._campaign.issuer_per_minute
        if most and issuer not in self._issuers:
            self._issuers[issuer] = most - queries.begun_since(self._campaign, self._since, issuer)
        return max(0, min(self.left, self._issuers.get(issuer, self.left)))

    def take(self, issuer: str) -> bool:
        """Whether one more of the issuer may begin; if so, it counts."""
        if not self.of(issuer):
            return False
        self.left -= 1
        if issuer in self._issuers:
            self._issuers[issuer] -= 1
        return True


def step(principal: Principal, campaign: Campaign, now: datetime) -> timedelta | None:
    """In the caller's transaction; how long the next step waits, None when nothing is left to do.

    One that began something waits no longer than the jobs it made: they stand before it in the queue.

    Args:
        now: business time, the moment of the revocations.
    """
    settle(campaign)
    advance(principal, campaign, now)
    room = Room(campaign)
    moved = follow_clients(principal, campaign, now, room)
    begun = _next(campaign, room)
    for item in begun:
        _begin(principal, campaign, item, now)
    if begun or moved:
        return timedelta(0)
    open_ones = queries.items(campaign)
    if queries.is_at_work(campaign) or open_ones.filter(state=ItemState.WAITING).exists():
        return PAUSE
    if queries.clients_due(campaign, clock.real_now() - CLIENTS_PAUSE).exists():
        return PAUSE
    if open_ones.filter(state__in=AT_WORK).exists():
        return LONG_PAUSE
    return CLIENTS_PAUSE if open_ones.filter(state=ItemState.RENEWING).exists() else None


def settle(campaign: Campaign) -> None:
    """What became of certificates whose revocation was asked for."""
    found = queries.items(campaign).filter(state=ItemState.REVOKING).select_related("certificate")
    settled = found.exclude(certificate__state__in=(State.REVOKING, State.REVOKING_DOMAIN))[:SETTLED_AT_ONCE]
    for item in settled:
        revoked = item.certificate.state == State.REVOKED
        _end(item, ItemState.DONE if revoked else ItemState.FAILED, "" if revoked else _why(item))


def advance(principal: Principal, campaign: Campaign, now: datetime) -> None:
    """Replacements that can go on: their new version is there, or will never be, or is deployed."""
    if not rules.replaces(Action(campaign.action)):
        return
    for item in queries.to_advance(campaign)[:BEGUN_AT_ONCE]:
        state, why = _advanced(principal, campaign, item, now)
        if state in (ItemState.DONE, ItemState.FAILED):
            _end(item, state, why)
        else:
            Item.objects.filter(id=item.id).update(
                state=state, version=item.version, why="", looked_at=clock.real_now()
            )
    for item in standing.look(campaign):
        _end(item, ItemState.FAILED, rules.NOT_PROVED)


def _advanced(principal: Principal, campaign: Campaign, item: Item, now: datetime) -> replacing.Outcome:
    """A refusal ends this one alone."""
    try:
        return replacing.advance(principal, campaign, item, now)
    except CertdeskError as refusal:
        return ItemState.FAILED, str(refusal)


def follow_clients(principal: Principal, campaign: Campaign, now: datetime, room: Room) -> bool:
    """The turn of certificates that ACME clients renew: their windows are moved by the state alone, so all of
    them begin at once, and each client comes in its own time. Whether something moved.

    Revoking what they have renewed keeps the pace: those that find no room are looked at again first.
    """
    if not rules.replaces(Action(campaign.action)):
        return False
    at = clock.real_now()
    waiting = _ask_clients(principal, campaign, now)
    asked = list(queries.clients_due(campaign, at - CLIENTS_PAUSE)[:CLIENTS_AT_ONCE])
    found = succession.successors([one.certificate_id for one in asked])
    taken = set(queries.taken_among(campaign, [new for news in found.values() for new in news]))
    looked, ended = [], 0
    for item in asked:
        new = [one for one in found.get(item.certificate_id, ()) if one not in taken]
        state, why = _renewed(campaign, item, new, now)
        taken.add(item.new_certificate_id)  # one new certificate takes the place of one
        if state is ItemState.REVOKING and not room.take(item.issuer):
            if not room.left:
                break
            continue
        looked.append(item.id)
        ended += _follow(principal, campaign, item, state, why, now)
    Item.objects.filter(id__in=looked).update(looked_at=at)
    return waiting or bool(ended)


def _renewed(campaign: Campaign, item: Item, new: Sequence[str], now: datetime) -> replacing.Outcome:
    try:
        return replacing.renewed(campaign, item, new, now)
    except CertdeskError as refusal:
        return ItemState.FAILED, str(refusal)


def _ask_clients(principal: Principal, campaign: Campaign, now: datetime) -> bool:
    """Whoever started it asks for another one's certificate only as far as his rights go at this moment."""
    action, asked = Action(campaign.action), []
    waiting = list(queries.clients(campaign, ItemState.WAITING)[: freezing.AT_ONCE])
    known = replacing.known_of([item.certificate_id for item in waiting])
    for item in waiting:
        why = freezing.why_not(principal, action, item.certificate, now, campaign, known)
        if why:
            _end(item, ItemState.FAILED, why)
        else:
            asked.append(item.id)
    Item.objects.filter(id__in=asked).update(state=ItemState.RENEWING, begun_at=clock.real_now())
    return bool(waiting)


def _follow(
    principal: Principal, campaign: Campaign, item: Item, state: ItemState, why: str, now: datetime
) -> bool:
    if state in (ItemState.DONE, ItemState.FAILED):
        _end(item, state, why)
    elif state is ItemState.REVOKING:
        _revoke_renewed(principal, campaign, item, now)
    elif why != item.why:
        Item.objects.filter(id=item.id).update(why=why[:500])
    return state is not ItemState.RENEWING


def _revoke_renewed(principal: Principal, campaign: Campaign, item: Item, now: datetime) -> None:
    """Days may lie between the question and the client's answer, so the rights are asked again."""
    why = freezing.why_not(principal, Action(campaign.action), item.certificate, now, campaign)
    if why:
        _end(item, ItemState.FAILED, why)
        return
    try:
        _revoke(campaign, item.certificate, now)
    except CertdeskError as refusal:
        _end(item, ItemState.FAILED, str(refusal))
        return
    begun = clock.real_now()  # of the revocation, for the pace
    Item.objects.filter(id=item.id).update(state=ItemState.REVOKING, begun_at=begun, **_proof(item))


def _proof(item: Item) -> dict[str, object]:
    return {
        "why": "",
        "new_certificate_id": item.new_certificate_id,
        "new_issuer": item.new_issuer,
        "new_serial": item.new_serial,
        "served": item.served,
    }


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
        advance(principal, campaign, now)


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


def _begin(principal: Principal, campaign: Campaign, item: Item, now: datetime) -> None:
    action = Action(campaign.action)
    why = freezing.why_not(principal, action, item.certificate, now, campaign)
    if why:
        _end(item, ItemState.FAILED, why)
        return
    begun = clock.real_now()
    try:
        if rules.replaces(action):
            replacing.begin(principal, campaign, item.certificate, now)
            state, item.looked_at = ItemState.REPLACING, begun
        elif action is Action.DRILL:
            item.work = round(revocation_jobs.rehearse(item.certificate, now) / timedelta(microseconds=1))
            state = ItemState.DONE
        else:
            _revoke(campaign, item.certificate, now)
            state = ItemState.REVOKING
    except CertdeskError as refusal:
        _end(item, ItemState.FAILED, str(refusal))
        return
    ended = clock.real_now() if state == ItemState.DONE else None
    Item.objects.filter(id=item.id).update(
        state=state, begun_at=begun, ended_at=ended, work=item.work, looked_at=item.looked_at
    )


def _revoke(campaign: Campaign, certificate: Certificate, now: datetime) -> None:
    words = campaign.words or f"Campaign {campaign.name}"
    revoking.revoke_now(certificate, Code(campaign.reason_code), words, now, who=revoking.CAMPAIGN)


def _end(item: Item, state: ItemState, why: str) -> None:
    Item.objects.filter(id=item.id).update(
        **{**_proof(item), "state": state, "why": why[:500], "ended_at": clock.real_now()}
    )
