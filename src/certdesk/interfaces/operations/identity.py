"""What a client asks about itself before its first call: its account and its projects (API §4.1)."""

from typing import Any

from pydantic import BaseModel

from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import Principal

from .registry import operation


class ProjectQuery(BaseModel):
    name: str = ""


@operation("identity.domains", "GET", "/v3/auth/domains", "iam:accounts:get", everyone=True)
def domains(principal: Principal) -> dict[str, Any]:
    """The account of the key that signed; the official SDK takes its id once a process."""
    account = Account.objects.get(id=principal.account_id)
    return {
        "domains": [
            {
                "id": account.id,
                "name": account.name,
                "enabled": True,
                "description": "",
                "links": {"self": ""},
            }
        ],
        "links": {"self": "", "previous": None, "next": None},
    }


@operation("identity.projects", "GET", "/v3/projects", "iam:projects:list", query=ProjectQuery, everyone=True)
def projects(principal: Principal, query: ProjectQuery) -> dict[str, Any]:
    """Exactly one project, of whatever name is asked for: the service has no regions."""
    account = Account.objects.get(id=principal.account_id)
    project = {
        "id": account.id,
        "name": query.name or account.name,
        "domain_id": account.id,
        "parent_id": account.id,
        "is_domain": False,
        "enabled": True,
        "description": "",
        "links": {"self": ""},
    }
    return {"projects": [project], "links": {"self": "", "previous": None, "next": None}}
