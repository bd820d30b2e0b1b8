"""A bulk action by hand in a real browser: tick, preview, do, read the report; wide and narrow."""

from datetime import timedelta
from typing import Any

import pytest

from certdesk.foundation.jobs import testing as jobs
from certdesk.lifecycle.certificates.models import Certificate
from tests.interfaces.console.test_console_browser import office, session  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]
SOON = timedelta(seconds=5)


def test_auto_renewal_of_the_ticked_ones(office: Any, live_server: Any) -> None:  # noqa: F811
    made, unpaid, left = office.desk.issued("www.example.com"), office.desk.buy(), office.desk.buy()
    with browser.open_browser(live_server.url, "en", session(office)) as watched:
        page = watched.page

        watched.go("/certificates?tab=all")
        watched.looked_at()
        for one in (made, unpaid):
            page.locator(f"[data-certificate-id='{one}'] .cd-pick").check()
        page.locator("#cd-bulk-action").select_option("RENEWAL")
        page.locator("[data-operation=bulk-chosen]").click()
        page.get_by_text("It pays from the balance").wait_for()
        watched.looked_at()
        page.get_by_label("On", exact=True).check()
        page.locator("button[data-operation=bulk-look]").click()
        page.get_by_text("1 will be changed, 0 are so already, 1 are refused").wait_for()
        watched.looked_at()
        page.locator("[data-operation=bulk-start]").click()
        page.get_by_text("0 of 1 so far.").wait_for()
        browser.apart(jobs.run_all, SOON)
        page.get_by_text("Changed: 1. Failed: 0. Refused: 1.").wait_for()  # the open page notices by itself
        watched.looked_at()
        watched.go("/certificates/bulk/all")
        watched.looked_at()
        assert (watched.foreign, watched.complaints) == ([], [])
    on = Certificate.objects.filter(auto_renewal=True).values_list("id", flat=True)
    assert list(on) == [made]
    assert left not in on
