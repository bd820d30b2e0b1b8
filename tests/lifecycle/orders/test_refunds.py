"""The cash of one certificate goes back once; a used expansion package does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import Forbidden, NotFound, WrongState
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.orders import actions, grants, means, packages, queries, refunds
from certdesk.lifecycle.orders.errors import FreeQuotaReached, PaymentRefused, UsedMeanwhile
from certdesk.lifecycle.orders.grant_rules import NewCoupon, NewVoucher
from certdesk.lifecycle.orders.models import Balance, Coupon, Entry, Order, Package, Share, Voucher
from certdesk.lifecycle.orders.rules import BuyRequest
from tests.support.inventory import NOW, new_account, person
from tests.support.races import at_once

HOST = system_principal("", "cli")
REQUEST = BuyRequest("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)
FREE = BuyRequest("SYMANTEC", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN", agree_privacy_protection=True, free=True)
DAY = timedelta(days=1)


@pytest.fixture
def house(db):
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


def cash():
    return Balance.objects.get().cash


def voucher(house, minor):
    return grants.grant_voucher(HOST, house.id, NewVoucher("CNY", minor, NOW + DAY), NOW)


def coupon(house, **facts):
    wanted = NewCoupon("CODE", "CNY", NOW + DAY, **(facts or {"percent": 10}))
    return grants.grant_coupon(HOST, house.id, wanted, NOW)


def test_each_certificate_of_an_order_is_refunded_alone(house, alice):
    # rule: UNS-7
    actions.credit(house.id, "CNY", 189_000 - 100, "", NOW, HOST)
    order_id = actions.buy(alice, replace(REQUEST, order_number=3), NOW, auto_pay=False).order_id
    made = actions.pay(alice, order_id, NOW, voucher_ids=[voucher(house, 100)])
    assert cash() == 0
    back = [refunds.refund(alice, one, NOW) for one in made.certificate_ids]
    assert [one.amount for one in back] == [62_966, 62_966, 62_968]
    assert (cash(), Order.objects.get().refund, Order.objects.get().state) == (188_900, 188_900, "REFUNDED")
    assert Voucher.objects.get().remaining == 0  # UNS-3: vouchers are not given back
    assert Entry.objects.filter(posting__startswith="refund:").count() == 6
    assert Event.objects.filter(action="order.refunded").count() == 3


def test_asked_twice_it_is_given_once(house, alice):
    actions.credit(house.id, "CNY", 126_000, "", NOW, HOST)
    made = actions.buy(alice, replace(REQUEST, order_number=2), NOW, auto_pay=True)
    first = refunds.refund(alice, made.certificate_ids[0], NOW)
    again = refunds.refund(alice, made.certificate_ids[0], NOW + DAY)
    assert (first.amount, first.again, again.amount, again.again) == (63_000, False, 63_000, True)
    assert (cash(), Order.objects.get().state) == (63_000, "PAID")


def test_what_was_paid_by_others_is_closed_without_money(house, alice):
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    coupon(house, percent=100)
    made = actions.pay(alice, order_id, NOW, coupon_code="code")
    done = refunds.refund(alice, made.certificate_ids[0], NOW)
    assert (done.amount, done.again, Order.objects.get().state) == (0, False, "REFUNDED")
    assert not Entry.objects.filter(posting__startswith="refund:").exists()
    assert Coupon.objects.get().order_id == order_id


def test_only_those_who_may_get_their_own_money_back(house, alice):
    actions.credit(house.id, "CNY", 63_000, "", NOW, HOST)
    (certificate_id,) = actions.buy(alice, REQUEST, NOW, auto_pay=True).certificate_ids
    for nobody, item in (
        (person(new_account("other"), "mallory"), certificate_id),
        (alice, "scs0"),
        (alice, actions.buy(alice, FREE, NOW, auto_pay=True).certificate_ids[0]),
    ):
        with pytest.raises(NotFound):
            refunds.refund(nobody, item, NOW)
    with pytest.raises(Forbidden):
        refunds.refund(person(house, "bob", "bss:*"), certificate_id, NOW)
    with pytest.raises(NotFound):
        refunds.refund_package(alice, "PKNONE", NOW)


def test_a_package_is_refunded_only_unused(house, alice):
    # rule: FRE-2
    actions.credit(house.id, "CNY", 96_000, "", NOW, HOST)
    for _ in range(2):
        actions.pay(alice, packages.place(alice, NOW, statement=True).id, NOW)
    first, second = Package.objects.order_by("bought_at", "id").values_list("id", flat=True)
    for _ in range(20):
        actions.buy(alice, FREE, NOW, auto_pay=True)
    assert refunds.refund_package(alice, first, NOW).amount == 48_000  # 20 of 60 taken, 40 left
    assert refunds.refund_package(alice, first, NOW).again
    assert queries.free_use(alice) == queries.FreeUse(20, 40)
    actions.buy(alice, FREE, NOW, auto_pay=True)
    with pytest.raises(WrongState, match="has been used"):
        refunds.refund_package(alice, second, NOW)
    assert cash() == 48_000


def test_a_refunded_package_no_longer_counts(house, alice):
    actions.credit(house.id, "CNY", 48_000, "", NOW, HOST)
    actions.pay(alice, packages.place(alice, NOW, statement=True).id, NOW)
    for _ in range(20):
        actions.buy(alice, FREE, NOW, auto_pay=True)
    refunds.refund_package(alice, Package.objects.get().id, NOW)
    with pytest.raises(FreeQuotaReached):
        actions.buy(alice, FREE, NOW, auto_pay=True)


def test_too_small_a_balance_leaves_voucher_and_coupon_untouched(house, alice):
    # rule: ORD-7
    voucher_id = voucher(house, 6_700)
    coupon(house)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    actions.credit(house.id, "CNY", 63_000 - 6_300 - 6_700 - 1, "", NOW, HOST)
    with pytest.raises(PaymentRefused, match=r"500\.00 CNY needed, 499\.99 CNY there"):
        actions.pay(alice, order_id, NOW, voucher_ids=[voucher_id], coupon_code="CODE")
    assert (Voucher.objects.get().remaining, Coupon.objects.get().order_id) == (6_700, "")
    actions.credit(house.id, "CNY", 1, "", NOW, HOST)
    actions.pay(alice, order_id, NOW, voucher_ids=[voucher_id], coupon_code="CODE")
    order = Order.objects.get()
    assert (order.cash, order.voucher, order.coupon) == (50_000, 6_700, 6_300)
    share = Share.objects.get()
    assert (share.cash, share.voucher, share.coupon) == (50_000, 6_700, 6_300)


def test_a_plan_that_has_become_wrong_pays_nothing(house, alice):
    # rule: ORD-4
    actions.credit(house.id, "CNY", 126_000, "", NOW, HOST)
    voucher_id = voucher(house, 1_000)
    coupon(house)
    order = queries.order(alice, actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id)
    for used in (Voucher.objects.filter(), Coupon.objects.filter()):
        plan = means.plan(order, [voucher_id], "CODE", NOW)
        columns = {"remaining": 999} if used.model is Voucher else {"order_id": "CS-OTHER"}
        used.update(**columns)
        with pytest.raises(UsedMeanwhile), sql.short_transaction():
            means.use(order, plan, NOW)
        used.update(**({"remaining": 1_000} if used.model is Voucher else {"order_id": ""}))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_two_orders_at_once_use_one_coupon_once(_round):
    house = new_account()
    alice = person(house)
    actions.credit(house.id, "CNY", 200_000, "", NOW, HOST)
    coupon(house)
    ids = [actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id for _ in range(2)]
    results = at_once(*[lambda one=one: actions.pay(alice, one, NOW, coupon_code="CODE") for one in ids])
    (loser,) = [one for one in results if isinstance(one, Exception)]
    assert "used" in str(loser)
    assert cash() == 200_000 - 56_700
    assert Order.objects.filter(state="PAID").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_two_orders_at_once_do_not_share_a_vouchers_rest(_round):
    house = new_account()
    alice = person(house)
    voucher_id = voucher(house, 63_000)
    ids = [actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id for _ in range(2)]
    results = at_once(
        *[lambda one=one: actions.pay(alice, one, NOW, voucher_ids=[voucher_id]) for one in ids]
    )
    assert len([one for one in results if isinstance(one, Exception)]) == 1
    assert Voucher.objects.get().remaining == 0
    assert Order.objects.filter(state="PAID").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(3))
def test_two_refunds_at_once_give_each_certificate_its_money_once(_round):
    house = new_account()
    alice = person(house)
    actions.credit(house.id, "CNY", 126_000, "", NOW, HOST)
    made = actions.buy(alice, replace(REQUEST, order_number=2), NOW, auto_pay=True).certificate_ids
    results = at_once(*[lambda one=one: refunds.refund(alice, one, NOW) for one in (*made, *made)])
    assert sorted(one.again for one in results) == [False, False, True, True]
    assert (cash(), Order.objects.get().state, Order.objects.get().refund) == (126_000, "REFUNDED", 126_000)
