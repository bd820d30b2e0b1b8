"""Policies as an SQL predicate, so that lists and searches fetch only what may be seen (law 5). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from .conditions import KIND_KEY, NAME_KEY, PROJECT_KEY, Condition, Like, Test, holds_for_row, like
from .rules import Asker, Effect, PolicyGrant, Resource, Statement, holds, of_row

Sql = tuple[str, list[object]]
NOTHING = "1=0"
EVERYTHING = "1=1"


@dataclass(frozen=True)
class Columns:
    """Names of the row's columns; they come from code, never from input. Empty = the table has none.

    Attributes:
        kind: type of the certificate.
        names: `(from, column)` of its domain names: tables and the condition that ties them to the row.
        tags: `(from, column of the key, column of the value)` of its tags.
    """

    project: str = "enterprise_project_id"
    account: str = "account_id"
    id: str = "id"
    owner: str = "owner_id"
    type: str = "cert"
    kind: str = ""
    names: tuple[str, str] | None = None
    tags: tuple[str, str, str] | None = None


def predicate(grants: Iterable[PolicyGrant], action: str, asker: Asker, columns: Columns) -> Sql:
    """`(sql, params)` that is true for exactly the rows on which `rules.decide` allows `action`."""
    allows: list[Sql] = []
    denies: list[Sql] = []
    for grant in grants:
        for statement in grant.statements:
            if not statement.names(action) or not _asker_fits(statement, asker):
                continue
            found = _statement(grant, statement, action, asker, columns)
            (allows if statement.effect is Effect.ALLOW else denies).append(found)
    sql, params = _any(allows)
    if any(text == EVERYTHING for text, _ in denies):
        return NOTHING, []
    if denies:
        refused, refused_params = _any(denies)
        sql, params = f"({sql}) AND NOT ({refused})", params + refused_params
    return sql, params


def _asker_fits(statement: Statement, asker: Asker) -> bool:
    return all(holds(condition, asker) for condition in statement.conditions if not of_row(condition))


def _any(found: list[Sql]) -> Sql:
    found = [one for one in found if one[0] != NOTHING]
    if any(text == EVERYTHING for text, _ in found):
        return EVERYTHING, []
    if not found:
        return NOTHING, []
    return " OR ".join(f"({text})" for text, _ in found), [value for _, values in found for value in values]


def _all(found: list[Sql]) -> Sql:
    if any(text == NOTHING for text, _ in found):
        return NOTHING, []
    found = [one for one in found if one[0] != EVERYTHING]
    if not found:
        return EVERYTHING, []
    return " AND ".join(f"({text})" for text, _ in found), [value for _, values in found for value in values]


def _statement(grant: PolicyGrant, statement: Statement, action: str, asker: Asker, columns: Columns) -> Sql:
    parts: list[Sql] = []
    if grant.project:
        parts.append(_in(columns.project, (grant.project,), negated=False, missing="0"))
    if statement.resources:
        service = action.partition(":")[0]
        patterns = [
            _path(columns.id, pattern.path, pattern.is_prefix)
            for pattern in statement.resources
            if pattern.service in ("", service)
            and pattern.account in ("", asker.account_id)
            and pattern.type in ("", columns.type.lower())
        ]
        parts.append(_any(patterns))
    to_allow = statement.effect is Effect.ALLOW
    parts += [_held(one, columns, to_allow) for one in statement.conditions if of_row(one)]
    return _all(parts)


def _held(condition: Condition, columns: Columns, to_allow: bool) -> Sql:
    """A condition on the row; a table without such a column has the default of `Resource` in every row."""
    if condition.key == NAME_KEY and columns.names:
        return _names(condition, columns.names, to_allow)
    if condition.tag and columns.tags:
        return _tag(condition, columns.tags)
    column = {PROJECT_KEY: columns.project, KIND_KEY: columns.kind}.get(condition.key, columns.owner)
    if condition.tag or condition.key == NAME_KEY or not column:
        return (EVERYTHING if holds_for_row(condition, Resource(""), to_allow=to_allow) else NOTHING), []
    text, params = _among(column, condition)
    return (f"NOT ({text})" if condition.negated else text), params


def _names(condition: Condition, where: tuple[str, str], to_allow: bool) -> Sql:
    """Every name must fit to allow, one to deny; what has none fits nothing."""
    tables, column = where
    text, params = _among(column, condition)
    fits, not_fits = (text, f"NOT ({text})") if not condition.negated else (f"NOT ({text})", text)
    if not to_allow:
        return f"EXISTS (SELECT 1 FROM {tables} AND ({fits}))", params
    any_at_all = f"EXISTS (SELECT 1 FROM {tables})"
    return f"{any_at_all} AND NOT EXISTS (SELECT 1 FROM {tables} AND ({not_fits}))", params


def _tag(condition: Condition, where: tuple[str, str, str]) -> Sql:
    tables, key, value = where
    text, params = _among(value, condition)
    found = f"EXISTS (SELECT 1 FROM {tables} AND {key} = %s AND ({text}))"
    return (f"NOT {found}" if condition.negated else found), [condition.tag, *params]


def _among(column: str, condition: Condition) -> Sql:
    if condition.test is not Test.LIKE:
        return f"{column} IN ({','.join(['%s'] * len(condition.values))})", list(condition.values)
    return _any([_like(column, like(one)) for one in condition.values])


def _like(column: str, found: Like) -> Sql:
    """Letter by letter: LIKE folds case on SQLite and knows wildcards of its own."""
    text, length = found.text, len(found.text)
    if found.open_start and found.open_end:
        return f"replace({column}, %s, '') <> {column}", [text]
    if found.open_start:
        return f"length({column}) >= {length} AND substr({column}, length({column}) - {length - 1}) = %s", [
            text
        ]
    return _path(column, text, found.open_end)


def _in(column: str, values: tuple[str, ...], negated: bool, missing: str) -> Sql:
    if not column:  # every row has the one value that `Resource` has by default
        return (EVERYTHING if (missing in values) is not negated else NOTHING), []
    marks = ",".join(["%s"] * len(values))
    return f"{column} {'NOT IN' if negated else 'IN'} ({marks})", list(values)


def _path(column: str, path: str, is_prefix: bool) -> Sql:
    if not is_prefix:
        return f"{column} = %s", [path]
    if not path:
        return EVERYTHING, []
    return f"substr({column}, 1, {len(path)}) = %s", [path]  # LIKE folds case on SQLite
