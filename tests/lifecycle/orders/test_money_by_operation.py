"""The rules of money through the operations that API, console and command line share."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Forbidden, Kind, NotFound
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.actions import create_account, create_user
from certdesk.foundation.iam.principal import Via, system_principal
from certdesk.interfaces.operations import index, order_csv, registry
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders import actions
from tests.support.inventory import NOW

pytestmark = pytest.mark.django_db
assert index.OPERATIONS
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
HOST = system_principal("", "cli")
DV = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "agree_privacy_protection": True,
}
FREE = {**DV, "cert_brand": "SYMANTEC", "cert_type": "DV_SSL_CERT_BASIC", "free": True, "is_auto_pay": True}
PRODUCT = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """Business time stands still; `time(moment)` moves it."""

    def at(moment):
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(NOW)
    return at


@pytest.fixture
def house():
    return create_account("house")


def user(account, name, *groups):
    return iam.principal_of(create_user(account, name, None, groups), Via.API)


@pytest.fixture
def alice(house):
    return user(house, "alice", "users")


@pytest.fixture
def opal(house):
    """The operator: an administrator of the first account."""
    return user(house, "opal", "admins")


def call(name, principal, body=None, **more):
    return registry.call(name, principal, body=body, **more)[1]


def refused(name, principal, body=None, **more):
    with pytest.raises(CertdeskError) as error:
        call(name, principal, body, **more)
    return error.value


def give(house, minor):
    actions.credit(house.id, "CNY", minor, "", NOW, HOST)


def order(alice, **changes):
    return call("orders.buy", alice, {**DV, **changes})["order_id"]


def grant(opal, account_id, **voucher):
    body = {"amount": "100.00", "expires_at": "2026-12-01", **voucher}
    return call("accounts.grant_voucher", opal, body, account_id=account_id)["id"]


# rule: ORD-2
# rule: ORD-6
def test_an_order_is_paid_by_coupon_vouchers_and_balance_and_says_which_paid_what(house, alice, opal):
    give(house, 40_000)
    one, two = grant(opal, house.id), grant(opal, house.id, note="Welcome")
    coupon = {"code": "ten", "percent": 10, "minimum": "630.00", "expires_at": "2026-12-01"}
    call("accounts.grant_coupon", opal, coupon, account_id=house.id)
    money = call("balance.show", alice)
    assert (money["cash"], {v["id"] for v in money["vouchers"]}) == ("400.00", {one, two})
    assert [(c["code"], c["percent"], c["minimum"]) for c in money["coupons"]] == [("TEN", 10, "630.00")]
    order_id = order(alice)
    paid = call("orders.pay", alice, {"voucher_ids": [two, one], "coupon_code": "TEN"}, order_id=order_id)
    parts = ("status", "amount", "cash", "voucher", "coupon", "refund")
    assert [paid[part] for part in parts] == [5, "630.00", "367.00", "200.00", "63.00", "0.00"]
    receipt = call("orders.receipt", alice, order_id=order_id)
    assert [(p["means"], p["amount"]) for p in receipt["parts"]] == [
        ("COUPON", "63.00"),
        ("VOUCHER", "100.00"),
        ("VOUCHER", "100.00"),
    ]
    (share,) = receipt["shares"]
    assert share == {
        "id": paid["cert_ids"][0],
        "cash": "367.00",
        "voucher": "200.00",
        "coupon": "63.00",
        "refund": "0.00",
    }
    assert {e["book"]: e["amount"] for e in receipt["entries"]} == {
        "CASH": "-367.00",
        "VOUCHER": "-200.00",
        "COUPON": "-63.00",
        "REVENUE": "630.00",
    }
    left = call("balance.show", alice)
    assert (left["cash"], left["vouchers"], left["coupons"]) == ("33.00", [], [])


# rule: ORD-2
def test_a_coupon_pays_one_order_of_at_least_its_minimum_until_its_end(house, alice, opal, time):
    give(house, 200_000)
    for code, least in (("ENOUGH", "630.00"), ("TOO-MUCH", "630.01")):
        body = {"code": code, "amount": "50", "minimum": least, "expires_at": "2026-11-24 12:00:00.0"}
        call("accounts.grant_coupon", opal, body, account_id=house.id)
    order_id = order(alice)
    time(NOW + DAY - SECOND)  # the last second of order and coupons
    error = refused("orders.pay", alice, {"coupon_code": "TOO-MUCH"}, order_id=order_id)
    assert (error.field, "630.01" in error.message) == ("coupon_code", True)
    assert call("orders.pay", alice, {"coupon_code": "ENOUGH"}, order_id=order_id)["coupon"] == "50.00"
    second = order(alice)
    assert refused("orders.pay", alice, {"coupon_code": "ENOUGH"}, order_id=second).field == "coupon_code"
    time(NOW + DAY)
    error = refused("orders.pay", alice, {"coupon_code": "TOO-MUCH"}, order_id=second)
    assert "expired" in error.message
    assert refused("orders.pay", alice, {"coupon_code": "NONE"}, order_id=second).field == "coupon_code"


# rule: ORD-2
def test_a_voucher_pays_until_its_last_second_and_only_its_own_account(house, alice, opal, time):
    give(house, 200_000)
    voucher = grant(opal, house.id, expires_at="2026-11-23")
    other = create_account("other")
    foreign = grant(opal, other.id)
    first, second = order(alice), order(alice)
    assert refused("orders.pay", alice, {"voucher_ids": [foreign]}, order_id=first).field == "voucher_ids"
    time(NOW.replace(hour=23, minute=59, second=59))
    paid = call("orders.pay", alice, {"voucher_ids": [voucher, voucher]}, order_id=first)
    assert (paid["voucher"], paid["cash"]) == ("100.00", "530.00")
    late = grant(opal, house.id, expires_at="2026-11-23 23:59:59.5")
    time(NOW.replace(hour=23, minute=59, second=59, microsecond=500_000))
    assert refused("orders.pay", alice, {"voucher_ids": [late]}, order_id=second).field == "voucher_ids"


# rule: CAT-8
def test_a_new_price_counts_from_its_second_and_orders_keep_theirs(house, alice, opal, time):
    give(house, 200_000)
    before = order(alice)
    body = {"currency": "CNY", "amount": "500.00", "since": "2026-11-23 18:00:00.0"}
    call("prices.set", opal, body, product_id=PRODUCT)

    def shown():
        pages = [call("catalogue.products", alice, query={"limit": 50})]
        pages.append(
            call("catalogue.products", alice, query={"limit": 50, "marker": pages[0]["next_marker"]})
        )
        products = {one["product_id"]: one for page in pages for one in page["items"]}
        return products[PRODUCT]["unit_prices"]["CNY"], call("catalogue.price", alice, DV)["amount"]

    time(NOW + timedelta(hours=6) - SECOND)
    assert shown() == ("630.00", "630.00")
    time(NOW + timedelta(hours=6))
    assert shown() == ("500.00", "500.00")
    assert call("orders.pay", alice, {}, order_id=before)["amount"] == "630.00"
    assert call("orders.show", alice, order_id=order(alice, is_auto_pay=True))["cash"] == "500.00"
    history = call("prices.history", alice, product_id=PRODUCT)
    assert history["base"]["plain"]["CNY"] == "630.00"
    assert [(one["amount"], one["in_force"]) for one in history["items"]] == [("500.00", True)]
    call("prices.set", opal, {"currency": "CNY", "since": "2026-11-23"}, product_id=PRODUCT)
    assert shown() == ("630.00", "630.00")
    with pytest.raises(NotFound):
        call("prices.history", alice, product_id="NONE")
    past = {"currency": "CNY", "amount": "1", "since": "2026-11-22"}
    assert refused("prices.set", opal, past, product_id=PRODUCT).field == "since"


def test_only_the_operator_touches_money_and_prices(house, alice, opal):
    other = create_account("other")
    mallory = user(other, "mallory", "admins", "users")
    credit = {"amount": "10.00"}
    voucher = {"amount": "1", "expires_at": "2027-01-01"}
    coupon = {"code": "ABC", "percent": 1, "expires_at": "2027-01-01"}
    price = {"currency": "CNY", "amount": "1.00"}
    for nobody in (alice, mallory):
        for name, body, more in (
            ("accounts.list", None, {}),
            ("accounts.show", None, {"account_id": other.id}),
            ("accounts.credit", credit, {"account_id": other.id}),
            ("accounts.grant_voucher", voucher, {"account_id": other.id}),
            ("accounts.grant_coupon", coupon, {"account_id": other.id}),
            ("prices.set", price, {"product_id": PRODUCT}),
        ):
            assert refused(name, nobody, body, **more).kind == Kind.FORBIDDEN, name
    answer = call("accounts.credit", opal, {**credit, "reference": "bank 1"}, account_id=other.id)
    assert (answer["cash"], answer["currency"]) == ("10.00", "CNY")
    with pytest.raises(Conflict):
        call("accounts.credit", opal, {**credit, "reference": "bank 1"}, account_id=other.id)
    call("accounts.grant_voucher", opal, voucher, account_id=other.id)
    call("accounts.grant_coupon", opal, coupon, account_id=other.id)
    with pytest.raises(Conflict):
        call("accounts.grant_coupon", opal, coupon, account_id=other.id)
    listed = call("accounts.list", opal)
    assert [(one["name"], one["cash"], one["vouchers"]) for one in listed["items"]] == [
        ("house", "0.00", "0.00"),
        ("other", "10.00", "1.00"),
    ]
    shown = call("accounts.show", opal, account_id=other.id)
    assert (len(shown["voucher_list"]), len(shown["coupon_list"]), len(shown["entries"])) == (1, 1, 4)
    for name, body in (("accounts.show", None), ("accounts.credit", credit)):
        with pytest.raises(NotFound):
            call(name, opal, body, account_id="nobody")
    assert call("balance.show", mallory)["cash"] == "10.00"
    with pytest.raises(BadParameter):
        call("accounts.list", opal, query={"limit": 7})


def test_a_policy_of_everything_in_another_account_makes_no_operator(house):
    from certdesk.foundation.iam import actions as people

    other = create_account("other")
    group = people.create_group(other, "gods")
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["*:*:*", "certdesk:*:*"]}]}
    people.grant(group, people.create_policy(other, "all", document))
    zeus = user(other, "zeus", "gods")
    with pytest.raises(Forbidden, match="operates this installation"):
        call("accounts.credit", zeus, {"amount": "1"}, account_id=other.id)


# rule: FRE-1
# rule: FRE-2
def test_an_expansion_package_adds_twenty_free_certificates(house, alice):
    give(house, 48_000)
    for _ in range(20):
        call("orders.buy", alice, FREE)
    error = refused("orders.buy", alice, FREE)
    assert (error.kind, error.code) == (Kind.QUOTA, "SCM.0011")
    unpaid = call("packages.buy", alice, {"agree_privacy_protection": True})
    assert refused("orders.buy", alice, FREE).code == "SCM.0011"  # not paid yet
    assert call("orders.pay", alice, {}, order_id=unpaid["order_id"])["amount"] == "480.00"
    assert call("packages.use", alice) == {
        "used": 20,
        "quota": 40,
        "adds": 20,
        "prices": {"CNY": "480.00", "USD": "69.00"},
    }
    for _ in range(20):
        call("orders.buy", alice, FREE)
    assert refused("orders.buy", alice, FREE).code == "SCM.0011"
    assert Certificate.objects.filter(free=True).count() == 40


# rule: FRE-2
# rule: ORD-2
# rule: ORD-7
def test_a_package_is_bought_like_everything_else(house, alice):
    for answer in (False, None):
        wrong = refused("packages.buy", alice, {"agree_privacy_protection": answer})
        assert wrong.field == "agree_privacy_protection"
    reader = user(house, "rita", "readers")
    assert refused("packages.buy", reader, {"agree_privacy_protection": True}).kind == Kind.FORBIDDEN
    body = {"agree_privacy_protection": True, "is_auto_pay": True}
    short = call("packages.buy", alice, body)
    assert "480.00 CNY needed" in short["unpaid_reason"]
    give(house, 48_000)
    call("packages.buy", alice, body)
    assert call("packages.use", alice)["quota"] == 40
    assert call("balance.show", alice)["cash"] == "0.00"


# rule: FRE-3
def test_dv_basic_is_not_by_itself_free(alice):
    paid = [one for one in catalogue().products if one.type == "DV_SSL_CERT_BASIC" and not one.free]
    assert len(paid) == 18
    price = call("catalogue.price", alice, {**DV, "cert_brand": "SYMANTEC", "cert_type": "DV_SSL_CERT_BASIC"})
    assert price["amount"] == "400.00"


# rule: ORD-6
def test_orders_are_filtered_by_status_time_amount_and_text(house, alice, time):
    give(house, 10**7)
    first = order(alice, is_auto_pay=True)
    time(NOW + DAY)
    second = order(alice, cert_brand="CFCA", cert_type="OV_SSL_CERT")
    time(NOW + 2 * DAY - SECOND)
    third = call("packages.buy", alice, {"agree_privacy_protection": True})["order_id"]

    def ids(**query):
        return {one["order_id"] for one in call("orders.list", alice, query=query)["items"]}

    everything = {first, second, third}
    assert ids() == everything
    assert ids(status="UNPAID") == {second, third}
    time(NOW + 2 * DAY)
    assert ids(status="UNPAID") == {third}
    assert ids(status="6") == {third}
    assert ids(status="CANCELLED") == {second}  # its 24 hours are over, whether a job has come or not
    assert ids(status="PAID") == {first}
    assert ids(created_to="2026-11-23") == ids(created_to="2026-11-23 12:00:00.0") == {first}
    assert ids(created_to="2026-11-23 11:59:59.0") == set()
    assert ids(created_from="2026-11-24 12:00:00.0") == {second, third}
    assert ids(created_from="2026-11-24 12:00:01.0") == {third}
    assert ids(min_amount="630", max_amount="630.00") == {first}
    assert ids(min_amount="630.01") == {second}
    assert ids(max_amount="629.99") == {third}
    assert ids(content=first.lower()) == ids(content="geotrust") == {first}
    assert ids(content="Ov") == ids(content="cfca") == {second}
    (certificate,) = Certificate.objects.all()
    assert ids(content=certificate.name.upper()) == ids(content=certificate.id) == {first}
    assert ids(content="100%_") == set()
    for wrong in ({"status": "7"}, {"created_to": "today"}, {"min_amount": "x"}, {"limit": 5}):
        assert refused("orders.list", alice, query=wrong).kind == Kind.BAD_PARAMETER
    stranger = user(create_account("other"), "charlie", "users")
    assert call("orders.list", stranger)["items"] == []


# rule: ORD-6
def test_the_export_holds_the_same_orders(house, alice):
    give(house, 63_000)
    paid, unpaid = order(alice, is_auto_pay=True), order(alice, is_auto_pay=True)
    file = call("orders.export", alice, query={})
    lines = file.content.decode("utf-8-sig").splitlines()
    assert file.content_type == "text/csv; charset=utf-8"
    assert lines[0] == ",".join(f'"{name}"' for name in order_csv.COLUMNS)
    assert [line.split(",")[0].strip('"') for line in lines[1:]] == sorted((paid, unpaid), reverse=True)
    assert any("GeoTrust DV SINGLE_DOMAIN" in line and '"630.00"' in line for line in lines)
    only = call("orders.export", alice, query={"status": "PAID"}).content.decode()
    assert paid in only
    assert unpaid not in only


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"])
def test_no_text_becomes_a_formula(text):
    row = dict.fromkeys(order_csv.COLUMNS, "") | {"unpaid_reason": text, "amount": "-5.00", "quantity": 3}
    (line,) = order_csv.table([row]).decode("utf-8-sig").split("\r\n", 1)[1:]
    assert f"\"'{text}" in line
    assert '"-5.00"' in line  # a number stays one
    assert order_csv.harmless("GeoTrust - DV") == "GeoTrust - DV"


# rule: CAT-6
def test_the_older_api_lists_sells_and_shows_products(house, alice):
    for project in (house.id, "house"):
        types = call("v2.product_types", alice, project_id=project)["type_list"]
    assert len(types) == 96
    found = next(one for one in types if one["product_id"] == "GLOBALSIGN.OV_SSL_CERT.SINGLE_DOMAIN")
    assert (found["product_name"], found["effective_time"]) == ("globalsign.single.ov.1", 1)
    shown = call("v2.product", alice, project_id=house.id, product_id=PRODUCT)
    assert (shown["cert_brand"], shown["unit_prices"]["USD"]) == ("GEOTRUST", "90.00")
    made = call("v2.purchase", alice, DV, project_id=house.id)
    assert call("orders.show", alice, order_id=made["order_id"])["state"] == "UNPAID"
    with pytest.raises(NotFound):
        call("v2.product_types", alice, project_id="elsewhere")
    with pytest.raises(NotFound):
        call("v2.product", alice, project_id=house.id, product_id="NONE")
