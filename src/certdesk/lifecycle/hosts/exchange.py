"""What a host says of itself, and what it is told to do: one exchange, by the host's own request.

Work is numbered by place. The host does a whole transaction for it (stage, switch, reload, look, or back) and
reports until the report was taken; what was lost on the way is given or taken again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.foundation.jobs import rights
from certdesk.foundation.jobs.errors import UserGone
from certdesk.lifecycle.certificates import csrs
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment import hosted
from certdesk.lifecycle.deployment import queries as deployment
from certdesk.pki.x509.certificates import to_pem

from . import actions, queries, rules
from .errors import Replayed, Unknown
from .models import Agent, Place

MOST_PLACES = 50
MOST_LOOKS = 50
MOST_CSRS = 3
NOT_ALLOWED = "Whoever enrolled this host may not deploy this certificate."
ASK_RIGHTS = "Give that user the right scm:cert:deploy, or enrol the host again as somebody who has it."
NO_CSR_RIGHT = "Whoever enrolled this host may not keep its CSR: the right scm:csr:upload is missing."


@dataclass(frozen=True, slots=True)
class Told:
    """One place, as the host tells it."""

    name: str
    names: tuple[str, ...]
    listeners: tuple[str, ...]
    csrs: tuple[str, ...]
    served: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one work. `place_id` and `number` are those of the work."""

    place_id: int
    number: int
    ok: bool
    verdict: str = ""
    reason: str = ""
    next_step: str = ""
    looks: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """One certificate that a place is to serve. PEM."""

    place_id: int
    number: int
    place: str
    certificate: str
    chain: str


def fetch(agent_id: str) -> Agent:
    """Raises:
    Unknown: there is none, or none that was enrolled.
    """
    found = Agent.objects.select_related("target").filter(id=agent_id).exclude(secret_id="").first()
    if found is None or found.target is None:
        raise Unknown
    return found


def advance(agent: Agent, counter: int, host: str, release: str) -> None:
    """Takes the number of a request whose signature is good; each counts once.

    Raises:
        Replayed: it, or a higher one, came before.
        Unknown: the host was removed meanwhile.
    """
    with short_transaction():
        taken = Agent.objects.filter(id=agent.id, counter__lt=counter).update(
            counter=counter,
            seen_at=clock.real_now(),
            told_at=None,
            host=actions.told(host, 255),
            release=actions.told(release, 20),
        )
        if taken:
            return
        found = Agent.objects.filter(id=agent.id).values_list("counter", flat=True).first()
    if found is None:
        raise Unknown
    raise Replayed(found)


def report(agent: Agent, places: Sequence[Told], done: Sequence[Done]) -> list[Work]:
    """Keeps what the host says; answers what it is to do now."""
    principal = _maker(agent)
    with short_transaction():
        for result in done:
            _finish(agent, result)
        for one in places:
            _enter(agent, one)
        if agent.target is not None:
            hosted.leave_out(agent.target, [one.name for one in places])
    for one in places:
        _take_requests(principal, agent, one)
    with short_transaction():
        now = clock.real_now()
        found = [_work(principal, agent, place, now) for place in queries.places(agent)]
    return [one for one in found if one is not None]


def _maker(agent: Agent) -> Principal | None:
    """For whom the host acts; None when that user is gone."""
    try:
        return rights.principal_of_user(agent.created_by, agent.account_id)
    except UserGone:
        return None


def _enter(agent: Agent, told: Told) -> None:
    if agent.target is None:
        return
    binding = hosted.enter(agent.target, hosted.Report(told.name, told.names, told.served, told.problem))
    place, _ = Place.objects.get_or_create(binding=binding, defaults={"agent": agent})
    if place.listeners != list(told.listeners):
        Place.objects.filter(id=place.id).update(listeners=list(told.listeners))


def _take_requests(principal: Principal | None, agent: Agent, told: Told) -> None:
    """New CSRs of the place stand in the CSR management, for whoever applies for a certificate."""
    place = Place.objects.filter(agent=agent, binding__resource=told.name).first()
    if place is None:
        return
    known = {text.strip() for text in place.csrs.values()}
    new = [one for one in told.csrs[:MOST_CSRS] if one.strip() not in known]
    if not new:
        return
    kept, problem = dict(place.csrs), ""
    for text in new:
        try:
            if principal is None:
                raise UserGone
            name = f"{agent.label} {told.name}"[:63]
            kept[csrs.upload(principal, name, text, "", clock.now()).spki_sha256] = text
        except UserGone:
            problem = NO_CSR_RIGHT
        except CertdeskError as error:
            problem = error.message
    Place.objects.filter(id=place.id).update(
        csrs=dict(list(kept.items())[-MOST_CSRS:]), problem=problem[:1000]
    )


def _finish(agent: Agent, done: Done) -> None:
    """The result of the work that the place is at; any other is of the past."""
    place = (
        Place.objects.select_for_update(of=("self",))
        .select_related("binding")
        .filter(agent=agent, id=done.place_id, step=done.number, open=True)
        .first()
    )
    if place is None:
        return
    now = clock.real_now()
    place.open, place.looks = False, list(done.looks[:MOST_LOOKS])
    place.attempts = 0 if done.ok else place.attempts + 1
    place.next_at = None if done.ok else now + rules.pause(place.attempts, settings.get().look_seconds)
    place.deployed_at = now if done.ok else place.deployed_at
    place.save()
    binding = place.binding
    hosted.report(binding, ok=done.ok, verdict=done.verdict, reason=done.reason, next_step=done.next_step)
    audit.record(
        system_principal(agent.account_id, "hosts"),
        "host.deployed" if done.ok else "host.deployment_failed",
        resource=f"cert:{binding.certificate_id}",
        account_id=agent.account_id,
        details={"agent": agent.id, "place": binding.resource, "reason": done.reason[:300]},
    )


def _work(principal: Principal | None, agent: Agent, place: Place, now: datetime) -> Work | None:
    """What the place is to do; rights are asked again each time it is handed out (law 5)."""
    version = queries.wanted(agent.account_id, place)
    if version is None:
        return None
    binding = place.binding
    if binding.fingerprint != version.fingerprint_sha1:
        place.attempts, place.next_at, place.deployed_at, place.open = 0, None, None, False
    place.version = version.number
    served = binding.served == version.fingerprint_sha1 and place.deployed_at is not None
    before = place.deployed_at is not None
    if not place.open and not rules.is_due(
        served=served, deployed_before=before, policy=binding.policy, next_at=place.next_at, now=now
    ):
        return None
    if not _may(principal, version):
        hosted.want(binding, version)
        hosted.refuse(binding, NOT_ALLOWED, ASK_RIGHTS)
        place.save()
        return None
    if not place.open:
        place.step, place.open = place.step + 1, True
        hosted.want(binding, version)
    place.save()
    chain = bytes(version.chain).decode()
    return Work(place.id, place.step, binding.resource, to_pem(bytes(version.der)), chain)


def _may(principal: Principal | None, version: Version) -> bool:
    if principal is None:
        return False
    try:
        certificates.fetch(principal, deployment.DEPLOY, version.certificate_id)
    except CertdeskError:
        return False
    return True
