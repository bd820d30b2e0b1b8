"""Buying, paying, cancelling, crediting. One pipeline: every purchase goes through `buy_many`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import ids, sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal, Resource, Via
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.catalogue import prices
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Catalogue, Price, Product
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates import tags
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.issuers import setting_up

from . import ledger, means, packages, queries, rules
from .errors import NotPayable, PaymentRefused
from .ledger import Payment, credit
from .models import Order
from .payment_rules import COUPON, VOUCHER, Plan, split
from .rules import BuyRequest, Checked, Purchase
from .states import OrderState

__all__ = ["OrderResult", "buy", "buy_many", "cancel", "close", "credit", "pay"]

SUBSCRIBE = "scm:cert:subscribe"


@dataclass(frozen=True)
class OrderResult:
    """What a purchase or payment came to.

    Attributes:
        certificate_ids: empty while the order is unpaid (ORD-7).
        unpaid_reason: one sentence; empty when paid, and when nobody tried to pay.
        amount: minor units of `currency`.
    """

    order_id: str
    certificate_ids: tuple[str, ...]
    unpaid_reason: str
    amount: int
    currency: str
    paid: bool


@dataclass(frozen=True)
class _Placed:
    """A purchase on its way into the database."""

    order_id: str
    purchase: Purchase
    checked: Checked
    price: Price
    paid: bool = False
    reason: str = ""


def buy(principal: Principal, request: BuyRequest, now: datetime, *, auto_pay: bool) -> OrderResult:
    """Orders N certificates, and pays from the balance when `auto_pay` (ORD-2, ORD-3).

    Too small a balance leaves the order unpaid with that reason (ORD-7).

    Raises:
        Forbidden: ORD-1, it takes the rights to subscribe and to pay.
        CertdeskError: what `rules.check_buy` and the catalogue refuse.
    """
    with sql.short_transaction():
        return buy_many(principal, [Purchase(request)], now, auto_pay=auto_pay)[0]


def buy_many(
    principal: Principal, purchases: Sequence[Purchase], now: datetime, *, auto_pay: bool = True
) -> list[OrderResult]:
    """An order a purchase, in the caller's transaction: balance, orders, entries, certificates and
    shares in one statement each, however many there are (ORD-4: all of it or nothing).

    Raises:
        as `buy`; the whole call is refused with the first purchase that is.
    """
    placed = _pay_from_balance(principal, _place(principal, purchases, now, auto_pay), auto_pay)
    sql.insert("orders_order", [_order_row(principal, one, now) for one in placed])
    paid = [one for one in placed if one.paid]
    payments = [Payment(one.order_id, one.price.currency, one.price.minor) for one in paid]
    ledger.book_payments(principal.account_id, payments, now)
    made = certificates.create_many(principal, [_new(one) for one in paid], now)
    for one in paid:
        wanted = rules.tags_of(one.purchase.request.tags)
        tags.write_new(made[one.order_id], principal.account_id, wanted)
    _share_out([(one.order_id, Plan((), one.price.minor), made[one.order_id]) for one in paid])
    lines = [_line(one, made.get(one.order_id, [])) for one in placed]
    audit.record_many(principal, lines)
    for one in paid:
        jobs.emit("order.paid", one.order_id)
    return [_result(one, made.get(one.order_id, [])) for one in placed]


def _place(
    principal: Principal, purchases: Sequence[Purchase], now: datetime, auto_pay: bool
) -> list[_Placed]:
    """Rights, rules and prices, before anything is written."""
    for new, tagged in {_to_come(principal, one) for one in purchases}:
        _check_rights(principal, new)
        if tagged:
            principal.require(tags.CREATE, new)
    free = sum(one.request.free for one in purchases)
    account = queries.account_facts(principal.account_id, free=free > 0)
    book = catalogue()
    found = [_found(book, one.request) for one in purchases]
    for product in found:
        operator = setting_up.may_rehearse(principal, product.brand)
        book.check_buyer(product, by_acme=principal.via is Via.ACME, operator=operator)
    placed = []
    for purchase, product in zip(purchases, issuers.offered_all(found), strict=True):
        asked = purchase.request
        if account.repriced:
            product = prices.current(product, now)
        checked = rules.check_buy(asked, product, account)
        if auto_pay:
            rules.check_statement(asked.agree_privacy_protection)
        if asked.free:
            account = replace(account, free_certificates=account.free_certificates + 1)
        price = book.price(product, checked.quantities, account.currency)
        placed.append(_Placed(ids.order_id(), purchase, checked, price))
    return placed


def _found(book: Catalogue, asked: BuyRequest) -> Product:
    return book.product(asked.cert_brand, asked.cert_type, asked.domain_type, free=asked.free)


def _to_come(principal: Principal, purchase: Purchase) -> tuple[Resource, bool]:
    """The certificate to come as policies see it, and whether it has tags. Its names are said on applying."""
    asked = purchase.request
    project = asked.enterprise_project_id or "0"
    pairs = tuple((one.key, one.value) for one in rules.tags_of(asked.tags))
    new = Resource("cert", "", principal.account_id, project, principal.user_id, None, asked.cert_type, pairs)
    return new, bool(pairs)


def _check_rights(principal: Principal, new: Resource) -> None:
    account, project = principal.account_id, new.enterprise_project_id
    principal.require(SUBSCRIBE, new)
    principal.require(queries.PAY, Resource("order", "", account, project, principal.user_id))
    if not iam.project_exists(account, project):
        raise BadParameter(
            f"There is no enterprise project {project} that takes new certificates.",
            next_step="Use 0 for the default project, or the id of an enabled one.",
            field="enterprise_project_id",
        )


def _pay_from_balance(principal: Principal, placed: list[_Placed], auto_pay: bool) -> list[_Placed]:
    """Takes the money for all of them at once, or for as many as it lasts, in order."""
    if not auto_pay or not placed:
        return placed
    currency = placed[0].price.currency
    if ledger.take(principal.account_id, currency, sum(one.price.minor for one in placed)):
        return [replace(one, paid=True) for one in placed]
    done = []
    for one in placed:
        paid = len(placed) > 1 and ledger.take(principal.account_id, currency, one.price.minor)
        reason = "" if paid else ledger.too_small(principal.account_id, one.price.currency, one.price.minor)
        done.append(replace(one, paid=paid, reason=reason))
    return done


def _order_row(principal: Principal, one: _Placed, now: datetime) -> dict[str, object]:
    state = OrderState.PAID if one.paid else OrderState.UNPAID
    return {
        "id": one.order_id,
        "account_id": principal.account_id,
        "user_id": principal.user_id,
        "type": "RENEWAL" if one.checked.bought.renews else "NEW",
        "state": state.value,
        "request": sql.json_text(rules.stored(one.purchase.request, one.checked.bought, one.price.lines)),
        "quantity": one.checked.quantities.certificates,
        "currency": one.price.currency,
        "amount": one.price.minor,
        "cash": one.price.minor if one.paid else 0,
        "voucher": 0,
        "coupon": 0,
        "refund": 0,
        "enterprise_project_id": one.checked.bought.enterprise_project_id,
        "unpaid_reason": one.reason,
        "statement_accepted_at": now if one.purchase.request.agree_privacy_protection else None,
        "created_at": now,
        "closes_at": now + rules.OPEN_FOR,
        "paid_at": now if one.paid else None,
    }


def _new(one: _Placed) -> certificates.New:
    return certificates.New(
        one.order_id,
        one.checked.bought,
        one.checked.quantities.certificates,
        one.purchase.names,
        one.purchase.steps,
        one.purchase.request_id,
    )


def _line(one: _Placed, made: Sequence[str]) -> audit.Line:
    """The order in the audit log."""
    details = {
        "state": (OrderState.PAID if one.paid else OrderState.UNPAID).value,
        "amount": one.price.text,
        "currency": one.price.currency,
        "certificates": list(made),
    }
    return audit.Line(SUBSCRIBE, f"order:{one.order_id}", details, one.purchase.request_id)


def _result(one: _Placed, made: Sequence[str]) -> OrderResult:
    return OrderResult(one.order_id, tuple(made), one.reason, one.price.minor, one.price.currency, one.paid)


def pay(
    principal: Principal,
    order_id: str,
    now: datetime,
    method: str = "BALANCE",
    *,
    voucher_ids: Sequence[str] = (),
    coupon_code: str = "",
    statement_accepted: bool = False,
) -> OrderResult:
    """Pays an unpaid order and makes what was bought, in one transaction (ORD-3, ORD-4).

    Args:
        voucher_ids, coupon_code: used first, as far as they go; the balance pays the rest.
        statement_accepted: accepted now, for an order whose purchase left it open (ORD-2).

    Raises:
        BadParameter: the statement was never accepted, or method, a voucher or the coupon cannot be used.
        NoOrder, Forbidden: as `queries.order`.
        NotPayable: it is paid, cancelled or closed, or another request has just done that.
        UsedMeanwhile: another request has just used the voucher or coupon.
        PaymentRefused: the balance is too small; the order keeps the reason (ORD-7).
    """
    rules.check_method(method)
    order = queries.order(principal, order_id, queries.PAY)
    rules.check_payable(order, now)
    if order.statement_accepted_at is None:
        rules.check_statement(statement_accepted)
    plan = means.plan(order, voucher_ids, coupon_code, now)
    with sql.short_transaction():
        _check_free_again(order)
        if ledger.take(order.account_id, order.currency, plan.cash):
            return _paid(principal, order, plan, now)
        reason = ledger.too_small(order.account_id, order.currency, plan.cash)
        sql.execute(
            "UPDATE orders_order SET unpaid_reason = %s WHERE id = %s AND state = 'UNPAID'",
            [reason, order.id],
        )
    raise PaymentRefused(reason, next_step="Have the account credited, then pay the order again.")


def _check_free_again(order: Order) -> None:
    """The quota may have been used up since the order was placed (FRE-1)."""
    if rules.package_of(order.request):
        return
    bought = rules.bought_of(order.request)
    if bought.free:
        product = catalogue().product(bought.brand, bought.type, bought.domain_type, free=True)
        rules.check_free_quota(product, queries.account_facts(order.account_id, free=True))


def _paid(principal: Principal, order: Order, plan: Plan, now: datetime) -> OrderResult:
    """The conditional UPDATE makes the payment happen once; who comes second gives the money back."""
    voucher, coupon = plan.total(VOUCHER), plan.total(COUPON)
    if not sql.execute(
        "UPDATE orders_order SET state = 'PAID', cash = %s, voucher = %s, coupon = %s, unpaid_reason = '',"
        " paid_at = %s, statement_accepted_at = coalesce(statement_accepted_at, %s)"
        " WHERE id = %s AND state = 'UNPAID'",
        [plan.cash, voucher, coupon, sql.plain(now), sql.plain(now), order.id],
    ):
        raise NotPayable(
            f"Order {order.id} has just been paid or cancelled by another request.",
            next_step="Open the order again.",
        )
    means.use(order, plan, now)
    payment = Payment(order.id, order.currency, plan.cash, voucher, coupon)
    ledger.book_payments(order.account_id, [payment], now)
    made = _deliver(principal, order, plan, now)
    details = {"currency": order.currency, "minor": order.amount, "certificates": made}
    if plan.parts:
        details |= {"cash": plan.cash, "voucher": voucher, "coupon": coupon}
    audit.record(
        principal,
        queries.PAY,
        resource=f"order:{order.id}",
        details=details,
        account_id=order.account_id,
    )
    jobs.emit("order.paid", order.id)
    return OrderResult(order.id, tuple(made), "", order.amount, order.currency, True)


def _deliver(principal: Principal, order: Order, plan: Plan, now: datetime) -> list[str]:
    """What was bought: certificates, whose ids it answers, or an expansion package."""
    if rules.package_of(order.request):
        _share_out([(order.id, plan, [packages.add(order, now)])])
        return []
    # The buyer owns what he ordered, whoever pays for it.
    buyer = replace(principal, account_id=order.account_id, user_id=order.user_id)
    bought = rules.bought_of(order.request)
    made = certificates.create_bought(buyer, order.id, bought, order.quantity, now)
    asked = order.request.get("request", {})
    tags.write_new(made, order.account_id, rules.tags_of(asked.get("tags", ())))
    _share_out([(order.id, plan, made)])
    return made


def _share_out(paid: Sequence[tuple[str, Plan, Sequence[str]]]) -> None:
    """Records what of each order was paid for each item; what cost nothing has no share."""
    sql.insert(
        "orders_share",
        [
            {"order_id": order_id, "item_id": item_id, "refund": 0, **vars(one)}
            for order_id, plan, items in paid
            if plan.cash or plan.parts
            for item_id, one in zip(items, split(plan, len(items)), strict=True)
        ],
    )


def cancel(principal: Principal, order_id: str, now: datetime) -> None:
    """Cancels an unpaid order (ORD-3).

    Raises:
        NoOrder, Forbidden: as `queries.order`.
        NotPayable: it is no longer unpaid.
    """
    order = queries.order(principal, order_id, queries.PAY)
    rules.check_payable(order, now)
    if not close(principal, order.id, order.account_id, "cancelled by the buyer"):
        raise NotPayable(
            f"Order {order.id} has just been paid or cancelled by another request.",
            next_step="Open the order again.",
        )


def close(principal: Principal, order_id: str, account_id: str, why: str) -> bool:
    """Ends an unpaid order; False when it is no longer unpaid."""
    with sql.short_transaction():
        if not sql.execute(
            "UPDATE orders_order SET state = 'CANCELLED', unpaid_reason = %s"
            " WHERE id = %s AND state = 'UNPAID'",
            [why, order_id],
        ):
            return False
        audit.record(
            principal,
            "order.cancelled",
            resource=f"order:{order_id}",
            details={"why": why},
            account_id=account_id,
        )
    return True
