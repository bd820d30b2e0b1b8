"""What lists and searches can be asked for, checked before any SQL. Pure. API §1.1 and §10."""

import base64
import binascii
import json
from collections.abc import Collection, Sequence
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
    """Orders of the search, each with an index: latest change first, soonest expiry first, by name."""

    UPDATED = "updated"
    EXPIRES = "expires"
    NAME = "name"


ORDERS = ("", "asc", "desc")
"""Empty = the usual direction of the sort."""
HOUSE = "builtin"
"""As `issuer`: what the CA of this house issued."""
ME = "me"
"""As `owner`: what the asker or one of its groups owns."""


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
        issuer: slug of the CA outside that issued the current version, or `builtin` for the house's own.
        expires_before: only what has an expiry, and an earlier one.
        owner: user id, or `me` for what the asker or one of its groups owns.
        owner_group: group id.
        project: id of an enterprise project; empty = every one that the asker may see.
        tag: `key`, or `key=value`.
        order: `asc` or `desc`; empty = latest change first, soonest expiry first, names from a to z.
    """

    limit: int = 50
    status: str = "ALL"
    content: str = ""
    domain: str = ""
    tag: str = ""
    brand: str = ""
    issuer: str = ""
    expires_before: datetime | None = None
    owner: str = ""
    owner_group: str = ""
    project: str = ""
    sort: str = Sort.UPDATED
    order: str = ""

    @property
    def descending(self) -> bool:
        return self.order == "desc" or (not self.order and self.sort == Sort.UPDATED)

    @property
    def told(self) -> dict[str, str]:
        """What is asked for, for the log; empty filters are left out."""
        given = {name: str(value) for name, value in vars(self).items() if value and name != "limit"}
        return {name: value for name, value in given.items() if (name, value) != ("status", "ALL")}

    @property
    def place(self) -> str:
        """The order as a marker names it: a marker of one order does not fit into another."""
        usual = self.descending == (self.sort == Sort.UPDATED)
        return self.sort if usual else f"{self.sort}:{'desc' if self.descending else 'asc'}"


@dataclass(frozen=True)
class Marker:
    """Where a page ended: the order of the list, the sort value and the id of its last row."""

    order: str
    value: int | str
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
        known = type(order) is str and order in orders and type(certificate_id) is str
        known = known and _fits(order, value)
        known = known and "\x00" not in f"{value}{certificate_id}"  # PostgreSQL takes no text with it
    except (binascii.Error, ValueError, TypeError):
        known = False
    if not known:
        raise BadParameter(
            "marker is not one that this list gave in this order.",
            next_step="Start without a marker.",
            field="marker",
        )
    return Marker(order, value, certificate_id)


def _fits(order: str, value: object) -> bool:
    """A list by name goes on after a name, the others after a whole number."""
    if order.partition(":")[0] == Sort.NAME:
        return type(value) is str and len(value) <= 255
    return type(value) is int and abs(value) < 2**63


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
    _one_of("order", filters.order, ORDERS)


def check_limit(limit: int) -> None:
    """Raises:
    BadParameter: not 10, 20 or 50.
    """
    if limit not in PAGE_SIZES:
        raise _bad("limit", limit, "10, 20 or 50")


def check_ids(ids: Sequence[str], most: int) -> list[str]:
    """Ids of certificates, each once.

    Raises:
        BadParameter: none, too many, or text that no id is.
    """
    found = list(dict.fromkeys(ids))
    if not 1 <= len(found) <= most:
        raise BadParameter(
            f"{len(found)} certificates were named; 1 to {most} are allowed.",
            next_step="Name fewer, or use a filter.",
            field="certificate_ids",
        )
    if any("\x00" in one for one in found):
        raise BadParameter("An id of a certificate is no text.", field="certificate_ids")
    return found


def _one_of(name: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise _bad(name, value, ", ".join(allowed))


def _bad(name: str, value: object, allowed: str) -> BadParameter:
    return BadParameter(f"{name} {value!r} is not allowed.", next_step=f"Use {allowed}.", field=name)
