"""Reads of hosts, and their certificates."""

from django.db.models import Count, Q, QuerySet

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.deployment import rules as deployment_rules
from certdesk.lifecycle.deployment.states import BindingState

from . import rules
from .errors import NoAgent
from .models import Agent, Place
from .rules import Candidate, Standing

LIST, GET, CREATE = "scm:agent:list", "scm:agent:get", "scm:agent:create"
CODE, UPDATE, DELETE = "scm:agent:createEnrolmentCode", "scm:agent:update", "scm:agent:delete"


def resource_of(account_id: str, agent_id: str = "") -> Resource:
    return Resource("agent", agent_id, account_id)


def fetch(principal: Principal, action: str, agent_id: str) -> Agent:
    """The host, if the principal may do `action` with it (law 5).

    Raises:
        NoAgent: missing or of another account.
        Forbidden: no policy allows the action.
    """
    found = Agent.objects.select_related("target").filter(id=agent_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NoAgent
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def listed(principal: Principal) -> list[Agent]:
    """The account's hosts that the principal may see, oldest first."""
    found = Agent.objects.filter(account_id=principal.account_id).order_by("created_at", "id")
    return [one for one in found if principal.may(LIST, resource_of(one.account_id, one.id))]


def standing(agent: Agent) -> Standing:
    return rules.standing(agent.seen_at, agent.code_expires_at, clock.real_now())


def places(agent: Agent) -> QuerySet[Place]:
    """What the host serves, by name."""
    found = Place.objects.filter(agent=agent, binding__gone=False).select_related("binding")
    return found.order_by("binding__resource")


def counts(account_id: str) -> dict[str, tuple[int, int]]:
    """How many places each host of the account serves, and how many failed; one without is left out."""
    found = Place.objects.filter(agent__account_id=account_id, binding__gone=False).values("agent_id")
    failed = Count("id", filter=Q(binding__deployment=BindingState.FAILED))
    lines = found.annotate(all=Count("id"), failed=failed).values_list("agent_id", "all", "failed")
    return {agent_id: (places, wrong) for agent_id, places, wrong in lines}


def wanted(account_id: str, place: Place) -> Version | None:
    """The newest certificate in force that belongs to a key of the place and covers its names."""
    found = Version.objects.select_related("certificate").filter(
        spki_sha256__in=list(place.csrs), certificate__account_id=account_id, revoked_at=None
    )
    now = clock.now()
    good = {one.id: one for one in found if _in_force(one.certificate, one, now)}
    candidates = [Candidate(one.id, tuple(one.names.split(";")), one.created_at) for one in good.values()]
    chosen = rules.chosen(candidates, place.binding.names)
    return good[chosen.id] if chosen is not None else None


def _in_force(certificate: Certificate, version: Version, now: object) -> bool:
    state = certificate_rules.state_of(certificate, now)  # type: ignore[arg-type]
    return version.number == certificate.current_version and state in deployment_rules.DEPLOYABLE
