"""The page behind the mailed link of a reissue (REI-4): reading changes nothing, its buttons decide."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.certificates.rules import state_of
from certdesk.lifecycle.certificates.states import State

from . import reissuing
from . import revocation_rules as rules
from .models import ReissueOutcome, ReissueRequest
from .revocation_link import Standing
from .revoking import digest_of

ACTION = "reissue.confirmed"
USED = (ReissueOutcome.CONFIRMED, ReissueOutcome.DECLINED)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the mail asks its reader to decide; all empty when the link is unknown."""

    standing: Standing
    certificate_id: str = ""
    domain: str = ""
    new_domain: str = ""
    until: datetime | None = None


def inspect(secret: str, now: datetime) -> Asked:
    """What the page shows. Changes nothing."""
    return _asked(_find(secret), now)


def decide(secret: str, now: datetime, *, agree: bool, source: str = "") -> Asked:
    """Confirms or declines; answers how the link stood before.

    Args:
        source: the network address that pressed the button.

    Raises:
        WrongState: it cannot be confirmed any more; with the reason.
    """
    with short_transaction():
        found = _find(secret)
        held = reissuing.open_request(found.certificate_id) if found is not None else None
        asked = _asked(_find(secret), now)
        if held is not None and asked.standing is Standing.GOOD:
            actor = system_principal(held.account_id, ACTION)
            if agree:
                reissuing.confirm_open(actor, held, now, by="link", source=source)
            else:
                reissuing.decline_open(actor, held, now)
    return asked


def _find(secret: str) -> ReissueRequest | None:
    found = ReissueRequest.objects.filter(digest=digest_of(secret))
    return found.select_related("certificate", "application").first()


def _asked(found: ReissueRequest | None, now: datetime) -> Asked:
    if found is None:
        return Asked(Standing.UNKNOWN)
    return Asked(
        _standing(found, now),
        found.certificate_id,
        found.certificate.domain,
        found.application.names,
        found.made_at + rules.LINK_LIFE,
    )


def _standing(found: ReissueRequest, now: datetime) -> Standing:
    if found.outcome in USED:
        return Standing.USED
    over = found.outcome != ReissueOutcome.OPEN or state_of(found.certificate, now) is not State.REISSUING
    return Standing.OLD if over or rules.link_is_old(found.made_at, now) else Standing.GOOD
