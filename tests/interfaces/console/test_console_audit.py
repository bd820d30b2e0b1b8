"""The audit log in the console: who did what in plain words, filters, one event, and the export."""

import json
import re
from pathlib import Path

import pytest
from django.utils.translation import override

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.audit import reading
from certdesk.foundation.audit.models import Event
from certdesk.foundation.audit.verify import verify_file
from certdesk.foundation.audit.verify_database import public_keys
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Principal, Via, system_principal
from certdesk.interfaces.console.views import audit_words
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.certificates.models import Csr
from tests.support.office import Office

REFUSAL = "certificate.issuer_refused"
READING = ("list", "get", "view", "simulate", "show")


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def happened(office: Office, action: str, resource: str, who: str = "bob", **more: object) -> int:
    user = office.people[who]
    principal = Principal(
        user.account_id, user.id, user.name, Via.API, "AK42", "192.0.2.7", "r" * 32, agency="auditors"
    )
    audit.record(principal, action, resource=resource, details=more)
    return Event.objects.latest("id").id


def test_the_list_says_in_words_who_did_what(office: Office) -> None:
    happened(office, "scm:cert:delete", "cert:scs1", name="shop")
    happened(office, "keystore.export", "cert:scs1")
    page = text(office.client().get("/audit"))
    for words in ("Certificate: deleted", "Private key handed out", "bob", "192.0.2.7", "/certificates/scs1"):
        assert words in page
    assert "No event has" not in page
    assert "证书：已删除" in text(office.client(language="zh-hans").get("/audit"))


def test_a_dns_connection_leads_to_its_page_and_is_found_by_its_id(office: Office) -> None:
    happened(office, "scm:dnsConnection:test", "dnsConnection:dc1")
    page = text(office.client().get("/audit?resource=dc1"))
    assert 'data-action="scm:dnsConnection:test"' in page
    assert "/dns/dc1" in page


def test_filters_and_what_they_say(office: Office) -> None:
    happened(office, "scm:cert:delete", "cert:scs1")
    happened(office, REFUSAL, "cert:scs2", "alice")

    def shown(query: str) -> list[str]:
        page = text(office.client().get(f"/audit?{query}"))
        return [one for one in ("scm:cert:delete", REFUSAL) if f'data-action="{one}"' in page]

    both = ["scm:cert:delete", REFUSAL]
    assert shown("") == both
    assert shown("actor=alice") == [REFUSAL]
    assert shown("resource=scs1") == ["scm:cert:delete"]
    assert shown("outcome=refused") == [REFUSAL]
    assert shown("what=certificates") == both
    assert shown("what=people") == []
    assert shown("until=2000-01-01") == []
    assert shown("marker=nonsense") == both
    wrong = office.client().get("/audit?since=yesterday")
    assert (wrong.status_code, "is not a time" in text(wrong)) == (422, True)
    assert "No event matches" in text(office.client().get("/audit?actor=nobody"))


def test_a_long_log_is_paged_and_says_how_far_it_looked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        happened(office, "scm:cert:update", f"cert:scs{number}")
    first = text(office.client().get("/audit?what=certificates"))
    assert 'rel="next"' in first
    monkeypatch.setattr(reading, "MOST_LOOKED_AT", 5)
    page = text(office.client().get("/audit?actor=alice"))
    assert "Nothing so far" in page
    assert 'rel="next"' in page


def test_one_event_with_all_that_is_known_of_it(office: Office) -> None:
    event_id = happened(office, "scm:cert:delete", "cert:scs1", name="shop")
    page = text(office.client().get(f"/audit/{event_id}"))
    for words in ("r" * 32, "192.0.2.7", "AK42", "auditors", "scm:cert:delete", "cert:scs1", "shop"):
        assert words in page, words
    assert "waits for the sealer" in page
    assert office.client("charlie").get(f"/audit/{event_id}").status_code == 404
    for event_id in (999999999, 10**30):
        assert office.client().get(f"/audit/{event_id}").status_code == 404


def test_who_may_not_look(office: Office) -> None:
    for name in ("rita", "nils"):
        client = office.client(name)
        assert client.get("/audit").status_code == client.post("/audit/export").status_code == 403
        assert 'href="/audit"' not in text(client.get("/iam/keys"))
    assert office.client().get("/audit/export").status_code == 405


def test_the_export_proves_itself_and_is_noted(office: Office, tmp_path: Path) -> None:
    happened(office, "scm:cert:delete", "cert:scs1")
    answer = office.client().post("/audit/export", {"actor": "bob", "what": "certificates"})
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    report = verify_file(path, public_keys())
    assert report.ok, report.problems
    assert report.part["filters"] == {"actor": "bob", "actions": "certificate.* scm:cert:*"}
    last = Event.objects.get(action="audit.exported")
    assert (last.actor_name, json.loads(last.details)["actor"]) == ("alice", "bob")
    assert public_keys()[-1] in text(office.client().get("/audit"))


def test_the_service_and_the_host_are_named(office: Office) -> None:
    for principal in (
        system_principal(office.desk.account.id, "certificate.check"),
        Principal(office.desk.account.id, "", "root", Via.CLI),
    ):
        audit.record(principal, "jobs.retry", resource="job:7")
    happened(office, "house.event", "")
    page = text(office.client().get("/audit"))
    assert "the service" in page
    assert "the operator on the host" in page
    assert "house.event" in page  # nobody has words for it: as it is


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_action_and_every_event_of_a_certificate_has_words(language: str) -> None:
    changing = {
        action
        for one in OPERATIONS.values()
        for action in (one.action, *one.also)
        if one.method != "GET" and not action.rsplit(":", 1)[1].startswith(READING)
    }
    events = {f"certificate.{one.value.replace(' ', '_')}" for one in states.Event}
    with override(language):
        said = {one: audit_words.words(one) for one in sorted(changing | events)}
    assert [one for one, words in said.items() if one == words] == []
    if language == "zh-hans":  # a new verb may still be an English word
        spoken = [one for one, words in said.items() if not re.search("[a-z]{4}", words.partition("：")[2])]
        assert len(spoken) > 0.9 * len(changing)


def handed_out() -> list[tuple[str, str, str]]:
    """Of each private key that left: who took it, by which right, whose it was."""
    rows = Event.objects.filter(action="keystore.export").order_by("id")
    found = [(one.actor_name, json.loads(one.details)) for one in rows]
    return [(name, details["right"], details["owner"]) for name, details in found]


def test_every_way_a_private_key_leaves_names_actor_right_and_owner(office: Office) -> None:
    certificate_id = office.desk.issued("www.example.com")
    made = {
        "name": "Shop",
        "domain_name": "a.example.com",
        "private_key_algo": "EC_P256",
        "usage": "PERSONAL",
    }
    assert office.client().post("/csrs/create", made).status_code == 302
    csr = Csr.objects.latest("created_at")
    people = {name: queries.principal_of(office.people[name], Via.API) for name in ("alice", "bob")}
    call("certificates.export", people["bob"], certificate_id=certificate_id)
    call("certificates.download", people["bob"], certificate_id=certificate_id, query={"server": "nginx"})
    office.client().get(f"/certificates/{certificate_id}/download?server=other")
    call("csrs.private_key", people["alice"], id=csr.id)
    office.client().post(f"/csrs/{csr.id}/private-key")
    alice, account = str(office.people["alice"].id), office.desk.account.id
    download, of_csr = "scm:cert:download", "scm:csr:downloadPrivateKey"
    assert handed_out() == [
        ("bob", download, alice),
        ("bob", download, alice),
        ("alice", download, alice),
        ("alice", of_csr, account),  # CSRs are the account's
        ("alice", of_csr, account),
    ]
