"""Name, description (LST-4), owner and enterprise project (IAM-6) of a certificate."""

import re
import unicodedata
from dataclasses import replace
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, Forbidden, WrongState
from certdesk.foundation.iam import groups, people, projects
from certdesk.foundation.iam import rules as policies
from certdesk.foundation.iam.principal import Principal

from . import name_search, queries, rules
from .models import Certificate

UPDATE = "scm:cert:update"
NAME = re.compile(r"[A-Za-z0-9_.-]{3,63}")  # API §1.4
DESCRIPTION_LIMIT = 255


def edit(
    principal: Principal,
    certificate_id: str,
    now: datetime,
    *,
    name: str | None = None,
    description: str | None = None,
    owner: str | None = None,
    owner_group: str | None = None,
) -> None:
    """Changes what is given; what is the same is left alone, and what is not given stays another's.

    Args:
        owner: an active user of the account, by id or name.
        owner_group: a group of the account, by id or name, that owns it beside the user; empty = none. It
            gives no right: it is whom to ask, and what its members find as their own.

    Raises:
        NoCertificate, Forbidden: as `queries.fetch`; also where the right ends with the new owner, or one
            would own by one's own word what a policy gives owners more of.
        NotFound: there is no such user or group.
        BadParameter: a length or character is not allowed; `field` says where.
    """
    certificate = queries.fetch(principal, UPDATE, certificate_id)
    given = {"name": name, "description": description}
    wanted = {field: value.strip() for field, value in given.items() if value is not None}
    if "name" in wanted:
        check_name(wanted["name"])
    if "description" in wanted:
        check_description(wanted["description"])
    if owner is not None:
        wanted["owner_id"] = _owner(principal, certificate, owner.strip())
    if owner_group is not None:
        wanted["owner_group_id"] = _group(principal, certificate, owner_group.strip())
    changed = {field: value for field, value in wanted.items() if getattr(certificate, field) != value}
    if not changed:
        return
    with sql.short_transaction():
        Certificate.objects.filter(id=certificate.id).update(**changed, updated_at=now)
        if "name" in changed:
            name_search.read_anew(certificate.id)
        audit.record(
            principal,
            UPDATE,
            resource=f"cert:{certificate.id}",
            details={"changed": list(changed)},
            account_id=certificate.account_id,
        )


def _owner(principal: Principal, certificate: Certificate, wanted: str) -> str:
    """Id of the new owner, if the principal may give it the certificate."""
    if wanted == certificate.owner_id:
        return wanted  # also where that user is gone by now
    found = people.mate(principal, wanted)
    if found.id == certificate.owner_id:
        return found.id
    if found.id == principal.user_id and policies.is_owner_bound(principal.grants):
        raise Forbidden(
            "You may not make yourself the owner: a policy of yours gives owners more.",
            next_step="Ask another administrator.",
            details={"action": UPDATE},
        )
    principal.require(UPDATE, replace(rules.resource_of(certificate), owner_id=found.id))
    return found.id


def _group(principal: Principal, certificate: Certificate, wanted: str) -> str:
    """Id of the owning group, empty for none; one that is gone may stay."""
    if wanted in ("", certificate.owner_group_id):
        return wanted
    return groups.mate(principal, wanted).id


MIGRATE = "eps:resources:migrate"


def open_project(principal: Principal, project: str) -> str:
    """Id of a project into which things may be moved.

    Raises:
        NotFound, Forbidden: as `projects.fetch`. WrongState: it is off.
    """
    found = projects.fetch(principal, MIGRATE, project)
    if not found.enabled:
        raise WrongState("The project is off.", next_step="Switch it on or choose another one.")
    return found.id


def move(principal: Principal, certificate_id: str, project: str, now: datetime) -> None:
    """Puts a certificate into another enterprise project (IAM-6).

    Whoever moves it must have the right to edit it where it is and where it goes: a right that is limited
    to one project cannot be stretched by moving things into it.

    Raises:
        NoCertificate, NotFound, Forbidden.
    """
    certificate = queries.fetch(principal, UPDATE, certificate_id)
    open_project(principal, project)
    here = rules.resource_of(certificate)
    principal.require(MIGRATE, here)
    principal.require(UPDATE, replace(here, enterprise_project_id=project))
    if certificate.enterprise_project_id == project:
        return
    with sql.short_transaction():
        Certificate.objects.filter(id=certificate.id).update(enterprise_project_id=project, updated_at=now)
        audit.record(
            principal,
            MIGRATE,
            resource=f"cert:{certificate.id}",
            details={"from": certificate.enterprise_project_id, "to": project},
            account_id=certificate.account_id,
        )


def switch_renewal(certificate_id: str, now: datetime, *, on: bool) -> None:
    """Whether it renews itself (REN-7), in the caller's transaction; renewal decides and records it."""
    Certificate.objects.filter(id=certificate_id).update(auto_renewal=on, updated_at=now)


def take_after(certificate_id: str, old: Certificate) -> None:
    """A successor that the machine bought has the owner and the description of the old one."""
    Certificate.objects.filter(id=certificate_id).update(owner_id=old.owner_id, description=old.description)


def check_name(name: str) -> None:
    """Raises:
    BadParameter: not 3 to 63 letters, digits and . _ -
    """
    if not NAME.fullmatch(name):
        raise BadParameter(
            "This is not a name for a certificate.",
            next_step="Use 3 to 63 letters, digits and . _ -",
            field="name",
        )


def check_description(description: str) -> None:
    """Raises:
    BadParameter: longer than 255 characters, or with a control character beside line breaks.
    """
    if len(description) > DESCRIPTION_LIMIT:
        raise BadParameter(
            f"The description has {len(description)} characters; at most {DESCRIPTION_LIMIT} are allowed.",
            next_step="Shorten it.",
            field="description",
        )
    if any(unicodedata.category(one) == "Cc" and one not in "\r\n\t" for one in description):
        raise BadParameter(
            "The description has a control character.", next_step="Type it anew.", field="description"
        )


def delete_project(principal: Principal, project: str) -> None:
    """Deletes an enterprise project in which no certificate lies.

    Raises:
        NotFound, Forbidden. WrongState: certificates lie in it, or rights are limited to it.
    """
    found = projects.check_deletable(principal, project)
    with sql.short_transaction():
        inside = Certificate.objects.filter(account_id=found.account_id, enterprise_project_id=found.id)
        if inside.exists():
            raise WrongState(
                "Certificates lie in this project.", next_step="Move them into another project first."
            )
        projects.delete(principal, found)
