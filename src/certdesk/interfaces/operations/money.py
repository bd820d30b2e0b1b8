"""What the operator does with money: accounts, credits, vouchers, coupons, prices; and expansion packages."""

from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.catalogue import price_rules, prices
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import amount_text
from certdesk.lifecycle.orders import accounts, actions, grants, ledger, packages, queries
from certdesk.lifecycle.orders.errors import PaymentRefused
from certdesk.lifecycle.orders.grant_rules import NewCoupon, NewVoucher
from certdesk.lifecycle.orders.money import parse_amount

from . import shapes
from .moments import moment, needed
from .money_schemas import Credit, GrantCoupon, GrantVoucher, Package, SetFlags, SetPrice
from .registry import Reply, operation
from .schemas import PageQuery
from .shapes import Shape

ACCOUNTS = "/v3/scm/accounts"
ACCOUNT = f"{ACCOUNTS}/{{account_id}}"
PRICES = "/v3/scm/products/{product_id}/prices"
SUBSCRIBE = "scm:cert:subscribe"


def _digits(currency: str) -> int:
    return catalogue().currencies.get(currency, 2)


@operation("accounts.list", "GET", ACCOUNTS, accounts.LIST, query=PageQuery)
def list_accounts(principal: Principal, query: PageQuery) -> Shape:
    """Every account with its balance, for the operator; by name."""
    queries.check_limit(query.limit)
    found = accounts.accounts(principal, after=query.marker, limit=query.limit + 1)
    page = found[: query.limit]
    return {
        "items": [_account(one) for one in page],
        "next_marker": page[-1].name if len(found) > query.limit else None,
    }


def _account(one: accounts.AccountLine) -> Shape:
    digits = _digits(one.currency)
    return {
        "id": one.id,
        "name": one.name,
        "currency": one.currency,
        "cash": amount_text(one.cash, digits),
        "vouchers": amount_text(one.vouchers, digits),
        "real_name_verified": one.real_name_verified,
        "special_enterprise": one.special_enterprise,
    }


@operation("accounts.show", "GET", ACCOUNT, accounts.LIST)
def show_account(principal: Principal, account_id: str) -> Shape:
    """One account's money: balance, vouchers, coupons, the last lines of its ledger."""
    found = accounts.money(principal, account_id)
    return {
        **_account(found.line),
        "voucher_list": [shapes.voucher(one, _digits(one.currency)) for one in found.vouchers],
        "coupon_list": [shapes.coupon(one, _digits(one.currency)) for one in found.coupons],
        "entries": [
            {
                "posting": one.posting,
                "book": one.book,
                "amount": amount_text(one.amount, _digits(one.currency)),
                "currency": one.currency,
                "at": wire(one.at),
            }
            for one in found.entries
        ],
    }


@operation("accounts.set_flags", "PUT", f"{ACCOUNT}/flags", iam.SET_FLAGS, request=SetFlags)
def set_flags(principal: Principal, account_id: str, body: SetFlags) -> Shape:
    """Says who stands behind an account: real-name authentication, special enterprise (APP-14, ORD-5)."""
    iam.set_account_flags(
        accounts.account(principal, account_id),
        real_name_verified=body.real_name_verified,
        special_enterprise=body.special_enterprise,
        by=principal,
    )
    return _account(accounts.money(principal, account_id, entries=0).line)


@operation("accounts.credit", "POST", f"{ACCOUNT}/credit", ledger.CREDIT, request=Credit)
def credit(principal: Principal, account_id: str, body: Credit) -> Shape:
    """Adds cash to an account's balance; the same reference is booked once."""
    line = accounts.money(principal, account_id, entries=0).line
    currency = body.currency or line.currency
    minor = parse_amount(body.amount, _digits(currency))
    cash = actions.credit(account_id, currency, minor, body.reference, clock.now(), principal)
    return {"account_id": account_id, "cash": amount_text(cash, _digits(currency)), "currency": currency}


@operation(
    "accounts.grant_voucher",
    "POST",
    f"{ACCOUNT}/vouchers",
    grants.GRANT_VOUCHER,
    request=GrantVoucher,
    success=201,
)
def grant_voucher(principal: Principal, account_id: str, body: GrantVoucher) -> Shape:
    """Gives an account a voucher; a date alone ends at its last moment, UTC."""
    currency = body.currency or accounts.money(principal, account_id, entries=0).line.currency
    wanted = NewVoucher(
        currency=currency,
        amount=parse_amount(body.amount, _digits(currency)),
        expires_at=needed(body.expires_at, "expires_at", end_of_day=True),
        note=body.note.strip(),
    )
    return {"id": grants.grant_voucher(principal, account_id, wanted, clock.now())}


@operation(
    "accounts.grant_coupon",
    "POST",
    f"{ACCOUNT}/coupons",
    grants.GRANT_COUPON,
    request=GrantCoupon,
    success=201,
)
def grant_coupon(principal: Principal, account_id: str, body: GrantCoupon) -> Shape:
    """Gives an account a discount coupon for one order: a percentage or an amount."""
    currency = body.currency or accounts.money(principal, account_id, entries=0).line.currency
    digits = _digits(currency)
    wanted = NewCoupon(
        code=body.code.strip().upper(),
        currency=currency,
        expires_at=needed(body.expires_at, "expires_at", end_of_day=True),
        percent=body.percent,
        amount=parse_amount(body.amount, digits) if body.amount.strip() else None,
        minimum=parse_amount(body.minimum, digits, "minimum") if body.minimum.strip() else 0,
        note=body.note.strip(),
    )
    return {"id": grants.grant_coupon(principal, account_id, wanted, clock.now())}


@operation("prices.history", "GET", PRICES, "scm:certProduct:get")
def price_history(principal: Principal, product_id: str) -> Shape:
    """The catalogue file's prices of a product, and the operator's changes, newest first."""
    if product_id not in {price_rules.EXPANSION, *(one.id for one in catalogue().products)}:
        raise NotFound(f"There is no product {product_id}.", next_step="Take one of the list of products.")
    now, items = clock.now(), []
    for one in prices.history(product_id):
        amount = "" if one.minor is None else amount_text(one.minor, _digits(one.currency))
        items.append(
            {
                "kind": one.kind,
                "currency": one.currency,
                "amount": amount,
                "since": wire(one.since),
                "in_force": one.since <= now,
                "set_at": wire(one.set_at),
            }
        )
    return {"product_id": product_id, "base": _base(product_id), "items": items}


def _base(product_id: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for kind in (price_rules.PLAIN, price_rules.WILDCARD):
        try:
            base = price_rules.base_price(catalogue(), product_id, kind)
        except CertdeskError:
            continue
        found[kind] = {code: amount_text(minor, _digits(code)) for code, minor in base.items()}
    return found


@operation("prices.set", "POST", PRICES, prices.SET, request=SetPrice, success=201)
def set_price(principal: Principal, product_id: str, body: SetPrice) -> Shape:
    """A new unit price of a product from a date on; the catalogue file stays the base."""
    now = clock.now()
    change = price_rules.Change(
        product_id=product_id,
        kind=body.kind,
        currency=body.currency,
        minor=parse_amount(body.amount, _digits(body.currency)) if body.amount.strip() else None,
        since=_from(body.since, now),
    )
    return {"id": str(prices.change(principal, change, now))}


def _from(text: str, now: datetime) -> datetime:
    """Today's date means now: what is sold later today has the new price."""
    found = moment(text, "since") or now
    return now if found.date() == now.date() and found < now and len(text.strip()) == 10 else found


@operation(
    "packages.buy",
    "POST",
    "/v3/scm/expansion-packages",
    SUBSCRIBE,
    also=(queries.PAY,),
    request=Package,
    idempotent=True,
    one_transaction=True,
)
def buy_package(principal: Principal, body: Package) -> Shape | Reply:
    """Orders an expansion package of free certificates; with `is_auto_pay` it counts at once (FRE-2)."""
    now = clock.now()
    made = packages.place(principal, now, statement=body.agree_privacy_protection)
    answer: Shape = {"order_id": made.id, "adds": made.request["package"]["adds"]}
    if not body.is_auto_pay:
        return answer
    try:
        actions.pay(principal, made.id, now)
    except PaymentRefused as error:
        return answer | {"unpaid_reason": say(error.message)}
    return answer


@operation("packages.use", "GET", "/v3/scm/expansion-packages", "scm:certProduct:get")
def package_use(principal: Principal) -> Shape:
    """How many free certificates the account has had, how many it may have, and what a package costs."""
    use = queries.free_use(principal)
    expansion = prices.current_expansion(clock.now())
    costs = expansion.price if expansion else {}
    return {
        "used": use.used,
        "quota": use.quota,
        "adds": expansion.adds if expansion else 0,
        "prices": {code: amount_text(minor, _digits(code)) for code, minor in costs.items()},
    }
