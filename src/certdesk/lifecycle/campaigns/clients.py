"""Certificates that ACME clients renew: asked by their renewal windows, which the state alone moves, followed
until the new one stands, and only then revoked where that is asked for.

All of them begin at once, and each client comes in its own time. What it gets may not count: it came from the
issuer to be left, or has a key to be given up. Then somebody is told, and as soon as an order would go where
it should, the client is asked once more, by the window of what it got; never before, for it would come back
with the same.
"""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.deployment import queries as places

from . import client_queries, freezing, outcome, replacing, rules, telling
from .models import Campaign, Item
from .pace import Room
from .replacing import Known, Outcome
from .rules import Action
from .states import ItemState
from .successors import Successors

AT_ONCE = 50
PAUSE = timedelta(minutes=1)  # between two looks at what one ACME client has got


def follow(principal: Principal, campaign: Campaign, now: datetime, room: Room, known: Known) -> bool:
    """One step, in the caller's transaction; whether something moved.

    Revoking what they have renewed keeps the pace: those that find no room are looked at again first.
    """
    if not rules.replaces(Action(campaign.action)):
        return False
    at = clock.real_now()
    moved = _ask(principal, campaign, now, known)
    asked = list(due(campaign, room)[:AT_ONCE])
    successors = Successors(campaign, [one.certificate_id for one in asked], now)
    looked = []
    for item in asked:
        state, why = _renewed(campaign, item, successors.of(item.certificate_id), now, known)
        successors.use(item.new_certificate_id)
        if state is ItemState.REVOKING and not room.take(item.issuer):
            if not room.left:
                break
            continue
        looked.append(item.id)
        moved |= state is not ItemState.RENEWING
        _go_on(principal, campaign, item, (state, why), now, known)
    Item.objects.filter(id__in=looked).update(looked_at=at)
    return moved


def due(campaign: Campaign, room: Room) -> QuerySet[Item]:
    """Which to look at now; of an issuer without room in the pace none, where they are revoked: they would
    come first each time, and keep the others waiting."""
    found = client_queries.clients_due(campaign, clock.real_now() - PAUSE)
    if campaign.action != Action.REPLACE_AND_REVOKE or not campaign.issuer_per_minute:
        return found
    issuers = found.order_by().values_list("issuer", flat=True).distinct()
    return found.exclude(issuer__in=room.full(issuers))


def _ask(principal: Principal, campaign: Campaign, now: datetime, known: Known) -> bool:
    """Whoever started it asks for another one's certificate only as far as his rights go at this moment."""
    action, asked = Action(campaign.action), []
    waiting = list(client_queries.clients(campaign, ItemState.WAITING)[: freezing.AT_ONCE])
    known.look_up([item.certificate_id for item in waiting])
    for item in waiting:
        why = freezing.why_not(principal, action, item.certificate, now, campaign, known)
        if why:
            outcome.end(item, ItemState.FAILED, why)
        else:
            asked.append(item.id)
    Item.objects.filter(id__in=asked).update(state=ItemState.RENEWING, begun_at=clock.real_now())
    return bool(waiting)


def _renewed(campaign: Campaign, item: Item, new: tuple[str, ...], now: datetime, known: Known) -> Outcome:
    """A refusal ends this one alone."""
    try:
        return renewed(campaign, item, new, now, known)
    except CertdeskError as refusal:
        return ItemState.FAILED, str(refusal)


def renewed(campaign: Campaign, item: Item, new: tuple[str, ...], now: datetime, known: Known) -> Outcome:
    """Where a certificate stands whose ACME client is asked to renew it. Nothing is taken for replaced
    that comes from the issuer to be left or has a key to be given up, or while a place is known that still
    serves the old one. A client is waited for until the old one's end.

    Args:
        new: what may be in its place by now, see `Successors.of`; the first one that counts does.
    """
    certificate = item.certificate
    state = certificate_rules.state_of(certificate, now)
    over = state is State.EXPIRED
    found = [replacing.current(one) for one in Certificate.objects.filter(id__in=new)]
    versions = sorted((one for one in found if one), key=lambda one: new.index(one.certificate_id))
    judged = [(one, replacing.against(campaign, one, known)) for one in versions]
    if not judged:
        item.asked_again = ""
        if state is State.ISSUED:
            return ItemState.RENEWING, ""
        return ItemState.FAILED, rules.NOT_RENEWED if over else replacing.gone(item)
    version, why = next((one for one in judged if not one[1]), judged[0])
    waits = ItemState.FAILED if over else ItemState.RENEWING
    item.asked_again = version.certificate_id if _asks_again(campaign, version, why, known) else ""
    if why:
        return waits if why in rules.ONCE_MORE else ItemState.FAILED, why
    place = next(iter(places.serving(certificate.id)), "")
    place = place or client_queries.still_served(certificate.account_id, item.serial)
    if place:
        return waits, rules.STILL_SERVED % place
    replacing.note_new(item, version)
    return _the_old_one(item, state) if campaign.action == Action.REPLACE_AND_REVOKE else (ItemState.DONE, "")


def _the_old_one(item: Item, state: State) -> Outcome:
    """What is left to do with one that is replaced and to be revoked: done is only what is revoked. A request
    of its owner that waits for a confirmation is taken up; whatever else is pending is waited for."""
    if state is State.REVOKED:
        return ItemState.DONE, ""
    if state is State.ISSUED or state in BEING_REVOKED:
        return ItemState.REVOKING, ""
    if state is State.EXPIRED:
        return ItemState.FAILED, rules.LAPSED
    return (ItemState.FAILED, replacing.gone(item)) if state is State.DELETED else (ItemState.RENEWING, "")


def _asks_again(campaign: Campaign, version: Version, why: str, known: Known) -> bool:
    """Whether its client would get the right one now; a key is its own affair, which no order changes."""
    return why == rules.FROM_THE_SAME and replacing.would_count(campaign, version, known)


def _go_on(
    principal: Principal, campaign: Campaign, item: Item, found: Outcome, now: datetime, known: Known
) -> None:
    state, why = found
    if state is ItemState.REVOKING:
        _revoke(principal, campaign, item, now, known)
    elif state is not ItemState.RENEWING:
        outcome.end(item, state, why)
    else:
        if why != item.why:
            telling.client_renewed_in_vain(campaign, item, why)
        Item.objects.filter(id=item.id).update(why=why[:500], asked_again=item.asked_again)


def _revoke(principal: Principal, campaign: Campaign, item: Item, now: datetime, known: Known) -> None:
    """Days may lie between the question and the client's answer, so the rights are asked again. One that is
    being revoked can be replaced no more, and has been; only the right to revoke it counts."""
    being_revoked = item.certificate.state in BEING_REVOKED
    action = Action.REVOKE if being_revoked else Action(campaign.action)
    why = freezing.why_not(principal, action, item.certificate, now, campaign, known)
    if why:
        outcome.end(item, ItemState.FAILED, why)
        return
    try:
        outcome.revoke(campaign, item.certificate, now)
    except CertdeskError as refusal:
        outcome.end(item, ItemState.FAILED, str(refusal))
        return
    begun = clock.real_now()  # of the revocation, for the pace
    Item.objects.filter(id=item.id).update(state=ItemState.REVOKING, begun_at=begun, **outcome.proof(item))
