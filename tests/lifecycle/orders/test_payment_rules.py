"""What pays an order, both sides of each limit; shares with cents on the last. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.orders import grant_rules, payment_rules
from certdesk.lifecycle.orders.grant_rules import NewCoupon, NewVoucher
from certdesk.lifecycle.orders.payment_rules import COUPON, VOUCHER, Plan, Taken, plan, split
from tests.support.inventory import NOW

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Voucher:
    id: str = "V1"
    currency: str = "CNY"
    remaining: int = 500
    expires_at: datetime = NOW + SECOND


@dataclass(frozen=True)
class Coupon:
    id: str = "C1"
    code: str = "TEN"
    currency: str = "CNY"
    percent: int | None = 10
    amount: int | None = None
    minimum: int = 0
    expires_at: datetime = NOW + SECOND
    order_id: str = ""


def test_the_coupon_first_then_vouchers_in_order_then_cash():
    found = plan(1000, "CNY", [Voucher("V2", remaining=300), Voucher("V1", remaining=400)], Coupon(), NOW)
    assert found == Plan(
        (Taken(COUPON, "C1", 100), Taken(VOUCHER, "V2", 300), Taken(VOUCHER, "V1", 400)), 200
    )
    assert (found.total(VOUCHER), found.total(COUPON)) == (700, 100)


def test_a_voucher_that_is_not_needed_stays_untouched():
    found = plan(300, "CNY", [Voucher(remaining=300), Voucher("V2")], None, NOW)
    assert found == Plan((Taken(VOUCHER, "V1", 300),), 0)


@pytest.mark.parametrize(
    ("coupon", "discount"),
    [
        (Coupon(percent=1), 9),  # 999 × 1 % = 9.99: rounded down
        (Coupon(percent=100), 999),
        (Coupon(percent=None, amount=1), 1),
        (Coupon(percent=None, amount=999), 999),
        (Coupon(percent=None, amount=1000), 999),
    ],
)
def test_a_discount_is_never_more_than_the_order(coupon, discount):
    assert plan(999, "CNY", [], coupon, NOW).cash == 999 - discount


def test_a_discount_of_nothing_is_no_part():
    assert plan(9, "CNY", [], Coupon(percent=10), NOW) == Plan((), 9)
    assert plan(0, "CNY", [Voucher()], Coupon(), NOW) == Plan((), 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"expires_at": NOW}, "has expired"),
        ({"currency": "USD"}, "is in USD, the order in CNY"),
        ({"remaining": 0}, "is used up"),
    ],
)
def test_a_voucher_that_pays_nothing_is_refused(wrong, words):
    plan(1, "CNY", [Voucher()], None, NOW)
    with pytest.raises(BadParameter, match=words) as refused:
        plan(1, "CNY", [replace(Voucher(), **wrong)], None, NOW)
    assert refused.value.field == "voucher_ids"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"expires_at": NOW}, "has expired"),
        ({"currency": "USD"}, "orders in USD"),
        ({"order_id": "CS1"}, "used for another order"),
        ({"minimum": 1001}, "orders of 10.01 CNY and more"),
    ],
)
def test_a_coupon_that_pays_nothing_is_refused(wrong, words):
    plan(1000, "CNY", [], Coupon(minimum=1000), NOW)
    with pytest.raises(BadParameter, match=words) as refused:
        plan(1000, "CNY", [], replace(Coupon(), **wrong), NOW)
    assert refused.value.field == "coupon_code"


def test_cents_are_settled_on_the_last():
    # rule: UNS-7
    shares = split(Plan((Taken(VOUCHER, "V", 100), Taken(COUPON, "C", 2)), 1000), 3)
    assert [(one.cash, one.voucher, one.coupon) for one in shares] == [
        (333, 33, 0),
        (333, 33, 0),
        (334, 34, 2),
    ]


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 100))
def test_shares_add_up_to_what_was_paid(cash, voucher, coupon, count):
    parts = tuple(Taken(m, m, n) for m, n in ((VOUCHER, voucher), (COUPON, coupon)) if n)
    shares = split(Plan(parts, cash), count)
    assert len(shares) == count
    assert sum(one.cash for one in shares) == cash
    assert sum(one.voucher for one in shares) == voucher
    assert sum(one.coupon for one in shares) == coupon
    assert all(one.cash == shares[0].cash for one in shares[:-1])
    assert all(min(one.cash, one.voucher, one.coupon) >= 0 for one in shares)


GOOD = NewCoupon("TEN-10", "CNY", NOW + SECOND, percent=10)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": "ab"}, "code"),
        ({"code": "a" * 5}, "code"),
        ({"code": "A" * 33}, "code"),
        ({"code": "-AB"}, "code"),
        ({"percent": None}, "percent"),
        ({"amount": 5}, "percent"),
        ({"percent": 0}, "percent"),
        ({"percent": 101}, "percent"),
        ({"percent": None, "amount": 0}, "amount"),
        ({"minimum": -1}, "minimum"),
        ({"expires_at": NOW}, "expires_at"),
        ({"note": "x" * 101}, "note"),
    ],
)
def test_a_coupon_within_limits(wrong, field):
    with pytest.raises(BadParameter) as refused:
        grant_rules.check_coupon(replace(GOOD, **wrong), NOW)
    assert refused.value.field == field


def test_the_limits_themselves_are_allowed():
    for fits in (
        {"percent": 1},
        {"percent": 100},
        {"percent": None, "amount": 1},
        {"code": "ABC"},
        {"code": "A" * 32},
        {"note": "x" * 100},
    ):
        grant_rules.check_coupon(replace(GOOD, **fits), NOW)
    grant_rules.check_voucher(NewVoucher("CNY", 1, NOW + SECOND), NOW)
    for wrong in ({"amount": 0}, {"amount": 10**15 + 1}, {"expires_at": NOW}, {"note": "x" * 101}):
        with pytest.raises(BadParameter):
            grant_rules.check_voucher(replace(NewVoucher("CNY", 1, NOW + SECOND), **wrong), NOW)


def test_reasons_are_empty_where_there_are_none():
    assert payment_rules.why_not_voucher(Voucher(), "CNY", NOW) == ""
    assert payment_rules.why_not_coupon(Coupon(), 0, "CNY", NOW) == ""
