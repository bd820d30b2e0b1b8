"""Campaigns in the console: a draft, its list, the start that asks first, and what came of it."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client

from certdesk.lifecycle.campaigns.models import Campaign, Item
from tests.support.office import Office, open_office

FORM = {
    "name": "Old key",
    "action": "REVOKE",
    "which_name": "example.com",
    "reason_code": "SUPERSEDED",
    "per_minute": "3000",
    "issuer_per_minute": "0",
}


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


def made(office: Office, alice: Client, **changes: str) -> str:
    assert 'data-status="PREVIEWING"' in text(alice, "/campaigns/new", {**FORM, **changes})
    office.desk.run(strict=False)
    found = Campaign.objects.order_by("-created_at").first()
    assert found is not None
    return f"/campaigns/{found.id}"


def test_from_a_draft_to_the_report(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # rule: REV-6
    monkeypatch.setattr("certdesk.lifecycle.campaigns.rules.budget", lambda *_: 100)
    alice = office.client()
    certificate_id = office.desk.issued("www.example.com")
    assert "No campaign yet" in text(alice, "/campaigns")
    path = made(office, alice)
    shown = text(alice, path)
    assert "1 certificate is on the list" in shown
    assert f'data-certificate-id="{certificate_id}"' in shown
    asked = text(alice, f"{path}/start")
    assert "Revoke 1 certificate?" in asked
    assert office.desk.state(certificate_id) == "ISSUED"
    begun = text(alice, f"{path}/start", {})
    assert 'data-status="RUNNING"' in begun
    assert 'data-operation="campaign-pause"' in begun
    (status,) = re.findall(r'hx-get="([^"]+/status[^"]+)"', begun)
    assert alice.get(status.replace("&amp;", "&")).headers.get("HX-Refresh") is None
    while Campaign.objects.filter(state="RUNNING").exists():
        office.desk.run(strict=False)
    assert alice.get(status.replace("&amp;", "&")).headers["HX-Refresh"] == "true"
    done = text(alice, path)
    assert "All of them are done" in done
    assert office.desk.state(certificate_id) == "REVOKED"
    assert "1 of 1 done" in text(alice, "/campaigns")
    report = b"".join(alice.get(f"{path}/report.csv").streaming_content)  # type: ignore[attr-defined]
    assert certificate_id.encode() in report
    assert "No certificate here" in text(alice, f"{path}?state=FAILED")
    assert certificate_id in text(alice, f"{path}?state=DONE&marker=0")


def test_pause_change_go_on_cancel_and_delete(office: Office) -> None:
    alice = office.client()
    office.desk.issued("www.example.com")
    path = made(office, alice, action="DRILL")
    assert "Rehearse 1 certificate?" in text(alice, f"{path}/start")
    text(alice, f"{path}/start", {})
    paused = text(alice, f"{path}/pause", {})
    assert 'data-operation="campaign-resume"' in paused
    assert "The pace was changed" in text(alice, f"{path}/edit", {**FORM, "per_minute": "7"})
    assert Campaign.objects.get().per_minute == 7
    assert 'data-code="SCM.' in text(alice, f"{path}/preview", {})  # not any more
    assert "The campaign was cancelled" in text(alice, f"{path}/cancel", {})
    office.desk.run()
    assert "0 of 1 done, 0 %" in text(alice, path)  # what was left is not done
    assert 'role="alert"' in text(alice, f"{path}/delete", {})
    second = made(office, alice, which_name="none.example.org")
    assert "There is nothing that it could do" in text(alice, second)
    changed = text(alice, f"{second}/edit", {**FORM, "name": "Another"})
    assert "Another" in changed
    assert "The campaign was deleted" in text(alice, f"{second}/delete", {})


def test_what_was_left_out_stands_there_with_its_reason(office: Office) -> None:
    alice = office.client()
    certificate_id = office.desk.issued("www.example.com")
    text(alice, f"/certificates/{certificate_id}/revoke", {"confirm_name": "www.example.com"}, 422)
    path = made(office, alice)
    text(alice, f"{path}/start", {})
    from certdesk.lifecycle.certificates.models import Certificate

    Certificate.objects.filter(id=certificate_id).update(state="REISSUING")
    while Campaign.objects.filter(state="RUNNING").exists():
        office.desk.run(strict=False)
    failed = text(alice, path)
    assert "1 certificate failed" in failed
    assert "0 of 1 done, 1 failed" in failed
    assert "1 × It is" in failed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"which_name": ""}, "has to say which certificates"),
        ({"which_name": "nonsense"}, "This is no domain name"),
        ({"which_issuer": "?"}, "This is no issuer"),
        ({"which_key": "?"}, "This is no key"),
        ({"per_minute": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_refused_form_says_where(office: Office, changes: dict[str, str], words: str) -> None:
    alice = office.client()
    assert words in text(alice, "/campaigns/new", {**FORM, **changes}, 422)
    path = made(office, alice)
    if "per_minute" not in changes:
        assert words in text(alice, f"{path}/edit", {**FORM, **changes}, 422)


def test_the_issuers_to_choose_from_are_those_there_are(office: Office) -> None:
    page = text(office.client(), "/campaigns/new?issuer=removed-ca")
    assert '<option value="builtin">Built-in private CA</option>' in page
    assert '<option value="builtin:dv-p256">Built-in private CA: dv-p256</option>' in page
    assert "builtin:root-p256" not in page  # it signs no certificate that a campaign could find
    assert '<option value="removed-ca" selected>removed-ca</option>' in page


def test_who_issued_is_said_as_people_read_it(office: Office) -> None:
    alice = office.client()
    path = made(office, alice, which_issuer="builtin:dv-p256")
    assert "issued by Built-in private CA: dv-p256" in text(alice, path)
    assert "issued by Built-in private CA: dv-p256" in text(alice, "/campaigns")


def test_where_it_is_served_is_said_as_far_as_it_is_known(office: Office) -> None:
    """An ACME client's place may be seen at the end only."""
    alice = office.client()
    office.desk.issued("www.example.com")
    path = made(office, alice)
    for places, served, words in ((0, None, "none known"), (0, 2, "seen at 2"), (1, 0, "seen at 0")):
        Item.objects.update(places=places, served=served)
        assert words in text(alice, path)


def test_many_are_shown_by_pages(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certdesk.interfaces.console.views.campaigns.PAGE", 10)
    alice = office.client()
    for number in range(11):
        text(alice, "/campaigns/new", {**FORM, "name": f"No. {number}"})
    first = text(alice, "/campaigns")
    (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert text(alice, f"/campaigns{more}").count("data-campaign-id") == 1


def test_who_may_only_look_is_offered_nothing(office: Office) -> None:
    path = made(office, office.client())
    rita = office.client("rita")
    assert 'data-operation="campaign-add"' not in text(rita, "/campaigns")
    assert rita.get(path).status_code == 403
    assert office.client("charlie").get(path).status_code == 404
