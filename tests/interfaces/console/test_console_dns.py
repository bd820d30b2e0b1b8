"""Automatic DNS, zones and domains by hand in a real browser, with a real BIND behind, at both widths."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import browser
from tests.support.bind import NAMED, REASON

pytestmark = [
    pytest.mark.browser,
    pytest.mark.server,
    pytest.mark.skipif(browser.CHROMIUM is None, reason=browser.REASON),
    pytest.mark.skipif(NAMED is None, reason=REASON),
    pytest.mark.django_db(transaction=True),
]
WRONG = "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldC0wMDAwMDA="


@pytest.fixture
def office(transactional_db: None) -> Iterator[Any]:
    """As everywhere, but seen by the server's threads."""
    from tests.support.office import open_office

    with open_office() as made:
        yield made


@pytest.fixture
def server(office: Any, tmp_path: Path) -> Iterator[Any]:
    from tests.support.automatic import asked_bind

    zone = '@ IN CAA 0 issue "other-ca.example"\n_dnsauth.shop IN CNAME away.example.net.\nwww IN A 192.0.2.1'
    with asked_bind(tmp_path, {"example.com": zone, "example.net": ""}) as made:
        yield made


def work(sweep: bool = False) -> None:
    from certdesk.foundation.jobs import actions, testing
    from certdesk.lifecycle.validation import automatic_jobs

    if sweep:
        actions.enqueue(automatic_jobs.SWEEP)
    testing.run_all(timedelta(minutes=5), 200, strict=True)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_from_connection_to_certificate(office: Any, server: Any, live_server: Any, language: str) -> None:
    from certdesk.lifecycle.validation.models import AutomaticRecord, DnsConnection
    from tests.support.automatic import KEYS

    certificate_id = office.desk.buy()
    session = str(office.client("alice").cookies["sessionid"].value)
    with browser.open_browser(live_server.url, language, session) as watched:
        page, tag = watched.page, language[:2]
        watched.go("/domains")
        watched.looked_at(f"{tag}-domains-empty")
        watched.go("/dns")
        watched.looked_at(f"{tag}-dns-empty")
        page.locator("[data-operation=dns-add]").first.click()
        watched.looked_at(f"{tag}-dns-kinds")
        page.locator("a[href$='provider=rfc2136']").click()
        page.locator("[name=o_server]").fill("127.0.0.1")
        page.locator("[name=o_port]").fill(str(server.port))
        page.locator("[name=o_zones]").fill("example.com\nexample.net")
        page.locator("[name=o_key_name]").fill("certdesk")
        page.locator("[name=o_key_secret]").fill(WRONG)
        watched.looked_at(f"{tag}-dns-form")
        page.locator("[data-operation=dns-save]").click()
        page.locator("[role=alert]").first.wait_for()
        watched.looked_at(f"{tag}-dns-wrong-key")
        page.locator("[data-operation=dns-edit]").click()
        assert page.locator("[name=o_key_secret]").input_value() == ""
        page.locator("[name=o_key_secret]").fill(KEYS["certdesk"])
        page.locator("[data-operation=dns-save]").click()
        page.locator("[role=status][data-code='dns.works']").wait_for()
        watched.looked_at(f"{tag}-dns-connection")
        watched.go("/dns")
        watched.looked_at(f"{tag}-dns")

        page.locator("a", has_text="example.com").first.click()
        page.locator("[data-operation=recordset-add]").click()
        page.locator("[name=name]").fill("note")
        page.locator("[name=values]").fill('"hello"')
        watched.looked_at(f"{tag}-recordset")
        page.locator("[data-operation=recordset-save]").click()
        page.locator("[role=status][data-code='recordset.added']").wait_for()
        watched.looked_at(f"{tag}-zone")
        row = page.locator("tr", has_text="note.example.com")
        row.locator("[data-operation=recordset-modify]").click()
        page.locator("[name=values]").fill('"no end')
        page.locator("[data-operation=recordset-save]").click()
        page.locator("#id_values_error").wait_for()  # at its field, not on top alone
        page.locator("[name=values]").fill('"changed"')
        page.locator("[data-operation=recordset-save]").click()
        page.get_by_text('"changed"').wait_for()
        row.locator("[data-operation=recordset-delete]").click()
        watched.looked_at(f"{tag}-delete")
        page.locator("button[data-operation=recordset-delete]").click()
        page.locator("[role=status][data-code='recordset.deleted']").wait_for()

        watched.go(f"/certificates/{certificate_id}/apply")
        page.locator("[name=domain]").fill("www.example.com")
        page.locator("[name=key_algorithm]").select_option("EC_P256")
        page.locator("[name=domain_method][value=AUTO]").check()
        page.locator("[name=applicant_name]").fill("Ada Lovelace")
        page.locator("[name=applicant_phone]").fill("+44 20 7946 0000")
        page.locator("[name=applicant_email]").fill("ada@example.com")
        page.locator("[name=agree_privacy_protection]").check()
        watched.looked_at(f"{tag}-apply")
        page.locator("button[data-operation=apply]").click()
        page.locator("[data-automatic]").wait_for()
        watched.looked_at(f"{tag}-verify-waiting")
        browser.apart(work)
        watched.go(f"/certificates/{certificate_id}/verify")
        watched.looked_at(f"{tag}-verify-done")
        assert browser.apart(office.desk.state, certificate_id) == "ISSUED"
        browser.apart(work, True)
        assert browser.apart(lambda: [one.state for one in AutomaticRecord.objects.all()]) == ["REMOVED"]

        watched.go("/domains")
        watched.looked_at(f"{tag}-domains")
        page.locator("[data-domain='www.example.com'] a").first.click()
        page.locator("[data-operation=look-up]").click()
        page.get_by_text("other-ca.example").wait_for()
        watched.looked_at(f"{tag}-domain")
        watched.go("/domains/preflight")
        page.locator("[name=domains]").fill("*.co.uk\nshop.example.com\nwww.example.com")
        page.locator("[name=brand]").select_option("GEOTRUST")
        page.locator("[name=method]").select_option("AUTO")
        page.locator("[data-operation=preflight]").click()
        page.locator("[data-code=preflight]").wait_for()
        watched.looked_at(f"{tag}-preflight")

        connection = browser.apart(DnsConnection.objects.get)
        watched.go(f"/dns/{connection.id}/remove")
        watched.looked_at(f"{tag}-dns-remove")
        page.locator("button[data-operation=dns-remove]").click()
        page.locator("[role=status][data-code='dns.removed']").wait_for()
        assert watched.complaints == []
        assert watched.foreign == []


def test_charlie_sees_nothing_of_it(office: Any, server: Any) -> None:
    from certdesk.foundation.iam import queries
    from certdesk.foundation.iam.principal import Via
    from certdesk.lifecycle.validation import connections
    from tests.support.automatic import options

    alice = queries.principal_of(office.people["alice"], Via.CONSOLE)
    made = connections.add(alice, "rfc2136", "", options(server, "example.com"))
    charlie, rita = office.client("charlie"), office.client("rita")
    pages = [f"/dns/{made.id}{tail}" for tail in ("", "/edit", "/remove")]
    pages += [f"/zones/example.com{tail}?connection={made.id}" for tail in ("", "/add", "/delete")]
    for path in pages:
        assert charlie.get(path).status_code == 404, path
        assert rita.get(path).status_code == 403, path
    for path in (f"/dns/{made.id}/test", f"/dns/{made.id}/remove", pages[-1]):
        assert charlie.post(path).status_code == 404, path
    assert "example.com" not in charlie.get("/dns").content.decode()
    assert charlie.get("/zones/example.com").status_code == 404
    assert charlie.get("/domains/www.example.com").status_code == 404
    shown = office.client("bob").get(f"/dns/{made.id}")
    assert shown.status_code == 200
    assert "c2VjcmV0" not in shown.content.decode()
