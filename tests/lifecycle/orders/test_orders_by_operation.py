"""The rules of purchase through the operations that API, console and command line share."""

from datetime import timedelta
from decimal import Decimal

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Forbidden, Kind, WrongState
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.actions import create_account, create_user, ensure_groups, ensure_system_policies
from certdesk.foundation.iam.principal import Via, system_principal
from certdesk.interfaces.operations import index, registry
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders import actions
from certdesk.lifecycle.orders.models import Order
from tests.support.inventory import NOW, YEAR, issued

pytestmark = pytest.mark.django_db
assert index.OPERATIONS  # every chapter is read
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
HOST = system_principal("", "cli")
TYPES = (
    "DV_SSL_CERT_BASIC",
    "DV_SSL_CERT",
    "OV_SSL_CERT",
    "OV_SSL_CERT_PRO",
    "EV_SSL_CERT",
    "EV_SSL_CERT_PRO",
)
WILD = "WILDCARD_DOMAIN"
DV = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "effective_time": 1,
    "order_number": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}
MULTI = {
    **DV,
    "cert_type": "OV_SSL_CERT",
    "domain_type": "MULTI_DOMAIN",
    "domain_numbers": 6,
    "single_domain_number": 3,
    "wildcard_domain_number": 2,
}
FREE = {**DV, "cert_brand": "SYMANTEC", "cert_type": "DV_SSL_CERT_BASIC", "free": True}


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """Business time stands still; `time(moment)` moves it."""

    def at(moment):
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(NOW)
    return at


@pytest.fixture
def house():
    ensure_system_policies()
    account = create_account("house")
    ensure_groups(account)
    return account


@pytest.fixture
def user(house):
    def make(name, *groups):
        return iam.principal_of(create_user(house, name, None, groups), Via.API)

    return make


@pytest.fixture
def alice(user):
    return user("alice", "users")


def give(house, amount):
    actions.credit(house.id, "CNY", int(Decimal(amount) * 100), "", NOW, HOST)


def call(name, principal, body=None, **more):
    return registry.call(name, principal, body=body, **more)[1]


def products(principal, limit=50):
    """All pages."""
    found, marker = [], ""
    while marker is not None:
        page = call("catalogue.products", principal, query={"limit": limit, "marker": marker})
        found, marker = found + page["items"], page["next_marker"]
    return found


def refused(principal, field, **changes):
    before = Order.objects.count()
    with pytest.raises(CertdeskError) as error:
        call("orders.buy", principal, {**MULTI, **changes})
    assert (error.value.kind, error.value.field) == (Kind.BAD_PARAMETER, field)
    assert Order.objects.count() == before


# rule: CAT-1
# rule: CAT-2
@pytest.mark.parametrize(
    ("domain_type", "fits", "fails"),
    [("SINGLE_DOMAIN", [1], [0, 2, 250]), ("WILDCARD", [1], [0, 2]), ("MULTI_DOMAIN", [2, 250], [0, 1, 251])],
)
def test_each_domain_type_has_its_number_of_names(alice, domain_type, fits, fails):
    plain = {"domain_type": domain_type, "single_domain_number": None, "wildcard_domain_number": None}
    for number in fits:
        call("orders.buy", alice, {**MULTI, **plain, "domain_numbers": number, "is_auto_pay": False})
    for number in fails:
        refused(alice, "domain_numbers", **plain, domain_numbers=number)
    refused(alice, "domain_type", domain_type="ANY")


# rule: CAT-3
@pytest.mark.parametrize("cert_type", TYPES)
def test_wildcards_among_several_names_are_for_ov_and_ov_pro(alice, cert_type):
    plain = {"single_domain_number": 5, "wildcard_domain_number": 0}
    if cert_type.startswith("OV"):
        call("orders.buy", alice, {**MULTI, "cert_type": cert_type})
        call("orders.buy", alice, {**MULTI, "cert_type": cert_type, "primary_domain_type": WILD})
    else:
        refused(alice, "wildcard_domain_number", cert_type=cert_type)
        refused(alice, "primary_domain_type", cert_type=cert_type, primary_domain_type=WILD, **plain)
    call("orders.buy", alice, {**MULTI, "cert_type": cert_type, **plain})


# rule: CAT-4
# rule: CAT-5
# rule: CAT-6
def test_the_list_of_products_tells_what_each_type_means(alice):
    items = products(alice)
    brands = {"DigiCert", "GeoTrust", "GlobalSign", "CFCA", "TrustAsia", "vTrus"}
    assert {one["brand_name"] for one in items} == brands
    assert {one["cert_type"] for one in items} == set(TYPES)
    assert [one["product_id"] for one in items if one["free"]] == [
        "SYMANTEC.DV_SSL_CERT_BASIC.SINGLE_DOMAIN.FREE"
    ]
    for one in items:
        level, strong = one["cert_type"][:2], one["cert_type"].endswith("PRO")
        assert (one["level"], one["scenario"] != "") == (level, True)
        assert ("organization" in one["verification"]) is (level != "DV")
        expected = {
            "DV": ("Medium", "minutes"),
            "OV": ("High", "3 to 5 working days"),
            "EV": ("Highest", "7 to 10 working days"),
        }[level]
        assert (one["security_level"], one["approval_period"]) == expected
        strongest = {"RSA_4096", "EC_P384"}
        assert (
            strongest == set(one["key_algorithms"]) if strong else not strongest & set(one["key_algorithms"])
        )
        assert not (level == "EV" and one["domain_type"] == "WILDCARD")


def test_products_come_in_pages(alice):
    ten, fifty = products(alice, 10), products(alice, 50)
    assert [one["product_id"] for one in ten] == [one["product_id"] for one in fifty]
    assert len(call("catalogue.products", alice)["items"]) == 10
    for wrong in ({"limit": 30}, {"marker": "NONE"}):
        with pytest.raises(BadParameter):
            call("catalogue.products", alice, query=wrong)


@pytest.mark.parametrize("field", ["domain_numbers", "order_number", "effective_time"])
def test_true_is_no_number(alice, field):
    only_dv = {"single_domain_number": None, "wildcard_domain_number": None}
    refused(alice, field, **{**DV, **only_dv, field: True})


@pytest.mark.parametrize("accepted", ["yes", "true", 1, "on"])
def test_the_statement_is_accepted_by_true_alone(alice, accepted):
    refused(alice, "agree_privacy_protection", agree_privacy_protection=accepted)


# rule: CAT-6
def test_a_brand_without_an_issuer_is_shown_with_the_reason_and_not_sold(alice, tmp_path, monkeypatch):
    text = SHIPPED.read_text(encoding="utf-8")
    path = tmp_path / "catalogue.toml"
    path.write_text(text.replace('title = "CFCA"\nissuer = "builtin"', 'title = "CFCA"'), encoding="utf-8")
    mine = settings.get().model_copy(update={"catalogue": path})
    monkeypatch.setattr(settings, "_installed", mine)
    items = products(alice)
    reasons = {one["reason"] for one in items if not one["available"]}
    assert {one["brand_name"] for one in items if not one["available"]} == {"CFCA"}
    assert reasons == {"no issuer is configured for CFCA."}
    price = call("catalogue.price", alice, {**DV, "cert_brand": "CFCA"})
    assert (price["available"], price["reason"], price["amount"]) == (False, reasons.pop(), "")
    refused(alice, "cert_brand", cert_brand="CFCA")


# rule: CAT-8
@pytest.mark.parametrize("body", [DV, MULTI, {**MULTI, "order_number": 7, "primary_domain_type": WILD}])
def test_the_price_shown_before_is_the_price_paid_exactly(house, alice, body):
    give(house, 10**6)
    shown = call("catalogue.price", alice, body)
    order = call("orders.show", alice, order_id=call("orders.buy", alice, body)["order_id"])
    assert (order["amount"], order["cash"], order["currency"]) == (shown["amount"], shown["amount"], "CNY")
    left = call("balance.show", alice)["cash"]
    assert Decimal(left) + Decimal(shown["amount"]) == 10**6
    product = {one["product_id"]: one for one in products(alice)}[
        ".".join((body["cert_brand"], body["cert_type"], body["domain_type"]))
    ]
    wildcard = body.get("wildcard_domain_number", 0) + ("primary_domain_type" in body)
    names = Decimal(product["unit_prices"]["CNY"]) * (body["domain_numbers"] - wildcard)
    names += Decimal(product["wildcard_unit_prices"].get("CNY", 0)) * wildcard
    assert Decimal(shown["amount"]) == names * body["order_number"]


# rule: CAT-9
def test_multi_domain_is_a_primary_name_and_additional_ones_of_each_kind(house, alice):
    give(house, 10**6)
    (bought,) = call("orders.buy", alice, MULTI)["cert"]
    (item,) = call("certificates.list", alice)["certificates"]
    assert (item["id"], item["domain_count"], item["wildcard_count"]) == (bought["cert_id"], 6, 2)
    wild = {**MULTI, "primary_domain_type": WILD}
    (bought,) = call("orders.buy", alice, wild)["cert"]
    found = {one["id"]: one["wildcard_count"] for one in call("certificates.list", alice)["certificates"]}
    assert found[bought["cert_id"]] == 3
    refused(alice, "domain_numbers", domain_numbers=7)
    refused(alice, "domain_numbers", single_domain_number=0, domain_numbers=4)
    refused(alice, "wildcard_domain_number", wildcard_domain_number=250, domain_numbers=250)
    pair = {**MULTI, "single_domain_number": 0, "wildcard_domain_number": 1, "domain_numbers": 2}
    call("orders.buy", alice, pair)  # example.com with *.example.com


# rule: ORD-1
def test_buying_takes_the_rights_for_certificates_and_for_billing(user):
    for group in ("readers", "officers"):
        with pytest.raises(Forbidden) as error:
            call("orders.buy", user(group, group), DV)
        assert error.value.details["action"] == "scm:cert:subscribe"
    for group in ("users", "admins"):
        call("orders.buy", user(f"one of {group}".replace(" ", "-"), group), DV)


# rule: ORD-2
def test_without_the_statement_nothing_is_bought(alice):
    for answer in (False, None):
        with pytest.raises(BadParameter) as error:
            call("orders.buy", alice, {**DV, "agree_privacy_protection": answer})
        assert error.value.field == "agree_privacy_protection"
    assert Order.objects.count() == 0


# rule: ORD-3
def test_an_order_of_n_makes_n_pending_applications_once_it_is_paid(house, alice):
    give(house, 10**5)
    order_id = call("orders.buy", alice, {**DV, "order_number": 3, "is_auto_pay": False})["order_id"]
    assert call("certificates.list", alice)["total_count"] == 0
    call("orders.pay", alice, {}, order_id=order_id)
    page = call("certificates.list", alice)
    assert page["total_count"] == 3
    for item in page["certificates"]:
        assert item["status"] == "PAID"
        assert len(item["name"]) == 10
        assert item["name"].startswith("scm-")
        assert call("certificates.show", alice, certificate_id=item["id"])["progress"] == 0


# rule: ORD-3
def test_an_unpaid_order_can_be_cancelled_and_closes_after_24_hours_to_the_second(house, alice, time):
    give(house, 10**5)
    body = {**DV, "is_auto_pay": False}
    cancelled, paid, closed = (call("orders.buy", alice, body)["order_id"] for _ in range(3))
    assert call("orders.cancel", alice, order_id=cancelled)["status"] == 4
    time(NOW + DAY - SECOND)
    assert call("orders.show", alice, order_id=closed)["status"] == 6
    call("orders.pay", alice, {}, order_id=paid)
    time(NOW + DAY)
    assert call("orders.show", alice, order_id=closed)["status"] == 4
    for order_id in (cancelled, paid, closed):
        with pytest.raises(WrongState):
            call("orders.pay", alice, {}, order_id=order_id)


# rule: ORD-4
def test_a_crash_between_money_and_certificates_leaves_neither(house, alice, monkeypatch):
    give(house, 1000)
    order_id = call("orders.buy", alice, {**DV, "is_auto_pay": False})["order_id"]

    def crash(*_):
        raise RuntimeError("power is gone")

    monkeypatch.setattr(certificates, "create_many", crash)
    for attempt in (
        lambda: call("orders.pay", alice, {}, order_id=order_id),
        lambda: call("orders.buy", alice, DV),
    ):
        with pytest.raises(RuntimeError):
            attempt()
    monkeypatch.undo()
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert call("balance.show", alice)["cash"] == "1000.00"
    assert [one["order_id"] for one in call("orders.list", alice)["items"]] == [order_id]
    assert Certificate.objects.count() == 0
    call("orders.pay", alice, {}, order_id=order_id)
    with pytest.raises(WrongState):
        call("orders.pay", alice, {}, order_id=order_id)
    assert call("balance.show", alice)["cash"] == "370.00"
    assert Certificate.objects.count() == 1


# rule: ORD-5
def test_a_special_enterprise_buys_no_ov_and_no_ev(house, alice):
    house.special_enterprise = True
    house.save()
    for cert_type in TYPES:
        if cert_type.startswith("DV"):
            call("orders.buy", alice, {**DV, "cert_type": cert_type})
        else:
            with pytest.raises(WrongState, match="special enterprise"):
                call("orders.buy", alice, {**DV, "cert_type": cert_type})


# rule: ORD-6
def test_orders_are_listed_with_status_amount_parts_and_refund(house, alice):
    give(house, 700)
    paid = call("orders.buy", alice, DV)["order_id"]
    unpaid = call("orders.buy", alice, DV)["order_id"]
    first, second = sorted(call("orders.list", alice)["items"], key=lambda one: one["order_id"] != paid)
    assert (first["order_id"], second["order_id"]) == (paid, unpaid)
    parts = ("status", "amount", "cash", "voucher", "coupon", "refund")
    assert [first[part] for part in parts] == [5, "630.00", "630.00", "0.00", "0.00", "0.00"]
    assert [second[part] for part in parts] == [6, "630.00", "0.00", "0.00", "0.00", "0.00"]
    assert len(first["cert_ids"]) == 1
    assert second["cert_ids"] == []


# rule: ORD-7
def test_too_small_a_balance_leaves_the_order_unpaid_with_that_reason(house, alice):
    give(house, "629.99")
    answer = call("orders.buy", alice, DV)
    assert answer["cert"] == []
    reason = "The balance is too small: 630.00 CNY needed, 629.99 CNY there."
    assert call("orders.show", alice, order_id=answer["order_id"])["unpaid_reason"] == reason
    with pytest.raises(CertdeskError) as error:
        call("orders.pay", alice, {}, order_id=answer["order_id"])
    assert (error.value.kind, error.value.message) == (Kind.PAYMENT_REFUSED, reason)
    give(house, "0.01")
    assert call("orders.pay", alice, {}, order_id=answer["order_id"])["status"] == 5


# rule: FRE-1
def test_free_certificates_are_for_one_name_three_months_and_twenty_an_account(alice):
    made = [call("orders.buy", alice, FREE)["cert"][0]["cert_id"] for _ in range(20)]
    item = call("certificates.list", alice)["certificates"][0]
    assert (item["validity_period"], item["domain_type"], item["domain_count"]) == (3, "SINGLE_DOMAIN", 1)
    for place, state in enumerate(("DELETED", "REVOKED", "UNPASSED")):
        Certificate.objects.filter(id=made[place]).update(state=state)
    for body in (FREE, {**FREE, "order_number": 2}, {**FREE, "domain_type": "WILDCARD"}):
        with pytest.raises(CertdeskError) as error:
            call("orders.buy", alice, body)
        if body is FREE:
            assert (error.value.kind, error.value.code) == (Kind.QUOTA, "SCM.0011")
    call("orders.buy", alice, {**DV, "cert_type": "DV_SSL_CERT_BASIC"})


# rule: LST-7
# rule: TIM-1
def test_issued_becomes_expired_at_the_second_after_not_after(alice, time):
    certificate_id = issued(alice)
    for moment, status in ((NOW + YEAR - SECOND, "ISSUED"), (NOW + YEAR, "EXPIRED")):
        time(moment)
        assert call("certificates.show", alice, certificate_id=certificate_id)["status"] == status
        for name, key in (("certificates.list", "certificates"), ("certificates.search", "items")):
            for asked in ("ISSUED", "EXPIRED"):
                found = [one["id"] for one in call(name, alice, query={"status": asked})[key]]
                assert found == ([certificate_id] if asked == status else [])


# rule: LST-2
def test_the_list_filters_searches_sorts_and_pages(house, alice, time):
    give(house, 10**5)
    for day in range(11):
        time(NOW + DAY * day)
        call("orders.buy", alice, DV)
    shop = issued(alice, ("shop.example.com",), now=NOW + DAY * 20)
    time(NOW + DAY * 30)

    def ids(**query):
        return [one["id"] for one in call("certificates.list", alice, query=query)["certificates"]]

    assert ids(status="ISSUED") == ids(content="SHOP.example") == [shop]
    assert ids()[0] == shop == ids(sort_key="certExpiredTime", sort_dir="ASC")[0]
    assert len(ids()) == 10
    assert len(ids(offset=10)) == 2
    assert ids(status="PAID", sort_dir="ASC", limit=50) == ids(status="PAID", limit=50)[::-1]
    with pytest.raises(BadParameter):
        ids(limit=30)
