"""Reads of orders and money; each takes the principal and shows only what its policies allow (law 5)."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter, NotFound
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.predicates import Columns
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.catalogue.queries import catalogue

from .errors import NoOrder
from .filters import OrderFilters, conditions
from .models import Balance, Coupon, Entry, Order, Package, Part, Share
from .rules import AccountFacts

VIEW, PAY, VIEW_BALANCE = "bss:order:view", "bss:order:pay", "bss:balance:view"
PAGE_SIZES = (10, 20, 50)
MOST_EXPORTED = 10_000


@dataclass(frozen=True)
class OrdersPage:
    items: list[Order]
    next_marker: str | None


@dataclass(frozen=True)
class Receipt:
    """A paid order with the names of its certificates, what paid it, and its lines in the ledger.

    Attributes:
        codes: of the coupons among `parts`, by id.
    """

    order: Order
    price_lines: list[dict[str, Any]]
    certificate_ids: list[str]
    entries: list[Entry]
    parts: list[Part]
    codes: dict[str, str]
    shares: list[Share]
    package: Package | None


def order(principal: Principal, order_id: str, action: str = VIEW) -> Order:
    """The order, if the principal may do `action` with it.

    Raises:
        NoOrder: missing, or of another account.
        Forbidden: no policy allows it.
    """
    found = Order.objects.filter(id=order_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NoOrder(order_id)
    principal.require(action, resource_of(found))
    return found


def order_row(order_id: str) -> Order | None:
    """The order for callers inside the house, who have decided about it otherwise."""
    return Order.objects.filter(id=order_id).first()


def resource_of(found: Order) -> Resource:
    """The order as policies see it."""
    return Resource("order", found.id, found.account_id, found.enterprise_project_id, found.user_id)


def orders_page(
    principal: Principal,
    *,
    limit: int = 10,
    marker: str | None = None,
    state: str = "",
    filters: OrderFilters | None = None,
    now: datetime | None = None,
) -> OrdersPage:
    """Orders of the principal's account, newest first; `marker` is the one that the last page gave.

    Args:
        state: short for `filters` with this state alone.

    Raises:
        BadParameter: limit, marker or state is not one that we gave.
    """
    check_limit(limit)
    found = _orders(principal, filters or OrderFilters(state=state), now or clock.now(), marker, limit + 1)
    more = len(found) > limit
    return OrdersPage(found[:limit], _to_marker(found[limit - 1].id) if more else None)


def check_limit(limit: int) -> None:
    """Raises BadParameter for a page of another size than we give."""
    if limit not in PAGE_SIZES:
        raise BadParameter(f"limit {limit} is not offered.", next_step="Use 10, 20 or 50.", field="limit")


def orders_to_export(principal: Principal, filters: OrderFilters, now: datetime) -> list[Order]:
    """As `orders_page`, newest first, without pages: the newest `MOST_EXPORTED` at most."""
    return _orders(principal, filters, now, None, MOST_EXPORTED)


def _orders(
    principal: Principal, filters: OrderFilters, now: datetime, marker: str | None, limit: int
) -> list[Order]:
    wanted = [iam.where(principal, VIEW, Columns(owner="user_id", type="order"))]
    wanted += conditions(filters, catalogue(), now)
    if marker:
        wanted.append(("id < %s", [_from_marker(marker)]))
    params = [value for _, values in wanted for value in values]
    text = " AND ".join(text for text, _ in wanted)
    return list(
        Order.objects.raw(
            f"SELECT * FROM orders_order WHERE {text} ORDER BY id DESC LIMIT %s", [*params, limit]
        )
    )


def _to_marker(order_id: str) -> str:
    return base64.urlsafe_b64encode(order_id.encode()).decode().rstrip("=")


def _from_marker(marker: str) -> str:
    try:
        found = base64.b64decode(marker + "=" * (-len(marker) % 4), altchars=b"-_", validate=True).decode()
        if "\x00" in found:  # PostgreSQL takes no text with it
            raise ValueError(found)
        return found
    except (binascii.Error, ValueError):
        raise BadParameter(
            "marker is not one that this list gave.", next_step="Start without it.", field="marker"
        ) from None


def certificate_ids(order_ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids of the certificates that each order made; the caller has the orders already."""
    found: dict[str, list[str]] = {order_id: [] for order_id in order_ids}
    if order_ids:
        marks = ",".join(["%s"] * len(order_ids))
        for certificate_id, order_id in sql.rows(
            f"SELECT id, order_id FROM certificates_certificate WHERE order_id IN ({marks}) ORDER BY id",
            list(order_ids),
        ):
            found[order_id].append(certificate_id)
    return found


def receipt(principal: Principal, order_id: str) -> Receipt:
    """What was bought and paid, for the receipt page.

    Raises:
        as `order`.
    """
    found = order(principal, order_id)
    entries = Entry.objects.filter(posting=f"pay:{order_id}").order_by("id")
    return Receipt(
        order=found,
        price_lines=found.request.get("price", []),
        certificate_ids=certificate_ids([order_id])[order_id],
        entries=list(entries),
        parts=list(Part.objects.filter(order_id=order_id).order_by("id")),
        codes=dict(Coupon.objects.filter(order_id=order_id).values_list("id", "code")),
        shares=list(Share.objects.filter(order_id=order_id).order_by("id")),
        package=Package.objects.filter(order_id=order_id).first(),
    )


def balance(principal: Principal) -> dict[str, int]:
    """Cash of the principal's account, minor units by currency.

    Raises:
        Forbidden: no policy allows it.
    """
    principal.require(VIEW_BALANCE, Resource("balance", account_id=principal.account_id))
    return dict(Balance.objects.filter(account_id=principal.account_id).values_list("currency", "cash"))


def entries(principal: Principal, limit: int) -> list[Entry]:
    """The newest lines of the account's ledger.

    Raises:
        Forbidden: no policy allows it.
    """
    principal.require(VIEW_BALANCE, Resource("balance", account_id=principal.account_id))
    return list(Entry.objects.filter(account_id=principal.account_id).order_by("-id")[:limit])


def cash(account_id: str, currency: str) -> int:
    """Minor units there are now; for the reason of a refused payment."""
    found = sql.row(
        "SELECT cash FROM orders_balance WHERE account_id = %s AND currency = %s", [account_id, currency]
    )
    return int(found[0]) if found else 0


def account_facts(account_id: str, *, free: bool = False) -> AccountFacts:
    """What buying depends on. With `free`, locks the account, so that two requests cannot share a quota."""
    lock = " FOR UPDATE" if free and not sql.is_sqlite() else ""
    found = sql.row(
        "SELECT currency, special_enterprise, EXISTS (SELECT 1 FROM catalogue_pricechange)"
        f" FROM iam_account WHERE id = %s{lock}",
        [account_id],
    )
    if found is None:
        raise NotFound(f"There is no account {account_id}.")
    used, added = _free_counts(account_id) if free else (0, 0)
    return AccountFacts(str(found[0]), bool(found[1]), used, added, bool(found[2]))


def _free_counts(account_id: str) -> tuple[int, int]:
    """Free certificates that the account ever had, and what its packages add to the quota."""
    found = sql.row(
        "SELECT (SELECT COUNT(*) FROM certificates_certificate WHERE account_id = %s AND free),"
        " (SELECT COALESCE(SUM(adds), 0) FROM orders_package WHERE account_id = %s AND refunded_at IS NULL)",
        [account_id, account_id],
    )
    return (int(found[0]), int(found[1])) if found else (0, 0)


def free_facts(account_id: str) -> AccountFacts:
    """The account locked, with its free certificates: for what changes its quota."""
    return account_facts(account_id, free=True)


def free_quota() -> int:
    """Free certificates of an account without packages; 0 where the catalogue has none."""
    return max((product.free_quota for product in catalogue().products if product.free), default=0)


@dataclass(frozen=True)
class FreeUse:
    """Of `quota` free certificates `used` were taken; the quota includes what packages add."""

    used: int
    quota: int


def free_use(principal: Principal) -> FreeUse:
    """How the account stands with its free certificates."""
    used, added = _free_counts(principal.account_id)
    return FreeUse(used, free_quota() + added)


def paid_in_cash(item_id: str) -> tuple[int, str]:
    """What of a paid order's cash belongs to one certificate: minor units and currency; 0 for a free one."""
    found = sql.row(
        "SELECT s.cash, o.currency FROM orders_share s JOIN orders_order o ON o.id = s.order_id"
        " WHERE s.item_id = %s",
        [item_id],
    )
    return (int(found[0]), str(found[1])) if found else (0, "")


def due_to_close(now: datetime, limit: int) -> list[tuple[str, str]]:
    """(order id, account id) of unpaid orders whose 24 hours are over."""
    return [
        (row[0], row[1])
        for row in sql.rows(
            "SELECT id, account_id FROM orders_order WHERE state = 'UNPAID' AND closes_at <= %s"
            " ORDER BY closes_at LIMIT %s",
            [sql.plain(now), limit],
        )
    ]
