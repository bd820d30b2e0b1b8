"""Somebody at a browser who does what a person can: reads words, follows links, presses buttons, fills in.

Words are given in English; somebody who reads Chinese finds the console's translation of them. What a journey
writes in Chinese is taken as it stands.
"""

import gettext
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from playwright.sync_api import Browser, Download, Locator, Page, expect

from tests.support.browser import Watched

PATIENCE = 20_000.0
"""Milliseconds; what another process moves on is waited for, never slept for."""
ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "src/certdesk/interfaces/console/locale/zh_Hans/LC_MESSAGES/django.mo"


@cache
def chinese() -> gettext.NullTranslations:
    with LOCALE.open("rb") as file:
        return gettext.GNUTranslations(file)


def literally(words: str) -> str:
    """As a part of a pattern, for Python's and the browser's expressions alike."""
    return re.sub(r"([\\.*+?^$(){}|\[\]/])", r"\\\1", words)


@dataclass
class Person:
    window: Watched
    language: str = "en"

    @classmethod
    def at(cls, browser: Browser, origin: str, session: str = "", language: str = "en") -> Self:
        """A fresh window of 1280 × 900, of somebody signed in where there is a session."""
        rights = ["clipboard-read", "clipboard-write"]
        context = browser.new_context(
            viewport={"width": 1280, "height": 900}, locale=language, permissions=rights
        )
        context.set_default_timeout(PATIENCE)
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": origin}])
        watched = Watched(context, context.new_page(), origin)
        watched.page.on("request", watched.request)
        watched.page.on("console", watched.console)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        return cls(watched, language)

    def say(self, words: str) -> str:
        return chinese().gettext(words) if self.language.startswith("zh") else words

    @property
    def page(self) -> Page:
        return self.window.page

    @property
    def main(self) -> Locator:
        """The page without menu and heading."""
        return self.page.get_by_role("main")

    @property
    def address(self) -> str:
        return self.page.url

    def open(self, address: str = "/") -> None:
        """An address as it is typed, or as it stands in a mail."""
        self.window.open(address if "://" in address else f"{self.window.origin}{address}")

    def menu(self, name: str) -> None:
        """A section of the menu at the left."""
        self._follow(self._named(self.page.get_by_role("navigation").first, "link", name))

    def click(self, name: str, within: Locator | None = None) -> None:
        """The first link or button of this name that can be seen."""
        place = within or self.page.locator("header, main")
        found = self._named(place, "button", name).or_(self._named(place, "link", name))
        self._follow(found.locator("visible=true").first)

    def _follow(self, place: Locator) -> None:
        """What is counted next is counted on the page that this leads to, once it is there."""
        place.click()
        self.page.wait_for_load_state("load")

    def click_more(self, name: str) -> None:
        """An operation of the menu *More*."""
        self.main.or_(self.page.locator("header")).locator("summary").filter(
            has_text=self.say("More")
        ).first.click()
        self.click(name)

    def _named(self, place: Locator, role: str, name: str) -> Locator:
        words = re.compile(rf"^\s*{literally(self.say(name))}(\s|\d|$)")
        return place.get_by_role(role, name=words)  # type: ignore[arg-type]

    def type(self, label: str, text: str) -> None:
        self._field(label).fill(text)

    def pick(self, label: str, option: str) -> None:
        self._field(label).select_option(label=self.say(option))

    def _field(self, label: str) -> Locator:
        optional = literally(self.say("optional"))
        words = re.compile(rf"^\s*{literally(self.say(label))}( {optional})?\s*$")
        return self.main.get_by_label(words).locator("visible=true").first

    def tick(self, label: str) -> None:
        """A choice or a box, by the beginning of its words; *OV* is not *OV Pro*."""
        words = re.compile(rf"^\s*{literally(self.say(label))}(?! Pro| \(Basic)")
        self.main.get_by_label(words).first.check()

    def sees(self, *words: str, within: Locator | None = None) -> None:
        """Each of these stands on the page."""
        for one in words:
            place = within or self.page.locator("header, main")
            try:
                expect(place.get_by_text(self.say(one)).locator("visible=true").first).to_be_visible(
                    timeout=PATIENCE
                )
            except AssertionError:  # its own words show the page's menu first, and seldom more
                read = "\n".join(place.all_inner_texts())
                raise AssertionError(f"{one!r} is not on {self.address}:\n{read}") from None

    def misses(self, *words: str) -> None:
        """None of these can be seen."""
        for one in words:
            found = self.page.locator("header, main").get_by_text(self.say(one)).locator("visible=true")
            assert found.count() == 0, f"{one!r} on {self.address}"

    def next_is(self, sentence: str, who: str = "") -> None:
        """What happens next, on top of the page, and who must act."""
        callout = self.page.locator("section.cd-callout").first
        expect(callout.get_by_role("heading").first).to_contain_text(self.say(sentence), timeout=PATIENCE)
        if who:
            expect(callout).to_contain_text(self.say(who))

    def state_is(self, words: str) -> None:
        """The badge beside the heading."""
        badge = self.page.locator("header .cd-badge").first
        expect(badge).to_contain_text(self.say(words), timeout=PATIENCE)

    def told(self, words: str) -> None:
        """What was done just now."""
        said = self.page.get_by_role("status").filter(has_text=self.say(words))
        expect(said.first, words).to_be_visible(timeout=PATIENCE)

    def refused(self, *words: str) -> None:
        """The alert on top, or what stands at a field."""
        for one in words:
            place = self.page.locator("[role=alert], .cd-error").filter(has_text=self.say(one))
            expect(place.locator("visible=true").first, one).to_be_visible(timeout=PATIENCE)

    def row(self, words: str) -> Locator:
        """The line of a table, or the item of a list, with these words."""
        return self.main.locator("tr, li").filter(has_text=words).first

    def copied(self, name: str) -> str:
        """Presses the copy button of a record's row; answers what the clipboard then holds."""
        row = self.main.locator(".cd-record-row").filter(has=self.page.locator("dt", has_text=self.say(name)))
        button = row.first.get_by_role("button")
        button.click()
        expect(button).to_contain_text(self.say("Copied"))
        return str(self.page.evaluate("navigator.clipboard.readText()"))

    def saves(self, name: str, within: Locator | None = None) -> Download:
        with self.page.expect_download() as started:
            self.click(name, within)
        return started.value

    def gets_nothing(self, *addresses: str) -> None:
        """Not found: as if it did not exist."""
        for one in addresses:
            answer = self.page.goto(one if "://" in one else f"{self.window.origin}{one}")
            assert answer is not None
            assert answer.status == 404, (answer.status, one)
