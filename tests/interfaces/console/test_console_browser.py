"""The console in a real browser: the main job by hand, accessibility, nothing from elsewhere, strict CSP."""

import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def office(transactional_db: None) -> Iterator[Any]:
    """As everywhere, but seen by the server's threads."""
    from tests.support.office import open_office

    with open_office() as made:
        yield made


def session(office: Any, name: str = "alice") -> str:
    return str(office.client(name).cookies["sessionid"].value)


def test_a_dv_certificate_by_hand(office: Any, live_server: Any) -> None:
    from tests.support.office import PASSWORD

    user = office.people["alice"]
    user.must_change_password = True
    user.save()
    with browser.open_browser(live_server.url) as watched:
        page = watched.page
        watched.go("/")
        page.get_by_label("User name").fill(user.login)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("New password", exact=True).fill("a better password")
        page.get_by_label("New password again").fill("a better password")
        page.get_by_role("button", name="Change password").click()
        page.locator("[role=status][data-code='account.password_changed']").wait_for()

        page.locator("[data-operation=buy]").first.click()
        page.get_by_label("GeoTrust").check()
        page.locator("#price", has_text="¥ 630.00").wait_for()
        page.locator("button[data-operation=buy]").click()
        page.get_by_label("I have read and agree").check()
        page.locator("[data-operation=pay]").click()
        page.locator("[data-code='order.paid']").wait_for()

        page.locator("[data-operation=apply]").click()
        page.get_by_label("Domain name", exact=True).fill("www.shop.example.com")
        page.get_by_label("Key algorithm").select_option("EC_P256")
        page.get_by_label("Name", exact=True).fill("Ada Lovelace")
        page.get_by_label("Phone number", exact=True).fill("+44 20 7946 0000")
        page.get_by_label("Email address", exact=True).fill("ada@example.com")
        page.get_by_label("I have read, understood, and agree").check()
        page.locator("button[data-operation=apply]").click()

        page.locator("[data-operation=verify]").click()
        page.get_by_text("NXDOMAIN").first.wait_for()
        certificate_id = page.locator("[data-certificate-id]").first.get_attribute("data-certificate-id")
        browser.apart(office.desk.publish, certificate_id)
        page.locator("[data-operation=verify]").click()
        page.locator("[data-code='domain.verified']").wait_for()
        browser.apart(office.desk.run, timedelta(hours=1))
        page.locator("[data-status=ISSUED]").wait_for()  # the open page notices by itself

        page.locator("[data-operation=download]").first.click()
        with page.expect_download() as started:
            page.locator("[data-operation=download]").first.click()
        names = zipfile.ZipFile(started.value.path()).namelist()
        assert any(name.endswith(".key") for name in names)
        assert watched.foreign == []
        assert watched.complaints == []


def test_a_form_is_sent_once_however_often_it_is_clicked(office: Any, live_server: Any) -> None:
    from certdesk.lifecycle.orders.models import Order

    with browser.open_browser(live_server.url, session=session(office)) as watched:
        watched.go("/certificates/buy")
        watched.page.locator("button[data-operation=buy]").dblclick()
        watched.page.locator("[data-operation=pay]").wait_for()
        assert browser.apart(Order.objects.count) == 1


def test_back_after_paying_pays_nothing_again(office: Any, live_server: Any) -> None:
    # rule: ORD-4
    from certdesk.lifecycle.certificates.models import Certificate

    with browser.open_browser(live_server.url, session=session(office)) as watched:
        page = watched.page
        watched.go("/certificates/buy")
        page.locator("button[data-operation=buy]").click()
        page.locator("[data-operation=pay]").click()  # the statement is not accepted yet
        page.locator("[aria-invalid=true]").wait_for()
        assert page.evaluate("document.activeElement.name") == "agree_privacy_protection"
        page.get_by_label("I have read and agree").check()
        page.locator("[data-operation=pay]").dblclick()
        page.locator("[data-code='order.paid']").wait_for()
        page.go_back()  # the refused form lies in the history: it must not be sent anew
        page.wait_for_url("**/receipt")
        page.reload()
        assert browser.apart(Certificate.objects.count) == 1
        assert watched.complaints == []


def test_the_open_verify_page_keeps_what_the_reader_does(office: Any, live_server: Any) -> None:
    certificate_id = browser.apart(office.desk.buy)
    browser.apart(lambda: office.desk.apply(certificate_id, domain="www.store.example.org"))
    with browser.open_browser(live_server.url, session=session(office)) as watched:
        page = watched.page
        watched.go(f"/certificates/{certificate_id}/verify")
        page.locator(".cd-proof summary").click()
        with page.expect_response("**/verify/live*") as asked:
            pass
        assert asked.value.status == 204
        assert page.locator(".cd-proof[open]").count() == 0
        page.locator("[data-operation=verify]").click()
        page.get_by_text("NXDOMAIN").first.wait_for()
        assert page.evaluate("document.activeElement.dataset.operation") == "verify"
        page.context.clear_cookies()
        page.wait_for_url(f"**/login?next=*{certificate_id}*")


def test_the_form_shows_only_what_belongs_to_the_choice(office: Any, live_server: Any) -> None:
    with browser.open_browser(live_server.url, session=session(office)) as watched:
        watched.go("/certificates/buy")
        quantity = watched.page.get_by_label("Domain quantity")
        assert not quantity.is_visible()
        watched.page.get_by_label("Multiple domains").check()
        assert quantity.is_visible()
        watched.go(f"/certificates/{browser.apart(office.desk.buy)}/apply")
        assert not watched.page.get_by_label("Your CSR (PEM)").is_visible()
        watched.page.get_by_label("Upload a CSR").check()
        assert watched.page.get_by_label("Your CSR (PEM)").is_visible()
        assert not watched.page.get_by_label("Key algorithm").is_visible()


EMPTY = [
    "/overview",
    "/overview/mail",
    "/certificates",
    "/certificates?content=nothing",
    "/certificates/buy",
    "/certificates/free",
    "/certificates/upload",
    "/orders",
    "/orders?content=nothing",
    "/balance",
    "/prices/compare",
    "/organization-verifications",
    "/prices",
    "/contacts",
    "/csrs",
    "/csrs?content=nothing",
    "/csrs/create",
    "/csrs/upload",
    "/tags",
    "/domains",
    "/domains/preflight",
    "/iam/keys",
    "/iam/keys/add",
    "/outbox",
    "/ca",
    "/account",
    "/account/profile",
    "/account/sessions",
    "/zones/nowhere.example",
    "/certificates/scs0000000000000",
]


def pages(made: dict[str, str]) -> list[str]:
    certificates = [f"/certificates/{one}" for key, one in made.items() if "order" not in key]
    parts = {
        "checking": ("verify", "withdraw", "edit"),
        "issued": ("verify", "download"),
        "long": ("verify",),
        "paid": ("apply",),
        "rejected": ("",),
        "organization": ("organization",),
    }
    under = [f"/certificates/{made[key]}/{page}" for key, found in parts.items() for page in found if page]
    orders = [f"/orders/{made['order']}", f"/orders/{made['order']}/receipt"]
    return [*EMPTY, *certificates, *under, *orders, f"/certificates/buy/confirm/{made['unpaid order']}"]


def check(watched: browser.Watched, paths: list[str]) -> list[str]:
    """Every finding of axe, every side scroll, at both widths."""
    found = []
    for path in paths:
        watched.go(path)
        for width in browser.WIDTHS:
            watched.page.set_viewport_size({"width": width, "height": 900})
            found += [f"{path} at {width}: {one}" for one in watched.serious()]
            if watched.side_scroll() > 0:
                found.append(f"{path} at {width}: {watched.side_scroll()} px too wide")
    return found


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_axe_finds_nothing_where_nothing_is(office: Any, live_server: Any, language: str) -> None:
    with browser.open_browser(live_server.url, language) as stranger:
        assert check(stranger, ["/login", "/login/forgotten", "/login/link/over"]) == []
    with browser.open_browser(live_server.url, language, session(office)) as watched:
        assert check(watched, EMPTY) == []
        assert watched.foreign == []
        assert watched.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_axe_finds_nothing_in_the_middle_of_the_work(office: Any, live_server: Any, language: str) -> None:
    from tests.support.full_office import fill

    made = fill(office)
    with browser.open_browser(live_server.url, language, session(office)) as watched:
        assert check(watched, pages(made)) == []
        assert watched.foreign == []
        assert watched.complaints == []
    with browser.open_browser(live_server.url, language, session(office, "otto")) as officer:
        desk = ["/organization-verifications", f"/organization-verifications/{made['organization']}"]
        assert check(officer, desk) == []
