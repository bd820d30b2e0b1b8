"""A deployment in waves and a place that drifts away, by hand in a real browser; wide and narrow."""

from typing import Any

import pytest

from certdesk.foundation.jobs import testing as jobs
from certdesk.foundation.jobs.actions import enqueue
from certdesk.lab.elb_site import self_signed
from certdesk.lifecycle.deployment import reconcile_jobs
from certdesk.lifecycle.deployment.models import Binding
from tests.interfaces.console.test_console_browser import office, session  # noqa: F401 the fixture
from tests.support import browser
from tests.support.farm import REGION, Field, name_of, open_field

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]


def test_waves_and_drift(
    office: Any,  # noqa: F811
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_field(office, monkeypatch, 4) as field:
        certificate_id = field.wildcard()
        by_hand(field, certificate_id, live_server.url, session(office))
        assert Binding.objects.get(id=field.places[name_of(1)]).policy == "MEND"


def by_hand(field: Field, certificate_id: str, url: str, cookie: Any) -> None:
    with browser.open_browser(url, "en", cookie) as watched:
        page = watched.page

        field.farm.faults[name_of(0)] = "refuses"
        watched.go(f"/certificates/{certificate_id}/deploy?service=OTHER&region={REGION}")
        for number in range(4):
            page.locator(f"#b-{field.places[name_of(number)]}").check()
        page.locator("[data-operation=deploy-many]").click()
        page.get_by_text("Replace certificate and key at 4 places?").wait_for()
        watched.looked_at()
        page.get_by_label("Further waves").fill("2")
        page.locator("[data-operation=deploy]").click()
        page.get_by_text("First wave: the trial").wait_for()
        watched.looked_at()
        browser.apart(jobs.run_due, 100)
        page.get_by_text("It is held: 3 places have not begun.").wait_for()
        watched.looked_at()
        page.locator("[data-operation=resume]").click()
        page.get_by_text("It goes on.").wait_for()
        browser.apart(jobs.run_due, 100)
        page.get_by_text("Failed at 1 of 4 places.").wait_for()
        watched.looked_at()
        field.farm.add(name_of(1), self_signed([name_of(1)]))
        browser.apart(look)
        watched.go("/overview")
        watched.looked_at()
        watched.go("/bindings?drift=yes")
        watched.looked_at()
        page.locator("tbody a.cd-name").first.click()
        page.get_by_role("heading", name="A foreign one is served").wait_for()
        watched.looked_at()
        page.get_by_text("Tell and mend").click()
        page.locator("[data-operation=binding-save]").click()
        page.get_by_text("Saved.").wait_for()
        watched.go(f"/targets/{field.targets[0]}")
        watched.looked_at()
        watched.go("/deployments")
        watched.looked_at()
        assert (watched.foreign, watched.complaints) == ([], [])


def look() -> None:
    """The turn of every place."""
    enqueue(reconcile_jobs.RECONCILE)
    jobs.run_due(100)
