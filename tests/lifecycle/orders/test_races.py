"""Two requests at once: one payment, one winner. Real connections and real threads."""

from dataclasses import replace

import pytest

from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.errors import StateChanged
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event
from certdesk.lifecycle.orders import actions
from certdesk.lifecycle.orders.models import Balance, Entry, Order
from certdesk.lifecycle.orders.rules import BuyRequest
from tests.support.inventory import NOW, bought, new_account, person
from tests.support.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
HOST = system_principal("", "cli")
PRICE = 630_00
REQUEST = BuyRequest("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)
FREE = BuyRequest("SYMANTEC", "DV_SSL_CERT_BASIC", "SINGLE_DOMAIN", agree_privacy_protection=True, free=True)


@pytest.fixture
def house():
    return new_account()


@pytest.fixture
def alice(house):
    return person(house)


def errors(results):
    return [one for one in results if isinstance(one, Exception)]


@pytest.mark.parametrize("_round", range(4))
def test_two_payments_of_one_order_take_the_money_once(house, alice, _round):
    actions.credit(house.id, "CNY", PRICE * 3, "", NOW, HOST)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    results = at_once(*[lambda: actions.pay(alice, order_id, NOW)] * 2)
    assert len(errors(results)) == 1
    assert Balance.objects.get().cash == PRICE * 2
    assert Certificate.objects.count() == 1
    assert Entry.objects.filter(posting=f"pay:{order_id}").count() == 2


@pytest.mark.parametrize("_round", range(4))
def test_paying_and_cancelling_at_once_has_one_winner(house, alice, _round):
    actions.credit(house.id, "CNY", PRICE, "", NOW, HOST)
    order_id = actions.buy(alice, REQUEST, NOW, auto_pay=False).order_id
    results = at_once(lambda: actions.pay(alice, order_id, NOW), lambda: actions.cancel(alice, order_id, NOW))
    assert len(errors(results)) == 1
    paid = Order.objects.get().state == "PAID"
    assert Certificate.objects.count() == int(paid)
    assert Balance.objects.get().cash == (0 if paid else PRICE)


def test_money_for_two_pays_two_of_four_purchases_at_once(house, alice):
    actions.credit(house.id, "CNY", PRICE * 2, "", NOW, HOST)
    results = at_once(*[lambda: actions.buy(alice, REQUEST, NOW, auto_pay=True)] * 4)
    assert sorted(one.paid for one in results) == [False, False, True, True]
    assert Balance.objects.get().cash == 0
    assert Certificate.objects.count() == 2


def test_the_last_free_certificate_goes_to_one_of_two(alice):
    for _ in range(19):
        actions.buy(alice, FREE, NOW, auto_pay=True)
    results = at_once(*[lambda: actions.buy(alice, replace(FREE), NOW, auto_pay=True)] * 3)
    assert len(errors(results)) == 2
    assert Certificate.objects.count() == 20


def test_two_credits_with_one_reference_are_booked_once(house):
    results = at_once(*[lambda: actions.credit(house.id, "CNY", 5, "same", NOW, HOST)] * 2)
    assert len(errors(results)) == 1
    assert Balance.objects.get().cash == 5


@pytest.mark.parametrize("_round", range(4))
def test_two_moves_of_one_certificate_have_one_winner(alice, _round):
    (certificate_id,) = bought(alice)
    results = at_once(
        *[
            lambda event=event: certificates.move(certificate_id, event, NOW, principal=alice)
            for event in (Event.APPLY, Event.UNSUBSCRIBE)
        ]
    )
    (loser,) = errors(results)
    assert isinstance(loser, StateChanged) or "does not allow" in loser.message
    assert Certificate.objects.get().state in results
