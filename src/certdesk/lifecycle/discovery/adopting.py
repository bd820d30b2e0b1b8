"""A certificate of somebody else's becomes the account's: watched as it is, or replaced by one of ours."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import drafts
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates import watching
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import actions as deployment
from certdesk.pki.x509.certificates import load_chain_pem

from . import queries
from .models import Endpoint

ADOPT = "scm:scan:adopt"
DEPLOY = "discovery.deploy"
UPLOAD, REISSUE = "UPLOAD", "REISSUE"
MODES = (UPLOAD, REISSUE)
MOST_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """How it is adopted.

    Attributes:
        name: UPLOAD: what the certificate is called in the list.
        certificate_id: REISSUE: a bought certificate that has no application yet.
        agree_privacy_protection: REISSUE: as for every application (APP-11).
    """

    mode: str
    name: str = ""
    enterprise_project_id: str = "0"
    certificate_id: str = ""
    agree_privacy_protection: bool = False


def adopt(principal: Principal, endpoint_id: str, wanted: Wanted, now: datetime) -> str:
    """Hosts the public part, so that it is watched; or begins an application with its names, whose
    certificate is deployed where this one is served, if a target's binding is there.

    Returns:
        The id of the certificate.

    Raises:
        NoEndpoint, Forbidden: as `queries.fetch_endpoint` with `scm:scan:adopt`, and what hosting or
            applying needs. WrongState: it is one of the account's, or gone.
        BadParameter: no such mode, or no certificate to apply with.
        UploadRefused, SameCertificate, UploadQuota: as an upload.
    """
    endpoint = queries.fetch_endpoint(principal, ADOPT, endpoint_id)
    if endpoint.gone:
        raise WrongState("Nothing is served there any more.", next_step="Scan again.")
    if wanted.mode == UPLOAD:
        return _watched(principal, endpoint, wanted, now)
    if wanted.mode == REISSUE:
        return _replaced(principal, endpoint, wanted, now)
    raise BadParameter(
        f"{wanted.mode[:20]!r} is no way to adopt.", next_step=f"Use {' or '.join(MODES)}.", field="mode"
    )


def _watched(principal: Principal, endpoint: Endpoint, wanted: Wanted, now: datetime) -> str:
    if endpoint.certificate_id:
        raise WrongState(
            f"It is {endpoint.certificate_id} of this account already.", next_step="Look at its page."
        )
    above = tuple(load_chain_pem(bytes(endpoint.chain).decode("ascii"))) if endpoint.chain else ()
    made = watching.watch(
        principal, wanted.name, bytes(endpoint.der), above, wanted.enterprise_project_id, now
    )
    with short_transaction():
        Endpoint.objects.filter(account_id=endpoint.account_id, fingerprint=endpoint.fingerprint).update(
            certificate_id=made.certificate_id, number=1, current=True, revoked=False
        )
        _note(principal, endpoint, UPLOAD, made.certificate_id)
    return made.certificate_id


def _replaced(principal: Principal, endpoint: Endpoint, wanted: Wanted, now: datetime) -> str:
    if not wanted.certificate_id:
        raise BadParameter(
            "A certificate to apply with is missing.",
            next_step=f"Buy one for {len(endpoint.names)} names, then give its id.",
            field="certificate_id",
        )
    first, *others = endpoint.names or [endpoint.name]
    form = ApplicationForm(
        domain=first, sans=";".join(others), agree_privacy_protection=wanted.agree_privacy_protection
    )
    drafts.save(principal, wanted.certificate_id, form, now)
    with short_transaction():
        Endpoint.objects.filter(account_id=endpoint.account_id, fingerprint=endpoint.fingerprint).update(
            successor_id=wanted.certificate_id, adopted_by=principal.user_id
        )
        _note(principal, endpoint, REISSUE, wanted.certificate_id)
    return wanted.certificate_id


def open_to_apply(principal: Principal) -> list[tuple[str, str]]:
    """(id, name) of bought certificates without an application that the principal may apply with."""
    waiting = Certificate.objects.filter(account_id=principal.account_id, state=State.PAID).order_by("-id")
    return [
        (one.id, f"{one.name} ({one.id})")
        for one in waiting[:MOST_AT_ONCE]
        if principal.may(drafts.APPLY, certificate_rules.resource_of(one))
    ]


def ready() -> list[str]:
    """Certificates that were issued and are waited for."""
    waited = Endpoint.objects.exclude(successor_id="").exclude(binding_id="")
    found = Certificate.objects.filter(id__in=waited.values("successor_id"), state=State.ISSUED)
    return list(found.order_by("id").values_list("id", flat=True)[:MOST_AT_ONCE])


def forget(certificate_id: str) -> None:
    """It cannot be deployed: nobody waits for it any more, in the caller's transaction."""
    _no_more(Endpoint.objects.filter(successor_id=certificate_id))


def _no_more(waiting: QuerySet[Endpoint]) -> None:
    waiting.update(successor_id="", adopted_by="")


def waiting(certificate_id: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """(user, account, bindings) of those who wait for this certificate, in the caller's transaction."""
    rows = Endpoint.objects.filter(successor_id=certificate_id).exclude(binding_id="")
    found: dict[tuple[str, str], list[str]] = {}
    for user_id, account_id, binding_id in rows.values_list("adopted_by", "account_id", "binding_id"):
        found.setdefault((user_id, account_id), []).append(binding_id)
    return [(*key, tuple(sorted(set(those)))) for key, those in found.items()]


def deploy(principal: Principal, certificate_id: str, binding_ids: tuple[str, ...]) -> None:
    """Plans the deployment, once; how it goes is on the page of deployments. What another deployment holds
    is waited for."""
    started = deployment.deploy_to(principal, certificate_id, binding_ids)
    busy = {one for one, why in started.refused if why == deployment.BUSY}
    begun = ["", *(one for one in binding_ids if one not in busy)]
    _no_more(Endpoint.objects.filter(successor_id=certificate_id, binding_id__in=begun))


def _note(principal: Principal, endpoint: Endpoint, mode: str, certificate_id: str) -> None:
    audit.record(
        principal,
        ADOPT,
        resource=f"scan:{endpoint.scan_id}",
        account_id=endpoint.account_id,
        details={
            "mode": mode,
            "place": f"{endpoint.address}:{endpoint.port}",
            "sha256": endpoint.fingerprint,
            "certificate": certificate_id,
        },
    )
