"""Giving the cash of one certificate or expansion package back, once (UNS-3, UNS-7, FRE-2).

Who asks, when and in which state it is allowed is the business of the caller; here is the money.
"""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import NotFound, WrongState
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rules import resource_of

from . import ledger, queries, rules
from .models import Order, Package, Share

REFUND = "scm:cert:unsubscribe"


@dataclass(frozen=True)
class Refunded:
    """What came of it.

    Attributes:
        amount: cash given back, minor units; vouchers and coupons are not refunded.
        again: it had been given back before; nothing was booked now.
    """

    order_id: str
    amount: int
    currency: str
    again: bool


def refund(principal: Principal, item_id: str, now: datetime) -> Refunded:
    """Gives back what was paid in cash for a certificate; asked twice, it is given once.

    Args:
        item_id: the certificate, or the expansion package, whose share it is.

    Raises:
        NotFound: nothing was paid for it, or it belongs to another account.
        Forbidden: no policy allows it.
    """
    with sql.short_transaction():
        return _refund(principal, item_id, now)


def refund_package(principal: Principal, package_id: str, now: datetime) -> Refunded:
    """Gives an expansion package back, unless one of its certificates was taken (FRE-2).

    Raises:
        WrongState: it was used.
        NotFound, Forbidden: as `refund`.
    """
    with sql.short_transaction():
        package = Package.objects.filter(id=package_id, account_id=principal.account_id).first()
        if package is None:
            raise NotFound(f"There is no expansion package {package_id}.", next_step="Check the id.")
        if package.refunded_at is None:
            rules.check_package_unused(
                package.adds, queries.free_facts(package.account_id), queries.free_quota()
            )
            sql.execute(
                "UPDATE orders_package SET refunded_at = %s WHERE id = %s AND refunded_at IS NULL",
                [sql.plain(now), package.id],
            )
        return _refund(principal, package.id, now)


def _refund(principal: Principal, item_id: str, now: datetime) -> Refunded:
    share = Share.objects.filter(item_id=item_id).first()
    order = queries.order_row(share.order_id) if share else None
    if share is None or order is None or not principal.owns(order.account_id):
        raise NotFound(f"Nothing was paid for {item_id}.", next_step="Check the id.")
    principal.require(REFUND, _about(item_id, order))
    if order.state not in ("PAID", "REFUNDED"):  # a share exists only once an order is paid
        raise WrongState(f"Order {order.id} is not paid.")
    again = not sql.execute(
        "UPDATE orders_share SET refunded_at = %s, refund = cash WHERE id = %s AND refunded_at IS NULL",
        [sql.plain(now), share.id],
    )
    if not again:
        _book(principal, order.id, order.account_id, order.currency, share, now)
    return Refunded(order.id, share.cash, order.currency, again)


def _about(item_id: str, order: Order) -> Resource:
    """What the money is given back for: the certificate as it lies now, or an expansion package."""
    certificate = Certificate.objects.filter(id=item_id, account_id=order.account_id).first()
    if certificate is not None:
        return resource_of(certificate)
    return Resource("cert", item_id, order.account_id, order.enterprise_project_id, order.user_id)


def _book(
    principal: Principal, order_id: str, account_id: str, currency: str, share: Share, now: datetime
) -> None:
    """Money, entries and the order; the order's row is locked before its shares are counted, so that of
    two last ones at once the second sees that nothing is left."""
    ledger.give_back(account_id, order_id, share.item_id, currency, share.cash, now)
    sql.execute("UPDATE orders_order SET refund = refund + %s WHERE id = %s", [share.cash, order_id])
    sql.execute(
        "UPDATE orders_order SET state = 'REFUNDED' WHERE id = %s AND state = 'PAID' AND NOT EXISTS"
        " (SELECT 1 FROM orders_share WHERE order_id = %s AND refunded_at IS NULL)",
        [order_id, order_id],
    )
    audit.record(
        principal,
        "order.refunded",
        resource=f"order:{order_id}",
        details={"item": share.item_id, "currency": currency, "minor": share.cash},
        account_id=account_id,
    )
