"""A list of certificates is watched in a real browser: by hand, both widths, accessibility."""

from datetime import timedelta
from typing import Any

import pytest

from certdesk.foundation.common import clock
from tests.interfaces.console.test_console_browser import office, session  # noqa: F401 the fixture
from tests.support import browser
from tests.support.uploads import World, pem

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.django_db(transaction=True),
]


@pytest.mark.parametrize(
    ("language", "done", "told"),
    [
        ("en", "2 certificates are watched now", "It is watched: you are told before it ends."),
        ("zh-CN", "现已监控 2 张证书", "已监控：到期前会通知您。"),
    ],
)
def test_a_list_is_watched_by_hand(
    office: Any,  # noqa: F811
    live_server: Any,
    language: str,
    done: str,
    told: str,
) -> None:
    world = World(clock.now())
    leaves = [world.leaf((f"{name}.example.com",), serial=ord(name)) for name in ("a", "b")]
    over = world.leaf(("a-long-name-of-a-service.example.com",), until=timedelta(days=-1), since=timedelta(9))
    text = "".join(map(pem, [*leaves, over, world.issuing]))
    with browser.open_browser(live_server.url, language, session(office)) as watched:
        page = watched.page
        watched.go("/certificates/upload")
        page.locator("a[href='/certificates/watch']").click()
        watched.looked_at(f"{language}-watch")
        page.locator("#id_certificates").fill("nothing")
        page.locator("[data-operation=watch]").click()
        page.locator("[data-code='SCM.0053']").wait_for()
        watched.looked_at(f"{language}-refused")
        page.locator("#id_certificates").fill(text)
        page.locator("[data-operation=watch]").click()
        page.locator("[data-watched='2'][data-refused='1']").wait_for()
        assert done in page.locator("main").inner_text()
        watched.looked_at(f"{language}-watched")
        page.locator("[data-watched] a[href^='/certificates?']").click()
        page.get_by_text("a.example.com").first.click()
        page.locator("[data-status='UPLOAD']").first.wait_for()
        assert told in page.locator("main").inner_text()
        watched.looked_at(f"{language}-one")
        assert watched.foreign == []
        assert watched.complaints == []
