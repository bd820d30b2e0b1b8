"""Chromium for tests: keeps what a page asks for and complains about; leaving the origin fails a test."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.db import connections
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
REASON = "Chromium is not installed"
WIDTHS = (1280, 390)
PICTURES = os.environ.get("PICTURES_FOLDER", "")
"""Where a picture of each page that is looked at is kept."""

FINDINGS = "axe.run({resultTypes: ['violations']}).then(({violations}) => violations)"
"""Without what axe also tells of what passed: to bring that over takes a third of the time."""


@dataclass
class Watched:
    """One browser window with all that went wrong in it."""

    context: BrowserContext
    page: Page
    origin: str
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        if request.url.startswith("http") and urlsplit(request.url).netloc != urlsplit(self.origin).netloc:
            self.foreign.append(request.url)

    def console(self, message: ConsoleMessage) -> None:
        """Errors of scripts and of the content security policy; an answer of 4xx is the page's business."""
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str) -> None:
        self.open(f"{self.origin}{path}")

    def open(self, address: str) -> None:
        """A page that waits for something may refresh itself in the same moment, and win."""
        try:
            self.page.goto(address)
        except Error as lost:
            if not any(sign in lost.message for sign in ("ERR_ABORTED", "interrupted by another navigation")):
                raise
            self.page.goto(address)

    def arrive(self, path: str) -> None:
        """Waits until a page's own script has led to `path`; a pattern would fit `/login?next=<path>` too."""
        self.page.wait_for_url(f"{self.origin}{path}")

    def serious(self) -> list[str]:
        """Findings of axe that are serious or critical, with the place."""
        self.page.wait_for_load_state("load")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        return [
            f"{one['impact']} {one['id']}: {one['nodes'][0]['html'][:160]}"
            for one in self.page.evaluate(FINDINGS)
            if one["impact"] in ("serious", "critical")
        ]

    def side_scroll(self) -> int:
        """Pixels by which the page is wider than the window. A click may have led to one that only begins."""
        self.page.wait_for_load_state("load")
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))

    def looked_at(self, name: str = "") -> None:
        """The page is no wider than the window, and axe minds nothing. One with a name gets a picture."""
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            wider, found = self.side_scroll(), self.serious()
            assert (wider, found) == (0, []), (name or self.page.url, width, wider, found)
            if PICTURES and name:
                self.page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)
        self.page.set_viewport_size({"width": WIDTHS[0], "height": 900})


def apart(work: Callable[..., Any], *arguments: object) -> Any:
    """`work` in a thread of its own: Playwright keeps an event loop in the test's, where Django's
    connections are others than outside."""

    def done() -> Any:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done).result()


@contextmanager
def open_browser(origin: str, language: str = "en", session: str = "") -> Iterator[Watched]:
    """A window of 1280 × 900; `session` is the cookie of somebody who has signed in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale=language)
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": origin}])
        watched = Watched(context, context.new_page(), origin)
        watched.page.on("request", watched.request)
        watched.page.on("console", watched.console)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        try:
            yield watched
        finally:
            browser.close()
