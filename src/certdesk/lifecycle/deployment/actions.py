"""Starting deployments, trying again, going back; and what their workers write. The only writers of steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from certdesk.connectors.probe import Seen
from certdesk.connectors.targets.protocol import Snapshot
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids, settings
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version

from . import material, queries, rollout, rules, states
from .models import Binding, Deployment, Step
from .rollout import AT_ONCE, Rollout
from .rules import Wanted
from .states import BindingState, Cause, DeploymentState, StepState
from .work import Outcome

PREPARE, INSTALL, RESTORE = "deployment.prepare", "deployment.install", "deployment.restore"
RETRY, SETTLE = "deployment.retry", "deployment.settle"
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
    """As `deploy`, for bindings of the account by their ids, whatever their service.

    Raises:
        as `deploy`.
    """
    _check_count(len(binding_ids))
    rollout.check(plan)
    certificate, version = material.checked(principal, queries.DEPLOY, certificate_id)
    chosen, refused = list[tuple[str, Binding]](), list[tuple[str, str]]()
    for one in queries.bindings(principal).filter(id__in=binding_ids):
        why = rules.refusal(one.target.service, Wanted(one.id), one.names, one.listeners)
        if why:
            refused.append((one.id, why))
        else:
            chosen.append((one.id, one))
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
    if binding is None or not principal.may(
        queries.LIST_BINDINGS, queries.binding_resource(binding.account_id, binding.id)
    ):
        return None, rules.NO_DOMAIN if service == "WAF" else rules.NO_RESOURCE
    why = rules.refusal(service, wanted, binding.names, binding.listeners)
    return (None, why) if why else (binding, "")


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
            before=one.served,
            before_certificate_id=one.served_certificate_id,
            undo=_undo(one),
            exempt=one.exempt,
            updated_at=now,
        )
        for one, wave in zip(free, rollout.waves(len(free), plan), strict=True)
    )
    _want(deployment, [one.id for one in free], principal.user_id)
    for step in steps:
        if step.wave == 1:
            send(PREPARE, step, principal.user_id)


def _undo(one: Binding) -> dict[str, object]:
    return {
        "certificate_id": one.certificate_id,
        "version": one.version,
        "fingerprint": one.fingerprint,
        "deployment": one.deployment,
        "wanted_by": one.wanted_by,
    }


def _want(deployment: Deployment, binding_ids: list[str], user_id: str) -> None:
    """What they should serve from now on; the machine acts there for whoever deployed last."""
    found = Binding.objects.filter(id__in=binding_ids)
    found.update(
        certificate_id=deployment.certificate_id,
        version=deployment.version,
        fingerprint=deployment.fingerprint,
        deployment=BindingState.DEPLOYING,
        verdict="",
        reason="",
        next_step="",
    )
    if user_id:
        found.update(wanted_by=user_id)


def send(kind: str, step: Step, user_id: str, run_at: datetime | None = None) -> None:
    """One job for the step; jobs of one target wait for each other, since it has one transaction."""
    target_id = step.binding.target_id if step.binding is not None else ""
    enqueue(
        kind,
        {"step": step.id, "user_id": user_id, "account_id": step.deployment.account_id},
        subject=step.deployment.certificate_id,
        dedupe_key=f"{kind}:{step.id}",
        lock_key=f"deployment.target:{target_id}",
        run_at=run_at,
    )


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
        failed = [one for one in _free(deployment, StepState.FAILED) if not one.back]
        if not failed:
            raise WrongState(
                "Nothing of this deployment can be tried again.",
                next_step="Look at its bindings: another deployment may be under way there.",
            )
        Deployment.objects.filter(id=deployment.id).update(paused=False, pause_reason="")
        for step in failed:
            _reopen(step, deployment, principal.user_id, back=False)
        send_waiting(deployment, principal.user_id)
        settle(deployment)
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
        kept = [one for one in _free(deployment, StepState.DEPLOYED, StepState.FAILED) if one.snapshot_id]
        wanted = [one for one in kept if one.state == StepState.DEPLOYED or one.back]
        if not wanted:
            raise WrongState(SUPERSEDED, next_step="Deploy the certificate that you want there.")
        for step in wanted:
            _reopen(step, deployment, principal.user_id, back=True)
        settle(deployment)
        note(principal, "deployment.rollback", deployment, len(wanted))
    return deployment


def send_waiting(deployment: Deployment, user_id: str) -> int:
    """A job for each place of the waves that have begun which was held back by a pause; how many."""
    rows = Step.objects.select_related("binding", "deployment").filter(
        deployment=deployment, state=StepState.PLANNED, wave__lte=F("deployment__wave")
    )
    for step in rows:
        send(PREPARE, step, user_id)
    return len(rows)


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


def _reopen(step: Step, deployment: Deployment, user_id: str, *, back: bool) -> None:
    state = StepState.RUNNING if back or step.snapshot_id else StepState.PLANNED
    Step.objects.filter(id=step.id).update(
        state=state,
        back=back,
        verdict="",
        reason="",
        next_step="",
        looks=[],
        retry_at=None,
        waits_until=None,
        updated_at=clock.real_now(),
    )
    if back:
        Binding.objects.filter(id=step.binding_id).update(
            deployment=BindingState.DEPLOYING, verdict="", reason="", next_step=""
        )
    else:
        _want(deployment, [str(step.binding_id)], "")
    send(RESTORE if back else INSTALL if step.snapshot_id else PREPARE, step, user_id)


def again(step: Step) -> None:
    """A failed step by itself, with the right of whoever began it; in the caller's transaction."""
    _reopen(step, step.deployment, step.deployment.created_by, back=False)
    settle(step.deployment)


def waits(step: Step, kind: str, user_id: str, until: datetime) -> None:
    """The target's window is shut: the same job comes again when it opens; in the job's transaction."""
    Step.objects.filter(id=step.id).update(waits_until=until, updated_at=clock.real_now())
    send(kind, step, user_id, run_at=until)


def prepared(step: Step, snapshot: Snapshot, user_id: str) -> None:
    """The way back is stored before anything is touched; in the job's transaction."""
    secret = sealing.seal(step.deployment.account_id, snapshot_purpose(step), _packed(snapshot))
    Step.objects.filter(id=step.id).update(
        state=StepState.RUNNING, snapshot_id=secret, waits_until=None, updated_at=clock.real_now()
    )
    _remember_previous(step, snapshot)
    send(INSTALL, step, user_id)
    settle(step.deployment)


def _remember_previous(step: Step, snapshot: Snapshot) -> None:
    """What is taken the place of, unless it is the same one: a later look tells when it came back."""
    deployment = step.deployment
    new = Version.objects.filter(certificate_id=deployment.certificate_id, number=deployment.version).first()
    if new is None or new.fingerprint_sha256 != snapshot.fingerprint_sha256:
        Binding.objects.filter(id=step.binding_id).update(previous=snapshot.fingerprint_sha256)


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
    elif outcome.back:  # what was served before is served: the next try takes its own way back
        _forget(step)
    settle(step.deployment)


def _write(step: Step, state: StepState, outcome: Outcome) -> None:
    retry_at = None
    if state is StepState.FAILED and not step.back and not outcome.lasting and step.binding is not None:
        pause = rules.pause(step.attempts, settings.get().look_seconds)
        retry_at = clock.real_now() + timedelta(seconds=pause)
        _plan_try(step, retry_at)
    Step.objects.filter(id=step.id).update(
        state=state,
        verdict=outcome.verdict,
        reason=outcome.reason,
        next_step=outcome.next_step,
        looks=[_look(one) for one in outcome.looks],
        attempts=step.attempts + (state is StepState.FAILED),
        retry_at=retry_at,
        waits_until=None,
        updated_at=clock.real_now(),
    )


def _plan_try(step: Step, at: datetime) -> None:
    enqueue(
        RETRY,
        {"step": step.id},
        subject=step.deployment.certificate_id,
        dedupe_key=f"{RETRY}:{step.id}",
        run_at=at,
    )


def plan_tries(deployment: Deployment) -> None:
    """What was to be tried again while it was held; in the caller's transaction."""
    failed = Step.objects.select_related("deployment").filter(deployment=deployment, state=StepState.FAILED)
    for step in failed.exclude(retry_at=None):
        if step.retry_at is not None:
            _plan_try(step, step.retry_at)


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
            "drift": "",
            "drift_since": None,
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
            "drift": "",
            "drift_since": None,
        }
    Binding.objects.filter(id=binding.id).update(**values)


def _forget_older(step: Step) -> None:
    """One way back a binding: that of its latest deployment; none once it was gone."""
    old = Step.objects.filter(binding_id=step.binding_id).exclude(snapshot_id="")
    for one in old if step.back else old.exclude(id=step.id):
        _forget(one)


def _forget(step: Step) -> None:
    if step.snapshot_id:
        sealing.destroy(step.snapshot_id)
        Step.objects.filter(id=step.id).update(snapshot_id="")


def settle(deployment: Deployment) -> None:
    """The deployment's state by its steps, and the next wave when its turn has come; in the caller's
    transaction."""
    now = Deployment.objects.select_for_update().get(id=deployment.id)
    steps = list(Step.objects.select_related("binding", "deployment").filter(deployment=now).order_by("id"))
    if not now.paused:
        _go_on(now, steps)
    state = states.outcome([one.state for one in steps], paused=now.paused)
    Deployment.objects.filter(id=now.id).update(
        state=state,
        wave=now.wave,
        paused=now.paused,
        pause_reason=now.pause_reason,
        finished_at=clock.now() if state in states.OVER else None,
    )


def _go_on(now: Deployment, steps: list[Step]) -> None:
    """Stops it by its rule, or sends the next wave once the one before is over."""
    plan = Rollout(now.canary, now.wave_size, now.stop_after, now.stop_percent)
    failed = [one.wave for one in steps if one.state == StepState.FAILED]
    waiting = [one for one in steps if one.state == StepState.PLANNED]
    why = rollout.stops(plan, failed, len(steps)) if waiting else ""
    if why:
        now.paused, now.pause_reason = True, why
        audit.record(
            system_principal(now.account_id, SETTLE),
            "deployment.stopped",
            resource=f"cert:{now.certificate_id}",
            account_id=now.account_id,
            details={"deployment": now.id, "failed": len(failed), "not_begun": len(waiting)},
        )
        return
    if any(one.state in states.OPEN and one.wave <= now.wave for one in steps) or not waiting:
        return
    now.wave = min(one.wave for one in waiting)
    for one in waiting:
        if one.wave == now.wave:
            send(PREPARE, one, now.created_by)


def note(principal: Principal, action: str, deployment: Deployment, count: int) -> None:
    """The audit row of what somebody did with it."""
    audit.record(
        principal,
        action,
        resource=f"cert:{deployment.certificate_id}",
        account_id=deployment.account_id,
        details={"deployment": deployment.id, "bindings": count},
    )
