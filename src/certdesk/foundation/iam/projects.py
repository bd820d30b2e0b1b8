"""Enterprise projects (IAM-6): certificates belong to one, and rights can be limited to one."""

import uuid
from collections.abc import Collection

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState

from . import actions, finding, snapshot
from .models import DEFAULT_PROJECT, AgencyGrant, EnterpriseProject, Grant
from .principal import Principal, Resource

LIST, GET, CREATE = (
    "eps:enterpriseProjects:list",
    "eps:enterpriseProjects:get",
    "eps:enterpriseProjects:create",
)
UPDATE, DELETE = "eps:enterpriseProjects:update", "eps:enterpriseProjects:delete"
MOST = 100
DEFAULT_NAME = "default"


def default(account_id: str) -> EnterpriseProject:
    """The project that every account has; it stands in no table and cannot be changed."""
    return EnterpriseProject(
        id=DEFAULT_PROJECT,
        account_id=account_id,
        name=DEFAULT_NAME,
        description="Certificates of no other project.",
    )


def listed(principal: Principal) -> list[EnterpriseProject]:
    """The projects that the principal may see: default first, then by name."""
    own = EnterpriseProject.objects.filter(account_id=principal.account_id).order_by("name", "id")
    return [one for one in (default(principal.account_id), *own) if principal.may(LIST, _resource(one))]


def titles(account_id: str, wanted: Collection[str]) -> dict[str, str]:
    """Names of projects of the account by id, for a page of rows; the default one has none of its own."""
    own = set(wanted) - {DEFAULT_PROJECT}
    if not own:
        return {}
    found = EnterpriseProject.objects.filter(account_id=account_id, id__in=own)
    return dict(found.values_list("id", "name"))


def fetch(principal: Principal, action: str, project_id: str) -> EnterpriseProject:
    """Raises: NotFound, Forbidden as `finding.project`."""
    if project_id == DEFAULT_PROJECT:
        found = default(principal.account_id)
        principal.require(action, _resource(found))
        return found
    return finding.project(principal, action, project_id)


def create(principal: Principal, name: str, description: str = "") -> EnterpriseProject:
    """Raises: Forbidden, BadParameter. Conflict: the name is taken. WrongState: 100 projects already."""
    principal.require(CREATE, finding.resource("project", principal))
    text = actions.line(description, 512, "description")
    with snapshot.changing(principal, principal.account_id):
        _free(principal, name)
        if EnterpriseProject.objects.filter(account_id=principal.account_id).count() >= MOST:
            raise WrongState(f"The account has {MOST} projects already.", next_step="Delete some first.")
        made = EnterpriseProject.objects.create(
            id=str(uuid.uuid4()), account_id=principal.account_id, name=name, description=text
        )
        _recorded(principal, CREATE, made)
    return made


def update(
    principal: Principal,
    project_id: str,
    name: str | None,
    description: str | None,
    enabled: bool | None = None,
) -> EnterpriseProject:
    """Another name, description, or on and off; nothing new comes into a project that is off."""
    found = _own(principal, UPDATE, project_id)
    with snapshot.changing(principal, principal.account_id):
        if name is not None and name != found.name:
            _free(principal, name)
            found.name = name
        if description is not None:
            found.description = actions.line(description, 512, "description")
        if enabled is not None:
            found.enabled = enabled
        found.save(update_fields=["name", "description", "enabled"])
        _recorded(principal, UPDATE, found)
    return found


def check_deletable(principal: Principal, project_id: str) -> EnterpriseProject:
    """The project, if nobody's rights are limited to it.

    Raises:
        NotFound, Forbidden. WrongState: the default project, or grants name it.
    """
    found = _own(principal, DELETE, project_id)
    groups = Grant.objects.filter(group__account_id=principal.account_id, enterprise_project_id=found.id)
    others = AgencyGrant.objects.filter(
        agency__account_id=principal.account_id, enterprise_project_id=found.id
    )
    if groups.exists() or others.exists():
        raise WrongState("Policies are attached for this project.", next_step="Detach them first.")
    return found


def delete(principal: Principal, found: EnterpriseProject) -> None:
    """After `check_deletable`, and after the caller has seen that nothing lies in it; in its transaction."""
    _recorded(principal, DELETE, found)
    found.delete()


def _own(principal: Principal, action: str, project_id: str) -> EnterpriseProject:
    found = fetch(principal, action, project_id)
    if found.id == DEFAULT_PROJECT:
        raise WrongState("The project default cannot be changed.", next_step="Make a project of your own.")
    return found


def _free(principal: Principal, name: str) -> None:
    if not 0 < len(name.strip()) == len(name) <= 255 or not name.isprintable():
        raise BadParameter("A name has 1 to 255 printable characters.", field="name")
    mine = EnterpriseProject.objects.filter(account_id=principal.account_id, name=name)
    if name.casefold() == DEFAULT_NAME or mine.exists():
        raise Conflict(f"There is a project {name!r} already.", next_step="Choose another name.")


def _resource(one: EnterpriseProject) -> Resource:
    return Resource("project", one.id, one.account_id, one.id)


def _recorded(principal: Principal, action: str, found: EnterpriseProject) -> None:
    audit.record(principal, action, resource=f"project:{found.id}", details={"name": found.name})
