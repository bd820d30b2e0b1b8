"""Policies as an SQL predicate, so that lists and searches fetch only what may be seen (law 5). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from .rules import ROW_KEYS, Asker, Effect, PolicyGrant, Statement, holds, of_row

Sql = tuple[str, list[object]]
NOTHING = "1=0"
EVERYTHING = "1=1"


@dataclass(frozen=True)
class Columns:
    """Names of the row's columns; they come from code, never from input. Empty = the table has none."""

    project: str = "enterprise_project_id"
    account: str = "account_id"
    id: str = "id"
    owner: str = "owner_id"
    type: str = "cert"


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
    for condition in statement.conditions:
        if of_row(condition):
            attribute = ROW_KEYS[condition.key]
            column = columns.project if attribute == "enterprise_project_id" else columns.owner
            missing = "0" if attribute == "enterprise_project_id" else ""
            parts.append(_in(column, condition.values, condition.negated, missing))
    return _all(parts)


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
