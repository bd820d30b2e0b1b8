"""Agencies (IAM-8): an account lets users of another one act in it, with the agency's policies alone.

Whom an agency trusts is looked up when it is assumed; nothing here tells whether an account or a user of
that name exists.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState
from certdesk.foundation.sealing import actions as sealing

from . import actions, finding, queries, snapshot
from .models import Account, Agency, AgencyGrant, AgencyUser, User
from .principal import Principal

LIST, GET, CREATE = "iam:agencies:list", "iam:agencies:get", "iam:agencies:create"
UPDATE, DELETE = "iam:agencies:update", "iam:agencies:delete"
ATTACH, DETACH = "iam:agencies:attachPolicy", "iam:agencies:detachPolicy"
MOST, MOST_USERS = 50, 50
LONGEST_NAME = 64


def listed(principal: Principal) -> "QuerySet[Agency]":
    """The account's agencies that the principal may see, by name."""
    return finding.visible(Agency.objects.order_by("name"), principal, LIST, "agency")


def fetch(principal: Principal, agency_id: str, action: str = GET) -> Agency:
    """Raises: NotFound, Forbidden as `finding.user`."""
    found = Agency.objects.filter(account_id=principal.account_id, id=agency_id).first()
    if found is None:
        raise finding.missing("agency", agency_id)
    principal.require(action, finding.resource("agency", principal, found.id))
    return found


def users(agency: Agency) -> list[str]:
    """Who is named, as it was written."""
    return list(agency.users.order_by("id").values_list("name", flat=True))


def grants(agency: Agency) -> list[AgencyGrant]:
    return list(agency.grants.select_related("policy").order_by("policy__name", "enterprise_project_id"))


def create(
    principal: Principal,
    name: str,
    trust: str,
    *,
    named: Iterable[str] = (),
    description: str = "",
    lasts: timedelta | None = None,
) -> Agency:
    """An agency without policies.

    Args:
        trust: the account whose users may assume it, by name or id.
        named: those of them who may, by name or id; none = whoever has `iam:agencies:assume` there.
        lasts: None = for ever.

    Raises:
        Forbidden, BadParameter. Conflict: the name is taken. WrongState: 50 agencies already.
    """
    principal.require(CREATE, finding.resource("agency", principal))
    actions.check_name(name, "agency")
    text = actions.line(description, 255, "description")
    now = clock.real_now()
    with snapshot.changing(principal, principal.account_id):
        mine = Agency.objects.filter(account_id=principal.account_id)
        if mine.filter(name=name).exists():
            raise Conflict(f"There is an agency {name!r} already.", next_step="Choose another name.")
        if mine.count() >= MOST:
            raise WrongState(f"The account has {MOST} agencies already.", next_step="Delete some first.")
        ends = None if lasts is None else now + lasts
        made = Agency(
            account_id=principal.account_id, name=name, description=text, created_at=now, expires_at=ends
        )
        _trust(made, trust)
        made.save(force_insert=True)
        _name(made, list(named))
        _record(principal, CREATE, made, {"trusts": made.trust_name})
    return made


def update(
    principal: Principal,
    agency_id: str,
    *,
    trust: str | None = None,
    named: Iterable[str] | None = None,
    description: str | None = None,
    lasts: timedelta | None = None,
    for_ever: bool = False,
) -> Agency:
    """Changes what is given; the name stays. What was assumed by others than those it trusts now ends.

    Raises:
        NotFound, Forbidden: also when it would lend others more than the principal holds.
    """
    agency = fetch(principal, agency_id, UPDATE)
    with snapshot.changing(principal, agency.account_id):
        if trust is not None or named is not None or lasts is not None or for_ever:
            snapshot.require_holds(principal, agency)
        if description is not None:
            agency.description = actions.line(description, 255, "description")
        if trust is not None:
            _trust(agency, trust)
        if named is not None:
            agency.users.all().delete()
            _name(agency, list(named))
        if lasts is not None or for_ever:
            agency.expires_at = None if for_ever or lasts is None else clock.real_now() + lasts
        agency.save()
        _record(principal, UPDATE, agency, {"trusts": agency.trust_name})
    return agency


def delete(principal: Principal, agency_id: str) -> None:
    """Whoever has assumed it is out at once."""
    agency = fetch(principal, agency_id, DELETE)
    with snapshot.changing(principal, agency.account_id):
        _record(principal, DELETE, agency, {})
        for secret_id in agency.keys.values_list("secret_id", flat=True):
            sealing.destroy(secret_id)
        agency.delete()


def attach(principal: Principal, agency_id: str, policy_id: str, project: str = "") -> None:
    """Raises: NotFound. Forbidden: also when the policy gives more than the principal holds."""
    agency = fetch(principal, agency_id, ATTACH)
    policy = finding.policy(principal, ATTACH, policy_id)
    actions.check_project(agency.account_id, project)
    with snapshot.changing(principal, agency.account_id):
        AgencyGrant.objects.get_or_create(agency=agency, policy=policy, enterprise_project_id=project)
        _record(principal, ATTACH, agency, {"policy": policy.name, "enterprise_project_id": project})


def detach(principal: Principal, agency_id: str, policy_id: str, project: str = "") -> None:
    """Raises: NotFound: also when it is not attached. Forbidden: also when its Deny binds the principal."""
    agency = fetch(principal, agency_id, DETACH)
    policy = finding.policy(principal, DETACH, policy_id)
    with snapshot.changing(principal, agency.account_id):
        held = AgencyGrant.objects.filter(agency=agency, policy=policy, enterprise_project_id=project)
        if not held.delete()[0]:
            raise finding.missing("policy", f"{policy_id} at this agency")
        _record(principal, DETACH, agency, {"policy": policy.name, "enterprise_project_id": project})


def _trust(agency: Agency, given: str) -> None:
    if not 0 < len(given) <= LONGEST_NAME or not given.isprintable():
        raise BadParameter("Name the account that is trusted, by its name or id.", field="trust_domain_name")
    found = Account.objects.filter(Q(id=given) | Q(name=given)).values_list("id", flat=True).first()
    agency.trust_name, agency.trust_id = given, found or ""


def _name(agency: Agency, named: list[str]) -> None:
    if len(named) > MOST_USERS:
        raise BadParameter(
            f"{len(named)} users were named.", next_step=f"Name {MOST_USERS} at most.", field="trust_users"
        )
    for given in dict.fromkeys(named):
        actions.line(given, LONGEST_NAME, "trust_users")
        there = User.objects.filter(Q(id=given) | Q(name=given), account_id=agency.trust_id or "-")
        user_id = there.values_list("id", flat=True).first()
        AgencyUser.objects.create(agency=agency, name=given, user_id=user_id or "")


def _record(principal: Principal, action: str, agency: Agency, details: dict[str, object]) -> None:
    audit.record(principal, action, resource=f"agency:{agency.id}", details={"name": agency.name, **details})
    queries.forget_keys()


def is_over(agency: Agency, now: datetime) -> bool:
    return agency.expires_at is not None and agency.expires_at <= now
