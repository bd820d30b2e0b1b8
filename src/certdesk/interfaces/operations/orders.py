"""Buying and paying: buy, orders, products, prices, balance (API §1 #10, §10)."""

from collections.abc import Sequence
from dataclasses import replace

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import NotAvailable
from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product, amount_text
from certdesk.lifecycle.orders import actions, queries, rules
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.orders.rules import BuyRequest

from . import paging, shapes
from .registry import operation
from .schemas import Buy, PageQuery, Pay, Price
from .shapes import Shape

ORDERS = "/v3/scm/orders"
ORDER = f"{ORDERS}/{{order_id}}"
SUBSCRIBE, VIEW, PAY = "scm:cert:subscribe", queries.VIEW, queries.PAY


@operation(
    "orders.buy",
    "POST",
    "/v3/scm/certificates/buy",
    SUBSCRIBE,
    also=(PAY,),
    request=Buy,
    idempotent=True,
    one_transaction=True,
)
def buy(principal: Principal, body: Buy) -> Shape:
    """Orders certificates; with `is_auto_pay` they are there at once, else after the payment (ORD-7)."""
    result = actions.buy(principal, _request(body), clock.now(), auto_pay=body.is_auto_pay)
    answer: Shape = {
        "order_id": result.order_id,
        "cert": [{"cert_id": certificate_id} for certificate_id in result.certificate_ids],
    }
    return answer if result.paid else answer | {"unpaid_reason": result.unpaid_reason}


def _request(body: Buy) -> BuyRequest:
    return BuyRequest(**body.model_dump(exclude={"is_auto_pay"}))


@operation("orders.list", "GET", ORDERS, VIEW, query=PageQuery)
def list_orders(principal: Principal, query: PageQuery) -> Shape:
    """Orders of the account, newest first (ORD-6)."""
    page = queries.orders_page(principal, limit=query.limit, marker=query.marker or None, state=query.status)
    made = queries.certificate_ids([one.id for one in page.items])
    return {"items": [_order(one, made[one.id]) for one in page.items], "next_marker": page.next_marker}


@operation("orders.show", "GET", ORDER, VIEW)
def show(principal: Principal, order_id: str) -> Shape:
    """One order."""
    found = queries.order(principal, order_id)
    return _order(found, queries.certificate_ids([order_id])[order_id])


def _order(found: Order, certificate_ids: list[str]) -> Shape:
    return shapes.order(found, certificate_ids, _digits(found.currency), clock.now())


def _digits(currency: str) -> int:
    return catalogue().currencies.get(currency, 2)


@operation("orders.pay", "POST", f"{ORDER}/pay", PAY, request=Pay, idempotent=True, one_transaction=True)
def pay(principal: Principal, order_id: str, body: Pay) -> Shape:
    """Pays an unpaid order from the balance and makes its certificates."""
    if body.voucher_ids or body.coupon_code:
        raise NotAvailable(
            "Vouchers and coupons come with a later release.", next_step="Pay with BALANCE alone."
        )
    result = actions.pay(principal, order_id, clock.now(), body.payment_method)
    found = queries.order(principal, order_id, PAY)
    return _order(found, list(result.certificate_ids))


@operation("orders.cancel", "POST", f"{ORDER}/cancel", PAY)
def cancel(principal: Principal, order_id: str) -> Shape:
    """Cancels an unpaid order."""
    actions.cancel(principal, order_id, clock.now())
    return _order(queries.order(principal, order_id, PAY), [])


@operation("orders.receipt", "GET", f"{ORDER}/receipt", VIEW)
def receipt(principal: Principal, order_id: str) -> Shape:
    """What was bought and paid, with its lines in the ledger."""
    found = queries.receipt(principal, order_id)
    digits = _digits(found.order.currency)
    return {
        **_order(found.order, found.certificate_ids),
        "lines": [
            {
                "kind": line["kind"],
                "unit": amount_text(line["unit"], digits),
                "names": line["names"],
                "amount": amount_text(line["minor"], digits),
            }
            for line in found.price_lines
        ],
        "entries": [
            {"book": entry.book, "amount": amount_text(entry.amount, digits), "at": clock.wire(entry.at)}
            for entry in found.entries
        ],
    }


@operation("catalogue.products", "GET", "/v3/scm/products", "scm:certProduct:get", query=PageQuery)
def products(principal: Principal, query: PageQuery) -> Shape:
    """Everything that is or could be for sale, with the reason where it is not (CAT-6)."""
    book = catalogue()
    page, more = paging.cut(_after(book.products, query.marker), query.limit)
    items = [shapes.product(one, book.types[one.type], dict(book.currencies)) for one in page]
    return {"items": items, "next_marker": page[-1].id if more else None}


def _after(found: Sequence[Product], marker: str) -> Sequence[Product]:
    """Those behind the product that the marker names."""
    if not marker:
        return found
    places = [place for place, one in enumerate(found, start=1) if one.id == marker]
    if not places:
        raise paging.unknown_marker()
    return found[places[0] :]


@operation("catalogue.price", "POST", "/v3/scm/prices", "scm:certProduct:get", request=Price)
def price(principal: Principal, body: Price) -> Shape:
    """What a purchase would cost (CAT-8); nothing is written."""
    asked = replace(_request(body), agree_privacy_protection=True)
    product = catalogue().product(asked.cert_brand, asked.cert_type, asked.domain_type, free=asked.free)
    account = queries.account_facts(principal.account_id)
    if not product.available:
        return {"available": False, "reason": product.reason, "amount": "", "currency": account.currency}
    checked = rules.check_buy(asked, product, account)
    found = catalogue().price(product, checked.quantities, account.currency)
    return {"available": True, "reason": "", "amount": found.text, "currency": found.currency}


@operation("balance.show", "GET", "/v3/scm/balance", queries.VIEW_BALANCE)
def balance(principal: Principal) -> Shape:
    """Cash in the account's currency."""
    cash = queries.balance(principal)
    currency = Account.objects.values_list("currency", flat=True).get(id=principal.account_id)
    amount = amount_text(cash.get(currency, 0), _digits(currency))
    return {"cash": amount, "currency": currency, "vouchers": [], "coupons": []}
