"""What lists and searches can be asked for, checked before any SQL. Pure. API §1.1 and §10."""

import base64
import binascii
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.common.errors import BadParameter

from .states import State

PAGE_SIZES = (10, 20, 50)
MOST = 10_000
"""The compatible list counts exactly up to here (API §10)."""
STATUSES = ("ALL", *(state.value for state in State if state is not State.DELETED))


class SortKey(StrEnum):
    """API §1.1; `certStatus` sorts by the state that people see."""

    EXPIRY = "certExpiredTime"
    STATUS = "certStatus"
    UPDATE = "certUpdateTime"


class Sort(StrEnum):
    """Orders of the search: latest change first, or soonest expiry first."""

    UPDATED = "updated"
    EXPIRES = "expires"


@dataclass(frozen=True)
class ListFilters:
    """The query of the compatible list (API §1.1).

    Attributes:
        enterprise_project_id: empty or `all` = every project the principal may see.
        deploy_support: only issued or hosted ones whose key the service holds.
        owned_by_self: of the account itself; nothing is shared between accounts, so both values agree.
        expired_days_since: N ≥ 1 leaves out what expired more than N days ago; 0 leaves out nothing.
        content: keyword over name and domain names.
    """

    limit: int = 10
    offset: int = 0
    sort_key: str = SortKey.UPDATE
    sort_dir: str = "DESC"
    status: str = "ALL"
    enterprise_project_id: str = ""
    deploy_support: bool = False
    owned_by_self: bool = True
    expired_days_since: int = 0
    content: str = ""


@dataclass(frozen=True)
class SearchFilters:
    """The query of the search (API §10).

    Attributes:
        domain: exactly this name among all names of the certificate.
        expires_before: only what has an expiry, and an earlier one.
        owner: user id.
        tag: `key`, or `key=value`.
    """

    limit: int = 50
    status: str = "ALL"
    content: str = ""
    domain: str = ""
    tag: str = ""
    brand: str = ""
    expires_before: datetime | None = None
    owner: str = ""
    sort: str = Sort.UPDATED


@dataclass(frozen=True)
class Marker:
    """Where a page ended: the order of the list, the sort value and the id of its last row."""

    order: str
    value: int
    id: str

    def text(self) -> str:
        """Opaque to clients."""
        plain = json.dumps([self.order, self.value, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_marker(text: str, orders: Collection[str]) -> Marker:
    """The marker of an earlier page of the same list.

    Raises:
        BadParameter: it is not one that a list in one of these orders gave.
    """
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        order, value, certificate_id = json.loads(plain)
        known = order in orders and type(value) is int and abs(value) < 2**63 and type(certificate_id) is str
        known = known and "\x00" not in certificate_id  # PostgreSQL takes no text with it
    except (binascii.Error, ValueError, TypeError):
        known = False
    if not known:
        raise BadParameter(
            "marker is not one that this list gave in this order.",
            next_step="Start without a marker.",
            field="marker",
        )
    return Marker(order, value, certificate_id)


def check_list(filters: ListFilters) -> None:
    """The limits of API §1.1.

    Raises:
        BadParameter: names the parameter in `field`.
    """
    check_limit(filters.limit)
    if filters.offset < 0 or filters.offset >= 2**63:
        raise _bad("offset", filters.offset, "0 or more")
    _one_of("sort_key", filters.sort_key, tuple(SortKey))
    _one_of("sort_dir", filters.sort_dir, ("ASC", "DESC"))
    _one_of("status", filters.status, STATUSES)
    if not 0 <= filters.expired_days_since <= 1095:
        raise _bad("expired_days_since", filters.expired_days_since, "0 to 1095")


def check_search(filters: SearchFilters) -> None:
    """Raises:
    BadParameter: names the parameter in `field`.
    """
    check_limit(filters.limit)
    _one_of("status", filters.status, STATUSES)
    _one_of("sort", filters.sort, tuple(Sort))


def check_limit(limit: int) -> None:
    """Raises:
    BadParameter: not 10, 20 or 50.
    """
    if limit not in PAGE_SIZES:
        raise _bad("limit", limit, "10, 20 or 50")


def _one_of(name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise _bad(name, value, ", ".join(allowed))


def _bad(name: str, value: object, allowed: str) -> BadParameter:
    return BadParameter(f"{name} {value!r} is not allowed.", next_step=f"Use {allowed}.", field=name)
