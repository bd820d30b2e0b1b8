"""A restore from end to end: fill, fence what old processes had, prove that all of it opens and verifies."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.audit.verify_database import verify_database
from certdesk.foundation.backup import restoring, target
from certdesk.foundation.backup.making import RESOURCE
from certdesk.foundation.backup.manifest import Manifest
from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import restored as iam
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.sealing import actions as sealing
from certdesk.foundation.sealing import checking, kek
from certdesk.pki.authority import publishing
from certdesk.pki.authority.verify import verify_issued

from . import crl_files

RESTORED = "host.restore"


@dataclass(frozen=True)
class Restored:
    """Attributes:
    made_at: the moment that the installation is back at.
    lacks: events that were signed later, by account: what they tell of is not in the backup.
    heads_kept: where the checkpoints of the time after the backup were put.
    messages_held: queued in the backup; most likely sent since, so they wait for somebody to send them.
    ended: sessions, links and tokens that are over.
    revoked_again: serials that the given CRLs show and the backup did not know as revoked.
    crls_signed: at once, with numbers from `lowest_crl_number` on.
    """

    restored: bool
    made_at: str
    counts: Mapping[str, int]
    secrets_opened: int
    secrets_broken: Sequence[str]
    audit_problems: Sequence[object]
    certificates_verified: int
    certificate_problems: Sequence[object]
    lacks: Sequence[Mapping[str, Any]]
    heads_kept: str
    jobs_taken_back: int
    messages_held: int
    ended: Mapping[str, int]
    revoked_again: int
    crls_signed: int
    lowest_crl_number: int

    @property
    def good(self) -> bool:
        return not (self.secrets_broken or self.audit_problems or self.certificate_problems)


def restore(
    file: Path, heads: Path | None, verify: int, passphrase: str = "", crls: Sequence[Path] = ()
) -> Restored:
    """Everything, or nothing that anybody could start on.

    Raises:
        BackupRefused, KekRefused: something stands there, or the file cannot be opened.
        BackupBroken: it is damaged.
    """
    kek.load()
    noted = restoring.noted(heads)
    with target.building():
        found = restoring.fill(file, passphrase)
        sealing.check_kek()
        report = _settle(found, [asdict(gap) for gap in restoring.gaps(noted)], verify, crls)
    while audit.seal_pending():
        pass
    return report


def _settle(
    found: Manifest, lacks: Sequence[Mapping[str, Any]], verify: int, crls: Sequence[Path]
) -> Restored:
    opened = checking.open_all()
    kept = restoring.set_heads_aside()
    audited = verify_database()
    issued = verify_issued(verify or None)
    with sql.short_transaction():
        taken_back, held, ended = jobs.take_back_all(), outbox.hold_all(), iam.end_all()
        publishing.jump()
        _record(found, lacks)
    revoked = crl_files.revoke_again(crls)
    numbers = publishing.publish_all(clock.now())
    return Restored(
        restored=True,
        made_at=found.made_at,
        counts=found.counts,
        secrets_opened=opened.opened,
        secrets_broken=opened.broken,
        audit_problems=audited.problems,
        certificates_verified=issued.checked,
        certificate_problems=issued.problems,
        lacks=lacks,
        heads_kept=kept,
        jobs_taken_back=taken_back,
        messages_held=held,
        ended=ended,
        revoked_again=len(revoked),
        crls_signed=len(numbers),
        lowest_crl_number=min(numbers.values(), default=0),
    )


def _record(found: Manifest, lacks: Sequence[Mapping[str, Any]]) -> None:
    """The chain itself says that it goes on from an older moment, and what was lost."""
    audit.record(
        system_principal("", RESTORED),
        RESTORED,
        resource=RESOURCE,
        details={"made_at": found.made_at, "lacks": list(lacks)},
    )
