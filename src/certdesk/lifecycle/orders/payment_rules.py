"""What pays an order: a coupon first, then vouchers, then cash; and each certificate's share. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.catalogue.rules import amount_text

VOUCHER, COUPON = "VOUCHER", "COUPON"


class HasVoucher(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def remaining(self) -> int: ...
    @property
    def expires_at(self) -> datetime: ...


class HasCoupon(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def percent(self) -> int | None: ...
    @property
    def amount(self) -> int | None: ...
    @property
    def minimum(self) -> int: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def order_id(self) -> str: ...


@dataclass(frozen=True)
class Taken:
    """What one voucher or coupon pays, minor units above 0."""

    means: str
    source_id: str
    amount: int


@dataclass(frozen=True)
class Plan:
    """How an order will be paid: the parts and the rest in cash; together exactly its amount."""

    parts: tuple[Taken, ...]
    cash: int

    def total(self, means: str) -> int:
        return sum(part.amount for part in self.parts if part.means == means)


@dataclass(frozen=True)
class Split:
    """One certificate's part of what was paid, minor units."""

    cash: int
    voucher: int
    coupon: int


def plan(
    amount: int,
    currency: str,
    vouchers: Sequence[HasVoucher],
    coupon: HasCoupon | None,
    now: datetime,
    digits: int = 2,
) -> Plan:
    """Coupon, then vouchers in the order given, then cash; a voucher that is not needed stays untouched.

    Raises:
        BadParameter: a voucher or the coupon cannot be used for this order.
    """
    parts = []
    if coupon is not None:
        check_coupon(coupon, amount, currency, now, digits)
        discount = discount_of(coupon, amount)
        if discount:
            parts.append(Taken(COUPON, coupon.id, discount))
    left = amount - sum(part.amount for part in parts)
    for voucher in vouchers:
        check_voucher(voucher, currency, now)
        used = min(left, voucher.remaining)
        if used:
            parts.append(Taken(VOUCHER, voucher.id, used))
            left -= used
    return Plan(tuple(parts), left)


def discount_of(coupon: HasCoupon, amount: int) -> int:
    """Never more than the order; a percentage is rounded down to the cent."""
    if coupon.percent is not None:
        return amount * coupon.percent // 100
    return min(amount, coupon.amount or 0)


def why_not_voucher(voucher: HasVoucher, currency: str, now: datetime) -> str:
    """The reason that a voucher pays nothing; empty when it does."""
    if now >= voucher.expires_at:
        return f"Voucher {voucher.id} has expired."
    if voucher.currency != currency:
        return f"Voucher {voucher.id} is in {voucher.currency}, the order in {currency}."
    if voucher.remaining == 0:
        return f"Voucher {voucher.id} is used up."
    return ""


def why_not_coupon(coupon: HasCoupon, amount: int, currency: str, now: datetime, digits: int = 2) -> str:
    """The reason that a coupon pays nothing of an order; empty when it does."""
    if coupon.order_id:
        return f"Coupon {coupon.code} was used for another order."
    if now >= coupon.expires_at:
        return f"Coupon {coupon.code} has expired."
    if coupon.currency != currency:
        return f"Coupon {coupon.code} is for orders in {coupon.currency}, this one is in {currency}."
    if amount < coupon.minimum:
        least = amount_text(coupon.minimum, digits)
        return f"Coupon {coupon.code} is for orders of {least} {currency} and more."
    return ""


def check_voucher(voucher: HasVoucher, currency: str, now: datetime) -> None:
    """Raises BadParameter with the reason that the voucher pays nothing."""
    reason = why_not_voucher(voucher, currency, now)
    if reason:
        raise BadParameter(reason, next_step="Pay without it.", field="voucher_ids")


def check_coupon(coupon: HasCoupon, amount: int, currency: str, now: datetime, digits: int = 2) -> None:
    """Raises BadParameter with the reason that the coupon pays nothing."""
    reason = why_not_coupon(coupon, amount, currency, now, digits)
    if reason:
        raise BadParameter(reason, next_step="Pay without it.", field="coupon_code")


def split(whole: Plan, count: int) -> list[Split]:
    """Equal shares of an order of `count`; cents that do not divide are settled on the last (UNS-7)."""
    columns = [_shares(one, count) for one in (whole.cash, whole.total(VOUCHER), whole.total(COUPON))]
    return [Split(cash, voucher, coupon) for cash, voucher, coupon in zip(*columns, strict=True)]


def _shares(total: int, count: int) -> list[int]:
    each = total // count
    return [each] * (count - 1) + [total - each * (count - 1)]
