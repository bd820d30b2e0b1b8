"""Every place is looked at in turn; what differs from what it should serve is told, or mended."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from certdesk.connectors.probe import Expected
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs.actions import enqueue
from certdesk.lifecycle.certificates.models import Certificate, Version

from . import dialing, following, looking, material, queries, rules, states, telling
from .bindings import MEND
from .looking import Found, One, ToLook
from .models import Binding, Step, Target
from .states import MENDABLE, BindingState, Cause, Drift

LOOK = "deployment.look"
BUDGET = 300
"""Places a minute, in pages of at most 100."""
PAGE = 100
NEXT = {
    Drift.GONE: "Look the target through again (discover), or remove the binding's certificate there.",
    Drift.UNREACHABLE: "Check that it can be reached from here; it is looked at again by itself.",
    Drift.REFUSED: "Look at the server there; it is looked at again by itself.",
}
REPORTED = "Deploy again, or set its policy to MEND so that this is done by itself."
MENDING = "The certificate is being deployed there again."
_DUE = (
    "SELECT id, target_id FROM deployment_binding WHERE certificate_id <> '' AND NOT gone"
    " AND (look_at IS NULL OR look_at <= %s) ORDER BY look_at NULLS FIRST, id LIMIT %s"
)


def send_due(now: datetime) -> int:
    """A job a target for the places whose turn has come; how many places. In the caller's transaction."""
    rows = sql.rows(_DUE, [clock.to_micros(now), PAGE])
    groups: dict[str, list[str]] = defaultdict(list)
    for binding_id, target_id in rows:
        groups[str(target_id)].append(str(binding_id))
    for target_id, found in groups.items():
        enqueue(
            LOOK,
            {"target": target_id, "bindings": found},
            subject=target_id,
            lock_key=f"{LOOK}:{target_id}",
        )
    for binding_id, _ in rows:  # its next turn, whatever becomes of this look
        Binding.objects.filter(id=binding_id).update(look_at=_next(str(binding_id), now))
    return len(rows)


def _next(binding_id: str, now: datetime) -> datetime:
    """The next turn: each place has its own moment in the period, the same for ever."""
    period = float(settings.get().look_seconds)
    begun = now.timestamp() // period * period
    turn = begun + rules.jitter(binding_id, period)
    return datetime.fromtimestamp(turn if turn > now.timestamp() else turn + period, tz=now.tzinfo)


def work_of(target: Target, binding_ids: Sequence[str]) -> ToLook | None:
    """What is to be looked at there; None when nothing is left of it."""
    rows = Binding.objects.filter(id__in=binding_ids, target=target, gone=False).exclude(certificate_id="")
    places = [found for one in rows.order_by("id") if (found := _one(one)) is not None]
    return ToLook(target.kind, tuple(places), dialing.options_of(target)) if places else None


def _one(binding: Binding) -> One | None:
    version = Version.objects.filter(certificate_id=binding.certificate_id, number=binding.version).first()
    if version is None or binding.deployment == BindingState.DEPLOYING:
        return None
    new = version.fingerprint_sha256
    ours = queries.fingerprints(binding.account_id, [*binding.names, *version.names.split(";")]) - {new}
    previous = binding.previous if binding.previous != new else ""
    expected = Expected(new, previous, ours, material.chain_of(version), material.key_of(version))
    return One(
        binding.id,
        binding.resource,
        tuple(one for one in binding.names if one not in binding.exempt),
        tuple(one for one in binding.listeners if one not in binding.exempt),
        binding.fingerprint,
        expected,
        _stamp(binding),
    )


def _stamp(binding: Binding) -> str:
    """It changes with whatever a deployment, a person or another look writes."""
    seen = clock.to_micros(binding.seen_at) if binding.seen_at else 0
    return f"{binding.certificate_id}:{binding.version}:{binding.deployment}:{seen}"


def keep(found: Found, now: datetime) -> None:
    """Writes what a look saw, unless the place was changed meanwhile; in the job's transaction."""
    binding = (
        Binding.objects.select_for_update(of=("self",))
        .select_related("target")
        .filter(id=found.place.binding, gone=False)
        .first()
    )
    if binding is None or _stamp(binding) != found.place.stamp:
        return
    if Step.objects.filter(binding=binding, state__in=states.OPEN).exists():
        return
    drift, verdict, sentence = looking.judge(found)
    if found.asked:
        binding.served = found.held or ""
        binding.served_certificate_id = queries.ours(binding.account_id, binding.names, binding.served)
    binding.seen_at, binding.verdict = now, verdict
    if binding.deployment == BindingState.FAILED and following.newer([binding.id]):
        pass  # the newer version could not follow: it goes on saying why
    elif drift is None:
        _all_well(binding, now)
    else:
        _differs(binding, drift, sentence, now)
    binding.save()
    if binding.deployment != BindingState.FAILED:
        following.catch_up([binding.id])


def _all_well(binding: Binding, now: datetime) -> None:
    if binding.drift:
        _audit(binding, "binding.as_wanted", binding.drift)
    calm = binding.drift_since is None or now - binding.drift_since > timedelta(hours=1)
    binding.drift, binding.reason, binding.next_step = "", "", ""
    binding.deployment, binding.served = BindingState.DEPLOYED, binding.fingerprint
    binding.served_certificate_id = binding.certificate_id
    if calm:
        binding.mends, binding.drift_since = 0, None


def _differs(binding: Binding, drift: Drift, sentence: str, now: datetime) -> None:
    if binding.deployment == BindingState.FAILED:
        return  # it is tried again, or waits for a person
    mends = binding.policy == MEND and drift in MENDABLE
    began = binding.drift != drift
    binding.drift, binding.drift_since = drift.value, binding.drift_since if not began else now
    if binding.deployment == BindingState.DEPLOYED:
        binding.deployment = BindingState.NOT_DEPLOYED
    binding.reason = sentence
    binding.next_step = MENDING if mends else NEXT.get(drift, REPORTED)
    if began:
        _audit(binding, "binding.drifted", drift)
        telling.tell(binding, drift, mending=mends)
    if mends:
        _mend(binding, now)
    elif drift in (Drift.UNREACHABLE, Drift.REFUSED):
        pause = rules.pause(0, settings.get().look_seconds)
        binding.look_at = min(binding.look_at or now, now + timedelta(seconds=pause))


def _mend(binding: Binding, now: datetime) -> None:
    """At once the first time; with growing pauses where something else keeps changing it back."""
    certificate = Certificate.objects.filter(id=binding.certificate_id).first()
    if certificate is None or not following.possible(certificate, [binding]):
        return
    seconds = rules.pause(binding.mends - 1, settings.get().look_seconds) if binding.mends else 0.0
    run_at = now + timedelta(seconds=seconds)
    following.send(certificate, [binding], Cause.MEND, run_at=run_at)
    binding.mends += 1


def _audit(binding: Binding, action: str, drift: str) -> None:
    audit.record(
        system_principal(binding.account_id, LOOK),
        action,
        resource=f"binding:{binding.id}",
        account_id=binding.account_id,
        details={"drift": str(drift), "certificate": binding.certificate_id, "served": binding.served},
    )
