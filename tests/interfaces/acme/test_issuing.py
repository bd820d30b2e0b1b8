"""From the directory to a certificate of the inventory, in this process."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Via, system_principal
from certdesk.interfaces.operations.orders import price
from certdesk.interfaces.operations.schemas import Price
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.catalogue.errors import NotForSale
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance.issue_now import IssueRequest, issue_now
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders.models import Order
from certdesk.lifecycle.orders.rules import BuyRequest
from certdesk.lifecycle.renewal.actions import Wish, renew
from certdesk.lifecycle.validation.preflight import Question, look
from certdesk.pki.authority import crosses
from certdesk.pki.authority.models import Authority
from tests.support.acme import BASE, Acme
from tests.support.acme_house import House
from tests.support.jose import b64, csr


def test_a_name_that_proves_itself_is_issued_and_stands_in_the_inventory(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com", "*.example.com")
    assert placed.status_code == 201, placed.content
    order = placed.json()
    assert order["status"] == "pending"
    house.prove(acme, order)
    url = placed.headers["Location"]
    assert acme.read(url)["status"] == "ready"
    done = acme.post(order["finalize"], {"csr": b64(csr("www.example.com", "*.example.com"))})
    assert done.status_code == 200, done.content
    assert done.json()["status"] == "valid", done.content
    chain = acme.post(done.json()["certificate"])
    found = x509.load_pem_x509_certificates(chain.content)
    assert len(found) >= 2
    names = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"www.example.com", "*.example.com"}
    version = Version.objects.get()
    row = Certificate.objects.get(id=version.certificate_id)
    assert (row.state, row.brand, row.domain) == ("ISSUED", "BUILTIN", "www.example.com")
    assert row.owner_id == house.desk.alice.user_id


def test_other_chains_are_linked_and_handed_out_to_the_same_account_alone(house: House) -> None:
    acme = house.client()
    placed = acme.order("www.example.com")
    house.prove(acme, placed.json())
    finalized = acme.post(placed.json()["finalize"], {"csr": b64(csr("www.example.com"))})
    url = finalized.json()["certificate"]
    acme.post(url)  # what a process reads once is read now
    with CaptureQueriesContext(connection) as read:
        usual = acme.post(url)
    said = [one["sql"] for one in read.captured_queries]
    assert sum("FROM certificates_version" in one for one in said) == 1
    assert not any("authority_" in one for one in said)  # where nothing was certified twice
    assert "alternate" not in usual.headers["Link"]
    assert acme.post(f"{url}/1").status_code == 404
    crosses.sign("root-p256", "root-p384", clock.now(), system_principal(""))
    again = acme.post(url)
    assert again.content == usual.content
    assert f'<{url}/1>;rel="alternate"' in again.headers["Link"]
    other = acme.post(f"{url}/1")
    assert f'<{url}>;rel="alternate"' in other.headers["Link"]
    leaf, issuer, cross = x509.load_pem_x509_certificates(other.content)
    assert [leaf, issuer] == x509.load_pem_x509_certificates(usual.content)[:2]
    cross.verify_directly_issued_by(x509.load_der_x509_certificate(_root("root-p384")))
    issuer.verify_directly_issued_by(cross)
    assert acme.post(f"{url}/2").status_code == 404
    assert house.client().post(f"{url}/1").status_code in (403, 404)


def _root(slug: str) -> bytes:
    return bytes(Authority.objects.get(slug=slug).certificate_der)


def test_the_directory_and_the_first_nonce_need_no_account(house: House) -> None:
    acme = Acme()
    found = acme.http.get("/acme/directory").json()
    assert found["newOrder"] == f"{BASE}/acme/new-order"
    assert found["meta"]["externalAccountRequired"] is True
    assert acme.http.get("/acme/new-nonce").status_code == 204
    assert acme.http.head("/acme/new-nonce").status_code == 200


def test_what_clients_get_free_of_charge_is_for_nobody_else(house: House) -> None:
    """Neither bought, nor issued at once, nor priced, nor renewed by hand."""
    alice, now = house.desk.alice, clock.now()
    asked = BuyRequest("BUILTIN", "DV_SSL_CERT", "SINGLE_DOMAIN", agree_privacy_protection=True)
    form = ApplicationForm(domain="a.example.com", key_algorithm="EC_P256", agree_privacy_protection=True)
    for via in (Via.API, Via.CONSOLE, Via.JOB):
        someone = replace(alice, via=via)
        with pytest.raises(NotForSale, match="ACME clients alone"):
            orders.buy(someone, asked, now, auto_pay=True)
        with pytest.raises(NotForSale):
            issue_now(someone, IssueRequest("BUILTIN", "DV_SSL_CERT", form), now)
    with pytest.raises(NotForSale):
        price(alice, Price(cert_brand="BUILTIN", cert_type="DV_SSL_CERT", domain_type="SINGLE_DOMAIN"))
    question = Question(("a.example.com",), brand="BUILTIN", cert_type="DV_SSL_CERT")
    assert [one.code for one in look(alice, question).problems] == ["NOT_FOR_SALE"]
    house.issued(house.client(), "a.example.com", csr=csr("a.example.com"))
    held = Certificate.objects.get()
    late = held.not_after - timedelta(days=1)
    with pytest.raises(NotForSale):
        renew(alice, held.id, Wish(None, True), late, auto_pay=True)
    assert Certificate.objects.count() == Order.objects.count() == 1
