"""Freezing the list: what a campaign will touch is written down before anything is done, page by page."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate

from . import actions, queries, replacing, rules
from .models import Campaign, Item
from .queries import Found
from .replacing import Known
from .rules import Action, Query
from .states import CampaignState, ItemState

AT_ONCE = 100  # rows of one transaction (law 13)


def page(principal: Principal, campaign: Campaign, after: str, now: datetime) -> None:
    """Writes one page and asks for the next, in the caller's transaction."""
    found, further = queries.matching(principal, Query(**campaign.query), after, now)
    known = Known()
    known.look_up([one.certificate_id for one in found])
    judged = judge(principal, Action(campaign.action), found, now, campaign, known)
    Item.objects.bulk_create(
        [
            _item(campaign, one, why, client=known.is_client(one.certificate_id))
            for one, why in zip(found, judged, strict=True)
        ]
    )
    if further:
        actions.send_freeze(campaign, principal.user_id, further)
    else:
        Campaign.objects.filter(id=campaign.id, round=campaign.round).update(
            state=CampaignState.READY, frozen_at=clock.real_now()
        )


def judge(
    principal: Principal,
    action: Action,
    found: Sequence[Found],
    now: datetime,
    campaign: Campaign | None = None,
    known: Known | None = None,
) -> list[str]:
    """Why each of these cannot be touched; empty for those that can."""
    rows = Certificate.objects.in_bulk([one.certificate_id for one in found])
    return [why_not(principal, action, rows.get(one.certificate_id), now, campaign, known) for one in found]


def why_not(
    principal: Principal,
    action: Action,
    certificate: Certificate | None,
    now: datetime,
    campaign: Campaign | None = None,
    known: Known | None = None,
) -> str:
    """Asked when the list is frozen, and again at the certificate's turn; without a campaign for a drill.

    Args:
        known: what was read for a page of them; else it is read for this one.
    """
    if certificate is None or certificate.deleted_at is not None:
        return rules.GONE
    about = certificate_rules.resource_of(certificate)
    allowed = all(principal.may(right, about) for right in rules.RIGHTS[action])
    state = certificate_rules.state_of(certificate, now)
    why = rules.cannot(action, state, certificate.source, allowed=allowed)
    if why or not rules.replaces(action) or campaign is None:
        return why
    return replacing.why_not(campaign, certificate, known or Known())


def _item(campaign: Campaign, found: Found, why: str, *, client: bool) -> Item:
    return Item(
        campaign=campaign,
        round=campaign.round,
        certificate_id=found.certificate_id,
        owner_id=found.owner_id,
        domain=found.domain,
        issuer=found.issuer,
        serial=found.serial,
        version=found.version,
        places=found.places,
        client=client and rules.replaces(Action(campaign.action)),
        state=ItemState.CANNOT if why else ItemState.WAITING,
        why=why,
    )


def sweep(campaign: Campaign) -> bool:
    """Takes away a page of an older list; whether there is more of it."""
    old = list(
        Item.objects.filter(campaign=campaign).exclude(round=campaign.round).values_list("id")[:AT_ONCE]
    )
    Item.objects.filter(id__in=[number for (number,) in old]).delete()
    return len(old) == AT_ONCE
