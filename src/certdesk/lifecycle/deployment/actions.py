"""Starting deployments, trying again, going back: the verbs of people and of whoever acts for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version

from . import material, queries, rollout, rules, states, stepping
from .models import Binding, Deployment, Step
from .rollout import AT_ONCE, Rollout
from .rules import Wanted
from .states import Cause, DeploymentState, StepState

BUSY = "Another deployment to it is under way."
SUPERSEDED = "A later deployment took its place, so there is nothing to go back to."


@dataclass(frozen=True, slots=True)
class Started:
    """`deployment` is None when every resource was refused; `refused`: what was asked, and why not."""

    deployment: Deployment | None
    refused: tuple[tuple[str, str], ...]


def deploy(
    principal: Principal,
    certificate_id: str,
    service: str,
    project: str,
    wanted: Sequence[Wanted],
    plan: Rollout = AT_ONCE,
) -> Started:
    """Plans the certificate's current version for each binding that may have it; workers do the rest.

    Args:
        service: ELB, WAF, CDN or OTHER.
        project: region or project name; empty for CDN, which has none.
        plan: in which waves, and what stops it.

    Raises:
        NoCertificate, Forbidden, UnderReview, NotDeployable: as `material.checked`.
        BadParameter: no resource, more than 500, or a plan out of range.
    """
    _check_count(len(wanted))
    rollout.check(plan)
    certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
    targets = {one.id for one in queries.targets_in(principal.account_id, service, project)}
    chosen, refused = [], []
    for one in {one.key: one for one in wanted}.values():
        binding, why = _chosen(principal, service, project, targets, one)
        if binding is None:
            refused.append((one.key, why))
        else:
            chosen.append((one.key, binding))
    new = _New(certificate, version, plan)
    return Started(_start(principal, new, chosen, refused), tuple(refused))


def deploy_to(
    principal: Principal,
    certificate_id: str,
    binding_ids: Sequence[str],
    plan: Rollout = AT_ONCE,
    cause: Cause = Cause.REQUEST,
) -> Started:
    """As `deploy`, for bindings by their ids, whatever their service; those that the principal may not list
    are refused as if they were not there (law 5).

    Raises:
        as `deploy`.
    """
    _check_count(len(binding_ids))
    rollout.check(plan)
    certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
    chosen, refused = list[tuple[str, Binding]](), list[tuple[str, str]]()
    found = {one.id: one for one in queries.bindings(principal).filter(id__in=binding_ids)}
    for key in dict.fromkeys(binding_ids):
        one = found.get(key)
        if one is None or not _listed(principal, one):
            refused.append((key, rules.NO_RESOURCE))
        elif why := rules.refusal(one.target.service, Wanted(key), one.names, one.listeners):
            refused.append((key, why))
        else:
            chosen.append((key, one))
    new = _New(certificate, version, plan, cause)
    return Started(_start(principal, new, chosen, refused), tuple(refused))


def _check_count(count: int) -> None:
    if not 0 < count <= rollout.MOST:
        raise BadParameter(
            f"A deployment has 1 to {rollout.MOST} resources.",
            next_step="Name them, or deploy in several requests.",
            field="resources",
        )


def _chosen(
    principal: Principal, service: str, project: str, targets: set[str], wanted: Wanted
) -> tuple[Binding | None, str]:
    """The binding that a request names, or why it cannot be deployed to."""
    if service == "WAF" and wanted.enterprise_project_id not in ("", rules.DEFAULT_PROJECT):
        return None, rules.OTHER_PROJECT
    if not targets:
        where = f" in {project}" if project else ""
        return None, f"No target of the service {service} is connected{where}."
    found = queries.bindings(principal).filter(target_id__in=targets)
    if service == "CDN":
        binding = next((one for one in found if wanted.key in one.names), None)
    else:
        binding = found.filter(id=wanted.key).first()
    if binding is None or not _listed(principal, binding):
        return None, rules.NO_DOMAIN if service == "WAF" else rules.NO_RESOURCE
    why = rules.refusal(service, wanted, binding.names, binding.listeners)
    return (None, why) if why else (binding, "")


def _listed(principal: Principal, binding: Binding) -> bool:
    return principal.may(queries.LIST_BINDINGS, queries.binding_resource(binding.account_id, binding.id))


@dataclass(frozen=True, slots=True)
class _New:
    certificate: Certificate
    version: Version
    plan: Rollout
    cause: Cause = Cause.REQUEST


def _start(
    principal: Principal, new: _New, chosen: list[tuple[str, Binding]], refused: list[tuple[str, str]]
) -> Deployment | None:
    certificate, version = new.certificate, new.version
    with short_transaction():
        free = _free_of(chosen, refused)
        if not free:
            return None
        made = Deployment.objects.create(
            id=ids.hex32(),
            account_id=certificate.account_id,
            certificate_id=certificate.id,
            version=version.number,
            fingerprint=version.fingerprint_sha1,
            state=DeploymentState.PLANNED,
            cause=new.cause,
            canary=new.plan.canary,
            wave_size=new.plan.wave_size,
            stop_after=new.plan.stop_after,
            stop_percent=new.plan.stop_percent,
            created_by=principal.user_id,
            created_at=clock.now(),
        )
        _plan(made, free, new.plan, principal)
        audit.record(
            principal,
            queries.DEPLOY,
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={
                "deployment": made.id,
                "version": version.number,
                "cause": new.cause.value,
                "bindings": [one.id for one in free],
            },
        )
    return made


def _free_of(chosen: list[tuple[str, Binding]], refused: list[tuple[str, str]]) -> list[Binding]:
    """Those that no other deployment holds, locked and as they are now; the others are refused."""
    asked = [one.id for _, one in chosen]
    rows = Binding.objects.select_for_update(of=("self",)).select_related("target").filter(id__in=asked)
    locked = {one.id: one for one in rows}
    busy = set(
        Step.objects.filter(binding_id__in=asked, state__in=states.OPEN).values_list("binding_id", flat=True)
    )
    refused += [(key, BUSY) for key, one in chosen if one.id in busy or one.id not in locked]
    return [locked[one.id] for _, one in chosen if one.id in locked and one.id not in busy]


def _plan(deployment: Deployment, free: list[Binding], plan: Rollout, principal: Principal) -> None:
    now = clock.real_now()
    steps = Step.objects.bulk_create(
        Step(
            deployment=deployment,
            binding=one,
            wave=wave,
            title=f"{one.target.label}: {one.resource}",
            state=StepState.PLANNED,
            undo=stepping.undo(one),
            **stepping.before(one),
            exempt=one.exempt,
            updated_at=now,
        )
        for one, wave in zip(free, rollout.waves(len(free), plan), strict=True)
    )
    stepping.want(deployment, [one.id for one in free], principal.user_id)
    for step in steps:
        if step.wave == 1:
            stepping.send(stepping.PREPARE, step, principal.user_id)


def retry(principal: Principal, deployment_id: str) -> Deployment:
    """Tries the failed steps again; those that are deployed stay (DEP-5).

    Raises:
        NoDeployment, NoCertificate, Forbidden, NotDeployable: it is not allowed, or not any more.
        WrongState: nothing of it failed, or the certificate has another version by now.
    """
    deployment = fetch(principal, deployment_id)
    _, version = material.checked(principal, queries.DEPLOY, deployment.certificate_id)
    if version.number != deployment.version:
        raise WrongState(
            "The certificate has a newer version than this deployment.",
            next_step="Deploy the certificate again.",
        )
    with short_transaction():
        stepping.hold(deployment.id)
        failed = [one for one in _free(deployment, StepState.FAILED) if not one.back]
        if not failed:
            raise WrongState(
                "Nothing of this deployment can be tried again.",
                next_step="Look at its bindings: another deployment may be under way there.",
            )
        Deployment.objects.filter(id=deployment.id).update(paused=False, pause_reason="")
        for step in failed:
            stepping.reopen(step, deployment, principal.user_id, back=False)
        stepping.send_waiting(deployment, principal.user_id)
        stepping.settle(deployment)
        note(principal, "deployment.retry", deployment, len(failed))
    return deployment


def roll_back(principal: Principal, deployment_id: str) -> Deployment:
    """Puts back what was served before, on every binding that no later deployment has changed.

    Raises:
        NoDeployment, NoCertificate, Forbidden: as `retry`.
        WrongState: there is nothing to go back to.
    """
    deployment = fetch(principal, deployment_id)
    with short_transaction():
        stepping.hold(deployment.id)
        kept = [one for one in _free(deployment, StepState.DEPLOYED, StepState.FAILED) if one.snapshot_id]
        wanted = [one for one in kept if one.state == StepState.DEPLOYED or one.back]
        if not wanted:
            raise WrongState(SUPERSEDED, next_step="Deploy the certificate that you want there.")
        for step in wanted:
            stepping.reopen(step, deployment, principal.user_id, back=True)
        stepping.settle(deployment)
        note(principal, "deployment.rollback", deployment, len(wanted))
    return deployment


def fetch(principal: Principal, deployment_id: str) -> Deployment:
    """The deployment, to change it. Raises as `retry`."""
    found = queries.fetch_deployment(principal, deployment_id)
    certificates.fetch(principal, queries.DEPLOY, found.certificate_id)
    return found


def _free(deployment: Deployment, *wanted: StepState) -> list[Step]:
    """Steps in one of the states whose binding is still there and not busy."""
    found = Step.objects.select_for_update(of=("self",)).select_related("binding__target", "deployment")
    rows = found.filter(deployment=deployment, state__in=wanted, binding__gone=False)
    busy = set(
        Step.objects.filter(state__in=states.OPEN, binding__in=[one.binding_id for one in rows]).values_list(
            "binding_id", flat=True
        )
    )
    return [one for one in rows if one.binding_id not in busy]


def note(principal: Principal, action: str, deployment: Deployment, count: int) -> None:
    """The audit row of what somebody did with it."""
    audit.record(
        principal,
        action,
        resource=f"cert:{deployment.certificate_id}",
        account_id=deployment.account_id,
        details={"deployment": deployment.id, "bindings": count},
    )
