"""A newer version, or the certificate that takes another's place, goes where the old one should be served.

Each place is redeployed with the right of whoever deployed there last, which its job asks again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs.actions import enqueue
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate

from . import material, rules, states
from .bindings import MEND
from .models import Binding, Step
from .states import BindingState, Cause

FOLLOW, REDEPLOY = "deployment.follow", "deployment.redeploy"
CHUNK = 100  # law 13
BUSY_PAUSE = 2  # of rules.PAUSES
NO_KEY = "The new version cannot be deployed from here: its key was made by you with the CSR."


def behind(certificate: Certificate) -> list[Binding]:
    """Places that should serve an older version of it."""
    found = Binding.objects.filter(
        account_id=certificate.account_id,
        certificate_id=certificate.id,
        version__lt=certificate.current_version,
        gone=False,
    )
    return [one for one in found.order_by("id") if one.names and one.listeners]


def of_predecessor(certificate: Certificate) -> list[Binding]:
    """Places of the certificate that this one renews, whose policy is that they are kept right (REN-3)."""
    found = Binding.objects.filter(
        account_id=certificate.account_id, certificate_id=certificate.renews_id, policy=MEND, gone=False
    )
    return [one for one in found.order_by("id") if one.names and one.listeners]


def send(
    certificate: Certificate, places: Iterable[Binding], cause: Cause, run_at: datetime | None = None
) -> int:
    """Jobs that deploy the certificate there, one for each person and hundred places; how many places.
    In the caller's transaction."""
    groups: dict[str, list[str]] = defaultdict(list)
    for one in places:
        groups[one.wanted_by].append(one.id)
    for user_id, found in groups.items():
        for start in range(0, len(found), CHUNK):
            chunk = found[start : start + CHUNK]
            enqueue(
                REDEPLOY,
                {
                    "certificate": certificate.id,
                    "bindings": chunk,
                    "cause": cause.value,
                    "user_id": user_id,
                    "account_id": certificate.account_id,
                },
                subject=certificate.id,
                run_at=run_at,
                dedupe_key=f"{REDEPLOY}:{certificate.id}:{certificate.current_version}:{chunk[0]}",
            )
    return sum(map(len, groups.values()))


def later(payload: Mapping[str, Any], busy: Sequence[str]) -> None:
    """The same job again for places that another deployment holds just now; in the caller's transaction."""
    pause = rules.pause(BUSY_PAUSE, settings.get().look_seconds)
    enqueue(
        REDEPLOY,
        {**payload, "bindings": list(busy)},
        subject=str(payload["certificate"]),
        run_at=clock.real_now() + timedelta(seconds=pause),
        dedupe_key=f"{REDEPLOY}:{payload['certificate']}:{len(busy)}:{busy[0]}:{busy[-1]}",
    )


def catch_up(binding_ids: Iterable[str]) -> None:
    """Sends the newer version that came while these places were busy or gone; in the caller's transaction."""
    for each in newer(binding_ids):
        enqueue(FOLLOW, {"subject": each}, subject=each, dedupe_key=f"{FOLLOW}:{each}")


def newer(binding_ids: Iterable[str]) -> list[str]:
    """Certificates that have a newer version than one of these places should serve."""
    rows = Binding.objects.filter(id__in=binding_ids, version__gt=0, gone=False).exclude(certificate_id="")
    oldest: dict[str, int] = {}
    for certificate_id, version in rows.values_list("certificate_id", "version"):
        oldest[certificate_id] = min(version, oldest.get(certificate_id, version))
    found = Certificate.objects.filter(id__in=oldest, state__in=rules.DEPLOYABLE)
    return [one.id for one in found if one.current_version > oldest[one.id]]


def possible(certificate: Certificate, places: list[Binding]) -> bool:
    """Whether the newest version can go there; where the key is not ours, the places say so."""
    version = certificates.current_version(certificate)
    if version is not None and material.held(version, certificate.account_id):
        return True
    ids = [one.id for one in places]
    Binding.objects.filter(id__in=ids).update(reason=NO_KEY, next_step="Install it there by hand.")
    return False


def still(payload: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Of the places that a job was to redeploy, those for which that is still wanted: free ones, and those
    that another deployment holds."""
    certificate = Certificate.objects.filter(id=payload["certificate"]).first()
    if certificate is None:
        return [], []
    rows = Binding.objects.filter(id__in=payload["bindings"], gone=False).order_by("id")
    held = Step.objects.filter(binding_id__in=payload["bindings"], state__in=states.OPEN)
    busy = set(held.values_list("binding_id", flat=True))
    if payload["cause"] == Cause.MEND:  # what is held now is looked at again when that is over
        mine = rows.filter(certificate_id=certificate.id, policy=MEND).exclude(id__in=busy)
        return _ids(mine.exclude(deployment=BindingState.DEPLOYED, drift="")), []
    mine = rows.filter(certificate_id__in=[certificate.id, certificate.renews_id or certificate.id])
    wanted = _ids(mine.exclude(certificate_id=certificate.id, version__gte=certificate.current_version))
    return [one for one in wanted if one not in busy], [one for one in wanted if one in busy]


def _ids(rows: QuerySet[Binding]) -> list[str]:
    return list(rows.values_list("id", flat=True))


def refused(payload: Mapping[str, Any], why: str) -> None:
    """The places tell why the machine could not redeploy them; they serve what they served."""
    ids = [str(one) for one in payload["bindings"]]
    found = Binding.objects.filter(id__in=ids, gone=False).exclude(
        id__in=Step.objects.filter(binding_id__in=ids, state__in=states.OPEN).values("binding_id")
    )
    found.update(
        deployment=BindingState.FAILED,
        reason=why,
        next_step="Let somebody with this right deploy the certificate there.",
    )
    account_id, certificate_id = str(payload["account_id"]), str(payload["certificate"])
    audit.record(
        system_principal(account_id, REDEPLOY),
        "deployment.not_begun",
        resource=f"cert:{certificate_id}",
        account_id=account_id,
        details={"cause": payload["cause"], "bindings": ids, "why": why[:500]},
    )
