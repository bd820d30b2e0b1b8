"""The bundled viewer of the API: it needs nobody's sign-in, no other host and no looser policy."""

import pytest
from django.test import Client

from tests.support import browser

pytestmark = pytest.mark.django_db
SIDE = 8  # the vendor's tables are a little wider than a telephone


def test_the_reference_is_open_and_read_only(client: Client) -> None:
    answer = client.get("/openapi")
    assert answer.status_code == 200
    assert b'data-document="/openapi.json"' in answer.content
    assert "'unsafe" not in answer["Content-Security-Policy"]
    assert client.post("/openapi").status_code == 405


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON)
@pytest.mark.django_db(transaction=True)
def test_the_viewer_works_under_the_policy_of_the_site(live_server) -> None:  # type: ignore[no-untyped-def]
    with browser.open_browser(live_server.url) as window:
        window.page.set_default_timeout(90_000)  # it draws every operation there is
        for width in browser.WIDTHS:
            window.page.set_viewport_size({"width": width, "height": 900})
            window.go("/openapi")
            window.page.click("#operations-tag-orders")
            window.page.locator(".opblock-summary-control").first.click()
            window.page.get_by_text("x-action", exact=True).wait_for()
            assert window.side_scroll() <= SIDE, width
        assert (window.complaints, window.foreign) == ([], [])
