"""Chapter 2: unpaid orders, top-up, voucher and coupon, the list of orders."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.running import Stage
from tests.support.steps import chooses, pays


def test_an_unpaid_order_is_found_again_and_paid_and_another_cancelled_in_chinese(stage: Stage) -> None:
    # rule: ORD-3
    # rule: ORD-7
    team = stage.team("zh-CN")
    alice = team.person()
    alice.open()
    chooses(alice, "DV", quantity=2)
    number = alice.address.rpartition("/")[2]
    alice.menu("Certificates")
    alice.sees("No certificates yet")
    alice.menu("Orders")
    alice.sees("Pending payment", within=alice.row(number))
    alice.click(number)
    alice.state_is("Pending payment")
    alice.next_is("What happens next: pay the order.")
    bob = team.person("bob")
    bob.open(alice.address)
    bob.click("Pay")
    bob.sees("Order confirmation")
    pays(bob)
    bob.next_is("2 张证书可以申请")
    alice.page.reload()
    alice.state_is("Paid")
    chooses(alice, "EV", brand="DigiCert")
    alice.click("Cancel this order")
    alice.told("The order is cancelled.")
    alice.state_is("Closed")
    alice.menu("Certificates")
    assert alice.main.locator("tbody tr").filter(has_text="待完成申请").count() == 2


def test_a_small_balance_is_topped_up_by_the_operator(stage: Stage) -> None:
    # rule: ORD-7
    team = stage.team(cash=10_000)
    alice = team.person()
    alice.open()
    chooses(alice, "DV")
    alice.sees("Available: ¥ 100.00")
    alice.tick("I have read and agree")
    alice.click("Pay")
    alice.refused("balance is too small")
    order = alice.address
    admin = stage.operator()
    admin.open()
    admin.menu("Accounts")
    admin.click("Open", admin.row(team.name))
    admin.type("Amount", "600")
    admin.type("Payment reference", "transfer 4711")
    admin.click("Top up")
    admin.told("The account has been topped up.")
    admin.sees("¥ 700.00")
    alice.open(order)
    pays(alice)
    alice.menu("Orders")
    alice.click("Balance")
    alice.sees("¥ 70.00", "Top-up", "Payment of order")


def test_voucher_and_coupon_pay_before_the_balance(stage: Stage) -> None:
    # rule: ORD-2
    # rule: ORD-6
    team = stage.team()
    last_day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    admin = stage.operator()
    admin.open("/accounts")
    admin.click(team.name)
    for button, answers in (
        ("Grant voucher", {"Amount": "100", "Last day": last_day, "Note": "Welcome"}),
        ("Grant coupon", {"Code": "TEN-OFF", "Percent or amount": "10", "Last day": last_day}),
    ):
        form = admin.main.locator("form").filter(has=admin.page.get_by_role("button", name=button))
        for label, text in answers.items():
            form.get_by_label(label).first.fill(text)
        admin.click(button, form)
        admin.told("has been granted")
    alice = team.person()
    alice.open()
    chooses(alice, "DV", quantity=2)
    alice.sees("Welcome", "One coupon an order")
    alice.pick("Discount coupon", "TEN-OFF · 10 % off")
    alice.main.get_by_label("Welcome").check()
    alice.sees("¥ 1,034.00")
    pays(alice)
    alice.sees("TEN-OFF", "¥ 126.00", "¥ 100.00", "¥ 1,034.00", "Each certificate's share", "¥ 517.00")
    charlie = stage.team().person()
    charlie.open()
    chooses(charlie, "DV")
    charlie.misses("TEN-OFF", "Welcome")


def test_orders_are_filtered_and_exported_in_chinese(stage: Stage) -> None:
    # rule: ORD-6
    team = stage.team("zh-CN")
    alice = team.person()
    alice.open()
    chooses(alice, "DV")
    pays(alice)
    chooses(alice, "OV", "Multiple domains", "DigiCert", domains=3)
    unpaid = alice.address.rpartition("/")[2]
    alice.menu("Orders")
    alice.sees("我的订单", "GeoTrust · DV · 单域名", "DigiCert · OV · 多域名")
    alice.click("待支付")
    alice.sees(unpaid)
    alice.misses("GeoTrust · DV · 单域名")
    alice.click("全部")
    alice.type("Highest amount", "1000")
    alice.click("Filter")
    alice.sees("¥ 630.00")
    alice.misses(unpaid)
    alice.click("Show all")
    alice.type("Order, product, certificate or domain", unpaid)
    alice.click("Filter")
    alice.sees("DigiCert · OV · 多域名")
    saved = alice.saves("Export CSV")
    rows = list(csv.reader(io.StringIO(Path(saved.path()).read_text(encoding="utf-8-sig"))))
    assert len(rows) == 2
    assert unpaid in rows[1]
    charlie = stage.team("zh-CN").person()
    charlie.open(f"/orders?content={unpaid}")
    charlie.misses(unpaid)
    charlie.gets_nothing(f"/orders/{unpaid}")
