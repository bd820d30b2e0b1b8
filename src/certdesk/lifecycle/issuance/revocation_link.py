"""The page behind the mailed link of a revocation (REV-2): reading changes nothing, the button confirms."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.certificates.states import BEING_REVOKED

from . import revocation_rules as rules
from . import revoking
from .models import Outcome, RevocationRequest

ACTION = "revocation.confirmed"


class Standing(StrEnum):
    """How a link stands now."""

    GOOD = "GOOD"
    USED = "USED"
    OLD = "OLD"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the mail asks its reader to confirm; all empty when the link is unknown."""

    standing: Standing
    certificate_id: str = ""
    domain: str = ""
    words: str = ""
    until: datetime | None = None


def inspect(secret: str, now: datetime) -> Asked:
    """What the page shows. Changes nothing."""
    return _asked(_find(secret), now)


def confirm(secret: str, now: datetime, *, source: str = "") -> Asked:
    """Confirms; answers how the link stood before.

    Args:
        source: the network address that pressed the button.
    """
    with short_transaction():
        found = _find(secret)
        asked = _asked(found, now)
        if found is not None and asked.standing is Standing.GOOD:
            actor = system_principal(found.account_id, ACTION)
            revoking.confirm_open(actor, found, now, by="link", source=source)
    return asked


def _find(secret: str) -> RevocationRequest | None:
    return (
        RevocationRequest.objects.filter(digest=revoking.digest_of(secret))
        .select_related("certificate")
        .first()
    )


def _asked(found: RevocationRequest | None, now: datetime) -> Asked:
    if found is None:
        return Asked(Standing.UNKNOWN)
    return Asked(
        _standing(found, now),
        found.certificate_id,
        found.certificate.domain,
        found.words,
        found.made_at + rules.LINK_LIFE,
    )


def _standing(found: RevocationRequest, now: datetime) -> Standing:
    if found.confirmed_at is not None:
        return Standing.USED
    over = found.outcome != Outcome.OPEN or found.certificate.state not in BEING_REVOKED
    return Standing.OLD if over or rules.link_is_old(found.made_at, now) else Standing.GOOD
