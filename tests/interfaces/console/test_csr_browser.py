"""CSR management and tags in a real browser: by hand, accessibility, both widths."""

from typing import Any

import pytest

from tests.interfaces.console.test_console_browser import check, office, session  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]


def test_a_csr_and_a_tag_by_hand(office: Any, live_server: Any) -> None:  # noqa: F811
    certificate_id = office.desk.buy()
    with browser.open_browser(live_server.url, "en", session(office)) as watched:
        page = watched.page
        watched.go("/csrs")
        page.locator("[data-operation=create-csr]").click()
        assert not page.get_by_label("Company name").is_visible()
        page.get_by_label("CSR name", exact=True).fill("Shop front")
        page.get_by_label("Domain name", exact=True).fill("www.example.com")
        page.get_by_label("Key algorithm").select_option("EC_P256")
        page.get_by_label("Enterprise").check()
        assert page.get_by_label("Company name").is_visible()
        page.get_by_label("Personal").check()
        page.locator("button[data-operation=create-csr]").click()
        page.locator("[data-code='csr.created']").wait_for()
        with page.expect_download() as started:
            page.locator("[data-operation=export-key]").click()
        assert started.value.suggested_filename.endswith(".key")
        shown = page.url.removeprefix(live_server.url)

        watched.go(f"/certificates/{certificate_id}/apply")
        assert not page.locator("#id_csr_id").is_visible()
        page.get_by_label("Select an existing CSR").check()
        assert page.locator("#id_csr_id").is_visible()
        assert not page.get_by_label("Key algorithm").is_visible()

        watched.go(f"/certificates/{certificate_id}")
        page.get_by_label("Tag key").fill("a-rather-long-key-for-a-tag")
        page.get_by_label("Tag value").fill("with a long value that has to wrap somewhere on a narrow screen")
        page.locator("[data-operation=add-tag]").click()
        page.locator("[data-code='tag.set']").wait_for()
        paths = [
            shown,
            f"{shown}/delete",
            f"{shown}/edit",
            "/csrs",
            "/tags",
            f"/certificates/{certificate_id}",
        ]
        paths += [f"/certificates/{certificate_id}/tags", "/certificates?tag=a-rather-long-key-for-a-tag"]
        assert check(watched, paths) == []
        watched.go("/tags")
        page.locator(".cd-tag a").click()
        page.locator(f"[data-certificate-id='{certificate_id}']").wait_for()
        watched.go(f"{shown}/delete")
        page.locator("button[data-operation=delete-csr]").click()
        page.locator("[data-code='csr.deleted']").wait_for()
        assert watched.foreign == []
        assert watched.complaints == []
