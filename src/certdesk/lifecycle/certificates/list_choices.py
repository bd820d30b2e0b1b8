"""What the list's menus offer, by one statement: views, columns, groups, projects, and whether tags exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from certdesk.foundation.common import sql
from certdesk.foundation.iam import projects
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Resource

from . import saved_view_rules as rules
from . import saved_views
from .saved_views import Settings

MOST = 30
"""Groups and projects that a menu offers; the search takes any."""

_SETTINGS = (
    "SELECT 'settings' AS kind, '' AS id, default_view AS name, CAST(columns AS TEXT) AS more"
    " FROM certificates_listsettings WHERE account_id = %s AND user_id = %s"
)
_OWN = (
    "SELECT 'view', id, name, CAST(query AS TEXT) FROM certificates_savedview"
    " WHERE account_id = %s AND user_id = %s AND NOT shared"
)
_SHARED = (
    "SELECT 'shared', id, name, CAST(query AS TEXT) FROM certificates_savedview"
    " WHERE account_id = %s AND shared"
)
_SHARED_OWN = f"{_SHARED} AND user_id = %s"
_TAGGED = "SELECT 'tagged', '', '', '' WHERE EXISTS (SELECT 1 FROM certificates_tag WHERE account_id = %s)"


@dataclass(frozen=True, slots=True)
class View:
    id: str
    name: str
    shared: bool
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choices:
    """For one reader. `groups` and `projects` are (id, name), the reader's own groups first."""

    settings: Settings
    views: list[View] = field(default_factory=list)
    groups: list[tuple[str, str]] = field(default_factory=list)
    projects: list[tuple[str, str]] = field(default_factory=list)
    tagged: bool = False


def of(principal: Principal) -> Choices:
    """What the principal may choose from."""
    account, user = principal.account_id, principal.user_id
    shared: tuple[str, list[object]] = (_SHARED_OWN, [account, user])
    if saved_views.sees_shared(principal):
        shared = (_SHARED, [account])
    parts: list[tuple[str, list[object]]] = [
        (_SETTINGS, [account, user]),
        (_OWN, [account, user]),
        shared,
        (_TAGGED, [account]),
    ]
    parts.append(iam.group_and_project_choices(account, user, MOST))
    text = " UNION ALL ".join(part for part, _ in parts)
    found: dict[str, list[sql.Row]] = {}
    for row in sql.rows(text, [value for _, values in parts for value in values]):
        found.setdefault(str(row[0]), []).append(row)
    views = [
        View(str(one[1]), str(one[2]), one[0] == "shared", orjson.loads(one[3]))
        for one in (*found.get("view", ()), *found.get("shared", ()))
    ]
    return Choices(
        _settings(found.get("settings", [])),
        sorted(views, key=lambda one: (one.name, one.id)),
        [*_pairs(found.get("mine", [])), *_pairs(found.get("group", []))],
        [
            (one, name)
            for one, name in _pairs(found.get("project", []))
            if principal.may(projects.LIST, Resource("project", one, account, one))
        ],
        "tagged" in found,
    )


def _pairs(found: list[sql.Row]) -> list[tuple[str, str]]:
    """(id, name) by name."""
    return sorted(((str(one[1]), str(one[2])) for one in found), key=lambda pair: pair[1])


def _settings(found: list[sql.Row]) -> Settings:
    if not found:
        return Settings(rules.USUAL, "")
    return Settings(rules.stored_columns(orjson.loads(found[0][3])), str(found[0][2]))
