"""Buying and paying: buy, orders, products, prices, balance (API §1 #10, §10)."""

from dataclasses import replace

from certdesk.foundation.common import clock
from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.catalogue.queries import brand_title, catalogue
from certdesk.lifecycle.catalogue.rules import amount_text
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.orders import actions, means, queries, rules
from certdesk.lifecycle.orders.filters import OrderFilters
from certdesk.lifecycle.orders.models import Order, Share
from certdesk.lifecycle.orders.money import parse_amount
from certdesk.lifecycle.orders.rules import BuyRequest

from . import order_csv, paging, shapes
from .moments import moment
from .money_schemas import OrdersQuery
from .registry import File, operation
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
    return answer if result.paid else answer | {"unpaid_reason": say(result.unpaid_reason)}


def _request(body: Buy) -> BuyRequest:
    tags = tuple((one.key, one.value) for one in body.tags)
    return BuyRequest(**body.model_dump(exclude={"is_auto_pay", "tags"}), tags=tags)


@operation("orders.list", "GET", ORDERS, VIEW, query=OrdersQuery)
def list_orders(principal: Principal, query: OrdersQuery) -> Shape:
    """Orders of the account, newest first (ORD-6)."""
    now = clock.now()
    page = queries.orders_page(
        principal,
        limit=query.limit,
        marker=query.marker or None,
        filters=filters_of(principal, query),
        now=now,
    )
    made = queries.certificate_ids([one.id for one in page.items])
    return {"items": [_order(one, made[one.id]) for one in page.items], "next_marker": page.next_marker}


def filters_of(principal: Principal, query: OrdersQuery) -> OrderFilters:
    """The filters in the account's currency."""
    digits = _digits(queries.account_facts(principal.account_id).currency)

    def amount(text: str, field: str) -> int | None:
        return parse_amount(text, digits, field) if text.strip() else None

    return OrderFilters(
        state=query.status,
        created_from=moment(query.created_from, "created_from"),
        created_to=moment(query.created_to, "created_to", end_of_day=True),
        least=amount(query.min_amount, "min_amount"),
        most=amount(query.max_amount, "max_amount"),
        content=query.content,
    )


@operation("orders.export", "GET", f"{ORDERS}/export", VIEW, query=OrdersQuery)
def export(principal: Principal, query: OrdersQuery) -> File:
    """The same orders as a CSV file, at most 10,000; texts can do nothing in a spreadsheet."""
    now = clock.now()
    found = queries.orders_to_export(principal, filters_of(principal, query), now)
    made = queries.certificate_ids([one.id for one in found])
    lines = [order_csv.row(_order(one, made[one.id]), product_text(one), one.quantity) for one in found]
    return File(f"orders-{now:%Y-%m-%d}.csv", "text/csv; charset=utf-8", order_csv.table(lines))


def product_text(order: Order) -> str:
    """What was ordered, in the catalogue's words: `GeoTrust DV SINGLE_DOMAIN`."""
    adds = rules.package_of(order.request)
    if adds:
        return f"Expansion package of {adds} free certificates"
    asked, book = order.request.get("request", {}), catalogue()
    brand, kind = str(asked.get("cert_brand", "")), str(asked.get("cert_type", ""))
    words = [
        brand_title(brand) if brand else "",
        book.types[kind].title if kind in book.types else kind,
        str(asked.get("domain_type", "")),
        "free" if asked.get("free") else "",
    ]
    return " ".join(word for word in words if word)


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
    """Pays an unpaid order, with a coupon and vouchers first, and makes its certificates."""
    result = actions.pay(
        principal,
        order_id,
        clock.now(),
        body.payment_method,
        voucher_ids=body.voucher_ids,
        coupon_code=body.coupon_code,
    )
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
        "parts": [
            {"means": part.means, "id": part.source_id, "amount": amount_text(part.amount, digits)}
            for part in found.parts
        ],
        "shares": [_share(one, digits) for one in found.shares],
        "entries": [
            {"book": entry.book, "amount": amount_text(entry.amount, digits), "at": clock.wire(entry.at)}
            for entry in found.entries
        ],
    }


def _share(found: Share, digits: int) -> Shape:
    """What of the order belongs to one certificate, or to an expansion package."""
    parts = {name: amount_text(getattr(found, name), digits) for name in ("cash", "voucher", "coupon")}
    return {"id": found.item_id, **parts, "refund": amount_text(found.refund, digits)}


@operation("catalogue.products", "GET", "/v3/scm/products", "scm:certProduct:get", query=PageQuery)
def products(principal: Principal, query: PageQuery) -> Shape:
    """Everything that is or could be for sale, with the reason where it is not (CAT-6)."""
    book = catalogue()
    page, behind = paging.after(prices.current_all(clock.now()), query.limit, query.marker)
    items = [
        shapes.product(one, book.types[one.type], dict(book.currencies)) for one in issuers.offered_all(page)
    ]
    return {"items": items, "next_marker": behind}


@operation("catalogue.price", "POST", "/v3/scm/prices", "scm:certProduct:get", request=Price)
def price(principal: Principal, body: Price) -> Shape:
    """What a purchase would cost (CAT-8); nothing is written."""
    asked = replace(_request(body), agree_privacy_protection=True)
    product = catalogue().product(asked.cert_brand, asked.cert_type, asked.domain_type, free=asked.free)
    catalogue().check_buyer(product, by_acme=False)
    account = queries.account_facts(principal.account_id)
    product = issuers.offered(product)
    if not product.available:
        return {"available": False, "reason": say(product.reason), "amount": "", "currency": account.currency}
    checked = rules.check_buy(asked, product, account)
    priced = prices.current(product, clock.now()) if account.repriced else product
    found = catalogue().price(priced, checked.quantities, account.currency)
    return {"available": True, "reason": "", "amount": found.text, "currency": found.currency}


@operation("balance.show", "GET", "/v3/scm/balance", queries.VIEW_BALANCE)
def balance(principal: Principal) -> Shape:
    """Cash in the account's currency, and the vouchers and coupons that can still pay."""
    cash = queries.balance(principal)
    currency = Account.objects.values_list("currency", flat=True).get(id=principal.account_id)
    now = clock.now()
    vouchers = [one for one in means.vouchers(principal) if one.expires_at > now and one.remaining]
    coupons = [one for one in means.coupons(principal) if one.expires_at > now and not one.order_id]
    return {
        "cash": amount_text(cash.get(currency, 0), _digits(currency)),
        "currency": currency,
        "vouchers": [shapes.voucher(one, _digits(one.currency)) for one in vouchers],
        "coupons": [shapes.coupon(one, _digits(one.currency)) for one in coupons],
    }
