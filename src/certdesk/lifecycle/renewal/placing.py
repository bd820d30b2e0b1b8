"""The last part of a renewal: the new certificate goes where the old one is served, and is seen there."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.deployment import actions as deployments
from certdesk.lifecycle.deployment import material
from certdesk.lifecycle.deployment.models import Binding
from certdesk.lifecycle.deployment.rules import Wanted
from certdesk.lifecycle.deployment.states import BindingState

from .causes import Cause
from .models import Renewal
from .outcome import Done, Failed, Outcome, Waits

LOOK_AGAIN = timedelta(seconds=20)


def place(principal: Principal, renewal: Renewal, new: Certificate, *, deploy: bool) -> Outcome:
    """Deploys `new` to every binding of the old one that does not serve it yet; Done when all do."""
    version = certificates.current_version(new)
    if version is None:
        return Waits()
    found = _bindings(renewal)
    if not found:
        return Done(Cause.INSTALL)
    if not deploy or not material.held(version, new.account_id):
        return Done(Cause.INSTALL)
    _remember(renewal, found)
    open_ones = [one for one in found if not _serves(one, new, version)]
    if not open_ones:
        return Done()
    if any(one.deployment == BindingState.DEPLOYING for one in open_ones):
        return Waits(pause=LOOK_AGAIN)
    failed = [one for one in open_ones if _tried(one, new, version)]
    if failed and not retries(renewal, Cause.DEPLOYMENT):
        return Failed(Cause.DEPLOYMENT, "; ".join(dict.fromkeys(one.reason for one in failed))[:500])
    refused = _deploy(principal, new.id, open_ones)
    return Failed(Cause.DEPLOYMENT, refused[:500]) if refused else Waits(pause=LOOK_AGAIN)


RETRY = "retry"
"""`Renewal.seen` of one whose pause is over."""


def retries(renewal: Renewal, *causes: Cause) -> bool:
    """Whether it failed for one of these causes, and the pause after that is over."""
    return renewal.seen == RETRY and renewal.cause in causes


def _bindings(renewal: Renewal) -> list[Binding]:
    """Those of the old certificate as they are now, and those that were its when this began."""
    old = Q(certificate_id=renewal.certificate_id) | Q(served_certificate_id=renewal.certificate_id)
    mine = Q(id__in=renewal.bindings) & Q(certificate_id__in=(renewal.certificate_id, renewal.new_id, ""))
    rows = Binding.objects.filter(old | mine, account_id=renewal.account_id, gone=False)
    wanted = rows.filter(
        Q(certificate_id__in=(renewal.certificate_id, renewal.new_id)) | Q(certificate_id="")
    )
    return [one for one in wanted.select_related("target").order_by("id") if one.names and one.listeners]


def _remember(renewal: Renewal, found: Iterable[Binding]) -> None:
    known = sorted({*renewal.bindings, *(one.id for one in found)})
    if known != renewal.bindings:
        renewal.bindings = known
        renewal.save(update_fields=["bindings"])


def _serves(one: Binding, new: Certificate, version: Version) -> bool:
    return (
        one.certificate_id == new.id
        and one.deployment == BindingState.DEPLOYED
        and one.served == version.fingerprint_sha1
    )


def _tried(one: Binding, new: Certificate, version: Version) -> bool:
    """Whether its last deployment was of this very version, and failed."""
    return (
        one.certificate_id == new.id
        and one.version == version.number
        and one.deployment == BindingState.FAILED
    )


def _deploy(principal: Principal, certificate_id: str, bindings: Iterable[Binding]) -> str:
    """Starts a deployment a service and region; answers why some were refused."""
    groups: dict[tuple[str, str], list[Binding]] = defaultdict(list)
    for one in bindings:
        groups[(one.target.service, one.target.region)].append(one)
    refused: list[str] = []
    for (service, region), group in groups.items():
        keys = [one.names[0] if service == "CDN" else one.id for one in group]
        started = deployments.deploy(
            principal, certificate_id, service, region, [Wanted(key) for key in keys[:100]]
        )
        refused += [why for _key, why in started.refused if why != deployments.BUSY]
    return "; ".join(dict.fromkeys(refused))
