"""The page of ACME credentials and the operations behind it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Forbidden, NotFound, WrongState
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.enrolment import credentials, succession
from certdesk.lifecycle.enrolment.models import Account, Credential, Order
from certdesk.pki.x509.pem import write_block
from tests.support.acme import Acme
from tests.support.acme_house import House
from tests.support.jose import csr


def test_a_credential_is_made_with_commands_shown_again_without_its_key_and_taken_back(house: House) -> None:
    browser = Client()
    browser.force_login(User.objects.get(id=house.desk.alice.user_id))
    assert b"No ACME credentials" in browser.get("/acme").content
    assert browser.get("/acme-credentials/add").status_code == 200
    form = {"label": "shop", "names": "*.shop.example.com\nshop.example.com", "quota": "9"}
    made = browser.post("/acme-credentials/add", form).content.decode()
    one = Credential.objects.get()
    key = credentials.key_of(one)
    assert (one.names, one.quota) == (["*.shop.example.com", "shop.example.com"], 9)
    for client in ("certbot", "lego", "acme.sh", "Caddy", "Traefik", "cert-manager", "win-acme"):
        assert f'data-client="{client}"' in made
    shown = made.split("data-hmac-key>")[1].split("<")[0]
    assert Acme().register(one.id, shown).status_code == 201
    again = browser.get(f"/acme-credentials/{one.id}").content.decode()
    assert one.id in again
    assert shown not in again
    assert "9" in browser.get("/acme").content.decode()
    assert len(key) == 32
    assert browser.post("/acme-credentials/add", {"names": "a..b"}).status_code == 422
    assert browser.get(f"/acme-credentials/{one.id}/delete").status_code == 200
    browser.post(f"/acme-credentials/{one.id}/delete")
    assert browser.get(f"/acme-credentials/{one.id}").status_code == 404


def test_the_page_of_a_certificate_says_that_its_client_renews_it(house: House) -> None:
    browser = Client()
    browser.force_login(User.objects.get(id=house.desk.alice.user_id))
    house.issued(house.client(), "www.example.com", csr=csr("www.example.com"))
    one = Certificate.objects.get()

    def page(certificate_id: str) -> str:
        return browser.get(f"/certificates/{certificate_id}").content.decode()

    assert "renews it by itself: there is nothing to switch on here" in page(one.id)
    assert 'data-operation="auto-renewal"' not in page(one.id)  # nobody has said who applies
    assert "Renew it by hand" not in page(one.id)
    own = write_block("CERTIFICATE REQUEST", csr("other.example.com"))
    other = house.desk.issued("other.example.com", csr=own)
    assert "ACME client" not in page(other)
    assert 'data-operation="auto-renewal"' in page(other)
    Order.objects.update(certificate_id=other)
    assert "While that client runs, leave auto-renewal off" in page(other)
    assert 'data-operation="auto-renewal"' in page(other)
    assert "Renew it by hand" in page(one.id)
    assert 'data-operation="auto-renewal"' not in page(one.id)


def test_what_a_client_renews_is_asked_of_nobody_else(house: House) -> None:
    """In the overview, the list it leads to, and the calendar."""
    mine = house.desk.issued("mine.example.com")
    house.issued(house.client(), "www.example.com", csr=csr("www.example.com"))
    theirs = Order.objects.get().certificate_id
    browser = Client()
    browser.force_login(User.objects.get(id=house.desk.alice.user_id))
    for days, groups in ((20, {"by_client": theirs, "by_hand": mine}), (40, {})):
        end = clock.now() + timedelta(days=days)
        Certificate.objects.update(not_after=end, paid_until=end)
        figures = {one["name"]: one for one in ask("overview.show", house.desk.alice)["figures"]}
        assert {name: figures[name]["count"] for name in groups} == dict.fromkeys(groups, 1)
        assert ("by_client" in figures) == bool(groups)
        for name, certificate_id in groups.items():
            listed = browser.get(figures[name]["path"]).content.decode()
            assert {one for one in (mine, theirs) if f"/certificates/{one}" in listed} == {certificate_id}
    assert (
        "The ACME clients that ordered them renew them."
        in browser.get("/certificates?renewal=client").content.decode()
    )
    for by, certificate_id in (("CLIENT", theirs), ("PERSON", mine)):
        (entry,) = ask("renewals.calendar", house.desk.alice, query={"by": by})["items"]
        assert (entry["cert_id"], entry["by"]) == (certificate_id, by)
        assert certificate_id in browser.get(f"/calendar?by={by}").content.decode()
    assert "Its ACME client" in browser.get("/calendar").content.decode()
    for gone, back in (
        (lambda: Account.objects.update(state="deactivated"), lambda: Account.objects.update(state="valid")),
        (
            lambda: Credential.objects.update(deleted_at=clock.now()),
            lambda: Credential.objects.update(deleted_at=None),
        ),
    ):
        gone()  # its client would be refused: somebody has to act
        assert not succession.of_clients([theirs])
        assert {one["by"] for one in ask("renewals.calendar", house.desk.alice)["items"]} == {"PERSON"}
        back()
        assert succession.of_clients([theirs]) == {theirs}
    User.objects.update(is_active=False)
    assert not succession.of_clients([theirs])
    User.objects.update(is_active=True)
    Certificate.objects.update(auto_renewal=True)
    assert "by_client" not in {one["name"] for one in ask("overview.show", house.desk.alice)["figures"]}
    assert not ask("renewals.calendar", house.desk.alice, query={"by": "CLIENT"})["items"]


def ask(name: str, principal: Principal, **given: Any) -> Any:
    return call(name, principal, **given)[1]


def test_the_operations_and_who_may_not(house: House) -> None:
    desk = house.desk
    kid = ask("acme_credentials.create", desk.alice, body={"label": "a", "names": ["*.example.com"]})["kid"]
    assert "hmac_key" not in ask("acme_credentials.show", desk.alice, id=kid)
    changed = ask("acme_credentials.update", desk.alice, id=kid, body={"quota": 3, "names": []})
    assert (changed["quota"], changed["names"], changed["label"]) == (3, [], "a")
    assert ask("acme_credentials.update", desk.alice, id=kid, body={"quota": 0})["quota"] is None
    bob = desk.someone("bob", "scm:cert:list")
    with pytest.raises(Forbidden):
        ask("acme_credentials.create", bob, body={})
    assert credentials.listed(bob) == []
    assert len(ask("acme_credentials.list", desk.alice, query={})["items"]) == 1
    with pytest.raises(BadParameter):
        ask("acme_credentials.list", desk.alice, query={"marker": "x"})
    assert ask("acme_credentials.list", desk.alice, query={"marker": kid})["items"] == []
    ask("acme_credentials.delete", desk.alice, id=kid)
    with pytest.raises(NotFound):
        ask("acme_credentials.show", desk.alice, id=kid)


def test_limits_of_a_credential(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(**given: Any) -> None:
        credentials.create(house.desk.alice, clock.now(), **given)

    make(label="x" * 64, names=["a.example.com"] * 100, quota=credentials.MOST_QUOTA)
    wrong: list[dict[str, Any]] = [
        {"label": "x" * 65},
        {"names": ["a.example.com"] * 101},
        {"names": ["a..b"]},
        {"quota": 0},
        {"quota": credentials.MOST_QUOTA + 1},
        {"types": ["DV_SSL_CERT"]},
        {"issuer": "NOBODY", "types": ["DV_SSL_CERT"]},
        {"issuer": "GEOTRUST"},
        {"issuer": "GEOTRUST", "types": ["GOLD"]},
    ]
    for given in wrong:
        with pytest.raises(CertdeskError):
            make(**given)
    monkeypatch.setattr(credentials, "MOST", 1)
    with pytest.raises(CertdeskError, match="already"):
        make()


def test_who_acts_by_an_agency_makes_no_credential_that_could_never_be_used(house: House) -> None:
    guest = replace(house.desk.alice, user_id="g" * 32, agency="helpers")
    with pytest.raises(WrongState, match="by an agency"):
        credentials.create(guest, clock.now())
    assert Credential.objects.count() == 0
