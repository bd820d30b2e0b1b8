"""Mails about a campaign: to the owners of its certificates before it touches them and when it is over, and
to whoever can change what stands in its way."""

import structlog

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox import actions as outbox

from . import queries, rules
from .actions import TELL
from .models import Campaign, Item
from .rules import Action
from .states import ItemState

log = structlog.get_logger(__name__)
OWNERS_AT_ONCE = 25  # each is some rows (law 13)
NAMED = 20  # domain names in one mail
ATTENTION = "campaign-attention"
TEMPLATES = {"started": "campaign-started", "ended": "campaign-ended"}


def tell(campaign: Campaign, what: str, after: str = "") -> None:
    """A page of the owners, in the caller's transaction; a drill changes nothing, so nobody is told."""
    if campaign.action == Action.DRILL:
        return
    owners = [one for one in queries.owners(campaign) if one[0] > after]
    for owner, count in owners[:OWNERS_AT_ONCE]:
        _send(campaign, what, owner, count)
    if len(owners) > OWNERS_AT_ONCE:
        payload = {"campaign": campaign.id, "what": what, "after": owners[OWNERS_AT_ONCE - 1][0]}
        jobs.enqueue(TELL, payload, subject=campaign.id)


def client_renewed_in_vain(campaign: Campaign, item: Item, why: str) -> None:
    """Once to whoever can change it, in the caller's transaction: of a key the owner, who has the client; of
    the issuer whoever started the campaign."""
    if why == rules.SAME_KEY:
        about = f"/certificates/{item.certificate_id}"
        _ask(campaign, "KEY", item.owner_id, about, f"key:{item.owner_id}", domain=item.domain)
    elif why == rules.FROM_THE_SAME:
        about = f"/campaigns/{campaign.id}"
        _ask(campaign, "ISSUER", campaign.started_by, about, "issuer", domain=item.domain)


def stopped(campaign: Campaign, reason: str, key: str) -> None:
    """To whoever started it: it stands still by itself. In the caller's transaction.

    Args:
        key: of this very stop; it may go on and stop again.
    """
    about = f"/campaigns/{campaign.id}"
    _ask(campaign, "STOPPED", campaign.started_by, about, f"stopped:{key}", reason=reason)


def _ask(
    campaign: Campaign, cause: str, whom: str, path: str, key: str, *, domain: str = "", reason: str = ""
) -> None:
    contact = _contact(campaign.account_id, whom)
    if contact is None:
        return
    context = {
        "name": contact.name,
        "campaign": campaign.name,
        "cause": cause,
        "domain": domain,
        "reason": reason,
        "link": f"{settings.get().base_url}{path}",
    }
    key = f"campaign:{campaign.id}:{key}"
    try:
        outbox.send(
            campaign.account_id, ATTENTION, contact.email, context, locale=contact.language, dedupe_key=key
        )
    except BadParameter as refused:  # the step goes on without
        log.warning("message not sent", campaign=campaign.id, reason=refused.message)


def _send(campaign: Campaign, what: str, owner: str, count: int) -> None:
    contact = _contact(campaign.account_id, owner)
    if contact is None:
        return
    theirs = queries.items(campaign).filter(owner_id=owner).exclude(state=ItemState.CANNOT)
    outbox.send(
        campaign.account_id,
        TEMPLATES[what],
        contact.email,
        {
            "name": contact.name,
            "campaign": campaign.name,
            "action": campaign.action,
            "reason": campaign.words,
            "count": count,
            "clients": theirs.filter(client=True).count(),
            "done": theirs.filter(state=ItemState.DONE).count(),
            "domains": list(theirs.values_list("domain", flat=True)[:NAMED]),
            "more": max(0, count - NAMED),
            "link": f"{settings.get().base_url}/certificates",
        },
        locale=contact.language,
        dedupe_key=f"campaign:{campaign.id}:{what}:{owner}",
    )


def _contact(account_id: str, user_id: str) -> User | None:
    """This user; when he is gone, the account's first user with an address."""
    users = User.objects.filter(account_id=account_id, is_active=True).exclude(email="")
    return users.filter(id=user_id).first() or users.order_by("created_at", "id").first()
