"""What may be bought: API §1.7 and CAT-1..4, CAT-9, ORD-5 as values in, decision out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.lifecycle.catalogue.errors import NotForSale
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Quantities
from certdesk.lifecycle.orders import money, rules
from certdesk.lifecycle.orders.errors import FreeQuotaReached, NotPayable
from certdesk.lifecycle.orders.rules import AccountFacts, BuyRequest
from certdesk.lifecycle.orders.states import OrderState
from tests.support.inventory import NOW

SECOND = timedelta(seconds=1)
ACCOUNT = AccountFacts("CNY")
SINGLE = BuyRequest("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)
MULTI = replace(
    SINGLE,
    cert_type="OV_SSL_CERT",
    domain_type="MULTI_DOMAIN",
    domain_numbers=4,
    single_domain_number=2,
    wildcard_domain_number=1,
)
FREE = replace(SINGLE, cert_brand="SYMANTEC", cert_type="DV_SSL_CERT_BASIC", free=True)


def check(request, account=ACCOUNT, **changes):
    product = catalogue().product(
        request.cert_brand, request.cert_type, request.domain_type, free=request.free
    )
    return rules.check_buy(request, replace(product, **changes), account)


def refused(request, field, **changes):
    with pytest.raises(BadParameter) as error:
        check(request, **changes)
    assert error.value.field == field
    assert error.value.next_step
    return error.value.message


def test_a_single_certificate_is_one_name_for_one_year():
    checked = check(SINGLE)
    assert checked.quantities == Quantities(plain=1)
    bought = checked.bought
    assert (bought.level, bought.domain_quota, bought.validity_months, bought.free) == ("DV", 1, 12, False)
    assert bought.primary_domain_type == "SINGLE_DOMAIN"


def test_a_wildcard_certificate_is_one_wildcard_name():
    checked = check(replace(SINGLE, domain_type="WILDCARD", primary_domain_type=""))
    assert checked.quantities == Quantities(plain=0, wildcard=1)
    assert checked.bought.primary_domain_type == "WILDCARD_DOMAIN"


def test_multi_domain_counts_primary_plain_and_wildcard_names():
    checked = check(replace(MULTI, order_number=5))
    assert checked.quantities == Quantities(plain=3, wildcard=1, certificates=5)
    assert (checked.bought.domain_quota, checked.bought.single_quota, checked.bought.wildcard_quota) == (
        4,
        2,
        1,
    )
    primary = check(replace(MULTI, primary_domain_type="WILDCARD_DOMAIN"))
    assert primary.quantities == Quantities(plain=2, wildcard=2)


def test_where_only_the_total_is_given_the_rest_is_plain():
    total = replace(MULTI, single_domain_number=None, wildcard_domain_number=None)
    assert check(total).bought.single_quota == 3
    assert check(replace(total, wildcard_domain_number=2)).bought.single_quota == 1


@pytest.mark.parametrize("agreed", [False, "true", 1])
def test_the_statement_must_be_accepted(agreed):
    refused(replace(SINGLE, agree_privacy_protection=agreed), "agree_privacy_protection")
    check(replace(SINGLE, agree_privacy_protection=None))  # asked on the confirmation page, before paying


@pytest.mark.parametrize("number", [0, 2, 250, -1])
@pytest.mark.parametrize("domain_type", ["SINGLE_DOMAIN", "WILDCARD"])
def test_single_and_wildcard_hold_exactly_one_name(domain_type, number):
    refused(replace(SINGLE, domain_type=domain_type, domain_numbers=number), "domain_numbers")


def test_single_and_wildcard_have_no_additional_names():
    refused(replace(SINGLE, single_domain_number=1), "single_domain_number")
    refused(replace(SINGLE, wildcard_domain_number=1), "wildcard_domain_number")
    check(replace(SINGLE, single_domain_number=0, wildcard_domain_number=0))


@pytest.mark.parametrize("number", [2, 250])
def test_multi_domain_holds_two_to_250_names(number):
    request = replace(MULTI, domain_numbers=number, single_domain_number=number - 1, wildcard_domain_number=0)
    assert check(request).bought.domain_quota == number


@pytest.mark.parametrize("number", [0, 1, 251])
def test_fewer_or_more_names_are_refused(number):
    refused(replace(MULTI, domain_numbers=number), "domain_numbers")


def test_the_numbers_of_names_must_agree():
    assert "make 4" in refused(replace(MULTI, domain_numbers=5), "domain_numbers")
    refused(replace(MULTI, wildcard_domain_number=249, domain_numbers=250), "domain_numbers")
    refused(replace(MULTI, wildcard_domain_number=250, domain_numbers=250), "wildcard_domain_number")
    refused(replace(MULTI, wildcard_domain_number=-1), "wildcard_domain_number")
    refused(replace(MULTI, single_domain_number=-1), "single_domain_number")
    refused(replace(MULTI, single_domain_number=0, wildcard_domain_number=0), "domain_numbers")
    only_total = replace(MULTI, single_domain_number=None, wildcard_domain_number=4)
    refused(only_total, "wildcard_domain_number")  # 4 names are one primary and 3 more


# rule: CAT-9
@pytest.mark.parametrize("single", [0, None])
def test_a_name_and_its_wildcard_are_a_whole_certificate(single):
    pair = replace(MULTI, domain_numbers=2, single_domain_number=single, wildcard_domain_number=1)
    assert check(pair).quantities == Quantities(plain=1, wildcard=1)
    assert check(pair).bought.domain_quota == 2
    most = replace(pair, domain_numbers=250, single_domain_number=0, wildcard_domain_number=249)
    assert check(most).bought.wildcard_quota == 249


@pytest.mark.parametrize("kind", ["DV_SSL_CERT", "DV_SSL_CERT_BASIC", "EV_SSL_CERT", "EV_SSL_CERT_PRO"])
def test_wildcards_among_several_names_are_for_ov_only(kind):
    plain = replace(MULTI, cert_type=kind, single_domain_number=3, wildcard_domain_number=0)
    check(plain)
    refused(replace(MULTI, cert_type=kind), "wildcard_domain_number")
    refused(replace(plain, primary_domain_type="WILDCARD_DOMAIN"), "primary_domain_type")


def test_ov_pro_may_hold_wildcards_among_several_names():
    check(replace(MULTI, cert_type="OV_SSL_CERT_PRO"))


def test_an_unknown_kind_of_primary_name_is_refused():
    refused(replace(MULTI, primary_domain_type="WILDCARD"), "primary_domain_type")


@pytest.mark.parametrize(("number", "fits"), [(1, True), (100, True), (0, False), (101, False), (-1, False)])
def test_an_order_is_for_one_to_a_hundred_certificates(number, fits):
    request = replace(SINGLE, order_number=number)
    if fits:
        assert check(request).quantities.certificates == number
    else:
        refused(request, "order_number")


@pytest.mark.parametrize("years", [0, 2, 3, 4, -1])
def test_a_period_that_the_catalogue_does_not_offer_is_refused(years):
    refused(replace(SINGLE, effective_time=years), "effective_time")


def test_a_period_that_the_catalogue_offers_is_sold():
    checked = check(replace(SINGLE, effective_time=2), validity_months=(12, 24))
    assert (checked.bought.validity_months, checked.quantities.years) == (24, 2)


def test_a_special_enterprise_buys_dv_only():
    special = replace(ACCOUNT, special_enterprise=True)
    check(SINGLE, special)
    for kind in ("OV_SSL_CERT", "OV_SSL_CERT_PRO", "EV_SSL_CERT", "EV_SSL_CERT_PRO"):
        with pytest.raises(WrongState, match="special enterprise"):
            check(replace(SINGLE, cert_type=kind), special)


def test_what_has_no_issuer_is_refused_with_the_reason():
    with pytest.raises(NotForSale, match="nobody issues it"):
        check(SINGLE, available=False, reason="nobody issues it.")


def test_a_free_certificate_lasts_three_months_and_comes_alone():
    checked = check(FREE)
    assert (checked.bought.validity_months, checked.bought.free) == (3, True)
    refused(replace(FREE, order_number=2), "order_number")
    refused(replace(FREE, effective_time=2), "effective_time")


def test_twenty_free_certificates_an_account():
    check(FREE, replace(ACCOUNT, free_certificates=19))
    with pytest.raises(FreeQuotaReached) as error:
        check(FREE, replace(ACCOUNT, free_certificates=20))
    assert error.value.code == "SCM.0011"
    check(SINGLE, replace(ACCOUNT, free_certificates=20))


@dataclass
class Thing:
    state: str
    id: str = "CS1"
    closes_at: datetime = NOW


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.UNPAID])
def test_only_an_unpaid_order_is_payable(state):
    with pytest.raises(NotPayable, match="Order CS1"):
        rules.check_payable(Thing(state), NOW - SECOND)


def test_an_unpaid_order_closes_on_the_second():
    rules.check_payable(Thing("UNPAID"), NOW - SECOND)
    with pytest.raises(NotPayable, match="closed by itself"):
        rules.check_payable(Thing("UNPAID"), NOW)
    assert rules.state_of(Thing("UNPAID"), NOW) is OrderState.CANCELLED


def test_states_have_the_billing_numbers():
    assert [rules.billing_status(state) for state in OrderState] == [6, 5, 4, 5]


def test_what_an_order_keeps_gives_the_purchase_back():
    checked = check(MULTI)
    assert rules.bought_of(rules.stored(MULTI, checked.bought, [])) == checked.bought


@pytest.mark.parametrize(("text", "minor"), [("1000", 100000), ("99.5", 9950), (" 0.01 ", 1), ("-1", -100)])
def test_amounts_are_read_exactly(text, minor):
    assert money.parse_amount(text) == minor


@pytest.mark.parametrize("text", ["", "x", "0.001", "1e30", "NaN", "Infinity", "1,000"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(BadParameter):
        money.parse_amount(text)


def test_amounts_are_shown_with_all_their_digits():
    assert [money.show_amount(minor) for minor in (0, 5, 9950, -101)] == ["0.00", "0.05", "99.50", "-1.01"]
    assert money.show_amount(7, 0) == "7"


def test_an_order_takes_20_tags():
    twenty = tuple((f"k{number}", "") for number in range(20))
    assert check(replace(SINGLE, tags=twenty)).quantities == Quantities(plain=1)
    refused(replace(SINGLE, tags=(*twenty, ("more", ""))), "tags")
    refused(replace(SINGLE, tags=(("a", "1"), ("a", "2"))), "tags")
    refused(replace(SINGLE, tags=(("", "1"),)), "key")
