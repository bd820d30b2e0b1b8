"""Enterprise projects as EPS v1 names them (IAM-6)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import projects
from certdesk.foundation.iam.models import DEFAULT_PROJECT, EnterpriseProject
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import editing

from . import paging
from .people import both
from .people_schemas import Wrapped
from .registry import operation
from .schemas import Body, Line, PageQuery, Word
from .shapes import Shape

BASE = "/v1.0/enterprise-projects"
ONE = f"{BASE}/{{id}}"
ON, OFF = 1, 2


class Project(Wrapped):
    wrapper = "enterprise_project"
    name: Line
    description: Line = ""


class ProjectChange(Wrapped):
    wrapper = "enterprise_project"
    name: Line | None = None
    description: Line | None = None
    status: int | None = None


class Migration(Body):
    """Terraform sends more; certificates are what there is to move."""

    resource_type: Word
    resource_id: Word


def _shape(one: EnterpriseProject) -> Shape:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "status": ON if one.enabled else OFF,
        "type": "prod",
        "delete_flag": one.id != DEFAULT_PROJECT,
    }


@operation("projects.list", "GET", BASE, projects.LIST, query=PageQuery)
def listed(principal: Principal, query: PageQuery) -> Shape:
    """The projects that one may see: default first, then by name."""
    found = projects.listed(principal)
    rows, behind = paging.after(found, query.limit, query.marker)
    items = [_shape(one) for one in rows]
    return {
        "items": items,
        "enterprise_projects": items,
        "total_count": len(found),
        "next_marker": behind,
    }


@operation("projects.create", "POST", BASE, projects.CREATE, request=Project, success=201)
def create(principal: Principal, body: Project) -> Shape:
    """A new project; nothing lies in it yet."""
    return both("enterprise_project", _shape(projects.create(principal, body.name, body.description)))


@operation("projects.show", "GET", ONE, projects.GET)
def show(principal: Principal, id: str) -> Shape:  # noqa: A002
    """One project."""
    return both("enterprise_project", _shape(projects.fetch(principal, projects.GET, id)))


@operation("projects.update", "PUT", ONE, projects.UPDATE, request=ProjectChange)
def update(principal: Principal, id: str, body: ProjectChange) -> Shape:  # noqa: A002
    """Another name or description; `status` 1 is on, 2 off."""
    if body.status not in (None, ON, OFF):
        raise BadParameter("status must be 1 (on) or 2 (off).", field="status")
    enabled = None if body.status is None else body.status == ON
    return both(
        "enterprise_project", _shape(projects.update(principal, id, body.name, body.description, enabled))
    )


@operation("projects.delete", "DELETE", ONE, projects.DELETE, success=204)
def delete(principal: Principal, id: str) -> None:  # noqa: A002
    """Deletes a project in which nothing lies and to which no policy is limited."""
    editing.delete_project(principal, id)


@operation(
    "projects.migrate", "POST", f"{ONE}/resources-migrate", editing.MIGRATE, request=Migration, success=204
)
def migrate(principal: Principal, id: str, body: Migration) -> None:  # noqa: A002
    """Moves a certificate (`resource_type` scm) into the project; the right is needed on both sides."""
    if body.resource_type != "scm":
        raise BadParameter("resource_type must be scm.", field="resource_type")
    editing.move(principal, body.resource_id, id, clock.now())
