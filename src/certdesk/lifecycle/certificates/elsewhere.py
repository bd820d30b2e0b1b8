"""What every certificate from elsewhere has in common, with its key or without: project, quota, rows."""

from collections.abc import Mapping
from functools import lru_cache

from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.pki.x509.certificates import chain_to_pem
from certdesk.pki.x509.uploads import Public

from . import queries
from .actions import Hosted
from .rules import Bought, VersionFacts

_DAYS_A_MONTH = 365.25 / 12


def hosted(name: str, found: Public, project: str, notes: Mapping[str, object], key_id: str = "") -> Hosted:
    """What `actions.create_hosted` writes; no `key_id` = the key stays where it is."""
    return Hosted(name, _kind(found, project), _version(found, key_id), notes)


def check_project(principal: Principal, project: str) -> None:
    """Raises:
    BadParameter: the account has no such enterprise project.
    """
    if not iam.project_exists(principal.account_id, project):
        raise BadParameter(
            f"There is no enterprise project {project[:40]} that takes new certificates.",
            next_step="Use 0 for the default project, or the id of an enabled one.",
            field="enterprise_project_id",
        )


def room(account_id: str) -> int:
    """UPL-8: how many more may come. The account's row is held, so two uploads at once cannot share the
    last place."""
    quota = settings.get().upload_quota
    if not sql.is_sqlite():  # whose writers come one at a time anyway
        sql.row("SELECT 1 FROM iam_account WHERE id = %s FOR UPDATE", [account_id])
    return quota - queries.hosted_count(account_id, quota)


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
        chain=_chain_pem(found.chain),
        names=tuple(name.text for name in found.names),
        key_id=key_id,
    )


@lru_cache(maxsize=64)
def _chain_pem(chain: tuple[bytes, ...]) -> bytes:
    """The same for all that one CA issued, which comes one after the other."""
    return chain_to_pem(chain).encode("ascii")
