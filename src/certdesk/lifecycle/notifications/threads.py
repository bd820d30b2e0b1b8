"""The thread of one certificate as people see it: what was told, to whom, what comes next (NTF-5)."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.outbox import queries as outbox
from certdesk.foundation.outbox.queries import Fate
from certdesk.lifecycle.certificates.models import Certificate

from . import queries, recipients, rules
from .models import Notice, Notices, Progress
from .recipients import To
from .rules import NoticeType, Stage
from .successions import Succession


@dataclass(frozen=True, slots=True)
class Told:
    """One notice. `fate` is None for one that waits for its hour or was silenced before it left."""

    notice: Notice
    fate: Fate | None


@dataclass(frozen=True, slots=True)
class Thread:
    """How far it has come.

    Attributes:
        stage: the last one told of the current version; empty for none.
        following: the next one, None at the end, or where its renewal is served instead of it.
        succession: what was bought to renew it.
        may_acknowledge: a stage was told and nobody acknowledged it.
        recipients: who is told at the next stage.
    """

    stage: str
    told_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    following: Stage | None
    succession: Succession | None
    recipients: tuple[To, ...]
    told: tuple[Told, ...]
    on: frozenset[NoticeType]

    @property
    def may_acknowledge(self) -> bool:
        return bool(self.stage) and self.acknowledged_at is None


def of(certificate: Certificate, now: datetime, *, most: int = 20) -> Thread:
    """The caller fetched the certificate."""
    about = queries.candidates([certificate.id]).get(certificate.id)
    row = Notices.objects.filter(certificate_id=certificate.id).first()
    current = row if row is not None and about is not None and row.version == about.version else None
    settled = about is not None and about.succession is not None and about.succession.settled
    return Thread(
        stage=current.stage if current else "",
        told_at=current.told_at if current else None,
        acknowledged_at=current.acknowledged_at if current else None,
        acknowledged_by=current.acknowledged_by if current else "",
        following=rules.following(about.stages, now) if about and not settled else None,
        succession=about.succession if about else None,
        recipients=_recipients(about) if about else (),
        told=_told(certificate.id, most),
        on=about.on if about else frozenset(),
    )


def is_told(certificate_id: str) -> bool:
    """Whether anybody is, at the next stage. The caller knows the certificate."""
    about = queries.candidates([certificate_id]).get(certificate_id)
    return about is not None and bool(_recipients(about))


def _recipients(about: queries.Candidate) -> tuple[To, ...]:
    return tuple(recipients.of(about, recipients.audience(about.account_id)))


def _told(certificate_id: str, most: int) -> tuple[Told, ...]:
    found = list(Notice.objects.filter(certificate_id=certificate_id).order_by("-id")[:most])
    fates = outbox.fates([one.message_id for one in found if one.message_id])
    return tuple(
        Told(one, fates.get(one.message_id) if one.state == Progress.SENT else None) for one in found
    )
