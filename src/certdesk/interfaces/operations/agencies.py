"""Agencies and temporary access keys (IAM-8), with the names and shapes of IAM v3.0."""

import re
from datetime import timedelta
from typing import Any

from pydantic import Field

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import agencies, assuming, finding, known, tokens
from certdesk.foundation.iam.models import Agency, TemporaryKey
from certdesk.foundation.iam.principal import Principal

from . import paging
from . import people_schemas as schemas
from .people import both
from .registry import operation
from .schemas import Body, Line, PageQuery, Word
from .shapes import Shape

known.declare(assuming.ASSUME)  # asked in the account of whoever assumes, at no route of its own
BASE = "/v3.0/OS-AGENCY/agencies"
ONE = f"{BASE}/{{id}}"
ROLES = "/v3.0/OS-AGENCY/domains/{domain_id}/agencies/{agency_id}/roles"
ROLE = f"{ROLES}/{{role_id}}"
_ID = re.compile("[0-9a-f]{32}")
FOR_EVER, ONE_DAY = "FOREVER", "ONEDAY"


class NewAgency(schemas.Wrapped):
    """`trust_domain_id` or `_name`; `trust_users` (ours): those of them who may, none = by their right."""

    wrapper = "agency"
    name: Word
    domain_id: Line = ""
    trust_domain_id: Line = ""
    trust_domain_name: Line = ""
    trust_users: list[Word] = Field(default=[], max_length=agencies.MOST_USERS)
    description: Line = ""
    duration: Any = FOR_EVER


class AgencyChange(schemas.Wrapped):
    wrapper = "agency"
    trust_domain_id: Line = ""
    trust_domain_name: Line = ""
    trust_users: list[Word] | None = Field(default=None, max_length=agencies.MOST_USERS)
    description: Line | None = None
    duration: Any = None


class AgencyQuery(PageQuery):
    name: Word = ""
    trust_domain_id: Line = ""


def shape(found: Agency) -> Shape:
    """Whom it trusts as it was written: an id that was looked up would tell that there is such an account."""
    return {
        "id": found.id,
        "name": found.name,
        "domain_id": found.account_id,
        "trust_domain_id": found.trust_name if _ID.fullmatch(found.trust_name) else "",
        "trust_domain_name": found.trust_name,
        "trust_users": agencies.users(found),
        "description": found.description,
        "duration": FOR_EVER if found.expires_at is None else str((found.expires_at - found.created_at).days),
        "create_time": wire(found.created_at),
        "expire_time": wire(found.expires_at),
    }


@operation("agencies.list", "GET", BASE, agencies.LIST, query=AgencyQuery)
def listed(principal: Principal, query: AgencyQuery) -> Shape:
    """The account's agencies, by name; `trust_domain_id` finds those that were made with that id."""
    found = agencies.listed(principal).filter(name__gt=query.marker)
    if query.name:
        found = found.filter(name=query.name)
    if query.trust_domain_id:
        found = found.filter(trust_name=query.trust_domain_id)
    rows, more = paging.cut(found, query.limit)
    items = [shape(one) for one in rows]
    return {"items": items, "agencies": items, "next_marker": rows[-1].name if more else None}


@operation("agencies.create", "POST", BASE, agencies.CREATE, request=NewAgency, success=201)
def create(principal: Principal, body: NewAgency) -> Shape:
    """An agency without policies; whether the trusted account exists is told to nobody."""
    if body.domain_id not in ("", principal.account_id):
        raise BadParameter("domain_id must be your own account.", field="domain_id")
    made = agencies.create(
        principal,
        body.name,
        body.trust_domain_id or body.trust_domain_name,
        named=body.trust_users,
        description=body.description,
        lasts=_lasts(body.duration),
    )
    return both("agency", shape(made))


@operation("agencies.show", "GET", ONE, agencies.GET)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002
    """An agency with its policies."""
    found = agencies.fetch(principal, id)
    return both("agency", {**shape(found), "policies": _attached(found)})


@operation("agencies.update", "PUT", ONE, agencies.UPDATE, request=AgencyChange)
def update(principal: Principal, id: str, body: AgencyChange) -> Shape:  # noqa: A002
    """Whom it trusts, for how long, what it is for; the name stays. `trust_users` [] = by right at home."""
    changed = agencies.update(
        principal,
        id,
        trust=body.trust_domain_id or body.trust_domain_name or None,
        named=body.trust_users,
        description=body.description,
        lasts=None if body.duration is None else _lasts(body.duration),
        for_ever=body.duration == FOR_EVER,
    )
    return both("agency", shape(changed))


@operation("agencies.delete", "DELETE", ONE, agencies.DELETE, success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Deletes an agency; whoever has assumed it is out at once."""
    agencies.delete(principal, id)


@operation("agencies.policies", "GET", ROLES, agencies.GET)
def roles(principal: Principal, domain_id: str, agency_id: str) -> Shape:
    """The policies of an agency."""
    _check_own(principal, domain_id)
    return {"roles": _attached(agencies.fetch(principal, agency_id))}


@operation("agencies.attach_policy", "PUT", ROLE, agencies.ATTACH, request=schemas.Attachment, success=204)
def attach(
    principal: Principal, domain_id: str, agency_id: str, role_id: str, body: schemas.Attachment
) -> None:
    """Attaches a policy, for all projects or one; refused where it gives more than you hold."""
    _check_own(principal, domain_id)
    agencies.attach(principal, agency_id, role_id, body.enterprise_project_id)


@operation("agencies.detach_policy", "DELETE", ROLE, agencies.DETACH, request=schemas.Attachment, success=204)
def detach(
    principal: Principal, domain_id: str, agency_id: str, role_id: str, body: schemas.Attachment
) -> None:
    """Detaches a policy; refused where its Deny binds you."""
    _check_own(principal, domain_id)
    agencies.detach(principal, agency_id, role_id, body.enterprise_project_id)


def _check_own(principal: Principal, domain_id: str) -> None:
    if domain_id != principal.account_id:
        raise finding.missing("account", domain_id)


def _attached(found: Agency) -> list[Shape]:
    return [
        {
            "id": one.policy_id,
            "name": one.policy.name,
            "display_name": one.policy.name,
            "enterprise_project_id": one.enterprise_project_id,
        }
        for one in agencies.grants(found)
    ]


def _lasts(duration: object) -> timedelta | None:
    """FOREVER, ONEDAY, or a number of days."""
    if duration == FOR_EVER:
        return None
    if duration == ONE_DAY:
        return timedelta(days=1)
    text = str(duration)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 3650):
        raise BadParameter("duration must be FOREVER, ONEDAY or 1 to 3650 days.", field="duration")
    return timedelta(days=int(text))


# --- temporary access keys -----------------------------------------------------------------------


class _Assume(Body):
    agency_name: Word
    domain_name: Line = ""
    domain_id: Line = ""
    duration_seconds: int = 900


class _OfToken(Body):
    id: str = Field(default="", max_length=4096)
    duration_seconds: int = 900


class _Identity(Body):
    methods: list[Line]
    assume_role: _Assume | None = None
    token: _OfToken = _OfToken()
    policy: dict[str, Any] | None = None


class _Auth(Body):
    identity: _Identity


class Wish(Body):
    """`auth.identity`: methods ["assume_role"] with `assume_role` {agency_name, domain_name or domain_id,
    duration_seconds}, or ["token"] with `token` {duration_seconds}; `policy` limits either further."""

    auth: _Auth


@operation(
    "access_keys.temporary",
    "POST",
    "/v3.0/OS-CREDENTIAL/securitytokens",
    assuming.MAKE,
    request=Wish,
    success=201,
    everyone=True,
)
def make_key(principal: Principal, body: Wish) -> Shape:
    """An access key for 15 minutes to 24 hours: for an agency that is open to you, or for yourself."""
    wish, now = body.auth.identity, clock.real_now()
    agency = None
    if wish.methods == ["assume_role"] and wish.assume_role is not None:
        asked = wish.assume_role
        agency = assuming.find(principal, asked.domain_id or asked.domain_name, asked.agency_name, now)
        seconds = asked.duration_seconds
    elif wish.methods == ["token"]:
        if wish.token.id and tokens.find(wish.token.id, now).user_id != principal.user_id:
            raise finding.missing("token", "of that text")
        seconds = wish.token.duration_seconds
    else:
        raise BadParameter('methods must be ["assume_role"] or ["token"].', field="auth.identity.methods")
    lasts = timedelta(seconds=max(0, min(seconds, 10**6)))
    return {"credential": _key_shape(*assuming.make_key(principal, agency, lasts, wish.policy, now))}


def _key_shape(made: TemporaryKey, secret: str, token: str) -> Shape:
    return {
        "access": made.access_key,
        "secret": secret,
        "securitytoken": token,
        "expires_at": made.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
