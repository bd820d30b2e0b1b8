"""One binding's step from its job to its end, and what follows for the deployment; all in the caller's
transaction. With `actions` the only writer of steps.
"""

from datetime import datetime, timedelta

from django.db.models import F

from certdesk.connectors.probe import Seen
from certdesk.connectors.targets.protocol import Snapshot
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.certificates.models import Version

from . import following, rollout, rules, states
from .models import Binding, Deployment, Step
from .rollout import Rollout
from .states import BindingState, StepState
from .work import Outcome

PREPARE, INSTALL, RESTORE = "deployment.prepare", "deployment.install", "deployment.restore"
RETRY, SETTLE = "deployment.retry", "deployment.settle"


def want(deployment: Deployment, binding_ids: list[str], user_id: str) -> None:
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


def undo(one: Binding) -> dict[str, object]:
    """What it should serve now, to go back to where nothing is begun."""
    return {
        "certificate_id": one.certificate_id,
        "version": one.version,
        "fingerprint": one.fingerprint,
        "deployment": one.deployment,
        "wanted_by": one.wanted_by,
    }


def before(one: Binding) -> dict[str, str]:
    """What it serves now, as far as is known."""
    return {"before": one.served, "before_certificate_id": one.served_certificate_id}


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


def send_waiting(deployment: Deployment, user_id: str) -> int:
    """A job for each place of the waves that have begun which was held back by a pause; how many."""
    rows = Step.objects.select_related("binding", "deployment").filter(
        deployment=deployment, state=StepState.PLANNED, wave__lte=F("deployment__wave")
    )
    for step in rows:
        send(PREPARE, step, user_id)
    return len(rows)


def hold(deployment_id: str | None) -> None:
    """Whoever writes steps holds their deployment first, then reads them: nobody then writes over a step that
    another has just changed, and nobody waits for a step while he holds the deployment of another."""
    Deployment.objects.select_for_update().filter(id=deployment_id).first()


def reopen(step: Step, deployment: Deployment, user_id: str, *, back: bool) -> None:
    state = StepState.RUNNING if back or step.snapshot_id else StepState.PLANNED
    anew = _anew(step) if state is StepState.PLANNED else {}
    changed = Step.objects.filter(id=step.id, state=step.state).update(
        state=state,
        back=back,
        verdict="",
        reason="",
        next_step="",
        looks=[],
        retry_at=None,
        waits_until=None,
        updated_at=clock.real_now(),
        **anew,
    )
    if not changed:
        return
    if back:
        Binding.objects.filter(id=step.binding_id).update(
            deployment=BindingState.DEPLOYING, verdict="", reason="", next_step=""
        )
    else:
        want(deployment, [str(step.binding_id)], "")
    send(RESTORE if back else INSTALL if step.snapshot_id else PREPARE, step, user_id)


def _anew(step: Step) -> dict[str, object]:
    """What the place serves, and should serve, may be another by now than when the step was planned."""
    one, deployment = step.binding, step.deployment
    if one is None:
        return {}
    if (one.certificate_id, one.version) == (deployment.certificate_id, deployment.version):
        return {**before(one)}  # what it should serve before is what it was
    return {**before(one), "undo": undo(one)}


def again(step: Step) -> None:
    """A failed step by itself, with the right of whoever began it; in the caller's transaction."""
    reopen(step, step.deployment, step.deployment.created_by, back=False)
    settle(step.deployment)


def waits(step: Step, kind: str, user_id: str, until: datetime) -> None:
    """The target's window is shut: the same job comes again when it opens; in the job's transaction."""
    found = Step.objects.filter(id=step.id, state=step.state)
    if found.update(waits_until=until, updated_at=clock.real_now()):
        send(kind, step, user_id, run_at=until)


def prepared(step: Step, snapshot: Snapshot, user_id: str) -> None:
    """The way back is stored before anything is touched; in the job's transaction."""
    secret = sealing.seal(step.deployment.account_id, snapshot_purpose(step), _packed(snapshot))
    begun = Step.objects.filter(id=step.id, state=StepState.PLANNED).update(
        state=StepState.RUNNING, snapshot_id=secret, waits_until=None, updated_at=clock.real_now()
    )
    if not begun:  # cancelled meanwhile
        sealing.destroy(secret)
        return
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
    if not _write(step, done if outcome.ok else StepState.FAILED, outcome):
        return
    if step.binding is not None:
        _write_binding(step, step.binding, outcome)
        following.catch_up([step.binding.id])
    if outcome.ok:
        _forget_older(step)
    elif outcome.back:  # what was served before is served: the next try takes its own way back
        _forget(step)
    settle(step.deployment)


def _write(step: Step, state: StepState, outcome: Outcome) -> bool:
    """Whether the step was still in the state that it ends from."""
    retry_at = None
    if state is StepState.FAILED and not step.back and not outcome.lasting and step.binding is not None:
        pause = rules.pause(step.attempts, settings.get().look_seconds)
        retry_at = clock.real_now() + timedelta(seconds=pause)
    ended = Step.objects.filter(id=step.id, state=step.state).update(
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
    if ended and retry_at is not None:
        _plan_try(step, retry_at)
    return bool(ended)


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
