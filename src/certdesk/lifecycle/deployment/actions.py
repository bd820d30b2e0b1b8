"""Starting deployments, trying again, going back; and what their workers write. The only writers of steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from certdesk.connectors.probe import Seen
from certdesk.connectors.targets.protocol import Snapshot
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version

from . import material, queries, rules, states
from .models import Binding, Deployment, Step
from .rules import Wanted
from .states import BindingState, DeploymentState, StepState
from .work import Outcome

PREPARE, INSTALL, RESTORE = "deployment.prepare", "deployment.install", "deployment.restore"
BUSY = "Another deployment to it is under way."
SUPERSEDED = "A later deployment took its place, so there is nothing to go back to."


@dataclass(frozen=True, slots=True)
class Started:
    """`deployment` is None when every resource was refused; `refused`: what was asked, and why not."""

    deployment: Deployment | None
    refused: tuple[tuple[str, str], ...]


def deploy(
    principal: Principal, certificate_id: str, service: str, project: str, wanted: Sequence[Wanted]
) -> Started:
    """Plans the certificate's current version for each binding that may have it; workers do the rest.

    Args:
        service: ELB, WAF, CDN or OTHER.
        project: region or project name; empty for CDN, which has none.

    Raises:
        NoCertificate, Forbidden, UnderReview, NotDeployable: as `material.checked`.
        BadParameter: no resource, or more than 100.
    """
    if not 0 < len(wanted) <= rules.MOST_RESOURCES:
        raise BadParameter(
            f"A deployment has 1 to {rules.MOST_RESOURCES} resources.",
            next_step="Name them, or deploy in several requests.",
            field="resources",
        )
    certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
    targets = {one.id for one in queries.targets_in(principal.account_id, service, project)}
    chosen, refused = [], []
    for one in {one.key: one for one in wanted}.values():
        binding, why = _chosen(principal, service, project, targets, one)
        if binding is None:
            refused.append((one.key, why))
        else:
            chosen.append((one.key, binding))
    started = _start(principal, certificate, version, chosen, refused)
    return Started(started, tuple(refused))


def deploy_to(principal: Principal, certificate_id: str, binding_ids: Sequence[str]) -> Started:
    """As `deploy`, for bindings of the account by their ids, whatever their service.

    Raises:
        as `deploy`.
    """
    certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
    chosen, refused = list[tuple[str, Binding]](), list[tuple[str, str]]()
    for one in queries.bindings(principal).filter(id__in=binding_ids[: rules.MOST_RESOURCES]):
        why = rules.refusal(one.target.service, Wanted(one.id), one.names, one.listeners)
        if why:
            refused.append((one.id, why))
        else:
            chosen.append((one.id, one))
    return Started(_start(principal, certificate, version, chosen, refused), tuple(refused))


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
    if binding is None or not principal.may(
        queries.LIST_BINDINGS, queries.binding_resource(binding.account_id, binding.id)
    ):
        return None, "There is no such resource there."
    why = rules.refusal(service, wanted, binding.names, binding.listeners)
    return (None, why) if why else (binding, "")


def _start(
    principal: Principal,
    certificate: Certificate,
    version: Version,
    chosen: list[tuple[str, Binding]],
    refused: list[tuple[str, str]],
) -> Deployment | None:
    with short_transaction():
        free = []
        ids_chosen = [one.id for _, one in chosen]
        locked = {one.id for one in Binding.objects.select_for_update().filter(id__in=ids_chosen)}
        busy = set(
            Step.objects.filter(binding_id__in=ids_chosen, state__in=states.OPEN).values_list(
                "binding_id", flat=True
            )
        )
        for key, one in chosen:
            if one.id in busy or one.id not in locked:
                refused.append((key, BUSY))
            else:
                free.append(one)
        if not free:
            return None
        made = Deployment.objects.create(
            id=ids.hex32(),
            account_id=certificate.account_id,
            certificate_id=certificate.id,
            version=version.number,
            fingerprint=version.fingerprint_sha1,
            state=DeploymentState.PLANNED,
            created_by=principal.user_id,
            created_at=clock.now(),
        )
        for one in free:
            _plan(made, one, principal)
        audit.record(
            principal,
            queries.DEPLOY,
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={"deployment": made.id, "version": version.number, "bindings": [one.id for one in free]},
        )
    return made


def _plan(deployment: Deployment, binding: Binding, principal: Principal) -> None:
    step = Step.objects.create(
        deployment=deployment,
        binding=binding,
        title=f"{binding.target.label}: {binding.resource}",
        state=StepState.PLANNED,
        before=binding.served,
        before_certificate_id=binding.served_certificate_id,
        updated_at=clock.real_now(),
    )
    Binding.objects.filter(id=binding.id).update(
        certificate_id=deployment.certificate_id,
        version=deployment.version,
        fingerprint=deployment.fingerprint,
        deployment=BindingState.DEPLOYING,
        verdict="",
        reason="",
        next_step="",
    )
    send(PREPARE, step, principal.user_id)


def send(kind: str, step: Step, user_id: str) -> None:
    """One job for the step; jobs of one target wait for each other, since it has one transaction."""
    target_id = step.binding.target_id if step.binding is not None else ""
    enqueue(
        kind,
        {"step": step.id, "user_id": user_id, "account_id": step.deployment.account_id},
        subject=step.deployment.certificate_id,
        dedupe_key=f"{kind}:{step.id}",
        lock_key=f"deployment.target:{target_id}",
    )


def retry(principal: Principal, deployment_id: str) -> Deployment:
    """Tries the failed steps again; those that are deployed stay (DEP-5).

    Raises:
        NoDeployment, NoCertificate, Forbidden, NotDeployable: it is not allowed, or not any more.
        WrongState: nothing of it failed, or the certificate has another version by now.
    """
    deployment = _fetch(principal, deployment_id)
    _, version = material.checked(principal, queries.DEPLOY, deployment.certificate_id)
    if version.number != deployment.version:
        raise WrongState(
            "The certificate has a newer version than this deployment.",
            next_step="Deploy the certificate again.",
        )
    with short_transaction():
        again = [one for one in _free(deployment, StepState.FAILED) if not one.back]
        if not again:
            raise WrongState(
                "Nothing of this deployment can be tried again.",
                next_step="Look at its bindings: another deployment may be under way there.",
            )
        for step in again:
            _reopen(step, deployment, principal, back=False)
        _settle(deployment)
        _note(principal, "deployment.retry", deployment, len(again))
    return deployment


def roll_back(principal: Principal, deployment_id: str) -> Deployment:
    """Puts back what was served before, on every binding that no later deployment has changed.

    Raises:
        NoDeployment, NoCertificate, Forbidden: as `retry`.
        WrongState: there is nothing to go back to.
    """
    deployment = _fetch(principal, deployment_id)
    with short_transaction():
        kept = [one for one in _free(deployment, StepState.DEPLOYED, StepState.FAILED) if one.snapshot_id]
        wanted = [one for one in kept if one.state == StepState.DEPLOYED or one.back]
        if not wanted:
            raise WrongState(SUPERSEDED, next_step="Deploy the certificate that you want there.")
        for step in wanted:
            _reopen(step, deployment, principal, back=True)
        _settle(deployment)
        _note(principal, "deployment.rollback", deployment, len(wanted))
    return deployment


def _fetch(principal: Principal, deployment_id: str) -> Deployment:
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


def _reopen(step: Step, deployment: Deployment, principal: Principal, *, back: bool) -> None:
    state = StepState.RUNNING if back or step.snapshot_id else StepState.PLANNED
    Step.objects.filter(id=step.id).update(
        state=state, back=back, verdict="", reason="", next_step="", looks=[], updated_at=clock.real_now()
    )
    Binding.objects.filter(id=step.binding_id).update(
        deployment=BindingState.DEPLOYING, verdict="", reason="", next_step=""
    )
    if not back:
        Binding.objects.filter(id=step.binding_id).update(
            certificate_id=deployment.certificate_id,
            version=deployment.version,
            fingerprint=deployment.fingerprint,
        )
    send(RESTORE if back else INSTALL if step.snapshot_id else PREPARE, step, principal.user_id)


def prepared(step: Step, snapshot: Snapshot, user_id: str) -> None:
    """The way back is stored before anything is touched; in the job's transaction."""
    secret = sealing.seal(step.deployment.account_id, snapshot_purpose(step), _packed(snapshot))
    Step.objects.filter(id=step.id).update(
        state=StepState.RUNNING, snapshot_id=secret, updated_at=clock.real_now()
    )
    send(INSTALL, step, user_id)
    _settle(step.deployment)


def snapshot_purpose(step: Step) -> str:
    return f"snapshot:{step.id}"


def _packed(snapshot: Snapshot) -> bytes:
    head = "\n".join([snapshot.fingerprint_sha256, ",".join(snapshot.names)])
    return head.encode() + b"\n" + snapshot.content


def unpacked(plain: bytes) -> Snapshot:
    fingerprint, names, content = plain.split(b"\n", 2)
    return Snapshot(content, fingerprint.decode(), tuple(name for name in names.decode().split(",") if name))


def finished(step: Step, outcome: Outcome) -> None:
    """What became of a step that touched, or could not touch, its target; in the job's transaction."""
    done = StepState.ROLLED_BACK if step.back else StepState.DEPLOYED
    _write(step, done if outcome.ok else StepState.FAILED, outcome)
    if step.binding is not None:
        _write_binding(step, step.binding, outcome)
    if outcome.ok:
        _forget_older(step)
    _settle(step.deployment)


def _write(step: Step, state: StepState, outcome: Outcome) -> None:
    Step.objects.filter(id=step.id).update(
        state=state,
        verdict=outcome.verdict,
        reason=outcome.reason,
        next_step=outcome.next_step,
        looks=[_look(one) for one in outcome.looks],
        updated_at=clock.real_now(),
    )


def _look(seen: Seen) -> dict[str, str]:
    return {
        "address": seen.address,
        "name": seen.name,
        "verdict": seen.verdict.value,
        "sentence": seen.sentence,
    }


def _write_binding(step: Step, binding: Binding, outcome: Outcome) -> None:
    deployment = step.deployment
    values: dict[str, object] = {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "next_step": outcome.next_step,
        "seen_at": clock.real_now(),
    }
    if outcome.ok and not step.back:
        version = Version.objects.filter(
            certificate_id=deployment.certificate_id, number=deployment.version
        ).first()
        values |= {
            "deployment": BindingState.DEPLOYED,
            "served": deployment.fingerprint,
            "served_certificate_id": deployment.certificate_id,
            "names": version.names.split(";") if version is not None else binding.names,
        }
    elif outcome.ok or outcome.back:
        values |= {"served": step.before, "served_certificate_id": step.before_certificate_id}
    if not outcome.ok:
        values["deployment"] = BindingState.FAILED
    elif step.back:
        values |= {
            "deployment": BindingState.NOT_DEPLOYED,
            "certificate_id": "",
            "version": 0,
            "fingerprint": "",
        }
    Binding.objects.filter(id=binding.id).update(**values)


def _forget_older(step: Step) -> None:
    """One way back a binding: that of its latest deployment; none once it was gone."""
    old = Step.objects.filter(binding_id=step.binding_id).exclude(snapshot_id="")
    for one in old if step.back else old.exclude(id=step.id):
        sealing.destroy(one.snapshot_id)
        Step.objects.filter(id=one.id).update(snapshot_id="")


def _settle(deployment: Deployment) -> None:
    """The deployment's state by its steps, as they stand in this transaction."""
    state = states.outcome(Step.objects.filter(deployment=deployment).values_list("state", flat=True))
    over = clock.now() if state in states.OVER else None
    Deployment.objects.filter(id=deployment.id).update(state=state, finished_at=over)


def _note(principal: Principal, action: str, deployment: Deployment, count: int) -> None:
    audit.record(
        principal,
        action,
        resource=f"cert:{deployment.certificate_id}",
        account_id=deployment.account_id,
        details={"deployment": deployment.id, "bindings": count},
    )
