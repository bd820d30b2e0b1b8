"""Search by tags (API §1.9): hand-written SQL on the index of account, key and value."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam.principal import Principal

from . import tag_rules, tags
from .filters import MOST
from .queries import visible
from .rows import Row, like_pattern, row_of, select
from .tag_rules import TagPair, TagSearch
from .tag_sql import Condition, bears, has, joined, none

SEARCH = "scm:cert:listCertificatesByTag"


@dataclass(frozen=True, slots=True)
class Found:
    """One certificate of a search; `issued_at` is the moment of its current version."""

    row: Row
    tags: tuple[TagPair, ...]
    order_id: str
    issued_at: datetime | None


@dataclass(frozen=True, slots=True)
class TagPage:
    """`total` is exact up to 10,000 and never above it; `items` is empty for a count."""

    items: list[Found]
    total: int


def search(principal: Principal, asked: TagSearch, now: datetime | None = None) -> TagPage:
    """A page of the certificates with these tags, latest change first.

    Raises:
        BadParameter: a list or parameter is outside its limits.
    """
    tag_rules.check_search(asked)
    now = now or clock.now()
    where, params = _where(principal, asked)
    counted = sql.row(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM certificates_certificate c WHERE {where} LIMIT {MOST}) few",
        params,
    )
    total = int(counted[0]) if counted else 0
    if asked.counting or not total:
        return TagPage([], total)
    text = select(where, "c.updated_at DESC, c.id DESC", ", c.order_id, v.created_at")
    found = sql.rows(f"{text} LIMIT %s OFFSET %s", [*params, asked.limit, asked.offset])
    named = tags.of_many([str(values[0]) for values in found])
    items = [Found(row_of(one, now), tuple(named[one[0]]), one[-2], sql.moment(one[-1])) for one in found]
    return TagPage(items, total)


def _where(principal: Principal, asked: TagSearch) -> Condition:
    selective = bool(asked.tags or asked.tags_any) and not asked.without_any_tag
    conditions, params = visible(principal, SEARCH, by_id=selective)
    for text, more in _conditions(principal.account_id, asked):
        conditions.append(text)
        params = [*params, *more]
    return " AND ".join(conditions), params


def _conditions(account: str, asked: TagSearch) -> list[Condition]:
    """`not_tags` leaves out what has all of its tags, `not_tags_any` what has any of them."""
    found: list[Condition] = []
    if asked.name:
        found.append(_name(asked.name))
    if asked.without_any_tag:
        found.append(("NOT EXISTS (SELECT 1 FROM certificates_tag t WHERE t.certificate_id = c.id)", []))
        return found
    found += [has(account, one) for one in asked.tags]
    if asked.tags_any:
        found.append(joined([has(account, one) for one in asked.tags_any], " OR "))
    if asked.not_tags:
        found.append(none(joined([bears(one) for one in asked.not_tags], " AND ")))
    if asked.not_tags_any:
        found.append(none(joined([bears(one) for one in asked.not_tags_any], " OR ")))
    return found


def _name(keyword: str) -> Condition:
    """`resource_name` is the certificate's name, not its domains."""
    return "LOWER(c.name) LIKE %s ESCAPE '!'", [like_pattern(keyword)]
