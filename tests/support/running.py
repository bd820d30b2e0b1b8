"""The running product for journeys: its own processes, servers for DNS, mail and web, one browser.

Playwright belongs to one thread and keeps an event loop there, which Django's ORM would mind in other tests:
so the browser has a thread of its own, and journeys run in it.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from certdesk.interfaces.cli.installation import Installation, free_port
from certdesk.lab.dns_server import LabDns
from certdesk.lab.smtp_server import LabSmtp
from tests.support import browser, nginx
from tests.support.person import Person

RECEPTION = Path(__file__).with_name("reception.py")
RICH = 1_000_000_00


class Reception:
    """Makes accounts in the installation; a process that lives as long as it does."""

    def __init__(self, home: Installation) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(RECEPTION)],
            env=home.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, account: str, cash: int = RICH) -> dict[str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"account": account, "cash": cash}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, str] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait(15)


@dataclass
class Team:
    """One account; each of its people may sit down at a browser of their own."""

    name: str
    sessions: dict[str, str]
    sit_down: Callable[..., Person]
    language: str = "en"

    def person(self, name: str = "alice", language: str = "") -> Person:
        return self.sit_down(self.sessions[name], language or self.language)


@dataclass
class Stage:
    """Everything that a journey needs; `run` runs it in the browser's thread."""

    home: Installation
    dns: LabDns
    mail: LabSmtp
    web: nginx.Nginx
    reception: Reception
    browser: Browser
    thread: ThreadPoolExecutor
    people: list[Person] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def team(self, language: str = "en", cash: int = RICH) -> Team:
        """An account that nobody has used yet. `cash`: fen."""
        name = f"team{next(self._numbers)}"
        return Team(name, self.reception.ask(name, cash), self.sit_down, language)

    def operator(self, language: str = "en") -> Person:
        return self.sit_down(self.reception.ask("")["admin"], language)

    def sit_down(self, session: str = "", language: str = "en") -> Person:
        """A fresh browser window, of somebody signed in where there is a session."""
        person = Person.at(self.browser, self.home.url, session, language)
        self.people.append(person)
        return person

    def run(self, journey: Callable[[], object]) -> None:
        """The journey, then the end of its windows; a script's complaint or a foreign address fails it."""
        self.thread.submit(self._run, journey).result()

    def _run(self, journey: Callable[[], object]) -> None:
        try:
            journey()
            for person in self.people:
                assert (person.window.complaints, person.window.foreign) == ([], [])
        finally:
            for person in self.people:
                person.window.context.close()
            self.people.clear()


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Sets everything up once; ends all that it started."""
    with ExitStack() as stack:
        dns, mail = stack.enter_context(LabDns()), stack.enter_context(LabSmtp())
        web_folder = folder / "nginx"
        web_folder.mkdir(parents=True)
        web = stack.enter_context(nginx.serving(web_folder))
        home = stack.enter_context(
            Installation(
                folder / "home",
                dns_resolvers=dns.server,
                smtp_url=mail.url,
                validation_http_ports=str(web.port),
                allow_networks="127.0.0.0/8",
                mail_listener=f"127.0.0.1:{free_port()}",
                workers="1",
            )
        )
        _set_up(home)
        reception = Reception(home)
        stack.callback(reception.close)
        thread = stack.enter_context(ThreadPoolExecutor(1, "browser"))
        playwright = thread.submit(lambda: sync_playwright().start()).result()
        stack.callback(lambda: thread.submit(playwright.stop).result())
        opened = thread.submit(_launch, playwright).result()
        stack.callback(lambda: thread.submit(opened.close).result())
        home.wait_ready()
        yield Stage(home, dns, mail, web, reception, opened, thread)


def _set_up(home: Installation) -> None:
    password = home.folder / "password"
    password.write_text("correct horse battery\n", encoding="ascii")
    home.run("init", "--account", "house", "--admin", "admin", "--password-file", str(password))
    home.start()


def _launch(playwright: Any) -> Browser:
    launched: Browser = playwright.chromium.launch(executable_path=browser.CHROMIUM, args=["--no-sandbox"])
    return launched
