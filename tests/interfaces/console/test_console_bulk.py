"""Bulk actions in the console: chosen in the list, looked at, done, reported."""

import re
from datetime import timedelta

import pytest

from certdesk.foundation.jobs import testing as jobs
from certdesk.lifecycle.bulk.models import BulkAction
from certdesk.lifecycle.certificates.models import Tag
from tests.support.office import Office

SOON = timedelta(seconds=5)
ASK = "/certificates/bulk"


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_ticked_ones_are_changed_after_a_preview(office: Office, language: str) -> None:
    one, two = office.desk.buy(), office.desk.buy()
    alice = office.client("alice", language)
    assert 'data-operation="bulk-chosen"' in text(alice.get("/certificates"))
    address = f"{ASK}?action=TAG&id={one}&id={two}"
    assert 'name="key"' in text(alice.get(address))
    assert alice.post(address, {"key": "a*b"}).status_code == 302
    refused = BulkAction.objects.get()
    assert text(alice.get(f"{ASK}/{refused.id}?verdict=REFUSED")).count('data-status="REFUSED"') == 2
    made = alice.post(address, {"key": "env", "value": "prod"})
    assert made.status_code == 302
    page = made["Location"]
    assert 'data-operation="bulk-start"' in text(alice.get(page))
    assert not Tag.objects.exists()
    assert alice.post(f"{page}/start").status_code == 302
    assert "hx-get" in text(alice.get(page))
    assert alice.get(f"{page}/progress?state=RUNNING").status_code == 200
    jobs.run_all(SOON)
    moved = alice.get(f"{page}/progress?state=RUNNING")
    assert (moved.status_code, moved["HX-Refresh"]) == (204, "true")
    assert text(alice.get(page)).count('data-status="DONE"') >= 2
    assert Tag.objects.filter(key="env", value="prod").count() == 2
    assert re.search(r"/certificates/bulk/[0-9a-f]{32}", text(alice.get(f"{ASK}/all")))
    assert alice.post(f"{page}/cancel").status_code == 302


def test_all_that_the_filters_find(office: Office) -> None:
    office.desk.buy()
    office.desk.buy()
    alice = office.client()
    found = text(alice.get(f"{ASK}?action=NOTICES&whole=1&content=some&status=ISSUED"))
    assert "Name or domain contains “some”. · Issued" in found
    address = f"{ASK}?action=NOTICES&whole=1&content=nothing-has-this"
    made = alice.post(address, {"on": "false"})
    assert made.status_code == 302
    assert 'data-operation="bulk-start"' not in text(alice.get(made["Location"]))
    asked = text(alice.get(f"{ASK}?action=OWNER&whole=1"))
    assert re.search(r'value="-"\s+selected', asked)  # the group stays unless somebody chooses another
    everything = alice.post(f"{ASK}?action=OWNER&whole=1", {"owner": "", "owner_group": "-"})
    assert everything.status_code == 422
    bob = office.desk.account.users.get(name="bob")
    everything = alice.post(f"{ASK}?action=OWNER&whole=1", {"owner": bob.id, "owner_group": "-"})
    assert BulkAction.objects.get(action="OWNER").rows.count() == 2
    assert "bob" in text(alice.get(everything["Location"]))
    for action in ("PROJECT", "DELETE", "UNTAG", "colour"):
        assert alice.get(f"{ASK}?action={action}&whole=1").status_code == 200


def test_nothing_chosen_says_so_and_readers_have_no_bar(office: Office) -> None:
    office.desk.buy()
    alice, rita = office.client(), office.client("rita")
    assert "No certificate was chosen" in text(alice.get(f"{ASK}?action=TAG"))
    assert alice.post(f"{ASK}?action=TAG", {"key": "a"}).status_code == 200
    assert "cd-pick" not in text(rita.get("/certificates"))
    assert rita.get(f"{ASK}?action=TAG").status_code == 403


def test_the_ticked_ones_are_exported_and_no_others(office: Office) -> None:
    one, two, three = office.desk.buy(), office.desk.buy(), office.desk.buy()
    alice = office.client()
    assert 'data-operation="export-chosen"' in text(alice.get("/certificates"))
    sent = alice.get(f"/certificates/export?ticked=csv&id={one}&id={two}")
    whole = b"".join(sent).decode()  # type: ignore[call-overload]
    assert all(some in whole for some in (one, two))
    assert three not in whole
    assert "No certificate is ticked" in text(alice.get("/certificates/export?ticked=csv"))
    charlie = office.client("charlie")
    none = b"".join(charlie.get(f"/certificates/export?ticked=csv&id={one}"))  # type: ignore[call-overload]
    assert one not in none.decode()
