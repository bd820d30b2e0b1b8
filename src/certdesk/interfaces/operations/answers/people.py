"""Answers about people, policies, keys, projects and tokens: once plain, once wrapped as IAM v3 does."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from .common import Marker, Moment


class UserInfo(TypedDict):
    id: str
    name: str
    domain_id: str
    login: str
    email: str
    phone: str
    description: str
    enabled: bool
    has_password: bool
    created_at: Moment


class UserAnswer(UserInfo):
    user: UserInfo


class UserPage(TypedDict):
    items: list[UserInfo]
    users: list[UserInfo]
    next_marker: Marker


class GroupInfo(TypedDict):
    id: str
    name: str
    domain_id: str
    description: str


class UserWithGroups(UserInfo):
    groups: list[GroupInfo]


class UserShown(UserWithGroups):
    user: UserWithGroups


class GroupAnswer(GroupInfo):
    group: GroupInfo


class GroupPage(TypedDict):
    items: list[GroupInfo]
    groups: list[GroupInfo]
    next_marker: Marker


class AttachedPolicy(TypedDict):
    id: str
    name: str
    enterprise_project_id: str


class Member(TypedDict):
    id: str
    name: str


class GroupWithMembers(GroupInfo):
    users: list[Member]
    policies: list[AttachedPolicy]


class GroupShown(GroupWithMembers):
    group: GroupWithMembers


class HandedOver(TypedDict):
    """How many of each went over; `left`: certificates that stay, with the caller's rights."""

    certificates: int
    orders: int
    contacts: int
    left: int


class PolicyInfo(TypedDict):
    id: str
    name: str
    display_name: str
    description: str
    catalog: Annotated[str, Field(json_schema_extra={"enum": ["CUSTOMED", "SYSTEM"]})]
    type: str
    domain_id: str
    policy: dict[str, Any]
    warnings: list[str]


class PolicyAnswer(PolicyInfo):
    role: PolicyInfo


class PolicyPage(TypedDict):
    items: list[PolicyInfo]
    roles: list[PolicyInfo]
    next_marker: Marker


class MatchedStatement(TypedDict):
    policy: str
    statement: int
    effect: str


class Simulated(TypedDict):
    decision: Annotated[str, Field(json_schema_extra={"enum": ["ALLOW", "DENY"]})]
    matched: list[MatchedStatement]
    missing: str
    reason: str


class KeyInfo(TypedDict):
    id: str
    access: str
    user_id: str
    user_name: str
    description: str
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive"]})]
    create_time: Moment
    last_use_time: Moment


class KeyAnswer(KeyInfo):
    credential: KeyInfo


class KeyPage(TypedDict):
    items: list[KeyInfo]
    credentials: list[KeyInfo]
    next_marker: Marker


class KeyWithSecret(KeyInfo):
    secret: str


class KeyMade(KeyWithSecret):
    """The secret is shown this once."""

    credential: KeyWithSecret


class ProjectInfo(TypedDict):
    """`status` 1 is on, 2 off."""

    id: str
    name: str
    description: str
    status: int
    type: str
    delete_flag: bool


class ProjectAnswer(ProjectInfo):
    enterprise_project: ProjectInfo


class ProjectPage(TypedDict):
    items: list[ProjectInfo]
    enterprise_projects: list[ProjectInfo]
    total_count: int
    next_marker: Marker


class Links(TypedDict):
    self: str
    previous: NotRequired[str | None]
    next: NotRequired[str | None]


class AccountDomain(TypedDict):
    id: str
    name: str
    enabled: bool
    description: str
    links: Links


class AccountDomains(TypedDict):
    domains: list[AccountDomain]
    links: Links


class RegionProject(TypedDict):
    id: str
    name: str
    domain_id: str
    parent_id: str
    is_domain: bool
    enabled: bool
    description: str
    links: Links


class RegionProjects(TypedDict):
    projects: list[RegionProject]
    links: Links


class TokenDomain(TypedDict):
    id: str
    name: str


class TokenProject(TypedDict):
    id: str
    name: str
    domain: TokenDomain


class TokenUser(TypedDict):
    id: str
    name: str
    domain: TokenDomain


class TokenContent(TypedDict):
    methods: list[str]
    issued_at: str
    expires_at: str
    user: TokenUser
    roles: list[Member]
    catalog: list[Any]
    domain: NotRequired[TokenDomain]
    project: NotRequired[TokenProject]


class TokenAnswer(TypedDict):
    """The token itself stands in the header X-Subject-Token."""

    token: TokenContent


ANSWERS: dict[str, object] = {
    "users.list": UserPage,
    "users.create": UserAnswer,
    "users.show": UserShown,
    "users.update": UserAnswer,
    "users.hand_over": HandedOver,
    "groups.list": GroupPage,
    "groups.create": GroupAnswer,
    "groups.show": GroupShown,
    "groups.update": GroupAnswer,
    "policies.list": PolicyPage,
    "policies.create": PolicyAnswer,
    "policies.show": PolicyAnswer,
    "policies.update": PolicyAnswer,
    "policies.simulate": Simulated,
    "access_keys.list": KeyPage,
    "access_keys.create": KeyMade,
    "access_keys.show": KeyAnswer,
    "access_keys.update": KeyAnswer,
    "projects.list": ProjectPage,
    "projects.create": ProjectAnswer,
    "projects.show": ProjectAnswer,
    "projects.update": ProjectAnswer,
    "identity.domains": AccountDomains,
    "identity.projects": RegionProjects,
    "tokens.create": TokenAnswer,
    "tokens.check": TokenAnswer,
}
