"""Proving a name ahead of any order, as the test client and signed requests see it."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import system_principal
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.validation.models import Challenge, Evidence
from tests.support.office import Office
from tests.support.signed import Person, person

from .test_methods_pages import mail

PATH = "/domains/www.example.com/prove"


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


def publish(office: Office) -> None:
    for one in Challenge.objects.filter(verified_at=None, method="DNS"):
        office.desk.dns.set(one.record_name, one.record_type, [one.value])


# rule: DOM-13
def test_from_the_field_to_the_proof(office: Office) -> None:
    client = office.client()
    assert 'data-operation="prove-name"' in text(client.get("/domains"))
    assert client.get("/domains/prove?name=%20WWW.example.com.").headers["Location"] == PATH
    assert client.get("/domains/prove?name=a/b").headers["Location"] == "/domains"
    page = text(client.get(PATH))
    assert 'data-proof="NONE"' in page
    assert 'data-operation="prove"' in page
    begun = text(client.post(PATH, {"method": "DNS", "renew": "1"}, follow=True))
    value = Challenge.objects.get().value
    assert 'data-proof="PENDING"' in begun
    assert 'data-copy="_dnsauth.example.com"' in begun
    assert f'data-copy="&quot;{value}&quot;"' in begun
    assert 'data-status="PROVING"' in text(client.get("/domains"))
    looked = client.post(PATH, {"method": "DNS", "renew": "1"}, headers={"hx-request": "true"})
    assert 'data-proof="FAILED"' in text(looked)
    bob = office.client("bob")
    assert value in text(bob.get(PATH))
    publish(office)
    done = bob.post(PATH, {"method": "DNS", "renew": "1"}, headers={"hx-request": "true"})
    assert (done.status_code, done.headers["HX-Redirect"]) == (204, PATH)
    shown = text(client.get(PATH))
    assert 'data-proof="VERIFIED"' in shown
    assert "3.2.2.4.7" in shown
    assert "hx-trigger" not in shown
    assert 'data-operation="prove"' in text(client.get("/domains/www.example.com"))


def test_the_live_part_is_swapped_only_when_something_changed(office: Office) -> None:
    client = office.client()
    client.post(PATH, {"method": "DNS"})
    found = text(client.get(PATH)).partition("seen=")[2].partition('"')[0]
    live = {"headers": {"hx-request": "true"}}
    assert client.get(f"{PATH}?method=DNS&seen={found}", **live).status_code == 204
    office.desk.run(timedelta(minutes=1))
    assert 'data-proof="FAILED"' in text(client.get(f"{PATH}?method=DNS&seen={found}", **live))


def test_the_file_and_the_mailboxes(office: Office) -> None:
    client = office.client()
    assert client.get(f"{PATH}/fileauth.txt").status_code == 404
    client.post(PATH, {"method": "FILE"})
    got = client.get(f"{PATH}/fileauth.txt")
    assert got.content.decode() == Challenge.objects.get().value
    assert f"{PATH}/fileauth.txt" in text(client.get(PATH))
    with mail():
        client.post(PATH, {"method": "EMAIL"})
        page = text(client.get(f"{PATH}?method=EMAIL"))
        assert 'data-address="admin@example.com"' in page
        given = {"domain": "example.com", "address": "admin@example.com"}
        assert "data-address" in text(client.post(PATH, given, follow=True))
        again = text(client.post(PATH, given, follow=True))
        assert "a short while ago" in again


def test_a_refusal_is_said_where_it_is_asked(office: Office) -> None:
    client = office.client()
    assert client.get("/domains/co.uk/prove").status_code == 400
    refused = text(client.post(PATH, {"method": "PHONE"}, headers={"hx-request": "true"}))
    assert 'role="alert"' in refused
    assert "is not known" in refused
    assert "PHONE" in text(client.post(PATH, {"method": "PHONE"}, follow=True))


def test_who_may_not_gets_no_page_and_no_button(office: Office) -> None:
    office.client().post(PATH, {"method": "DNS"})
    value = Challenge.objects.get().value
    for name in ("rita", "otto", "nils"):
        client = office.client(name)
        assert client.get(PATH).status_code == 403
        assert client.post(PATH, {"method": "DNS"}).status_code == 403
        assert client.get(f"{PATH}/fileauth.txt").status_code == 403
    assert "prove-name" not in text(office.client("rita").get("/domains"))
    charlie = office.client("charlie")
    assert value not in text(charlie.get(PATH))
    assert "example.com" not in text(charlie.get("/domains")).replace('placeholder="www.example.com"', "")
    assert charlie.get("/domains/www.example.com").status_code == 404


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_stands_in_each_state(office: Office, language: str) -> None:
    client = office.client(language=language)
    for method in ("DNS", "FILE", "EMAIL"):
        assert client.get(PATH).status_code == 200
        client.post(PATH, {"method": method})
        assert client.get(f"{PATH}?method={method}").status_code == 200
    assert ("验证此域名" in text(client.get("/domains/example.com"))) is (language == "zh-hans")


# rule: DOM-13
def test_by_the_api_and_then_issued_now(office: Office) -> None:
    def caller(name: str) -> Person:
        return Person(office.people[name], *iam.create_access_key(office.people[name]))

    alice, bob, charlie = caller("alice"), caller("bob"), caller("charlie")
    path = "/v3/scm/domains/www.example.com/prove"
    asked = alice.post(path, {"method": "DNS"})
    assert (asked.status, asked.json["status"], asked.json["proofs"]) == (200, "PENDING", [])
    assert asked.json["record_name"] == "_dnsauth.example.com"
    assert asked.json["value_expires_at"]
    again = bob.post(path, {})
    assert (again.json["status"], again.json["record_value"]) == ("FAILED", asked.json["record_value"])
    assert again.json["checks"][0]["perspective"] == "local"
    other = charlie.post(path, {"method": "DNS"})
    assert other.json["record_value"] != asked.json["record_value"]
    office.desk.dns.set(asked.json["record_name"], asked.json["record_type"], [asked.json["record_value"]])
    done = bob.post(path, {"method": "DNS"})
    assert (done.json["status"], done.json["proofs"][0]["br_method"]) == ("VERIFIED", "3.2.2.4.7")
    assert done.json["reuse_until"][0]["until"]
    assert charlie.post(path, {"method": "DNS"}).json["status"] == "FAILED"
    body = {
        "cert_brand": "GEOTRUST",
        "cert_type": "DV_SSL_CERT",
        "domain": "www.example.com",
        "key_algorithm": "EC_P256",
        "agree_privacy_protection": True,
    }
    issued = alice.post("/v3/scm/certificates/issue", body)
    assert (issued.status, issued.json["status"]) == (200, "ISSUED")
    orders.credit(charlie.account.id, "CNY", 10_000_000, "start", clock.now(), system_principal("", "cli"))
    slow = charlie.post("/v3/scm/certificates/issue", body)
    assert (slow.status, slow.json["status"]) == (202, "CHECKING")
    assert Evidence.objects.filter(account_id=charlie.account.id).count() == 0


def test_the_api_refuses_with_words(office: Office) -> None:
    alice = Person(office.people["alice"], *iam.create_access_key(office.people["alice"]))
    rita = Person(office.people["rita"], *iam.create_access_key(office.people["rita"]))
    for name, body in (
        ("co.uk", {}),
        ("example.com", {"method": "PHONE"}),
        ("*.example.com", {"method": "FILE"}),
    ):
        answer = alice.post(f"/v3/scm/domains/{name}/prove", body)
        assert answer.status == 400, name
    refused = rita.post("/v3/scm/domains/example.com/prove", {"method": "DNS"})
    assert (refused.status, refused.code) == (403, "SCM.9403")
    assert "scm:domain:prove" in refused.text
    nobody = person(office.desk.account, "dora")
    assert nobody.post("/v3/scm/domains/example.com/prove", {}).status == 403
