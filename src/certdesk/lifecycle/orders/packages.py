"""Buying an expansion package of free certificates (FRE-2)."""

import secrets
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import ids, sql
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.catalogue.errors import NoPrice, NotForSale
from certdesk.lifecycle.catalogue.rules import Expansion

from . import queries, rules
from .models import Order
from .states import OrderState

SUBSCRIBE = "scm:cert:subscribe"


def place(principal: Principal, now: datetime, *, statement: bool | None) -> Order:
    """An unpaid order of one package; it is paid as any other order.

    Args:
        statement: None = it is asked when paying, as the console does (ORD-2).

    Raises:
        Forbidden: it takes the rights to subscribe and to pay.
        BadParameter: the statement was not accepted.
        NotForSale, NoPrice: the catalogue sells none.
    """
    if statement is not None:
        rules.check_statement(statement)
    account = principal.account_id
    for action in (SUBSCRIBE, queries.PAY):
        principal.require(action, Resource("order", "", account, "0", principal.user_id))
    with sql.short_transaction():
        expansion = _for_sale(now)
        currency = queries.account_facts(account).currency
        unit = _unit(expansion, currency)
        made = Order.objects.create(
            id=ids.order_id(),
            account_id=account,
            user_id=principal.user_id,
            request=rules.stored_package(expansion.adds, unit),
            quantity=1,
            currency=currency,
            amount=unit,
            statement_accepted_at=now if statement else None,
            created_at=now,
            closes_at=now + rules.OPEN_FOR,
        )
        details = {"state": OrderState.UNPAID.value, "minor": unit, "currency": currency, "package": 1}
        audit.record(principal, SUBSCRIBE, resource=f"order:{made.id}", details=details)
    return made


def _for_sale(now: datetime) -> Expansion:
    expansion = prices.current_expansion(now)
    if expansion is None:
        raise NotForSale(
            "The catalogue sells no expansion package.", next_step="Ask the operator, or buy a certificate."
        )
    return expansion


def _unit(expansion: Expansion, currency: str) -> int:
    if currency not in expansion.price:
        raise NoPrice(
            f"There is no price in {currency}.",
            next_step=f"The catalogue has prices in: {', '.join(sorted(expansion.price))}.",
            field="currency",
        )
    return expansion.price[currency]


def add(order: Order, now: datetime) -> str:
    """The package of an order that is being paid, in the caller's transaction; answers its id."""
    package_id = f"PK{secrets.token_hex(8).upper()}"
    sql.insert(
        "orders_package",
        [
            {
                "id": package_id,
                "account_id": order.account_id,
                "order_id": order.id,
                "adds": rules.package_of(order.request),
                "bought_at": now,
            }
        ],
    )
    return package_id
