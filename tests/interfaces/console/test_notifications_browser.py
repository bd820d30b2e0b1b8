"""The pages of notices in a real browser at both widths, empty and full."""

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


def told(office: Any) -> str:
    """A certificate whose last month has been told, with somebody beside applicant and contact."""
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam.models import User
    from certdesk.foundation.jobs import actions as jobs
    from certdesk.interfaces.operations.registry import call
    from certdesk.lifecycle.notifications.jobs import LOOK
    from tests.support.inventory import issued

    User.objects.filter(name="alice").update(email="alice@example.net")
    made = issued(office.desk.alice, ("www.example.com",), now=clock.now() - timedelta(days=340))
    wish = {"scope": "CERTIFICATE", "scope_id": made, "whom": "EMAIL", "recipient": "ops@example.com"}
    call("notification_rules.create", office.desk.alice, body=wish)
    later = {"whom": "ADMINISTRATORS", "after_days": 2}
    call("notification_rules.create", office.desk.alice, body=later)
    hook = {"kind": "webhook", "label": "On call", "options": {"url": "https://hook.invalid/"}}
    call("notification_channels.create", office.desk.alice, body=hook)
    jobs.enqueue(LOOK)
    office.desk.run(strict=False)
    return made


def test_notices_by_hand(office: Any, live_server: Any) -> None:
    session = str(office.client("alice").cookies["sessionid"].value)
    with browser.open_browser(live_server.url, "en", session) as watched:
        page = watched.page
        watched.go("/notifications")
        watched.looked_at("en-notifications-empty")
        page.locator("[data-operation=channel-add]").click()
        watched.looked_at("en-channel-kinds")
        page.locator("a[href$='kind=sms']").click()
        page.locator("[name=o_url]").fill("json://127.0.0.1/{phone}/{phone}")
        page.locator("[data-operation=channel-save]").click()
        page.locator("[role=alert]").first.wait_for()
        watched.looked_at("en-channel-form")
    certificate_id = told(office)
    with browser.open_browser(live_server.url, "en", session) as watched:
        page = watched.page
        watched.go("/notifications")
        watched.looked_at("en-notifications")
        page.locator("a.cd-name", has_text="On call").click()
        watched.looked_at("en-channel")
        page.locator("[data-operation=channel-remove]").click()
        watched.looked_at("en-channel-remove")
        watched.go(f"/certificates/{certificate_id}")
        page.locator("#notices summary").click()
        watched.looked_at("en-certificate-notices")
        page.locator("[data-operation=acknowledge]").click()
        page.locator("[role=status][data-code='notices.acknowledged']").wait_for()
        watched.go(f"/notifications/rules/add?certificate={certificate_id}")
        watched.looked_at("en-notice-rule")
        watched.go("/notifications/preview")
        watched.looked_at("en-preview")


def test_notices_in_chinese(office: Any, live_server: Any) -> None:
    told(office)
    session = str(office.client("alice").cookies["sessionid"].value)
    with browser.open_browser(live_server.url, "zh-hans", session) as watched:
        watched.go("/notifications")
        watched.looked_at("zh-notifications")
