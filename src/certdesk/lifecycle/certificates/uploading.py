"""Hosting a certificate from elsewhere (§5.6)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.baton import baton
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import queries as keys
from certdesk.pki.x509 import uploads
from certdesk.pki.x509.findings import Finding
from certdesk.pki.x509.uploads import Upload

from . import actions, editing, elsewhere, queries
from .errors import SameCertificate, UploadQuota
from .models import Certificate

UPLOAD = "scm:cert:upload"
AT_ONCE = 16  # certificates a transaction: each has six rows and more
PAUSE = 0.002  # seconds between them, for other writers


@dataclass(frozen=True, slots=True)
class Given:
    """What was sent; the key does not show in `repr`.

    Attributes:
        certificate, chain, private_key: PEM; the chain may stand in `certificate`.
        duplicate_check: refuse what is hosted already, letter for letter.
    """

    name: str
    certificate: str
    private_key: str
    chain: str = ""
    duplicate_check: bool = False
    enterprise_project_id: str = "0"

    def __repr__(self) -> str:
        return f"Given({self.name!r})"


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The id of the new certificate, and what is odd about it."""

    certificate_id: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Checked:
    """A certificate that may be hosted, as far as it says itself."""

    given: Given
    found: Upload
    project: str


_Place = tuple[int, _Checked]
"""Where it stands in what was given."""


def upload(principal: Principal, given: Given, now: datetime) -> Uploaded:
    """Checks certificate, chain and key, seals the key and hosts the certificate (UPL-1..8).

    Raises:
        Forbidden: no `scm:cert:upload` in that project.
        BadParameter: name or project; UploadRefused: certificate, chain or key, with field and code.
        SameCertificate, UploadQuota: what their names say.
    """
    outcome = upload_many(principal, [given], now)[0]
    if isinstance(outcome, CertdeskError):
        raise outcome
    return outcome


def upload_many(
    principal: Principal, given: Sequence[Given], now: datetime
) -> list[Uploaded | CertdeskError]:
    """As `upload` for several, each by itself: one that is refused hinders no other.

    Written by `AT_ONCE` a transaction, with a pause after each but the last (law 13).

    Returns:
        An outcome each, in the same order; a refusal is what `upload` would raise.

    Raises:
        Forbidden: no `scm:cert:upload` anywhere.
        BadParameter: a project that there is not; then none is hosted.
    """
    principal.require(UPLOAD)
    outcomes: list[Uploaded | CertdeskError | _Checked] = [_checked(principal, one, now) for one in given]
    ready = [(place, one) for place, one in enumerate(outcomes) if isinstance(one, _Checked)]
    while ready:
        chunk, ready = _chunk(ready)
        hosted = _host(principal, [one for _, one in chunk], now)
        for (place, _), outcome in zip(chunk, hosted, strict=True):
            outcomes[place] = outcome
        if ready:
            with baton.aside():
                time.sleep(PAUSE)
    return [one for one in outcomes if not isinstance(one, _Checked)]


def _checked(principal: Principal, given: Given, now: datetime) -> _Checked | CertdeskError:
    """What can be said without the account's other certificates."""
    project = given.enterprise_project_id or "0"
    try:
        editing.check_name(given.name)
        found = uploads.check_upload(
            given.certificate, given.chain, given.private_key, now, blocked=keys.is_blocked
        )
        names = tuple(name.text for name in found.names)
        principal.require(
            UPLOAD, Resource("cert", "", principal.account_id, project, principal.user_id, names)
        )
    except CertdeskError as refused:
        return refused
    elsewhere.check_project(principal, project)
    return _Checked(given, found, project)


def _chunk(ready: list[_Place]) -> tuple[list[_Place], list[_Place]]:
    """The first ones, for one transaction, and the rest. Nothing stands twice in a chunk, so that whoever
    asks for it hears of the first by its id."""
    seen = set[str]()
    for taken, (_, one) in enumerate(ready[:AT_ONCE]):
        if one.found.facts.sha256 in seen:
            return ready[:taken], ready[taken:]
        seen.add(one.found.facts.sha256)
    return ready[:AT_ONCE], ready[AT_ONCE:]


def _host(principal: Principal, checked: Sequence[_Checked], now: datetime) -> list[Uploaded | CertdeskError]:
    """One transaction; none is in it twice."""
    account_id = principal.account_id
    with sql.short_transaction():
        room, outcomes = elsewhere.room(account_id), list[CertdeskError | None]()
        for one in checked:
            refused = _refused(account_id, one, room - outcomes.count(None))
            outcomes.append(refused)
        kept = [one for one, refused in zip(checked, outcomes, strict=True) if refused is None]
        key_ids = keystore.store_many(account_id, [one.found.key for one in kept])
        hosted = [_hosted(one, key_id) for one, key_id in zip(kept, key_ids, strict=True)]
        made = iter(actions.create_hosted(principal, hosted, now))
    findings = iter([one.found.findings for one in kept])
    return [refused or Uploaded(next(made), next(findings)) for refused in outcomes]


def _refused(account_id: str, one: _Checked, room: int) -> CertdeskError | None:
    if room <= 0:
        return UploadQuota(settings.get().upload_quota)
    if not one.given.duplicate_check:
        return None
    same = queries.same_certificate(account_id, one.found.names[0].text, one.found.facts.sha256)
    return SameCertificate(same) if same else None


def _hosted(one: _Checked, key_id: str) -> actions.Hosted:
    notes = {"findings": sorted({each.code for each in one.found.findings})}
    return elsewhere.hosted(one.given.name, one.found, one.project, notes, key_id)


def findings_of(certificate: Certificate, now: datetime) -> tuple[Finding, ...]:
    """What is odd about a hosted certificate, by the eyes of today; the caller fetched it.

    An expired one is not looked at any more: strict clients refuse it for its age.
    """
    version = queries.current_version(certificate)
    if version is None or now > version.not_after:
        return ()
    return uploads.findings_of(bytes(version.der), bytes(version.chain).decode("ascii"), now)
