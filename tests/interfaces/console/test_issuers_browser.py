"""Issuers by hand in a real browser: set up, tested, put before the built-in CA; wide and narrow."""

from typing import Any

import pytest

from certdesk.lifecycle.issuers import queries
from tests.interfaces.console.test_console_browser import office, session  # noqa: F401 the fixture
from tests.support import browser
from tests.support.scripted_issuer import registered

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]
PRODUCT = "GEOTRUST.DV_SSL_CERT.SINGLE_DOMAIN"


def test_an_issuer_is_set_up_and_gets_a_product(office: Any, live_server: Any) -> None:  # noqa: F811
    with registered(), browser.open_browser(live_server.url, "en", session(office)) as watched:
        page = watched.page

        watched.go("/issuers")
        watched.looked_at()
        page.locator("[data-operation=issuer-add]").click()
        page.get_by_role("link", name="A scripted CA of tests").click()
        page.get_by_label("Name of the issuer").fill("First CA")
        page.get_by_label("Short name").fill("first")
        page.get_by_text("Everybody").click()
        page.get_by_label("Address").fill("ca.example.test")
        watched.looked_at()
        page.locator("[data-operation=issuer-save]").click()
        page.get_by_text("It answers and accepts our account.").wait_for()
        watched.looked_at()
        watched.go("/issuers/products")
        watched.looked_at()
        watched.go(f"/issuers/products/{PRODUCT}")
        page.locator("[name=place0]").select_option("first")
        page.locator("[name=place1]").select_option("builtin")
        watched.looked_at()
        page.locator("[data-operation=issuer-order-save]").click()
        page.get_by_text("1 product is changed.").wait_for()
        assert browser.apart(queries.own_order, PRODUCT) == ("first", "builtin")
        assert (watched.foreign, watched.complaints) == ([], [])
