"""Switching notices on and off, and telling: the only writers of this room."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import structlog

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox import actions as outbox
from certdesk.lifecycle.certificates import queries as certificates

from . import queries, rules
from .models import Notices
from .queries import Candidate
from .rules import NoticeType, Stage

UPDATE = "scm:notification:update"
log = structlog.get_logger(__name__)

Wanted = Sequence[tuple[str, Sequence[NoticeType]]]


def switch(principal: Principal, wanted: Wanted, *, on: bool) -> None:
    """Switches kinds of notices of certificates on or off: all of them or, where one is refused, none.

    Args:
        wanted: (certificate id, kinds) each.

    Raises:
        NoCertificate, Forbidden, UnderReview: as `certificates.queries.fetch`, for any of them.
    """
    found = [(certificates.fetch(principal, UPDATE, one), set(kinds)) for one, kinds in wanted]
    with sql.short_transaction():
        for certificate, kinds in found:
            values = {kind.name.lower(): on for kind in kinds}
            Notices.objects.update_or_create(certificate_id=certificate.id, defaults=values)
            audit.record(
                principal,
                UPDATE,
                resource=f"cert:{certificate.id}",
                details={"notices": sorted(kinds), "on": on},
                account_id=certificate.account_id,
            )


def tell(one: Candidate, stage: Stage, now: datetime) -> int:
    """Queues a stage's messages in the caller's transaction, once for ever; answers how many recipients."""
    recipients = queries.recipients(one)
    for address, locale in recipients:
        _send(one, stage, address, locale, now)
    Notices.objects.update_or_create(
        certificate_id=one.id, defaults={"version": one.version, "stage": stage.name, "told_at": now}
    )
    return len(recipients)


def _send(one: Candidate, stage: Stage, address: str, locale: str, now: datetime) -> None:
    """A message never stops the others: an address that cannot be used is noted in the log."""
    whom = hashlib.sha256(address.lower().encode()).hexdigest()[:32]
    try:
        outbox.send(
            one.account_id,
            "expired" if stage.kind is NoticeType.EXPIRED else "expiring",
            address,
            {
                "domain": one.domain,
                "name": one.name,
                "certificate_id": one.id,
                "not_after": one.not_after,
                "days": rules.days_left(one.not_after, now),
                "link": f"{settings.get().base_url}/certificates/{one.id}",
            },
            certificate_id=one.id,
            locale=locale,
            dedupe_key=f"{one.id}:{one.version}:{stage.name}:{whom}",
        )
    except BadParameter as refused:
        log.warning("message not sent", certificate=one.id, stage=stage.name, reason=refused.message)
