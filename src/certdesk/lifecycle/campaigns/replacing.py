"""Replacing: a further version with a new key through the one pipeline, deployed where the old one is served,
and only then, where that is asked for, the old version revoked.

No step is taken before the one before it is seen to be done: whatever fails, what is served stays in force.
"""

from datetime import datetime

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import actions as deployment
from certdesk.lifecycle.deployment import queries as places
from certdesk.lifecycle.deployment.states import BindingState
from certdesk.lifecycle.issuance import followup, revoking
from certdesk.lifecycle.issuance.revocation_rules import Code

from . import rules
from .models import Campaign, Item
from .rules import Action
from .states import ItemState

Outcome = tuple[ItemState, str]


def why_not(certificate: Certificate) -> str:
    """Why no version with a new key can be made of it; empty when one can."""
    try:
        before = followup.base_of(certificate)
    except CertdeskError as refusal:
        return refusal.message
    return rules.KEY_OF_A_CSR if followup.keeps_key(before) else ""


def begin(principal: Principal, certificate: Certificate, now: datetime) -> None:
    """Asks for the new version; one that is asked for already is waited for.

    Raises:
        CertdeskError: see `followup.roll_over`.
    """
    if followup.open_rollover(certificate.id) is None:
        followup.roll_over(principal, certificate.id, now, latest=followup.paid_until(certificate))


def advance(principal: Principal, campaign: Campaign, item: Item, now: datetime) -> Outcome:
    """Where the item stands now, as far as it can go at this moment; in the caller's transaction."""
    certificate = item.certificate
    if certificate.state not in (State.ISSUED, State.REISSUING):
        return ItemState.FAILED, rules.GONE if certificate.state == State.DELETED else rules.OTHERWISE
    if certificate.current_version <= item.version:
        if followup.open_rollover(certificate.id) is not None:
            return ItemState.REPLACING, ""
        return ItemState.FAILED, certificate.last_failure or rules.NOT_REPLACED
    waits, why = _deploy(principal, certificate)
    if why or waits:
        return (ItemState.FAILED, why) if why else (ItemState.DEPLOYING, "")
    if campaign.action == Action.REPLACE_AND_REVOKE:
        code, words = Code(campaign.reason_code), f"Campaign {campaign.name}"
        revoking.revoke_versions(principal, certificate, item.version, code, now, why=words)
    return ItemState.DONE, ""


def _deploy(principal: Principal, certificate: Certificate) -> tuple[bool, str]:
    """Whether a place does not serve the new version yet, and why it never will."""
    version = certificates.current_version(certificate)
    sha1 = version.fingerprint_sha1 if version else ""
    behind = places.behind(certificate.account_id, certificate.id, sha1)
    failed = [one for one in behind if one.deployment == BindingState.FAILED and one.fingerprint == sha1]
    if failed:
        return True, rules.NOT_DEPLOYED
    to_do = [one.id for one in behind if one.deployment != BindingState.DEPLOYING]
    if not to_do:
        return bool(behind), ""
    try:
        started = deployment.deploy_to(principal, certificate.id, to_do)
    except CertdeskError as refusal:
        return True, str(refusal)
    refused = [why for _, why in started.refused if why != deployment.BUSY]
    return True, refused[0] if refused else ""
