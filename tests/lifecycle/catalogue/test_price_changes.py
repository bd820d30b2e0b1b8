"""Dated price changes: the file is the base, a change counts from its moment, the last one begun wins."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import BadParameter, Forbidden
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.catalogue import price_rules, prices
from certdesk.lifecycle.catalogue.price_rules import EXPANSION, Change
from certdesk.lifecycle.catalogue.queries import catalogue
from tests.support.inventory import NOW, new_account, person

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ID = "GEOTRUST.OV_SSL_CERT.MULTI_DOMAIN"
PLAIN = Change(ID, "plain", "CNY", 100_000, NOW)
HOST = system_principal("", "cli")


def product():
    return catalogue().product("GEOTRUST", "OV_SSL_CERT", "MULTI_DOMAIN")


def test_a_change_counts_from_its_moment_to_the_second():
    changes = [PLAIN, replace(PLAIN, minor=90_000, since=NOW + DAY, id=2)]
    for moment, price in (
        (NOW - SECOND, 145_600),
        (NOW, 100_000),
        (NOW + DAY - SECOND, 100_000),
        (NOW + DAY, 90_000),
    ):
        found = price_rules.priced(product(), changes, moment)
        assert found.plain_price == {"CNY": price, "USD": 20_800}
        assert found.wildcard_price == product().wildcard_price


def test_of_two_of_one_moment_the_later_one_counts_and_none_restores_the_file():
    changes = [replace(PLAIN, id=5, minor=7), replace(PLAIN, id=6, minor=8)]
    assert price_rules.priced(product(), changes, NOW).plain_price["CNY"] == 8
    back = [*changes, replace(PLAIN, id=7, minor=None)]
    assert price_rules.priced(product(), back, NOW).plain_price["CNY"] == 145_600
    other = [replace(PLAIN, product_id="CFCA.OV_SSL_CERT.MULTI_DOMAIN")]
    assert price_rules.priced(product(), other, NOW) == product()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"product_id": "NONE"}, "product_id"),
        ({"product_id": "SYMANTEC.DV_SSL_CERT_BASIC.SINGLE_DOMAIN.FREE"}, "product_id"),
        ({"kind": "other"}, "product_id"),
        ({"product_id": EXPANSION, "kind": "wildcard"}, "product_id"),
        ({"currency": "EUR"}, "currency"),
        ({"minor": 0}, "amount"),
        ({"minor": -1}, "amount"),
        ({"minor": 10**12 + 1}, "amount"),
        ({"since": NOW - SECOND}, "since"),
    ],
)
def test_what_cannot_be_a_price_is_refused(wrong, field):
    with pytest.raises(BadParameter) as refused:
        price_rules.check_change(catalogue(), replace(PLAIN, **wrong), NOW)
    assert refused.value.field == field


def test_the_limits_of_a_price_are_included():
    for fits in ({"minor": 1}, {"minor": 10**12}, {"minor": None}, {"kind": "wildcard"}):
        price_rules.check_change(catalogue(), replace(PLAIN, **fits), NOW)
    price_rules.check_change(catalogue(), Change(EXPANSION, "plain", "USD", 1, NOW), NOW)
    with pytest.raises(BadParameter):
        price_rules.base_price(replace(catalogue(), expansion=None), EXPANSION, "plain")


@pytest.mark.django_db
def test_a_change_is_recorded_audited_and_in_force():
    assert prices.current(product(), NOW) == product()
    assert prices.current_all(NOW) == list(catalogue().products)
    prices.change(HOST, PLAIN, NOW)
    prices.change(HOST, Change(EXPANSION, "plain", "CNY", 100, NOW + DAY), NOW)
    assert prices.current(product(), NOW).plain_price["CNY"] == 100_000
    (changed,) = [one for one in prices.current_all(NOW) if one not in catalogue().products]
    assert changed.id == ID
    assert [one.minor for one in prices.history(ID)] == [100_000]
    assert prices.current_expansion(NOW + DAY - SECOND).price["CNY"] == 48_000
    assert prices.current_expansion(NOW + DAY).price["CNY"] == 100
    event = Event.objects.get(action=prices.SET, resource=f"product:{ID}")
    assert '"price":"1000.00"' in event.details.replace(" ", "")


@pytest.mark.django_db
def test_only_the_operating_account_sets_prices_whatever_the_policies_elsewhere_say():
    house, other = new_account(), new_account("other", **{})
    other.created_at = NOW + SECOND
    other.save()
    prices.change(person(house, "opal", "certdesk:price:set"), PLAIN, NOW)
    for nobody in (person(house, "bob", "scm:*", "bss:*"), person(other, "mallory")):
        with pytest.raises(Forbidden) as refused:
            prices.change(nobody, PLAIN, NOW)
        assert refused.value.details["action"] == prices.SET
