"""An organisation verified by hand in a real browser: mailed link, document, officer, book."""

from collections.abc import Iterator
from pathlib import Path
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
    from tests.support.office import open_office

    with open_office() as made:
        yield made


def waiting(office: Any) -> tuple[str, str]:
    """A certificate whose organisation waits, and the path of its mailed link."""
    from certdesk.foundation.outbox import actions as outbox
    from certdesk.foundation.outbox.models import Message
    from certdesk.lifecycle.validation import actions
    from tests.support.desk import COMPANY

    desk = office.desk
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    actions.check_now(desk.alice, certificate_id)
    text, _ = outbox.complete(Message.objects.get(template="organization-request"))
    link = next(word for word in text.split() if "/confirm/organization-" in word)
    return certificate_id, "/confirm/" + link.rpartition("/")[2]


@pytest.mark.slow
def test_an_organization_by_hand(office: Any, live_server: Any, tmp_path: Path) -> None:
    # rule: ORG-1
    # rule: ORG-2
    # rule: APP-11
    certificate_id, link = waiting(office)
    alice, otto = (str(office.client(one).cookies["sessionid"].value) for one in ("alice", "otto"))
    licence = tmp_path / "licence.pdf"
    licence.write_bytes(b"%PDF-1.7 licence")
    with browser.open_browser(live_server.url) as stranger:
        stranger.go(link)
        assert stranger.serious() == []
        stranger.page.get_by_label("Documents").check()
        stranger.page.get_by_role("button", name="Save").click()
        stranger.page.locator('[data-code="organization.method_saved"]').wait_for()
        assert stranger.complaints == []
    with browser.open_browser(live_server.url, "en", alice) as applicant:
        applicant.go(f"/certificates/{certificate_id}/organization")
        assert applicant.page.get_by_label("Documents").is_checked()
        applicant.page.get_by_label("Add a document").set_input_files(licence)
        applicant.page.get_by_role("button", name="Upload").click()
        applicant.page.locator('[data-code="document.added"]').wait_for()
        for width in browser.WIDTHS:
            applicant.page.set_viewport_size({"width": width, "height": 900})
            assert (applicant.serious(), applicant.side_scroll()) == ([], 0)
        applicant.go("/contacts")
        assert applicant.page.get_by_text("Ada Lovelace").first.is_visible()
        assert applicant.serious() == []
        assert applicant.complaints == []
    with browser.open_browser(live_server.url, "en", otto) as officer:
        officer.go("/organization-verifications?method=DOCUMENTS")
        officer.page.locator("a[data-operation=organization]").click()
        with officer.page.expect_download() as saved:
            officer.page.get_by_role("link", name="Save licence.pdf").click()
        assert Path(saved.value.path()).read_bytes() == licence.read_bytes()
        assert saved.value.suggested_filename == "licence.pdf"
        for box in officer.page.locator("input[name=checked]").all():
            box.check()
        officer.page.get_by_role("button", name="Approve").click()
        officer.page.locator('[data-code="organization.approved"]').wait_for()
        assert officer.complaints == []
