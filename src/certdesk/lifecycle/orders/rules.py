"""What may be bought and paid; pure. API §1.7, CAT-1..4, CAT-9, ORD-3, ORD-5."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.lifecycle.catalogue.rules import DomainType, PriceLine, Product, Quantities, check_for_sale
from certdesk.lifecycle.certificates.rules import Bought
from certdesk.lifecycle.certificates.states import Step
from certdesk.lifecycle.certificates.tag_rules import TagPair, check_tags

from .errors import FreeQuotaReached, NotPayable
from .states import OrderState

OPEN_FOR = timedelta(hours=24)  # ORD-3: an unpaid order closes by itself
MOST_CERTIFICATES = 100
METHODS = ("BALANCE",)  # vouchers and a coupon are given beside it
SINGLE, WILDCARD = "SINGLE_DOMAIN", "WILDCARD_DOMAIN"


@dataclass(frozen=True)
class BuyRequest:
    """The buy body of API §1.7, and `free` (ours) that asks for the free product of a brand (FRE-1).

    Attributes:
        effective_time: years.
        domain_numbers: names of each certificate, the primary included.
        single_domain_number, wildcard_domain_number: additional names; None = not given.
        order_number: certificates.
        agree_privacy_protection: None = the statement is asked before paying, as the console does (ORD-2).
        tags: (key, value) of each tag that every certificate of the order gets.
        renews: id of the certificate that this purchase renews; `lifecycle.renewal` alone sets it (REN-3).
    """

    cert_brand: str
    cert_type: str
    domain_type: str
    domain_numbers: int = 1
    effective_time: int = 1
    order_number: int = 1
    agree_privacy_protection: bool | None = False
    primary_domain_type: str = SINGLE
    single_domain_number: int | None = None
    wildcard_domain_number: int | None = None
    enterprise_project_id: str = "0"
    free: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    renews: str = ""


@dataclass(frozen=True)
class AccountFacts:
    """What buying depends on beside the request.

    Attributes:
        free_certificates: free ones that the account ever had; `free_added`: what its expansion packages
            add to the quota (FRE-2).
        repriced: the operator has changed some price, so the file's may not be in force.
    """

    currency: str
    special_enterprise: bool = False
    free_certificates: int = 0
    free_added: int = 0
    repriced: bool = False


@dataclass(frozen=True)
class Purchase:
    """A request with what a purchase at once adds: names and steps of the certificates it makes, and
    the id of the request for the audit where several are written together."""

    request: BuyRequest
    names: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    request_id: str = ""


@dataclass(frozen=True)
class Checked:
    """A request that may be bought: the facts of each certificate, and what the price depends on."""

    bought: Bought
    quantities: Quantities


class Payable(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def closes_at(self) -> datetime: ...


def check_buy(request: BuyRequest, product: Product, account: AccountFacts) -> Checked:
    """The request against the catalogue and the account.

    Raises:
        BadParameter, NotForSale: the value named by `field` is outside its limits.
        WrongState: a special enterprise asks for OV or EV (ORD-5).
        FreeQuotaReached: FRE-1.
    """
    if request.agree_privacy_protection is not None:
        check_statement(request.agree_privacy_protection)
    check_tags(tags_of(request.tags), least=0)
    check_for_sale(product)
    _check_special_enterprise(product, account)
    years = _years(request, product)
    _in_limits("order_number", request.order_number, 1, 1 if product.free else MOST_CERTIFICATES)
    check_free_quota(product, account)
    single, wildcard = _additional(request, product)
    return Checked(
        bought=Bought(
            brand=product.brand,
            type=product.type,
            level=product.level,
            domain_type=str(product.domain_type),
            primary_domain_type=_primary(request, product),
            domain_quota=1 + single + wildcard,
            single_quota=single,
            wildcard_quota=wildcard,
            validity_months=product.validity_months[0] if product.free else 12 * years,
            free=product.free,
            enterprise_project_id=request.enterprise_project_id or "0",
            renews=request.renews,
        ),
        quantities=_quantities(request, product, single, wildcard, years),
    )


def check_statement(accepted: object) -> None:
    """ORD-2: nobody pays without having accepted the statement.

    Raises:
        BadParameter: it was not accepted.
    """
    if accepted is not True:
        raise BadParameter(
            "The Cloud Certificate Manager Statement has not been accepted.",
            next_step="Accept it: agree_privacy_protection must be true.",
            field="agree_privacy_protection",
        )


def _check_special_enterprise(product: Product, account: AccountFacts) -> None:
    if account.special_enterprise and product.needs_organization:
        raise WrongState(
            f"This account is marked as a special enterprise: it cannot buy {product.type_title}"
            " certificates, whose organization check needs a unified social credit code.",
            next_step="Buy a DV certificate.",
        )


def check_free_quota(product: Product, account: AccountFacts) -> None:
    """FRE-1: counts every free certificate the account ever had; FRE-2: packages add to the quota.

    Raises:
        FreeQuotaReached: there is none left.
    """
    quota = product.free_quota + account.free_added
    if product.free and account.free_certificates >= quota:
        raise FreeQuotaReached(quota)


def check_package_unused(adds: int, account: AccountFacts, quota: int) -> None:
    """FRE-2: what is left of the quota without the package must hold every free certificate taken.

    Raises:
        WrongState: a certificate of the package was taken.
    """
    if account.free_certificates > quota + account.free_added - adds:
        raise WrongState(
            "This expansion package has been used: a free certificate of it was taken.",
            next_step="A package is refunded only while none of its certificates was taken.",
        )


def _years(request: BuyRequest, product: Product) -> int:
    offered = [1] if product.free else [months // 12 for months in product.validity_months]
    if request.effective_time not in offered:
        raise BadParameter(
            f"effective_time {request.effective_time} is not offered for this product.",
            next_step=f"Use a number of years out of: {', '.join(map(str, offered))}.",
            field="effective_time",
        )
    return request.effective_time


def _in_limits(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        allowed = f"exactly {least}" if least == most else f"{least} to {most}"
        raise BadParameter(
            f"{name} is {value}, but it must be {allowed}.", next_step=f"Send {allowed}.", field=name
        )


def _additional(request: BuyRequest, product: Product) -> tuple[int, int]:
    """Additional plain and wildcard names (CAT-9); both 0 unless multi-domain.

    Where only the total is given, as on the purchase page, the rest is plain. Either kind may be absent:
    a name with its wildcard is a multi-domain certificate without additional plain names.
    """
    _in_limits("domain_numbers", request.domain_numbers, *product.names)
    wildcard = request.wildcard_domain_number or 0
    if product.domain_type is not DomainType.MULTI:
        _in_limits("single_domain_number", request.single_domain_number or 0, 0, 0)
        _in_limits("wildcard_domain_number", wildcard, 0, 0)
        return 0, 0
    most = product.names[1]
    single = request.single_domain_number
    if single is None:
        _in_limits("wildcard_domain_number", wildcard, 0, request.domain_numbers - 1)
        return request.domain_numbers - 1 - wildcard, wildcard
    _in_limits("wildcard_domain_number", wildcard, 0, most - 1)
    _in_limits("single_domain_number", single, 0, most - 1)
    if request.domain_numbers != 1 + single + wildcard:
        raise BadParameter(
            f"domain_numbers is {request.domain_numbers}, but one primary name, {single} plain and"
            f" {wildcard} wildcard names make {1 + single + wildcard}.",
            next_step="Send domain_numbers = 1 + single_domain_number + wildcard_domain_number.",
            field="domain_numbers",
        )
    return single, wildcard


def _primary(request: BuyRequest, product: Product) -> str:
    """CAT-3: wildcard names in a multi-domain certificate are for OV and OV Pro only."""
    if product.domain_type is not DomainType.MULTI:
        return WILDCARD if product.domain_type is DomainType.WILDCARD else SINGLE
    primary = request.primary_domain_type or SINGLE
    if primary not in (SINGLE, WILDCARD):
        raise BadParameter(
            f"primary_domain_type {primary!r} is unknown.",
            next_step=f"Use {SINGLE} or {WILDCARD}.",
            field="primary_domain_type",
        )
    if (primary == WILDCARD or request.wildcard_domain_number) and not product.wildcard_in_multi:
        raise BadParameter(
            f"A multi-domain certificate of type {product.type_title} cannot hold wildcard names.",
            next_step="Choose OV or OV Pro, or plain names only.",
            field="primary_domain_type" if primary == WILDCARD else "wildcard_domain_number",
        )
    return primary


def _quantities(request: BuyRequest, product: Product, single: int, wildcard: int, years: int) -> Quantities:
    is_wildcard = _primary(request, product) == WILDCARD
    return Quantities(
        plain=single + (not is_wildcard),
        wildcard=wildcard + is_wildcard,
        years=years,
        certificates=request.order_number,
    )


def state_of(order: Payable, now: datetime) -> OrderState:
    """The state that people see: an unpaid order is closed exactly 24 h after it was made (ORD-3)."""
    state = OrderState(order.state)
    return OrderState.CANCELLED if state is OrderState.UNPAID and now >= order.closes_at else state


def check_payable(order: Payable, now: datetime) -> None:
    """Only an unpaid order that is still open can be paid or cancelled.

    Raises:
        NotPayable: with what became of it.
    """
    sentences = {
        OrderState.PAID: ("is paid already", "Its certificates are in the list of certificates."),
        OrderState.CANCELLED: ("was cancelled, or closed by itself after 24 hours", "Buy again."),
        OrderState.REFUNDED: ("was paid and refunded", "Buy again."),
    }
    state = state_of(order, now)
    if state in sentences:
        what, next_step = sentences[state]
        raise NotPayable(f"Order {order.id} {what}.", next_step=next_step)


def billing_status(state: OrderState) -> int:
    """The number that the billing API uses for a state (API §5.3)."""
    return {
        OrderState.UNPAID: 6,  # pending payment
        OrderState.PAID: 5,  # completed
        OrderState.CANCELLED: 4,
        OrderState.REFUNDED: 5,  # completed; the refund stands beside it
    }[state]


def check_method(method: str) -> None:
    """Raises:
    BadParameter: not a way of paying.
    """
    if method not in METHODS:
        raise BadParameter(
            f"payment_method {method!r} is unknown.",
            next_step="Use BALANCE; vouchers and a coupon are given beside it.",
            field="payment_method",
        )


def states_of(status: str) -> tuple[OrderState, ...]:
    """The states that a filter names: by word, or by the number of `billing_status`.

    Raises:
        BadParameter: neither.
    """
    found = tuple(one for one in OrderState if status in (one.value, str(billing_status(one))))
    if not found:
        raise BadParameter(
            f"status {status!r} is unknown.",
            next_step=f"Use one of: {', '.join(OrderState)}, or 4, 5, 6.",
            field="status",
        )
    return found


def stored(request: BuyRequest, bought: Bought, lines: Sequence[PriceLine]) -> dict[str, Any]:
    """What an order keeps: the request, what each certificate will be, and how the price came about."""
    return {"request": vars(request), "bought": vars(bought), "price": [vars(line) for line in lines]}


def tags_of(pairs: Iterable[Sequence[str]]) -> list[TagPair]:
    """The tags of a request, also of one that an order keeps (there as lists)."""
    return [TagPair(key, value) for key, value in pairs]


def stored_package(adds: int, unit: int) -> dict[str, Any]:
    """What the order of an expansion package keeps."""
    return {"package": {"adds": adds}, "price": [vars(PriceLine("package", unit, 1, unit))]}


def package_of(stored_request: Mapping[str, Any]) -> int:
    """How many free certificates the ordered package adds; 0 for an order of certificates."""
    return int(stored_request.get("package", {}).get("adds", 0))


def bought_of(stored_request: Mapping[str, Any]) -> Bought:
    """The reverse of `stored`, for the payment that comes later."""
    return Bought(**stored_request["bought"])
