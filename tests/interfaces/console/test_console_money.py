"""Orders and money in the console: mixed payment, filters, export, balance, the operator's desk, prices."""

import json
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.catalogue.models import PriceChange
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.orders import grants, queries, refunds
from certdesk.lifecycle.orders.grant_rules import NewCoupon, NewVoucher
from certdesk.lifecycle.orders.models import Balance, Coupon, Order, Voucher
from certdesk.lifecycle.validation import actions as validation
from tests.support.desk import COMPANY
from tests.support.office import PASSWORD, Office

HOST = system_principal("", "cli")
DAY = timedelta(days=1)
DV = {
    "domain_type": "SINGLE_DOMAIN",
    "cert_type": "DV_SSL_CERT",
    "cert_brand": "GEOTRUST",
    "effective_time": "1",
    "order_number": "1",
}
PAY = {"payment_method": "BALANCE", "agree_privacy_protection": "on"}
PRODUCT = "/prices/GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN/edit"


@pytest.fixture
def opal(office: Office):
    """The operator in the browser."""
    office.people["opal"] = iam.create_user(office.desk.account, "opal", PASSWORD, ["admins"])
    return office.client("opal")


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def order(client, **changes: str) -> str:
    response = client.post("/certificates/buy", DV | changes)
    assert response.status_code == 302, text(response)
    return str(response.headers["Location"]).rsplit("/", 1)[1]


def means(office: Office) -> str:
    now, account = clock.now(), office.desk.account.id
    grants.grant_coupon(HOST, account, NewCoupon("TEN", "CNY", now + DAY, percent=10), now)
    grants.grant_coupon(HOST, account, NewCoupon("BIG", "CNY", now + DAY, amount=1, minimum=10**8), now)
    return grants.grant_voucher(HOST, account, NewVoucher("CNY", 10_000, now + DAY, "Welcome"), now)


def test_an_order_is_paid_with_coupon_voucher_and_balance(office: Office) -> None:
    # rule: ORD-2
    # rule: ORD-6
    client, voucher = office.client(), means(office)
    order_id = order(client, order_number="2")
    page = text(client.get(f"/certificates/buy/confirm/{order_id}"))
    for words in ("TEN · 10 % off", "Welcome", "Coupon BIG is for orders of ¥ 1,000,000.00 and more"):
        assert words in page
    chosen = {"coupon_code": "TEN", "voucher_ids": [voucher]}
    plan = text(client.get(f"/certificates/buy/confirm/{order_id}/plan", chosen))
    assert all(amount in plan for amount in ("¥ 126.00", "¥ 100.00", "¥ 1,034.00", "¥ 1,260.00"))
    wrong = client.get(f"/certificates/buy/confirm/{order_id}/plan", {"coupon_code": "NONE"})
    assert "There is no coupon NONE" in text(wrong)
    refused = client.post(f"/certificates/buy/confirm/{order_id}", chosen | {"payment_method": "BALANCE"})
    assert "has not been accepted" in text(refused)
    assert "checked" in text(refused)  # what was chosen is kept
    paid = client.post(f"/certificates/buy/confirm/{order_id}", PAY | chosen)
    assert paid.headers["Location"] == f"/orders/{order_id}/receipt"
    found = Order.objects.get()
    assert (found.cash, found.voucher, found.coupon) == (103_400, 10_000, 12_600)
    receipt = text(client.get(f"/orders/{order_id}/receipt"))
    for words in ("TEN", voucher, "¥ 517.00", "¥ 113.00", "data-print"):
        assert words in receipt
    certificate = Certificate.objects.order_by("id").first()
    assert certificate
    refunds.refund(HOST, certificate.id, clock.now())
    assert "¥ 517.00" in text(client.get("/orders"))
    assert f"Payment of order {order_id}" in text(client.get("/balance"))
    assert f"Refund of order {order_id}" in text(client.get("/balance"))


def test_my_orders_are_filtered_and_exported(office: Office) -> None:
    # rule: ORD-6
    client = office.client()
    first, second = order(client), order(client, cert_brand="CFCA")
    page = text(client.get("/orders?content=cfca"))
    assert second in page
    assert first not in page
    assert first in text(client.get("/orders?min_amount=600&status=UNPAID"))
    nothing = text(client.get("/orders?created_to=2020-01-01"))
    assert "No order matches" in nothing
    wrong = client.get("/orders?min_amount=much")
    assert wrong.status_code == 422
    assert 'value="much"' in text(wrong)
    assert first in text(wrong)
    file = client.get("/orders/export?content=cfca")
    assert file.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in file.headers["Content-Disposition"]
    assert second in text(file)
    assert first not in text(file)
    assert office.client("rita").get("/orders/export").status_code == 403
    assert first not in text(office.client("charlie").get("/orders/export"))


def test_the_operator_tops_up_and_grants(office: Office, opal) -> None:
    other = office.people["charlie"].account
    assert "Accounts" in text(opal.get("/certificates"))
    listed = text(opal.get("/accounts"))
    path = f"/accounts/{other.id}"
    assert path in listed
    for amount, status in (("-1", 422), ("much", 422), ("1.005", 422), ("99.50", 302)):
        done = opal.post(path, {"form": "credit", "amount": amount, "currency": "CNY", "reference": "bank 7"})
        assert done.status_code == status, amount
    assert 'data-code="account.credit"' in text(opal.get(path))
    again = opal.post(path, {"form": "credit", "amount": "1", "currency": "CNY", "reference": "bank 7"})
    assert "is booked already" in text(again)
    assert Balance.objects.get(account_id=other.id).cash == 9_950
    voucher = {"form": "voucher", "amount": "20", "currency": "CNY", "expires_at": "2099-12-31", "note": "Hi"}
    assert opal.post(path, voucher | {"expires_at": "2020-01-01"}).status_code == 422
    assert opal.post(path, voucher).status_code == 302
    assert Voucher.objects.get().amount == 2_000
    coupon = {
        "form": "coupon",
        "code": "ten",
        "kind": "percent",
        "currency": "CNY",
        "expires_at": "2099-12-31",
    }
    for size, status in (("0", 422), ("1.5", 422), ("101", 422), ("100", 302)):
        assert opal.post(path, coupon | {"amount": size}).status_code == status, size
    fixed = coupon | {"code": "FIVE", "kind": "amount", "amount": "5.00", "minimum": "10"}
    assert opal.post(path, fixed).status_code == 302
    assert set(Coupon.objects.values_list("code", "percent", "amount", "minimum")) == {
        ("TEN", 100, None, 0),
        ("FIVE", None, 500, 1_000),
    }
    assert opal.get("/accounts/nobody").status_code == 404
    assert "¥ 99.50" in text(office.client("charlie").get("/balance"))


# rule: APP-14 ORD-5
def test_the_operator_says_who_stands_behind_an_account(office: Office, opal) -> None:
    other = office.people["charlie"].account
    path = f"/accounts/{other.id}"
    assert "No real-name authentication" not in text(opal.get("/accounts"))
    charlie = office.client("charlie")
    assert "Passed" in text(charlie.get("/account"))
    assert opal.post(path, {"form": "flags", "special_enterprise": "on"}).status_code == 302
    other.refresh_from_db()
    assert (other.real_name_verified, other.special_enterprise) == (False, True)
    listed = text(opal.get("/accounts"))
    assert "No real-name authentication" in listed
    assert "Special enterprise" in listed
    own = text(charlie.get("/account"))
    assert "Not passed: the account cannot apply" in own
    assert "it can neither buy nor apply for OV and EV" in own
    audited = Event.objects.filter(account_id=other.id, action="iam:accounts:update")
    assert [(one.actor_name, json.loads(one.details)) for one in audited] == [
        ("opal", {"real_name_verified": False, "special_enterprise": True})
    ]
    assert opal.post(path, {"form": "flags", "special_enterprise": "on"}).status_code == 302
    assert audited.count() == 1  # nothing changed, nothing to tell
    assert charlie.post(path, {"form": "flags"}).status_code == 403


def test_nobody_else_sees_the_operators_desk(office: Office, opal) -> None:
    office.people["rival"] = iam.create_user(office.people["charlie"].account, "rival", PASSWORD, ["admins"])
    mine = f"/accounts/{office.people['charlie'].account.id}"
    for name in ("alice", "rita", "nils", "rival"):
        client = office.client(name)
        assert 'href="/accounts"' not in text(client.get("/account"))
        for path in ("/accounts", mine, PRODUCT):
            assert client.get(path).status_code == 403, (name, path)
        credit = {"form": "credit", "amount": "5", "currency": "CNY"}
        assert client.post(mine, credit).status_code == 403
        assert client.post(PRODUCT, {"price": "plain:CNY", "amount": "1"}).status_code == 403
        assert 'data-operation="edit-price"' not in text(client.get("/prices"))
    assert not Balance.objects.filter(account_id=office.people["charlie"].account_id).exists()
    assert 'data-operation="edit-price"' in text(opal.get("/prices"))


def test_a_price_is_changed_and_shown(office: Office, opal) -> None:
    # rule: CAT-8
    assert "¥ 630.00" in text(opal.get(PRODUCT))
    today = f"{clock.now():%Y-%m-%d}"
    for wrong in ({"amount": "0"}, {"amount": "x"}, {"since": "2020-01-01"}, {"since": "soon"}):
        given = {"price": "plain:CNY", "amount": "599.00", "since": today} | wrong
        assert opal.post(PRODUCT, given).status_code == 422, wrong
    assert opal.post(PRODUCT, {"price": "plain:CNY", "amount": "599.00", "since": today}).status_code == 302
    later = f"{clock.now() + 9 * DAY:%Y-%m-%d}"
    assert opal.post(PRODUCT, {"price": "plain:CNY", "amount": "", "since": later}).status_code == 302
    page = text(opal.get(PRODUCT))
    for words in ("¥ 599.00", "changed by the operator", "ahead", "the file's price again", "opal"):
        assert words in page, words
    alice = office.client()
    assert "Price changed by the operator" in text(alice.get("/prices"))
    bought = Order.objects.get(id=order(alice))
    assert bought.amount == 59_900
    assert PriceChange.objects.count() == 2
    for path in ("/prices/NONE/edit", "/prices/SYMANTEC.DV_SSL_CERT_BASIC.SINGLE_DOMAIN.FREE/edit"):
        assert opal.get(path).status_code == 404
    assert opal.get("/prices/EXPANSION/edit").status_code == 200


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_types_are_compared_as_in_the_guide(office: Office, language: str) -> None:
    # rule: CAT-1
    # rule: CAT-5
    page = text(office.client(language=language).get("/prices/compare"))
    for title in ("EV Pro", "OV Pro", "DV (Basic)", "2–250", "a.a.example.com", "DigiCert", "vTrus"):
        assert title in page
    if language == "en":
        order_of = [
            page.index(f"<b>{one}</b>") for one in ("EV Pro", "EV", "OV Pro", "OV", "DV", "DV (Basic)")
        ]
        assert order_of == sorted(order_of)
        assert page.count("7 to 10 working days") == page.count("3 to 5 working days") == 2
        assert page.count("Highest") == 2


def test_free_certificates_and_their_package(office: Office) -> None:
    # rule: FRE-1
    # rule: FRE-2
    client = office.client()
    page = text(client.get("/certificates/free"))
    assert "0 / 20" in page
    assert "¥ 480.00" in page
    free = DV | {"cert_type": "FREE"}
    for _ in range(20):
        order_id = order(client, **free)
        client.post(f"/certificates/buy/confirm/{order_id}", PAY)
    assert Certificate.objects.filter(free=True).count() == 20
    refused = client.post("/certificates/buy", free)
    assert refused.status_code == 422
    assert "has already had its 20 free certificates" in text(refused)
    placed = client.post("/certificates/free")
    order_id = placed.headers["Location"].rsplit("/", 1)[1]
    assert "Expansion package: 20 free certificates more" in text(client.get(placed.headers["Location"]))
    client.post(f"/certificates/buy/confirm/{order_id}", PAY)
    assert "the free certificates count at once" in text(client.get(f"/orders/{order_id}/receipt"))
    assert "20 / 40" in text(client.get("/certificates/free"))
    assert order(client, **free)
    assert office.client("rita").get("/certificates/free").status_code == 403
    assert queries.free_use(office.desk.alice) == queries.FreeUse(20, 40)


def test_a_catalogue_without_packages_says_so(office: Office, tmp_path, monkeypatch) -> None:
    from certdesk.foundation.common import settings
    from certdesk.lifecycle.catalogue.queries import SHIPPED

    head, _, rest = SHIPPED.read_text(encoding="utf-8").partition("[expansion]")
    path = tmp_path / "c.toml"
    path.write_text(head + rest[rest.index("# --- DigiCert") :], encoding="utf-8")
    monkeypatch.setattr(settings, "_installed", settings.get().model_copy(update={"catalogue": path}))
    client = office.client()
    assert "The catalogue sells none" in text(client.get("/certificates/free"))
    assert client.post("/certificates/free").headers["Location"] == "/certificates/free"
    assert 'role="alert"' in text(client.get("/certificates/free"))
    assert "Expansion package" not in text(client.get("/prices"))


def test_while_an_organization_is_checked_the_promise_is_counted_in_working_days(
    office: Office, monkeypatch
) -> None:
    # rule: ISS-5
    desk = office.desk
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="shop.example.org", **COMPANY)
    desk.publish(certificate_id)
    validation.check_now(desk.alice, certificate_id)
    client, real = office.client(), clock.now()
    page = text(client.get(f"/certificates/{certificate_id}"))
    assert "3 to 5 working days" in page
    assert "0 working days have passed; to be decided by" in page
    monkeypatch.setattr(clock, "now", lambda: real + 14 * DAY)
    late = text(client.get(f"/certificates/{certificate_id}"))
    assert "10 working days have passed: it should have been decided by" in late
