"""The workers of deployments: take the snapshot, install or go back, and settle what a crash left open.

Three jobs, so that the way back is on the disk before a target is touched; each may run more than once.
"""

from dataclasses import replace

from certdesk.connectors.probe import Expected
from certdesk.connectors.targets.protocol import Snapshot
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import Permanent
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.models import State as JobState
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates import states as certificate_states
from certdesk.lifecycle.certificates.models import Version

from . import actions, dialing, material, previous, queries, rules, states, work
from .models import Binding, Step
from .states import StepState
from .work import Failed, Outcome, Place, ToInstall, ToRestore

SETTLE = "deployment.settle"
_GONE = Outcome(False, reason="The target was removed.", next_step="Connect it again, then deploy.")


def _step(job: Job, *wanted: StepState) -> Step | None:
    found = Step.objects.select_related("deployment", "binding__target").filter(id=int(job.payload["step"]))
    step = found.first()
    return step if step is not None and step.state in wanted else None


def _place(binding: Binding) -> Place:
    target = binding.target
    return Place(
        target.kind,
        binding.resource,
        tuple(binding.names),
        tuple(binding.listeners),
        dialing.options_of(target),
    )


def _given_up(job: Job, error: BaseException) -> None:
    """A job that ends without its store still ends its step, in words."""
    step = _step(job, StepState.PLANNED, StepState.RUNNING)
    if step is not None:
        told = (
            str(error) if isinstance(error, CertdeskError | Permanent) else "The worker could not finish it."
        )
        actions.finished(step, Outcome(False, reason=told, next_step="Try again."))


@handler(actions.PREPARE, max_attempts=5)
class Prepare(Handler[Place, Snapshot | Failed]):
    """Stores the way back; nothing is touched yet."""

    def load(self, job: Job) -> Place | None:
        step = _step(job, StepState.PLANNED)
        if step is None:
            return None
        if step.binding is None:
            actions.finished(step, _GONE)
            return None
        return replace(_place(step.binding), previous=previous.of(job, step.binding))

    async def perform(self, work_: Place) -> Snapshot | Failed:
        return await work.prepare(work_)

    def store(self, job: Job, work_: Place, result: Snapshot | Failed) -> None:
        step = _step(job, StepState.PLANNED)
        if step is None:
            return
        if isinstance(result, Failed):
            actions.finished(step, Outcome(False, reason=result.reason, next_step=result.next_step))
        else:
            actions.prepared(step, result, str(job.payload.get("user_id", "")))

    def failed(self, job: Job, error: BaseException) -> None:
        _given_up(job, error)


@handler(actions.INSTALL, max_attempts=5)
class Install(Handler[ToInstall, Outcome]):
    """Installs, looks, keeps; or puts the previous certificate back (DEP-6)."""

    def load(self, job: Job) -> ToInstall | None:
        step = _step(job, StepState.RUNNING)
        if step is None or step.back:
            return None
        if step.binding is None:
            actions.finished(step, _GONE)
            return None
        return _to_install(job, step, step.binding)

    async def perform(self, work_: ToInstall) -> Outcome:
        return await work.install(work_)

    def store(self, job: Job, work_: ToInstall, result: Outcome) -> None:
        step = _step(job, StepState.RUNNING)
        if step is not None and not step.back:
            actions.finished(step, result)

    def failed(self, job: Job, error: BaseException) -> None:
        _given_up(job, error)


def _to_install(job: Job, step: Step, binding: Binding) -> ToInstall:
    """Raises what ends the job: the right, the state and the key are asked again now (law 5)."""
    deployment = step.deployment
    principal = rights.principal_for(job)
    certificate = certificates.fetch(principal, queries.DEPLOY, deployment.certificate_id)
    version = Version.objects.get(certificate=certificate, number=deployment.version)
    state = certificate_rules.state_of(certificate, clock.now())
    title = certificate_states.ROWS[state].title
    rules.check_deployable(state, title, material.held(version, certificate.account_id))
    made = material.of(principal, certificate, version, queries.DEPLOY)
    snapshot = _snapshot(step)
    names = [*binding.names, *made.bundle.names]
    known = queries.fingerprints(certificate.account_id, names) - {made.sha256}
    expected = Expected(made.sha256, snapshot.fingerprint_sha256, known, made.chain, made.key)
    return ToInstall(_place(binding), made.bundle, expected, snapshot)


def _snapshot(step: Step) -> Snapshot:
    plain = sealing.unseal(step.snapshot_id, step.deployment.account_id, actions.snapshot_purpose(step))
    return actions.unpacked(plain)


@handler(actions.RESTORE, max_attempts=5)
class Restore(Handler[ToRestore, Outcome]):
    """Puts back what was served before a deployment that somebody takes back."""

    def load(self, job: Job) -> ToRestore | None:
        step = _step(job, StepState.RUNNING)
        if step is None or not step.back:
            return None
        if step.binding is None:
            actions.finished(step, _GONE)
            return None
        principal = rights.principal_for(job)
        certificates.fetch(principal, queries.DEPLOY, step.deployment.certificate_id)
        snapshot = _snapshot(step)
        known = queries.fingerprints(step.deployment.account_id, step.binding.names)
        previous = snapshot.fingerprint_sha256
        return ToRestore(_place(step.binding), snapshot, Expected(previous, ours=known - {previous}))

    async def perform(self, work_: ToRestore) -> Outcome:
        return await work.restore(work_)

    def store(self, job: Job, work_: ToRestore, result: Outcome) -> None:
        step = _step(job, StepState.RUNNING)
        if step is not None and step.back:
            actions.finished(step, result)

    def failed(self, job: Job, error: BaseException) -> None:
        _given_up(job, error)


@handler(SETTLE, max_attempts=3, lock=SETTLE)
class Settle(Handler[bool, None]):
    """Open steps that no job stands for any more get one again."""

    def load(self, job: Job) -> bool | None:
        rows = Step.objects.select_related("deployment", "binding").filter(state__in=states.OPEN)
        for step in rows.order_by("updated_at")[:100]:
            kind = _kind(step)
            alive = Job.objects.filter(
                kind=kind,
                subject=step.deployment.certificate_id,
                state__in=(JobState.READY, JobState.RUNNING),
                payload__step=step.id,
            )
            if not alive.exists():
                actions.send(kind, step, step.deployment.created_by)
        return None


def _kind(step: Step) -> str:
    if step.state == StepState.PLANNED:
        return actions.PREPARE
    return actions.RESTORE if step.back else actions.INSTALL


periodic(SETTLE, 60, at_start=True)
