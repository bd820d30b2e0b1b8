"""What certificates, keys and organizations look like to the person who approves, with the right to them."""

from collections.abc import Callable, Mapping
from typing import Any

from certdesk.foundation.approvals.rules import Target, digest
from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.lifecycle.campaigns import figures
from certdesk.lifecycle.campaigns import queries as campaigns
from certdesk.lifecycle.campaigns import states as campaign_states
from certdesk.lifecycle.campaigns.actions import START
from certdesk.lifecycle.campaigns.rules import Action
from certdesk.lifecycle.campaigns.states import CampaignState
from certdesk.lifecycle.certificates import csrs, endings, queries, rules
from certdesk.lifecycle.certificates.deleting import DELETE
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.validation import organization_queries
from certdesk.lifecycle.validation.models import OrganizationState, OrganizationVerification

Arguments = Mapping[str, Any]
Find = Callable[[Principal, Arguments], Target | None]
DOWNLOAD, REVOKE, DECIDE = "scm:cert:download", "scm:cert:revoke", "scm:organization:decide"


def _certificate(principal: Principal, action: str, arguments: Arguments) -> Certificate:
    certificate_id = arguments.get("certificate_id") or arguments.get("cert_id") or ""
    return queries.fetch(principal, action, str(certificate_id))


def _version_of(one: Certificate) -> str:
    return digest(one.id, one.state, one.current_version, one.name, one.domain, one.sans, one.owner_id)


def _words(one: Certificate) -> str:
    return f"{one.name} ({one.id}) for {one.domain}" if one.domain else f"{one.name} ({one.id})"


def deletion(principal: Principal, arguments: Arguments) -> Target:
    """DEL-1 is asked at once: what cannot be deleted waits for nobody."""
    found = _certificate(principal, DELETE, arguments)
    shown = rules.state_of(found, clock.now())
    endings.check_deletable(found, shown, in_console=principal.via is Via.CONSOLE)
    text = f"Delete the certificate {_words(found)} for good and destroy its private key."
    return Target("cert", found.id, _version_of(found), text)


def revocation(principal: Principal, arguments: Arguments) -> Target:
    """The operation itself asks the rules of revocation, now and when it runs."""
    found = _certificate(principal, REVOKE, arguments)
    text = f"Revoke the certificate {_words(found)}: from then on clients refuse it."
    return Target("cert", found.id, _version_of(found), text)


def campaign(principal: Principal, arguments: Arguments) -> Target | None:
    """None for what revokes nothing, and for going on with one that was started before."""
    found = campaigns.fetch(principal, START, str(arguments["id"]))
    campaign_states.check(CampaignState(found.state), "start")
    revokes = found.action in (Action.REVOKE, Action.REPLACE_AND_REVOKE)
    if not revokes or found.started_at is not None:
        return None
    count = figures.of_one(found).total
    version = digest(found.id, found.round, found.query, found.action, found.per_minute, str(found.frozen_at))
    text = f"Start the campaign {found.name}: revoke {count} certificates at {found.per_minute} a minute."
    if found.action == Action.REPLACE_AND_REVOKE:
        text = f"Start the campaign {found.name}: replace {count} certificates, then revoke the old ones."
    return Target("campaign", found.id, version, text)


def certificate_key(principal: Principal, arguments: Arguments) -> Target | None:
    """None where no private key would be handed out, or nothing at all: the operation says why."""
    found = _certificate(principal, DOWNLOAD, arguments)
    rules.check_downloadable(found, clock.now())
    version: Version | None = queries.current_version(found)
    if version is None or not version.key_id:
        return None
    text = (
        f"Hand out the private key of the certificate {_words(found)} to {principal.name}, once, "
        "within 24 hours."
    )
    return Target("cert", found.id, digest(_version_of(found), version.fingerprint_sha256), text)


def csr_key(principal: Principal, arguments: Arguments) -> Target | None:
    found = csrs.fetch(principal, csrs.EXPORT, str(arguments["id"]))
    if not found.key_id:
        return None
    text = (
        f"Hand out the private key of the CSR {found.name} ({found.id}) to {principal.name}, once, "
        "within 24 hours."
    )
    return Target("csr", found.id, digest(found.id, found.name, found.spki_sha256), text)


def organization(principal: Principal, arguments: Arguments) -> Target | None:
    """An approval needs another person; a rejection gives nothing away."""
    if arguments["body"].decision != "approve":
        return None
    info = organization_queries.show(principal, str(arguments["certificate_id"]), DECIDE)
    if not info.may_decide:
        return None
    decided = [(one.officer, one.approved, str(one.at)) for one in info.decisions]
    shown = [(one.id, str(one.removed_at)) for one in info.documents]
    version = digest(info.certificate_id, info.status, info.company, list(info.names), decided, shown)
    company = info.company.get("name", "")
    text = f"Approve the organization {company} for the {info.level} certificate of {info.domain}."
    return Target("cert", info.certificate_id, version, text)


def pending_verification(certificate_id: str) -> OrganizationVerification | None:
    found = OrganizationVerification.objects.filter(
        certificate_id=certificate_id, state=OrganizationState.PENDING
    )
    return found.select_related("application").order_by("-id").first()
