"""Whatever happens in whatever order, the books balance and nothing is paid twice."""

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
from certdesk.lifecycle.orders import actions
from certdesk.lifecycle.orders.models import Balance, Entry, Order
from certdesk.lifecycle.orders.rules import BuyRequest
from tests.support.inventory import NOW, new_account, person

pytestmark = pytest.mark.django_db
HOST = system_principal("", "cli")
REQUEST = BuyRequest("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)  # 630.00 CNY

top_ups = st.tuples(st.just("credit"), st.integers(1, 200_000), st.sampled_from(["", "a", "b"]))
purchases = st.tuples(st.just("buy"), st.integers(1, 3), st.booleans())
payments = st.tuples(st.just("pay"), st.integers(0, 9), st.integers(0, 90_000))
cancellations = st.tuples(st.just("cancel"), st.integers(0, 9), st.integers(0, 90_000))
_numbers = itertools.count(1)
histories = st.lists(st.one_of(top_ups, purchases, payments, cancellations), max_size=25)


class World:
    """One account, and what the test itself believes about it."""

    def __init__(self, number):
        self.account = new_account(f"house {number}")
        self.alice = person(self.account)
        self.orders = []
        self.credited = 0

    def do(self, verb, first, second):
        if verb == "credit":
            actions.credit(self.account.id, "CNY", first, second, NOW, HOST)
            self.credited += first
        elif verb == "buy":
            asked = replace(REQUEST, order_number=first)
            self.orders.append(actions.buy(self.alice, asked, NOW, auto_pay=second).order_id)
        elif self.orders:
            order_id = self.orders[first % len(self.orders)]
            call = actions.pay if verb == "pay" else actions.cancel
            call(self.alice, order_id, NOW + timedelta(seconds=second))

    def check(self):
        entries = Entry.objects.filter(account_id=self.account.id)
        for posting in set(entries.values_list("posting", flat=True)):
            assert entries.filter(posting=posting).aggregate(sum=Sum("amount"))["sum"] == 0
        paid = Order.objects.filter(account_id=self.account.id, state="PAID")
        spent = paid.aggregate(sum=Sum("amount"))["sum"] or 0
        books = dict(entries.values_list("book").annotate(sum=Sum("amount")))
        assert books.get("CASH", 0) == self.credited - spent == balance(self.account)
        assert books.get("REVENUE", 0) == spent
        assert books.get("OUTSIDE", 0) == -self.credited
        for order in Order.objects.filter(account_id=self.account.id):
            made = Certificate.objects.filter(order_id=order.id).count()
            assert made == (order.quantity if order.state == "PAID" else 0)
            assert order.cash == (order.amount if order.state == "PAID" else 0)


def balance(account):
    found = Balance.objects.filter(account_id=account.id).first()
    return found.cash if found else 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_the_books_balance_after_every_history(db, history):
    world = World(next(_numbers))
    for step in history:
        with suppress(CertdeskError):  # a refusal; what it leaves behind is checked all the same
            world.do(*step)
        world.check()
