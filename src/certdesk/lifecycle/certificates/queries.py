"""Reads of the inventory. Lists are hand-written SQL, keyset pages, and never select DER (law 13, G6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import QuerySet

from certdesk.foundation.audit import queries as audit
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Resource

from . import filters as checks
from . import rules, selecting
from .attention import Tab, console_page, counts
from .errors import NoCertificate, UnderReview
from .filters import MOST, ListFilters, Marker, SearchFilters, Sort, SortKey
from .models import Certificate, Version
from .rows import EXPIRY, LIST, Row, columns, effective_state, name_condition, rows_of, status_condition
from .selecting import Selected
from .states import State
from .tag_sql import Condition

__all__ = [
    "ListPage",
    "Row",
    "SearchPage",
    "Tab",
    "console_page",
    "counts",
    "current_version",
    "events",
    "fetch",
    "list_page",
    "search_page",
    "versions",
]

READING = frozenset({"scm:cert:get", "scm:cert:list", "scm:cert:download", "scm:cert:unsubscribe"})
"""UNS-5: what may be asked during the review of an unsubscription without ending it."""

_IDS_A_STATEMENT = 1_000
_SEARCH_COLUMNS = {Sort.UPDATED: "c.updated_at", Sort.EXPIRES: EXPIRY, Sort.NAME: "c.name"}
_SORT_COLUMNS = {
    SortKey.EXPIRY: (EXPIRY, "c.id"),
    SortKey.STATUS: ("c.updated_at", "c.id"),  # behind the state that people see
    SortKey.UPDATE: ("c.updated_at", "c.id"),
}


@dataclass(frozen=True)
class ListPage:
    """A page of the compatible list; `total` is exact up to 10,000 and never above it."""

    items: list[Row]
    total: int


@dataclass(frozen=True)
class SearchPage:
    items: list[Row]
    next_marker: str | None


def fetch(
    principal: Principal, action: str, certificate_id: str, *, names_follow: bool = False
) -> Certificate:
    """The certificate, if the principal may do `action` with it (law 5).

    Args:
        names_follow: one without names gets them by this action, and `require_names` is asked for those.

    Raises:
        NoCertificate: missing, deleted or of another account; one text for all three.
        Forbidden: it is there, but no policy allows the action.
        UnderReview: its unsubscription is under review, and the action is more than reading.
    """
    found = Certificate.objects.filter(id=certificate_id).exclude(state=State.DELETED).first()
    if found is None or not principal.owns(found.account_id):
        raise NoCertificate(certificate_id)
    about = rules.resource_of(found)
    if names_follow and not about.names:
        about = replace(about, names=None)
    principal.require(action, about)
    if found.state == State.UNSUBSCRIBING and action not in READING:
        raise UnderReview(certificate_id)
    return found


def described(principal: Principal, certificate_id: str) -> Resource | None:
    """The certificate as policies see it, for whoever may look at it; else None."""
    found = Certificate.objects.filter(id=certificate_id, account_id=principal.account_id).first()
    about = rules.resource_of(found) if found and found.state != State.DELETED else None
    return about if about is not None and principal.may("scm:cert:get", about) else None


def require_names(
    principal: Principal, action: str, certificate: Certificate, names: tuple[str, ...]
) -> None:
    """Passes who may do `action` with the certificate once it has these names.

    Raises:
        Forbidden: a policy is limited to other names.
    """
    principal.require(action, replace(rules.resource_of(certificate), names=names))


def hosted_count(account_id: str, limit: int) -> int:
    """Uploaded certificates of the account that are not deleted, counted up to `limit`."""
    found = sql.row(
        "SELECT COUNT(*) FROM (SELECT 1 FROM certificates_certificate"
        " WHERE account_id = %s AND state = 'UPLOAD' LIMIT %s) few",
        [account_id, limit],
    )
    return int(found[0]) if found else 0


def same_certificate(account_id: str, name: str, fingerprint_sha256: str) -> str:
    """Id of a certificate of the account whose current version is this very one; empty for none.

    Args:
        name: as in `by_fingerprint`.
    """
    return by_fingerprint(account_id, {fingerprint_sha256: name}).get(fingerprint_sha256, "")


def by_fingerprint(account_id: str, names: Mapping[str, str]) -> dict[str, str]:
    """Ids of the account's certificates whose current version has one of these fingerprints (SHA-256); of
    several the lowest.

    Args:
        names: by fingerprint one of the certificate's names, which finds it by the index of names.
    """
    named = sql.rows(
        "SELECT certificate_id FROM certificates_certificatename"
        f" WHERE account_id = %s AND name IN ({sql.marks(names)})",
        [account_id, *names.values()],
    )
    ids = sorted({str(row[0]) for row in named}, reverse=True)
    found = dict[str, str]()
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        some = ids[start : start + _IDS_A_STATEMENT]
        rows = sql.rows(
            "SELECT v.fingerprint_sha256, c.id FROM certificates_certificate c"
            " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
            f" WHERE c.id IN ({sql.marks(some)}) AND c.state <> 'DELETED' ORDER BY c.id DESC",
            some,
        )
        found |= {str(fingerprint): str(certificate_id) for fingerprint, certificate_id in rows}
    return {fingerprint: found[fingerprint] for fingerprint in names if fingerprint in found}


def of_order(principal: Principal, order_id: str) -> list[Certificate]:
    """What came of an order, deleted ones left out; only those that the principal may look at."""
    found = Certificate.objects.filter(account_id=principal.account_id, order_id=order_id)
    return [
        one
        for one in found.exclude(state=State.DELETED).order_by("id")
        if principal.may("scm:cert:get", rules.resource_of(one))
    ]


def versions(certificate: Certificate) -> QuerySet[Version]:
    """All versions, newest first, without DER and chain; the caller fetched the certificate."""
    return Version.objects.filter(certificate=certificate).defer("der", "chain").order_by("-number")


def current_version(certificate: Certificate) -> Version | None:
    """The version in force, whole; None before the first issuance."""
    return Version.objects.filter(certificate=certificate, number=certificate.current_version).first()


def events(certificate: Certificate) -> QuerySet[Event]:
    """What happened to it, newest first; the caller fetched the certificate."""
    return audit.events(resource=f"cert:{certificate.id}", account_id=certificate.account_id)


def visible(
    principal: Principal, action: str = LIST, *, by_id: bool = False
) -> tuple[list[str], list[object]]:
    """Conditions on `c` for what the principal may see; deleted ones are seen by nobody.

    Args:
        by_id: another condition names few ids, so the account's index is to stay out of the way.
    """
    text, params = iam.where(principal, action, columns(by_id=by_id))
    return [text, "c.state <> 'DELETED'"], params


def list_page(principal: Principal, filters: ListFilters, now: datetime | None = None) -> ListPage:
    """The compatible list of API §1.1: offset and an exact total up to 10,000.

    Raises:
        BadParameter: a parameter is outside its limits.
    """
    checks.check_list(filters)
    now = now or clock.now()
    conditions, params = visible(principal)
    for text, more in _list_conditions(principal, filters, now):
        conditions.append(text)
        params = [*params, *more]
    where = " AND ".join(conditions)
    counted = sql.row(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM certificates_certificate c WHERE {where} LIMIT {MOST}) few",
        params,
    )
    direction = "ASC" if filters.sort_dir == "ASC" else "DESC"
    sorting: tuple[str, ...] = _SORT_COLUMNS[SortKey(filters.sort_key)]
    if filters.sort_key == SortKey.STATUS:
        sorting = (effective_state(now), *sorting)
    order = ", ".join(f"{column} {direction}" for column in sorting)
    items = rows_of(where, params, order, filters.limit, now, offset=filters.offset)
    return ListPage(items, int(counted[0]) if counted else 0)


def _list_conditions(
    principal: Principal, filters: ListFilters, now: datetime
) -> list[tuple[str, list[object]]]:
    found: list[tuple[str, list[object]]] = []
    if filters.status != "ALL":
        found.append(status_condition(State(filters.status), now))
    if filters.enterprise_project_id not in ("", "all"):
        found.append(("c.enterprise_project_id = %s", [filters.enterprise_project_id]))
    if filters.deploy_support:
        found.append(_deployable(now))
    if filters.expired_days_since:
        earliest = clock.to_micros(now) - filters.expired_days_since * 86_400_000_000
        found.append((f"{EXPIRY} >= %s", [earliest]))
    if filters.content:
        found.append(name_condition(principal.account_id, filters.content))
    return found


def _deployable(now: datetime) -> tuple[str, list[object]]:
    text = (
        f"(c.state IN ('ISSUED', 'UPLOAD', 'REISSUING') AND {EXPIRY} >= %s"
        " AND EXISTS (SELECT 1 FROM certificates_version k WHERE k.certificate_id = c.id"
        " AND k.number = c.current_version AND k.key_id <> ''))"
    )
    return text, [clock.to_micros(now)]


def search_page(
    principal: Principal,
    filters: SearchFilters,
    marker: str | None = None,
    now: datetime | None = None,
    *,
    more: Sequence[Condition] = (),
) -> SearchPage:
    """The fast search of API §10: keyset, no total, the same speed at any depth.

    Args:
        more: conditions that must hold beside the filters, see `narrowing`.

    Raises:
        BadParameter: a parameter is outside its limits, or the marker is of another list.
    """
    checks.check_search(filters)
    now = now or clock.now()
    found = selecting.select(principal, filters, now, more=more)
    return page_of(found, filters, marker, filters.limit, now)


def page_of(
    found: Selected, filters: SearchFilters, marker: str | None, limit: int, now: datetime
) -> SearchPage:
    """A page of what was selected, in the order of the filters.

    Raises:
        BadParameter: the marker is of another list.
    """
    if found.nothing:
        return SearchPage([], None)
    column, direction = _SEARCH_COLUMNS[Sort(filters.sort)], "DESC" if filters.descending else "ASC"
    where, params = found.where, found.params
    if marker:
        last = checks.read_marker(marker, [filters.place])
        where += f" AND ({column}, c.id) {'<' if filters.descending else '>'} (%s, %s)"
        params = [*params, last.value, last.id]
    order = f"{column} {direction}, c.id {direction}"
    rows = rows_of(where, params, order, limit + 1, now)
    if len(rows) <= limit:
        return SearchPage(rows, None)
    return SearchPage(rows[:limit], _marker(filters, rows[limit - 1]))


def _marker(filters: SearchFilters, row: Row) -> str:
    values: dict[str, int | str] = {
        Sort.EXPIRES: row.expiry_micros,
        Sort.NAME: row.name,
        Sort.UPDATED: clock.to_micros(row.updated_at),
    }
    return Marker(filters.place, values[filters.sort], row.id).text()
