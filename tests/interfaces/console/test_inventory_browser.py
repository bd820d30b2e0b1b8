"""The list of certificates in a real browser: menus, columns, a narrow screen with three columns chosen."""

from typing import Any

import pytest

from certdesk.foundation.iam.models import Group
from certdesk.lifecycle.certificates.models import Certificate
from tests.interfaces.console.test_console_browser import check, office, session  # noqa: F401 the fixture
from tests.support import browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]


def test_the_list_by_hand_and_on_a_narrow_screen(office: Any, live_server: Any) -> None:  # noqa: F811
    made = [office.desk.buy() for _ in range(4)]
    team = Group.objects.create(account=office.desk.account, name="web-platform")
    Certificate.objects.filter(id=made[0]).update(owner_group_id=team.id, description="Shop front in Berlin")
    with browser.open_browser(live_server.url, "en", session(office)) as watched:
        page = watched.page
        watched.go("/certificates/columns")
        for step in ("remove:served", "add:owner", "up:owner"):
            page.locator(f"button[value='{step}']").click()
        page.locator("[data-column=owner]").first.wait_for()
        watched.go("/certificates")
        page.locator("summary", has_text="All owners").click()
        page.get_by_role("link", name="web-platform").click()
        page.locator(f"[data-certificate-id='{made[0]}']").wait_for()
        assert page.locator("[data-certificate-id]").count() == 1
        page.locator("summary", has_text="Views").click()
        page.get_by_role("link", name="Save these filters as a view…").click()
        page.get_by_label("Name of the view").fill("Ours")
        page.locator("[data-operation=view-save]").click()
        page.locator("[data-code='view.saved']").wait_for()
        paths = ["/certificates?tab=all", "/certificates/views", "/certificates/columns"]
        paths += [f"/certificates/{made[0]}/edit", "/certificates/views/add?content=x"]
        assert check(watched, paths) == []
        page.set_viewport_size({"width": 390, "height": 844})
        for path in paths:
            watched.go(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        watched.go("/certificates?tab=all")
        row = page.locator(f"[data-certificate-id='{made[0]}']")
        for column in ("status", "owner", "expires"):
            assert row.locator(f".cd-col-{column}").count() == 1
        assert watched.foreign == []
        assert watched.complaints == []
