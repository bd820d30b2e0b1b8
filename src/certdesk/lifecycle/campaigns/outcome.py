"""What came of one certificate of a campaign, written down; and the revocation that all its ways share."""

from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.issuance.revocation_rules import Code

from .models import Campaign, Item
from .states import ItemState


def end(item: Item, state: ItemState, why: str) -> None:
    Item.objects.filter(id=item.id).update(
        **{**proof(item), "state": state, "why": why[:500], "ended_at": clock.real_now()}
    )


def proof(item: Item) -> dict[str, object]:
    """What took its place, for the report; its client is asked for nothing more."""
    return {
        "why": "",
        "asked_again": "",
        "new_certificate_id": item.new_certificate_id,
        "new_issuer": item.new_issuer,
        "new_serial": item.new_serial,
        "served": item.served,
    }


def revoke(campaign: Campaign, certificate: Certificate, now: datetime) -> None:
    """Asks for the revocation of the whole certificate, in the caller's transaction.

    Raises:
        WrongState, Conflict: see `revoking.revoke_now`.
    """
    words = campaign.words or f"Campaign {campaign.name}"
    revoking.revoke_now(certificate, Code(campaign.reason_code), words, now, who=revoking.CAMPAIGN)
