"""The list as a file of any size: a page of rows at a time, each page a read of its own (law 13)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal

from . import filters as checks
from . import queries, rules, selecting, tags
from .filters import SearchFilters
from .rows import Row
from .tag_rules import TagPair

EXPORTED = "certificates.exported"
AT_ONCE = 500
"""Rows of one read."""
MOST_IDS = 500
"""Certificates that an export names one by one."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One certificate in an export; no `tags` for who may not read them, no `serial` before the issuance."""

    row: Row
    owner: str
    owner_group: str
    serial: str
    fingerprint: str
    tags: tuple[TagPair, ...]


def export(
    principal: Principal, filters: SearchFilters, now: datetime, *, ids: Sequence[str] | None = None
) -> Iterator[list[Exported]]:
    """Every certificate that the filters name and the principal may see, in the order of the filters.

    The export is written to the log; the rows come while they are read.

    Raises:
        BadParameter: a filter is outside its limits, or more than `MOST_IDS` certificates are named.
    """
    checks.check_search(replace(filters, limit=checks.PAGE_SIZES[0]))
    named = None if ids is None else checks.check_ids(ids, MOST_IDS)
    details = {"filters": filters.told, **({} if named is None else {"certificates": len(named)})}
    with sql.short_transaction():
        audit.record(principal, EXPORTED, resource=f"account:{principal.account_id}", details=details)
    return _pages(principal, filters, named, now)


def _pages(
    principal: Principal, filters: SearchFilters, ids: list[str] | None, now: datetime
) -> Iterator[list[Exported]]:
    selected = selecting.select(principal, filters, now, ids=ids)
    marker: str | None = None
    while True:
        page = queries.page_of(selected, filters, marker, AT_ONCE, now)
        yield _filled(principal, page.items)
        marker = page.next_marker
        if marker is None:
            return


def _filled(principal: Principal, rows: list[Row]) -> list[Exported]:
    """What a row of the list has not: names of owners, serials, tags where they may be read."""
    people = iam.names_of(
        principal.account_id,
        {one.owner_id for one in rows if one.owner_id},
        {one.owner_group_id for one in rows if one.owner_group_id},
    )
    versions = _versions([one.id for one in rows])
    pairs = tags.of_many([one.id for one in rows if principal.may(tags.OF_ONE, rules.resource_of(one))])
    return [
        Exported(
            one,
            people.get(one.owner_id, ""),
            people.get(one.owner_group_id, ""),
            *versions.get(one.id, ("", "")),
            tuple(pairs.get(one.id, ())),
        )
        for one in rows
    ]


def _versions(ids: list[str]) -> dict[str, tuple[str, str]]:
    """Serial and SHA-256 of the current versions."""
    if not ids:
        return {}
    found = sql.rows(
        "SELECT v.certificate_id, v.serial, v.fingerprint_sha256 FROM certificates_version v"
        " JOIN certificates_certificate c ON c.id = v.certificate_id AND c.current_version = v.number"
        f" WHERE v.certificate_id IN ({sql.marks(ids)})",
        ids,
    )
    return {str(one[0]): (str(one[1]), str(one[2])) for one in found}
