"""What agencies and temporary access keys look like (IAM-8)."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from .common import Marker, Moment


class AgencyInfo(TypedDict):
    """Times as everywhere; `duration` is FOREVER or a number of days."""

    id: str
    name: str
    domain_id: str
    trust_domain_id: str
    trust_domain_name: str
    trust_users: list[str]
    description: str
    duration: str
    create_time: Moment
    expire_time: Moment


class AgencyPolicy(TypedDict):
    id: str
    name: str
    display_name: str
    enterprise_project_id: str


class AgencyAnswer(AgencyInfo):
    agency: AgencyInfo


class AgencyWithPolicies(AgencyInfo):
    policies: list[AgencyPolicy]


class AgencyShown(AgencyWithPolicies):
    agency: AgencyWithPolicies


class AgencyPage(TypedDict):
    items: list[AgencyInfo]
    agencies: list[AgencyInfo]
    next_marker: Marker


class AgencyPolicies(TypedDict):
    roles: list[AgencyPolicy]


class TemporaryCredential(TypedDict):
    access: str
    secret: str
    securitytoken: Annotated[str, Field(description="Sent as X-Security-Token, signed with the rest.")]
    expires_at: str


class TemporaryKeyMade(TypedDict):
    credential: TemporaryCredential


ANSWERS: dict[str, object] = {
    "agencies.list": AgencyPage,
    "agencies.create": AgencyAnswer,
    "agencies.show": AgencyShown,
    "agencies.update": AgencyAnswer,
    "agencies.policies": AgencyPolicies,
    "access_keys.temporary": TemporaryKeyMade,
}
