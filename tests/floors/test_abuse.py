"""The abuse corpus against a running server, by API, console and as bytes: no 5xx, nothing over 2 s, nothing
stored that should not be, no script that runs in a browser, no secret in anything that was kept or said."""

import csv
import io
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from certdesk.foundation.common import clock
from certdesk.interfaces.cli.installation import Installation, free_port
from certdesk.lab.dns_server import LabDns
from tests.floors.test_canaries import places, plant
from tests.support import abuse, abuse_wire, browser, prepared
from tests.support.attacker import Attacker
from tests.support.canaries import Flock
from tests.support.running import Reception
from tests.support.uploads import World

pytestmark = [pytest.mark.server, pytest.mark.slow]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
SLOWEST = 2.0 if FULL else 10.0
"""Seconds of one request; the small form runs beside other tests."""
SAID_ON_PURPOSE = (b"SCM.9001", b"SCM.9503")
"""501 and 503 in the contract's form: a capability to come, an outside service that does not answer."""
SHOWN_ONCE = ("/iam/keys/add", "/acme-credentials")
"""The page that shows a new secret key, that one time (IAM-7)."""
HIT = abuse.SCRIPT.partition("=")[0]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacker]:
    """The whole corpus, once; the server is still there for what is looked at afterwards."""
    folder: Path = tmp_path_factory.mktemp("abuse")
    with (
        LabDns() as dns,
        Installation(
            folder / "home", dns_resolvers=dns.server, workers="2", https=f"127.0.0.1:{free_port()}"
        ) as home,
    ):
        key, second = prepared.set_up(home), home.access_key("officer")
        home.start("web")
        home.wait_ready()
        reception = Reception(home)
        attacker = Attacker(home, key, reception.ask("")["admin"], second=second)
        reception.close()
        world = World(clock.real_now())
        hostile = world.leaf(subject=abuse.XSS[0][:64])
        attacker.set_up({**world.body(hostile), "name": "attacked"})
        attacker.texts(8 if FULL else 2)
        attacker.values()
        attacker.bodies()
        attacker.extra_fields()
        attacker.searches()
        attacker.forms(6 if FULL else 1)
        attacker.wire()
        yield attacker
        attacker.line.close()


def test_the_corpus_is_as_large_as_it_says(attacked: Attacker) -> None:
    written = sum(attacked.inputs.values())
    print(f"\n{written} inputs in {len(attacked.results)} requests: {dict(attacked.inputs)}")  # noqa: T201
    assert written >= 500
    assert attacked.inputs["forms of the console"] >= 30
    served = sum(200 <= one.status < 400 for one in attacked.results)
    assert served >= len(attacked.results) // 20


def test_nothing_breaks_and_nothing_takes_long(attacked: Attacker) -> None:
    broken = [
        f"{one.what}: {one.status} {one.body[:200]!r}"
        for one in attacked.results
        if (one.status >= 500 and not any(code in one.body for code in SAID_ON_PURPOSE))
        or (one.status == 0 and not one.what.startswith("bytes: "))
    ]
    slow = [f"{one.what}: {one.seconds:.1f} s" for one in attacked.results if one.seconds >= SLOWEST]
    assert not broken, "\n".join([f"{len(broken)} broken", *broken[:20]])
    assert not slow, "\n".join([f"{len(slow)} slow", *slow[:20]])
    assert "request failed" not in attacked.home.log.read_text(errors="replace")


def test_no_answer_tells_what_stands_behind(attacked: Attacker) -> None:
    for one in attacked.results:
        for word in abuse_wire.NOT_FOUND_IN:
            assert word not in one.body, (one.what, word)
        if one.what.startswith("bytes: "):
            head = one.body.rpartition(b"{")[2]
            assert b"'set-cookie': 'evil" not in head, one.what
            assert not re.search(rb"'location': '(https?:)?(//|/\\)evil", head), one.what


def texts_of(attacked: Attacker) -> Iterator[tuple[str, str, str]]:
    """`(table, column, text)` of everything that is stored."""
    data = Path(attacked.home.environment["CERTDESK_DATA"])
    with closing(sqlite3.connect(f"file:{data / 'certdesk.sqlite3'}?mode=ro", uri=True)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables - {"certificates_namesearch"}:  # keeps no text of its own
            rows = connection.execute(f'SELECT * FROM "{table}"')
            columns = [one[0] for one in rows.description]
            for row in rows:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, str):
                        yield table, column, value


MULTILINE = {"description", "note", "reason", "text", "html"}


def test_no_control_character_is_stored(attacked: Attacker) -> None:
    """Line ends only where a text may have lines; NUL and the rest nowhere."""
    for table, column, text in texts_of(attacked):
        found = set(re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text))
        assert not found, (table, column, text[:100])
        if column in ("name", "label", "recipient", "subject", "login", "email", "phone", "key", "value"):
            assert "\n" not in text, (table, column, text[:100])
            assert "\r" not in text, (table, column, text[:100])


def test_fields_that_nobody_asked_for_change_nothing(attacked: Attacker) -> None:
    assert attacked.before["certificate"]["status"] != "ISSUED"
    assert attacked.after == attacked.before


def test_no_cell_of_an_export_is_a_formula(attacked: Attacker) -> None:
    export = attacked.signed("export", "GET", "/v3/scm/orders/export")
    assert export.status == 200
    for row in csv.reader(io.StringIO(export.body.decode("utf-8-sig"))):
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
            assert not re.match(r"-\D", cell), cell


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON)
def test_no_script_of_the_corpus_runs(attacked: Attacker) -> None:
    """Every page that shows what was stored, in a real browser; not even stopped by the page's policy."""
    stored = [text for _, _, text in texts_of(attacked) if HIT in text]
    assert len(stored) >= 10, "nothing of it was stored: the test would prove nothing"
    hits = browser.apart(look, attacked)
    assert hits == []


def look(attacked: Attacker) -> list[str]:
    from playwright.sync_api import sync_playwright

    found: list[str] = []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser.CHROMIUM, args=["--no-sandbox"])
        context = opened.new_context()
        context.add_cookies([{"name": "sessionid", "value": attacked.session, "url": attacked.home.url}])
        page = context.new_page()
        page.on("dialog", lambda dialog: (found.append(f"dialog at {page.url}"), dialog.dismiss()))
        page.on(
            "console",
            lambda message: found.append(message.text) if "Content Security" in message.text else None,
        )
        page.on("request", lambda one: found.append(one.url) if "evil.example" in one.url else None)
        for path in attacked.pages:
            page.goto(f"{attacked.home.url}{path}")
            if page.evaluate(f"typeof {HIT}") != "undefined":
                found.append(f"a script ran at {path}")
        opened.close()
    return found


def test_no_secret_is_kept_or_said(attacked: Attacker) -> None:
    """Log, database with audit and messages, every file, and every answer of the whole corpus."""
    flock = Flock()
    plant(flock, attacked.home, attacked.key, attacked.second)
    kept = places(attacked.home)
    answers = b"\n".join(
        one.body for one in attacked.results if not any(path in one.what for path in SHOWN_ONCE)
    )
    assert flock.hits({**kept, "answers": answers}) == []
