"""Mails to the owners of a campaign's certificates: before it touches them, and what came of it."""

from certdesk.foundation.common import settings
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox import actions as outbox

from . import queries
from .actions import TELL
from .models import Campaign
from .rules import Action
from .states import ItemState

OWNERS_AT_ONCE = 25  # each is some rows (law 13)
NAMED = 20  # domain names in one mail
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


def _contact(account_id: str, owner: str) -> User | None:
    """The owner; when he is gone, the account's first user with an address."""
    users = User.objects.filter(account_id=account_id, is_active=True).exclude(email="")
    return users.filter(id=owner).first() or users.order_by("created_at", "id").first()
