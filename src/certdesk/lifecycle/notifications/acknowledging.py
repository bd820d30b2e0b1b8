"""The page behind the link in a notice (NTF-5): reading changes nothing, the button acknowledges."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import system_principal

from . import queries
from .actions import ACKNOWLEDGED, silence
from .models import Notice, Notices
from .packing import digest_of


class Standing(StrEnum):
    """How a link stands now."""

    GOOD = "GOOD"
    USED = "USED"
    OLD = "OLD"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Line:
    certificate_id: str
    domain: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What the notice was about; empty when the link is unknown."""

    standing: Standing
    lines: tuple[Line, ...] = ()


def inspect(secret: str) -> Asked:
    """What the page shows. Changes nothing."""
    found = _find(secret)
    return _asked(found, _open(found))


def acknowledge(secret: str, now: datetime, *, source: str = "") -> Asked:
    """Acknowledges every certificate of the notice that is still at its stage; answers how the link stood.

    Args:
        source: the network address that pressed the button.
    """
    with short_transaction():
        found = _find(secret)
        threads = _open(found)
        asked = _asked(found, threads)
        for thread in threads:
            if thread.acknowledged_at is None and silence(thread, "link", now):
                audit.record(
                    system_principal(thread.account_id, ACKNOWLEDGED),
                    ACKNOWLEDGED,
                    resource=f"cert:{thread.certificate_id}",
                    details={"stage": thread.stage, "by": "link", "source": source},
                    account_id=thread.account_id,
                )
    return asked


def _find(secret: str) -> list[Notice]:
    return list(Notice.objects.filter(link=digest_of(secret)).order_by("id"))


def _open(found: list[Notice]) -> list[Notices]:
    """The threads that still stand at the stage of the notice."""
    wanted = {(one.certificate_id, one.version, one.stage) for one in found}
    threads = Notices.objects.filter(certificate_id__in=[one.certificate_id for one in found])
    return [one for one in threads if (one.certificate_id, one.version, one.stage) in wanted]


def _asked(found: list[Notice], threads: list[Notices]) -> Asked:
    if not found:
        return Asked(Standing.UNKNOWN)
    about = queries.candidates([one.certificate_id for one in found])
    lines = tuple(Line(one.id, one.domain, one.not_after) for one in about.values())
    waits = any(one.acknowledged_at is None for one in threads if one.certificate_id in about)
    if waits:
        return Asked(Standing.GOOD, lines)
    used = any(one.acknowledged_at is not None for one in threads)
    return Asked(Standing.USED if used else Standing.OLD, lines)
