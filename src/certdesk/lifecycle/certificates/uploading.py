"""Hosting a certificate from elsewhere (§5.6)."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import queries as keys
from certdesk.pki.x509 import uploads
from certdesk.pki.x509.certificates import chain_to_pem
from certdesk.pki.x509.findings import Finding
from certdesk.pki.x509.uploads import Public

from . import actions, editing, queries
from .errors import SameCertificate, UploadQuota
from .models import Certificate
from .rules import Bought, VersionFacts

UPLOAD = "scm:cert:upload"
_DAYS_A_MONTH = 365.25 / 12


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


def upload(principal: Principal, given: Given, now: datetime) -> Uploaded:
    """Checks certificate, chain and key, seals the key and hosts the certificate (UPL-1..8).

    Raises:
        Forbidden: no `scm:cert:upload` in that project.
        BadParameter: name or project; UploadRefused: certificate, chain or key, with field and code.
        SameCertificate, UploadQuota: what their names say.
    """
    project = given.enterprise_project_id or "0"
    principal.require(UPLOAD)
    editing.check_name(given.name)
    found = uploads.check_upload(
        given.certificate, given.chain, given.private_key, now, blocked=keys.is_blocked
    )
    names = tuple(name.text for name in found.names)
    new = Resource("cert", "", principal.account_id, project, principal.user_id, names)
    principal.require(UPLOAD, new)
    _check_project(principal, project)
    with sql.short_transaction():
        _check_room(principal.account_id)
        if given.duplicate_check:
            _refuse_same(principal.account_id, found)
        key = keystore.store_made(principal.account_id, found.key)
        certificate_id = actions.create_hosted(
            principal,
            given.name,
            _kind(found, project),
            _version(found, key.id),
            {"findings": sorted({one.code for one in found.findings})},
            now,
        )
    return Uploaded(certificate_id, found.findings)


def watch(
    principal: Principal, name: str, leaf: bytes, above: tuple[bytes, ...], project: str, now: datetime
) -> Uploaded:
    """Hosts a certificate that a server was seen to serve, without its key: it is watched, and cannot be
    deployed from here (DEP-1).

    Args:
        leaf, above: DER; what leads to the root.

    Raises:
        as `upload`, but for the key.
    """
    project = project or "0"
    principal.require(UPLOAD)
    editing.check_name(name)
    found = uploads.check_public(leaf, above, now, blocked=keys.is_blocked)
    names = tuple(one.text for one in found.names)
    principal.require(UPLOAD, Resource("cert", "", principal.account_id, project, principal.user_id, names))
    _check_project(principal, project)
    with sql.short_transaction():
        _check_room(principal.account_id)
        _refuse_same(principal.account_id, found)
        notes = {"findings": sorted({one.code for one in found.findings}), "key": "absent"}
        kind, version = _kind(found, project), _version(found, "")
        certificate_id = actions.create_hosted(principal, name, kind, version, notes, now)
    return Uploaded(certificate_id, found.findings)


def findings_of(certificate: Certificate, now: datetime) -> tuple[Finding, ...]:
    """What is odd about a hosted certificate, by the eyes of today; the caller fetched it.

    An expired one is not looked at any more: strict clients refuse it for its age.
    """
    version = queries.current_version(certificate)
    if version is None or now > version.not_after:
        return ()
    return uploads.findings_of(bytes(version.der), bytes(version.chain).decode("ascii"), now)


def _check_project(principal: Principal, project: str) -> None:
    if not iam.project_exists(principal.account_id, project):
        raise BadParameter(
            f"There is no enterprise project {project[:40]} that takes new certificates.",
            next_step="Use 0 for the default project, or the id of an enabled one.",
            field="enterprise_project_id",
        )


def _check_room(account_id: str) -> None:
    """UPL-8. The account's row is held, so two uploads at once cannot share the last place."""
    quota = settings.get().upload_quota
    if not sql.is_sqlite():  # whose writers come one at a time anyway
        sql.row("SELECT 1 FROM iam_account WHERE id = %s FOR UPDATE", [account_id])
    if queries.hosted_count(account_id, quota) >= quota:
        raise UploadQuota(quota)


def _refuse_same(account_id: str, found: Public) -> None:
    same = queries.same_certificate(account_id, found.names[0].text, found.facts.sha256)
    if same:
        raise SameCertificate(same)


def _kind(found: Public, project: str) -> Bought:
    """What lists and filters show of it, as if it had been bought: read from its names and dates."""
    wildcards = sum(name.wildcard for name in found.names)
    first = found.names[0].wildcard
    several = len(found.names) > 1
    lasts = found.facts.not_after - found.facts.not_before
    return Bought(
        brand="",
        type="",
        level="",
        domain_type="MULTI_DOMAIN" if several else "WILDCARD" if first else "SINGLE_DOMAIN",
        primary_domain_type="WILDCARD_DOMAIN" if first else "SINGLE_DOMAIN",
        domain_quota=len(found.names),
        single_quota=len(found.names) - wildcards - (not first),
        wildcard_quota=wildcards - first,
        validity_months=round(lasts.total_seconds() / 86_400 / _DAYS_A_MONTH),
        enterprise_project_id=project,
    )


def _version(found: Public, key_id: str) -> VersionFacts:
    facts = found.facts
    return VersionFacts(
        cause="UPLOAD",
        issuer="",
        serial=facts.serial[:40],
        fingerprint_sha256=facts.sha256,
        fingerprint_sha1=facts.sha1,
        spki_sha256=facts.spki_sha256.hex(),
        signature_algorithm=facts.signature_algorithm[:64],
        key_algorithm=found.algorithm.value,
        not_before=facts.not_before,
        not_after=facts.not_after,
        der=found.leaf,
        chain=chain_to_pem(found.chain).encode("ascii"),
        names=tuple(name.text for name in found.names),
        key_id=key_id,
    )
