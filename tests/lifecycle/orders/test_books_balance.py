"""Whatever happens in whatever order, the books balance and nothing is paid or refunded twice."""

import itertools
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders import actions, grants, packages, queries, refunds
from certdesk.lifecycle.orders.grant_rules import NewCoupon, NewVoucher
from certdesk.lifecycle.orders.models import (
    Balance,
    Coupon,
    Entry,
    Order,
    Package,
    Part,
    Share,
    Voucher,
)
from certdesk.lifecycle.orders.rules import BuyRequest
from tests.support.inventory import NOW, new_account, person

pytestmark = pytest.mark.django_db
HOST = system_principal("", "cli")
REQUEST = BuyRequest("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)  # 630.00 CNY
HOUR = timedelta(hours=1)

top_ups = st.tuples(st.just("credit"), st.integers(1, 200_000), st.sampled_from(["", "a", "b"]))
vouchers = st.tuples(st.just("voucher"), st.integers(1, 100_000), st.integers(1, 60))
coupons = st.tuples(st.just("coupon"), st.integers(-99_999, 100), st.integers(1, 60))
purchases = st.tuples(st.just("buy"), st.integers(1, 7), st.booleans())
bundles = st.tuples(st.just("package"), st.just(0), st.just(0))
payments = st.tuples(st.just("pay"), st.integers(0, 9), st.integers(0, 7))
cancellations = st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0))
expiries = st.tuples(st.just("wait"), st.integers(0, 30), st.booleans())
refundings = st.tuples(st.just("refund"), st.integers(0, 20), st.just(0))
_numbers = itertools.count(1)
histories = st.lists(
    st.one_of(
        top_ups,
        vouchers,
        coupons,
        purchases,
        bundles,
        payments,
        payments,
        cancellations,
        expiries,
        refundings,
    ),
    max_size=25,
)


class World:
    """One account, and what the test itself believes about it."""

    def __init__(self, number):
        self.account = new_account(f"house {number}")
        self.alice = person(self.account)
        self.now = NOW
        self.orders, self.items, self.codes = [], [], itertools.count(1)
        self.credited = self.granted = 0
        self.paid, self.refunded = {}, set()

    def do(self, verb, first, second):
        getattr(self, verb)(first, second)

    def credit(self, minor, reference):
        actions.credit(self.account.id, "CNY", minor, reference, self.now, HOST)
        self.credited += minor

    def voucher(self, minor, hours):
        grants.grant_voucher(
            HOST, self.account.id, NewVoucher("CNY", minor, self.now + hours * HOUR), self.now
        )
        self.granted += minor

    def coupon(self, size, hours):
        """Above 0: percent; else an amount of that size."""
        kind = {"percent": size} if size > 0 else {"amount": 1 - size}
        wanted = NewCoupon(f"CODE-{next(self.codes)}", "CNY", self.now + hours * HOUR, minimum=700, **kind)
        grants.grant_coupon(HOST, self.account.id, wanted, self.now)

    def buy(self, count, auto_pay):
        made = actions.buy(self.alice, replace(REQUEST, order_number=count), self.now, auto_pay=auto_pay)
        self.orders.append(made.order_id)
        if made.paid:
            self.paid[made.order_id] = made.amount
            self.items += made.certificate_ids

    def package(self, *_):
        self.orders.append(packages.place(self.alice, self.now, statement=True).id)

    def pay(self, place, means):
        """`means`: bits for the first vouchers and for a coupon."""
        if not self.orders:
            return
        order_id = self.orders[place % len(self.orders)]
        mine = Voucher.objects.filter(account_id=self.account.id).order_by("id")
        chosen = [one.id for bit, one in zip((1, 2), mine, strict=False) if means & bit]
        coupon = Coupon.objects.filter(account_id=self.account.id).order_by("order_id", "id").first()
        code = coupon.code if coupon and means & 4 else ""
        made = actions.pay(self.alice, order_id, self.now, voucher_ids=chosen, coupon_code=code)
        assert order_id not in self.paid
        self.paid[order_id] = made.amount
        self.items += made.certificate_ids
        self.items += Package.objects.filter(order_id=order_id).values_list("id", flat=True)

    def cancel(self, place, _):
        if self.orders:
            actions.cancel(self.alice, self.orders[place % len(self.orders)], self.now)

    def wait(self, hours, close):
        """Time passes: vouchers, coupons and unpaid orders end; the job may come late."""
        self.now += hours * HOUR
        for order_id, account_id in queries.due_to_close(self.now, 100) if close else ():
            actions.close(HOST, order_id, account_id, "closed")

    def refund(self, place, _):
        if not self.items:
            return
        item = self.items[place % len(self.items)]
        verb = refunds.refund_package if item.startswith("PK") else refunds.refund
        done = verb(self.alice, item, self.now)
        assert done.again is (item in self.refunded)
        self.refunded.add(item)

    def check(self):
        mine = {"account_id": self.account.id}
        entries = Entry.objects.filter(**mine)
        assert not [
            one for one in entries.values("posting").annotate(sum=Sum("amount")).order_by() if one["sum"]
        ]
        books = dict(entries.values_list("book").annotate(sum=Sum("amount")).order_by())
        orders = {one.id: one for one in Order.objects.filter(**mine)}
        shares = Share.objects.filter(order_id__in=list(orders))
        back = total(shares, "refund")
        cash, voucher, coupon = (
            sum(getattr(one, part) for one in orders.values()) for part in ("cash", "voucher", "coupon")
        )
        assert books.get("CASH", 0) == self.credited - cash + back == balance(self.account)
        left = total(Voucher.objects.filter(**mine), "remaining")
        assert books.get("VOUCHER", 0) == self.granted - voucher == left
        assert books.get("COUPON", 0) == -coupon
        assert books.get("REVENUE", 0) == sum(self.paid.values()) - back
        assert (books.get("OUTSIDE", 0), books.get("GRANTS", 0)) == (-self.credited, -self.granted)
        for order in orders.values():
            self.check_order(order, [one for one in shares if one.order_id == order.id])

    def check_order(self, order, shares):
        paid = order.id in self.paid
        assert (order.state in ("PAID", "REFUNDED")) is paid
        of_package = bool(order.request.get("package"))
        made = Certificate.objects.filter(order_id=order.id).count()
        assert made == (order.quantity if paid and not of_package else 0)
        assert Package.objects.filter(order_id=order.id).count() == (paid and of_package)
        assert order.cash + order.voucher + order.coupon == (order.amount if paid else 0)
        parts = Part.objects.filter(order_id=order.id)
        for means in ("VOUCHER", "COUPON"):
            assert total(parts.filter(means=means), "amount") == getattr(order, means.lower())
        assert len(shares) == (order.quantity if paid else 0)
        for part in ("cash", "voucher", "coupon", "refund"):
            assert sum(getattr(one, part) for one in shares) == getattr(order, part)
        for one in shares:
            assert (one.refunded_at is not None) is (one.item_id in self.refunded)
            assert one.refund == (one.cash if one.refunded_at else 0)
        everything = paid and all(one.refunded_at for one in shares)
        assert (order.state == "REFUNDED") is bool(everything)
        assert Coupon.objects.filter(order_id=order.id).count() <= 1


def total(rows, column):
    return rows.aggregate(sum=Sum(column))["sum"] or 0


def balance(account):
    found = Balance.objects.filter(account_id=account.id).first()
    return found.cash if found else 0


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_the_books_balance_after_every_history(db, history):
    world = World(next(_numbers))
    for step in history:
        with suppress(CertdeskError):  # a refusal; what it leaves behind is checked all the same
            world.do(*step)
        world.check()
