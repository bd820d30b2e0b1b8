"""The workers of deployments: take the snapshot, install or go back, and settle what a crash left open.

Three jobs, so that the way back is on the disk before a target is touched; each may run more than once.
"""

from dataclasses import replace

from django.db.models import F

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

from . import dialing, material, previous, queries, rules, states, stepping, windows, work
from . import reconcile_jobs as reconcile_jobs  # its handlers belong to this room too
from .models import Binding, Deployment, Step
from .states import StepState
from .work import Failed, Outcome, Place, ToInstall, ToRestore

SETTLE = stepping.SETTLE
_GONE = Outcome(
    False, reason="The target was removed.", next_step="Connect it again, then deploy.", lasting=True
)


def _step(job: Job, *wanted: StepState) -> Step | None:
    """The step as it is now, and held until the job's transaction ends; None in any other state."""
    mine = Step.objects.filter(id=int(job.payload["step"])).values_list("deployment_id", flat=True)
    stepping.hold(mine.first())
    found = Step.objects.select_related("deployment", "binding__target").filter(id=int(job.payload["step"]))
    step = found.first()
    return step if step is not None and step.state in wanted else None


def _place(binding: Binding) -> Place:
    target = binding.target
    return Place(
        target.kind,
        binding.resource,
        tuple(binding.names),
        tuple(one for one in binding.listeners if one not in binding.exempt),
        dialing.options_of(target),
        exempt=frozenset(binding.exempt),
    )


def _shut(job: Job, step: Step, binding: Binding) -> bool:
    """Outside the target's maintenance window the same job comes again when that opens."""
    until = windows.opens(windows.read(binding.target.window), clock.real_now())
    if until is not None:
        stepping.waits(step, job.kind, str(job.payload.get("user_id", "")), until)
    return until is not None


def _given_up(job: Job, error: BaseException) -> None:
    """A job that ends without its store still ends its step, in words."""
    step = _step(job, StepState.PLANNED, StepState.RUNNING)
    if step is not None:
        told = (
            str(error) if isinstance(error, CertdeskError | Permanent) else "The worker could not finish it."
        )
        lasting = isinstance(error, CertdeskError | Permanent)  # the right, the state: not ours to change
        stepping.finished(step, Outcome(False, reason=told, next_step="Try again.", lasting=lasting))


@handler(stepping.PREPARE, max_attempts=5)
class Prepare(Handler[Place, Snapshot | Failed]):
    """Stores the way back; nothing is touched yet."""

    def load(self, job: Job) -> Place | None:
        step = _step(job, StepState.PLANNED)
        if step is None or step.deployment.paused:
            return None
        if step.binding is None:
            stepping.finished(step, _GONE)
            return None
        if _shut(job, step, step.binding):
            return None
        return replace(_place(step.binding), previous=previous.of(job, step.binding))

    async def perform(self, work_: Place) -> Snapshot | Failed:
        return await work.prepare(work_)

    def store(self, job: Job, work_: Place, result: Snapshot | Failed) -> None:
        step = _step(job, StepState.PLANNED)
        if step is None:
            return
        if isinstance(result, Failed):
            told = Outcome(False, reason=result.reason, next_step=result.next_step, lasting=result.lasting)
            stepping.finished(step, told)
        else:
            stepping.prepared(step, result, str(job.payload.get("user_id", "")))

    def failed(self, job: Job, error: BaseException) -> None:
        _given_up(job, error)


@handler(stepping.INSTALL, max_attempts=5)
class Install(Handler[ToInstall, Outcome]):
    """Installs, looks, keeps; or puts the previous certificate back (DEP-6)."""

    def load(self, job: Job) -> ToInstall | None:
        step = _step(job, StepState.RUNNING)
        if step is None or step.back:
            return None
        if step.binding is None:
            stepping.finished(step, _GONE)
            return None
        return None if _shut(job, step, step.binding) else _to_install(job, step, step.binding)

    async def perform(self, work_: ToInstall) -> Outcome:
        return await work.install(work_)

    def store(self, job: Job, work_: ToInstall, result: Outcome) -> None:
        step = _step(job, StepState.RUNNING)
        if step is not None and not step.back:
            stepping.finished(step, result)

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
    plain = sealing.unseal(step.snapshot_id, step.deployment.account_id, stepping.snapshot_purpose(step))
    return stepping.unpacked(plain)


@handler(stepping.RESTORE, max_attempts=5)
class Restore(Handler[ToRestore, Outcome]):
    """Puts back what was served before a deployment that somebody takes back."""

    def load(self, job: Job) -> ToRestore | None:
        step = _step(job, StepState.RUNNING)
        if step is None or not step.back:
            return None
        if step.binding is None:
            stepping.finished(step, _GONE)
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
            stepping.finished(step, result)

    def failed(self, job: Job, error: BaseException) -> None:
        _given_up(job, error)


@handler(SETTLE, max_attempts=3, lock=SETTLE)
class Settle(Handler[bool, None]):
    """Open steps that no job stands for any more get one again."""

    def load(self, job: Job) -> bool | None:
        rows = Step.objects.select_related("deployment", "binding").filter(state__in=states.OPEN)
        mine = rows.filter(wave__lte=F("deployment__wave")).exclude(state="PLANNED", deployment__paused=True)
        for step in mine.order_by("updated_at")[:100]:
            kind = _kind(step)
            alive = Job.objects.filter(
                kind=kind,
                subject=step.deployment.certificate_id,
                state__in=(JobState.READY, JobState.RUNNING),
                payload__step=step.id,
            )
            if not alive.exists():
                stepping.send(kind, step, step.deployment.created_by)
        _settle_waves()
        return None


def _settle_waves() -> None:
    """A wave whose turn has come begins, also when whoever ended the one before died just then."""
    ahead = Step.objects.filter(state=StepState.PLANNED, wave__gt=F("deployment__wave"))
    for found in ahead.values_list("deployment_id", flat=True).distinct()[:100]:
        stepping.settle(Deployment.objects.get(id=found))


def _kind(step: Step) -> str:
    if step.state == StepState.PLANNED:
        return stepping.PREPARE
    return stepping.RESTORE if step.back else stepping.INSTALL


@handler(stepping.RETRY, max_attempts=5)
class Retry(Handler[bool, None]):
    """A step that failed is tried again, while its place still should serve just that."""

    def load(self, job: Job) -> bool | None:
        step = _step(job, StepState.FAILED)
        if step is not None and step.retry_at is not None and _still_wanted(step):
            stepping.again(step)
        return None


def _still_wanted(step: Step) -> bool:
    binding, deployment = step.binding, step.deployment
    if binding is None or binding.gone or step.back or deployment.paused:
        return False
    newest = Version.objects.filter(
        certificate_id=deployment.certificate_id, number__gt=deployment.version
    ).exists()
    wanted = (binding.certificate_id, binding.version) == (deployment.certificate_id, deployment.version)
    busy = Step.objects.filter(binding=binding, state__in=states.OPEN).exists()
    return wanted and not newest and not busy


periodic(SETTLE, 60, at_start=True)
