"""Chapter 2: choosing and buying each kind, as somebody does who has never bought here."""

from tests.support.reception import PASSWORD
from tests.support.running import Stage
from tests.support.steps import applies, chooses, pays


def test_the_first_purchase_from_signing_in_to_the_receipt(stage: Stage) -> None:
    # rule: ORD-2
    # rule: ORD-3
    # rule: CAT-8
    team = stage.team()
    alice = stage.sit_down()
    alice.open()
    alice.page.get_by_label("User name").fill(f"{team.name}/alice")
    alice.page.get_by_label("Password").fill(PASSWORD)
    alice.click("Sign in")
    alice.sees("Your first certificate", "A DV certificate takes minutes.")
    alice.click("Buy certificate")
    alice.tick("DV")
    alice.tick("GeoTrust")
    alice.sees("¥ 630.00", "Nothing is paid yet", "The CA verifies the domain name ownership.")
    alice.click("Next")
    alice.sees("GeoTrust · DV · Single domain", "12 months from issuance", "Unpaid, it closes by itself")
    confirmation = alice.address
    alice.click("Pay")
    alice.refused("has not been accepted")
    pays(alice)
    alice.next_is("1 certificate is ready to be applied for")
    alice.sees("How it was paid", "Account balance", "¥ 630.00", "Pending application")
    receipt = alice.address
    alice.main.get_by_role("link").filter(has_text="scm-").first.click()
    alice.state_is("Pending application")
    alice.next_is("say which domain name it is for", "You")
    certificate = alice.address
    charlie = stage.team().person()
    charlie.gets_nothing(confirmation, receipt, certificate, f"{certificate}/apply")
    charlie.open("/orders")
    charlie.sees("No orders yet")


def test_a_multi_domain_certificate_with_a_wildcard_name(stage: Stage) -> None:
    # rule: CAT-2
    # rule: CAT-3
    # rule: CAT-9
    alice = stage.team().person()
    alice.open()
    alice.click("Buy certificate")
    assert not alice.main.get_by_label("Domain quantity").is_visible()
    alice.tick("Multiple domains")
    alice.type("Domain quantity", "4")
    alice.type("Additional wildcard names", "1")
    alice.tick("DV")
    alice.tick("GeoTrust")
    alice.click("Next")
    alice.refused("OV or OV Pro")
    alice.tick("OV")
    alice.click("Next")
    alice.sees("GeoTrust · OV · Multiple domains", "3 domain names", "1 wildcard name")
    pays(alice)
    alice.click("Apply for certificate")
    alice.sees("Bought: 2 plain and 1 wildcard names beside the primary", "Company name")


def test_a_wildcard_certificate_in_chinese(stage: Stage) -> None:
    # rule: DOM-3
    alice = stage.team("zh-CN").person()
    alice.open()
    alice.sees("您的第一张证书")
    chooses(alice, "DV", "Wildcard")
    alice.sees("GeoTrust · DV · 泛域名")
    pays(alice)
    alice.next_is("1 张证书可以申请")
    alice.click("申请证书")
    alice.sees("一个泛域名，例如 *.example.com。")
    alice.sees("A file is not offered: it cannot prove a wildcard name.")
    alice.page.go_back()
    applies(alice, "*.wild-cn.com")
    alice.state_is("待完成域名验证")
    alice.next_is("添加以下 1 条 DNS 记录", "DNS")
    alice.sees("_dnsauth.wild-cn.com")
    charlie = stage.team("zh-CN").person()
    charlie.gets_nothing(alice.address)


def test_prices_and_types_are_compared_before_buying(stage: Stage) -> None:
    # rule: CAT-5
    # rule: CAT-8
    alice = stage.team().person()
    alice.open()
    alice.menu("Prices")
    alice.sees("Price = price of each name", "GlobalSign", "CFCA", "7 to 10 working days")
    alice.click("Compare types")
    alice.sees("Highest", "3 to 5 working days", "Wildcard names only with OV and OV Pro")
    alice.click("Buy EV Pro")
    assert alice.main.get_by_label("EV Pro").is_checked()
    alice.click("Next")
    alice.sees("EV Pro · Single domain")


def test_the_operator_changes_a_price_and_the_buyer_sees_it(stage: Stage) -> None:
    # rule: CAT-8
    team = stage.team()
    alice, admin = team.person(), stage.operator()
    alice.open("/orders")
    chooses(alice, "OV", brand="vTrus")
    before = alice.address
    amount = alice.main.get_by_role("button", name="Pay").inner_text()
    admin.open("/prices")
    admin.click("Change price vTrus OV Single domain")
    admin.sees("vTrus · OV · Single domain", "None: the prices of the catalogue file count.")
    admin.pick("Which price", "Each plain name, CNY")
    admin.type("New price", "1234.50")
    admin.click("Record the price")
    admin.sees("changed by the operator", "¥ 1,234.50")
    alice.menu("Prices")
    alice.sees("Price changed by the operator")
    chooses(alice, "OV", brand="vTrus")
    alice.sees("¥ 1,234.50")
    alice.open(before)  # an order that stood before keeps its amount
    assert alice.main.get_by_role("button", name="Pay").inner_text() == amount
    assert alice.page.goto(admin.address).status == 403  # type: ignore[union-attr]
    admin.pick("Which price", "Each plain name, CNY")
    admin.type("New price", "")
    admin.click("Record the price")
    admin.sees("the file's price again")


def test_a_free_certificate_and_an_expansion_package(stage: Stage) -> None:
    # rule: FRE-1
    # rule: FRE-2
    alice = stage.team().person()
    alice.open()
    alice.click("Buy certificate")
    alice.tick("Free test certificate")
    alice.sees("Free of charge")
    alice.sees("Free certificates taken: 0 of 20")
    alice.click("Next")
    alice.tick("I have read and agree")
    alice.main.locator("[data-operation=pay]").click()
    alice.told("The order is paid.")
    alice.click("Apply for certificate")
    alice.sees("Manual DNS verification")
    alice.misses("File verification")
    alice.menu("Orders")
    alice.click("Balance")
    alice.click("1 / 20")
    alice.sees("19", "can still be taken", "It cannot be renewed, nor refunded once one of them was taken.")
    alice.click("Next")
    pays(alice)
    alice.next_is("the free certificates count at once")
    alice.open("/certificates/free")
    alice.sees("1 / 40")
