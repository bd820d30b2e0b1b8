"""Targets that nobody connects to: hosts with an agent, which ask for their certificates and report.

Their bindings stand beside all others, so that every page knows where a certificate is served; what they
should serve and how it went is written here, by the word of the host. The room of hosts alone calls this.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from certdesk.foundation.common import clock, ids
from certdesk.foundation.sealing import actions as sealing
from certdesk.lifecycle.certificates.models import Version

from . import dialing, queries
from .models import Binding, Service, Target
from .states import BindingState

KIND = queries.HOSTED
REGION = "hosts"
DRIFT = "The host serves another certificate now than the one that was deployed."
DRIFT_STEP = "See who changed it there; with the policy MEND it is put right by itself."


@dataclass(frozen=True, slots=True)
class Report:
    """What a host says of one place. `served`: SHA-1 of what its listener shows, or empty."""

    name: str
    names: tuple[str, ...]
    served: str
    problem: str = ""


def add_target(account_id: str, label: str, created_by: str) -> Target:
    """The target of a new host; in the caller's transaction."""
    target_id, now = ids.hex32(), clock.now()
    secret = sealing.seal(account_id, dialing.purpose(target_id), json.dumps({}).encode())
    return Target.objects.create(
        id=target_id,
        account_id=account_id,
        service=Service.OTHER,
        kind=KIND,
        label=label,
        region=REGION,
        secret_id=secret,
        created_by=created_by,
        created_at=now,
        updated_at=now,
    )


def rename(target: Target, label: str) -> None:
    Target.objects.filter(id=target.id).update(label=label, updated_at=clock.now())


def drop(target: Target) -> None:
    """Forgets it with its bindings; what the host serves stays as it is. In the caller's transaction."""
    sealing.destroy(target.secret_id)
    target.delete()


def enter(target: Target, report: Report) -> Binding:
    """The binding of a reported place, new or brought up to date; in the caller's transaction.

    It has no listeners for the desk: the host looks itself, and the engine of other targets leaves it alone.
    """
    made, _ = Binding.objects.get_or_create(
        target=target,
        resource=report.name,
        defaults={"id": ids.hex32(), "account_id": target.account_id},
    )
    made.names, made.gone, made.seen_at = list(report.names), False, clock.real_now()
    made.served = report.served
    made.served_certificate_id = queries.ours(target.account_id, report.names, report.served)
    if made.deployment == BindingState.DEPLOYED and report.served != made.fingerprint:
        made.deployment = BindingState.NOT_DEPLOYED
        made.reason, made.next_step = (report.problem, "") if report.problem else (DRIFT, DRIFT_STEP)
    elif made.deployment == BindingState.NOT_DEPLOYED:
        made.reason = report.problem or (made.reason if made.reason == DRIFT else "")
        if made.fingerprint and report.served == made.fingerprint:
            made.deployment, made.reason, made.next_step = BindingState.DEPLOYED, "", ""
    made.save()
    return made


def leave_out(target: Target, present: Sequence[str]) -> None:
    """Places that the host does not name any more are gone."""
    Binding.objects.filter(target=target, gone=False).exclude(resource__in=present).update(
        gone=True, deployment=BindingState.NOT_DEPLOYED, served="", served_certificate_id=""
    )


def want(binding: Binding, version: Version) -> None:
    """The version that the place is to serve from now on.

    Its number is not kept here but in the room of hosts: without one no engine of this room takes the place
    for one that it could look at or deploy to.
    """
    Binding.objects.filter(id=binding.id).update(
        certificate_id=version.certificate_id,
        version=0,
        fingerprint=version.fingerprint_sha1,
        deployment=BindingState.DEPLOYING,
        verdict="",
        reason="",
        next_step="",
    )


def refuse(binding: Binding, reason: str, next_step: str) -> None:
    """Why what the place should serve is not handed out."""
    Binding.objects.filter(id=binding.id).update(
        deployment=BindingState.FAILED, verdict="", reason=reason, next_step=next_step
    )


def report(binding: Binding, *, ok: bool, verdict: str, reason: str, next_step: str) -> None:
    """What became of a deployment, as the host saw it."""
    values: dict[str, object] = {"verdict": verdict, "reason": reason, "next_step": next_step}
    values["deployment"] = BindingState.DEPLOYED if ok else BindingState.FAILED
    if ok:
        values |= {"served": binding.fingerprint, "served_certificate_id": binding.certificate_id}
    Binding.objects.filter(id=binding.id).update(seen_at=clock.real_now(), **values)
