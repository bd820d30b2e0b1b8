"""APP: the application, through the operations; both sides of each limit."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.foundation.common import clock
from certdesk.lifecycle.orders.models import Order
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import keys
from tests.support.desk import Desk
from tests.support.hostile import bad_names, hostile_csrs
from tests.support.office import Office
from tests.support.rulebook import COMPANY, PEOPLE, Caller, san

OV = {"cert_type": "OV_SSL_CERT"}


def csr_for(*names: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def test_only_a_pending_application_can_be_applied_for(desk: Desk, alice: Caller) -> None:
    # rule: APP-1
    certificate_id = alice.buy(**OV)
    alice.apply(certificate_id, **COMPANY)
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["progress"]) == ("CHECKING", 40)
    alice.not_applied(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "CHECKING_ORG"
    alice.not_applied(certificate_id, **COMPANY)
    Caller(desk.someone("olga")).approve(certificate_id)
    assert alice.status(certificate_id) == "ISSUING"
    alice.not_applied(certificate_id, **COMPANY)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    alice.not_applied(certificate_id, **COMPANY)
    withdrawing = alice.buy()
    alice.apply(withdrawing, "other.example.com")
    alice("certificates.cancel", withdrawing)
    assert alice.status(withdrawing) == "CANCELCHECKING"
    alice.not_applied(withdrawing)


def test_an_uploaded_csr_leaves_no_key_here(desk: Desk, alice: Caller) -> None:
    # rule: APP-2
    made, uploaded = alice.buy(), alice.buy()
    alice.apply(made, "made.example.com")
    alice.apply(uploaded, "", csr=csr_for("up.example.com"))
    for certificate_id in (made, uploaded):
        desk.publish(certificate_id)
    desk.run()
    assert alice.show(uploaded)["domain"] == "up.example.com"
    assert "PRIVATE KEY" in alice("certificates.export", made)["private_key"]
    assert alice("certificates.export", uploaded)["private_key"] == ""
    assert [alice.show(one)["push_support"] for one in (made, uploaded)] == ["ON", "OFF"]
    listed = {one["id"]: one["deploy_support"] for one in alice("certificates.list")["certificates"]}
    assert listed == {made: True, uploaded: False}


@pytest.mark.parametrize(
    ("cert_type", "fits", "fails"),
    [
        ("DV_SSL_CERT", ["RSA_2048", "RSA_3072", "EC_P256"], ["RSA_4096", "EC_P384", "RSA_1024", "DSA"]),
        ("OV_SSL_CERT_PRO", ["RSA_4096", "EC_P384"], ["RSA_2048", "RSA_3072", "EC_P256"]),
    ],
)
def test_each_type_takes_its_key_algorithms(
    desk: Desk, alice: Caller, cert_type: str, fits: list[str], fails: list[str]
) -> None:
    # rule: APP-3
    # rule: CAT-4
    refused = alice.buy(cert_type=cert_type)
    for algorithm in fails:
        assert alice.not_applied(refused, key_algorithm=algorithm, **COMPANY).field == "key_algorithm"
    for algorithm in fits:
        alice.apply(alice.buy(cert_type=cert_type), key_algorithm=algorithm, **COMPANY)


def test_names_by_domain_type(desk: Desk, alice: Caller) -> None:
    # rule: APP-5
    single, wildcard = alice.buy(), alice.buy(domain_type="WILDCARD")
    alice.not_applied(single, "*.example.com")
    alice.not_applied(single, "a.example.com", sans="b.example.com")
    alice.not_applied(single, "")
    alice.not_applied(wildcard, "a.example.com")
    alice.not_applied(wildcard, "*.example.com", sans="a.example.com")
    alice.apply(single, "a.example.com")
    alice.apply(wildcard, "*.example.com")
    multi = alice.buy(domain_type="MULTI_DOMAIN", domain_numbers=3)
    for more in ("", "A.example.com", "b.example.com;B.EXAMPLE.com", "b.a.com\nc.a.com\nd.a.com"):
        alice.not_applied(multi, "a.example.com", sans=more)
    alice.apply(multi, "a.example.com", sans="b.example.com\r\nC.Example.com")
    assert alice.show(multi)["sans"] == "b.example.com;c.example.com"
    fewer = alice.buy(domain_type="MULTI_DOMAIN", domain_numbers=250)
    alice.apply(fewer, "a.example.com", sans="b.example.com")
    mixed = alice.buy(domain_type="MULTI_DOMAIN", domain_numbers=3, **OV, wildcard_domain_number=1)
    alice.apply(mixed, "example.com", sans="*.example.com", **COMPANY)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("-a.example.com", "hyphen"),
        (f"{'a' * 64}.example.com", "63"),
        ("a_b.example.com", "underscore"),
        ("192.0.2.1", "IP address"),
        ("[2001:db8::1]", ""),
        ("db.internal", ""),
        ("intranet", ""),
        ("host.local", ""),
        ("www.test", ""),
        ("co.uk", "public suffix"),
        ("com", ""),
    ],
)
def test_a_bad_name_is_refused_with_which_and_why(desk: Desk, alice: Caller, name: str, words: str) -> None:
    # rule: APP-7
    fault = alice.not_applied(alice.buy(), name)
    assert fault.field == "domain"
    assert name.strip("[]")[:20] in fault.message
    assert words in str(fault)


def test_a_wildcard_directly_under_a_public_suffix_is_refused(desk: Desk, alice: Caller) -> None:
    # rule: APP-7
    certificate_id = alice.buy(domain_type="WILDCARD")
    assert "public suffix" in str(alice.not_applied(certificate_id, "*.co.uk"))
    alice.apply(certificate_id, "*.example.co.uk")


def test_every_bad_name_of_the_corpus_is_refused(desk: Desk, alice: Caller) -> None:
    # rule: APP-6
    # rule: APP-7
    certificate_id = alice.buy()
    for name, _ in bad_names():
        if name == name.strip(" \t"):  # blanks around a name are taken off, not refused
            assert alice.refused("certificates.apply", certificate_id, {**PEOPLE, "domain": name}).message
    assert alice.status(certificate_id) == "PAID"


def test_contacts_are_checked_and_never_in_the_certificate(desk: Desk, alice: Caller) -> None:
    # rule: APP-10
    certificate_id = alice.buy()
    contact = {
        "contact_name": "Grace Hopper",
        "contact_phone": "+1 202 555 0100",
        "contact_email": "grace@example.net",
    }
    for field in ("applicant_name", "applicant_phone", "applicant_email"):
        for value in ("", "?"):
            assert alice.not_applied(certificate_id, **{field: value}).field == field
    for field, bad in (("contact_phone", "call me"), ("contact_email", "grace@"), ("contact_name", "")):
        assert alice.not_applied(certificate_id, **(contact | {field: bad})).field == field
    alice.apply(certificate_id, **contact)
    desk.publish(certificate_id)
    desk.run()
    der = alice.leaf(certificate_id).public_bytes(Encoding.DER)
    for value in (*contact.values(), *(PEOPLE[f"applicant_{one}"] for one in ("name", "phone", "email"))):
        assert str(value).encode() not in der
    assert b"www.example.com" in der


def test_the_statement_is_accepted_and_the_answers_prefill_the_next(office: Office) -> None:
    # rule: APP-11
    desk = office.desk
    alice = Caller(desk.alice)
    first = alice.buy(**OV)
    assert alice.not_applied(first, **COMPANY, agree_privacy_protection=False).field
    fresh = office.client().get(f"/certificates/{first}/apply").content.decode()
    assert "Ada Lovelace" not in fresh
    alice.apply(first, **COMPANY)
    page = office.client().get(f"/certificates/{alice.buy(**OV)}/apply").content.decode()
    for words in ("Ada Lovelace", "+44 20 7946 0000", "ada@example.com", COMPANY["company_name"], "Guiyang"):
        assert words in page
    charlie = office.client("charlie").get("/certificates")
    assert "Ada Lovelace" not in charlie.content.decode()


def test_no_hostile_csr_passes(desk: Desk, alice: Caller) -> None:
    # rule: APP-12
    certificate_id = alice.buy()
    refused = [one for one in hostile_csrs() if one.expect == "refused"]
    assert len(refused) >= 40
    for case in refused:
        fault = alice.refused("certificates.apply", certificate_id, {**PEOPLE, "domain": "", "csr": case.pem})
        assert fault.message, case.name
    assert alice.status(certificate_id) == "PAID"


def test_a_csr_decides_names_and_key(desk: Desk, alice: Caller) -> None:
    # rule: APP-12
    good, blocked = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    keystore.block(hashlib.sha256(keys.spki_der(blocked.public_key())).digest(), "compromised", clock.now())
    certificate_id = alice.buy()
    assert "compromised" in str(
        alice.not_applied(certificate_id, "", csr=csr_for("a.example.com", key=blocked))
    )
    for names in (("a.example.com", "b.example.com"), ("*.example.com",), ("co.uk",), ("a_b.example.com",)):
        alice.not_applied(certificate_id, "", csr=csr_for(*names, key=good))
    alice.not_applied(certificate_id, "other.example.com", csr=csr_for("a.example.com", key=good))
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 shown to be refused
    alice.not_applied(certificate_id, "", csr=csr_for("a.example.com", key=short))
    alice.apply(certificate_id, "", csr=csr_for("a.example.com", key=good))
    desk.publish(certificate_id)
    desk.run()
    leaf = alice.leaf(certificate_id)
    assert san(leaf) == ["a.example.com"]
    assert leaf.public_key() == good.public_key()


def test_a_refused_application_is_modified_and_nothing_is_paid_again(desk: Desk, alice: Caller) -> None:
    # rule: REO-1
    certificate_id = alice.buy(**OV)
    alice.refused("certificates.reopen", certificate_id)
    alice.apply(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    cash, orders = alice("balance.show")["cash"], Order.objects.count()
    officer = Caller(desk.someone("olga"))
    officer("organization.decide", certificate_id, {"decision": "reject", "reason": "Not in the register."})
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["last_failure"]) == ("UNPASSED", "Not in the register.")
    assert alice("certificates.reopen", certificate_id) == {"status": "PAID"}
    kept = alice.show(certificate_id)
    assert (kept["status"], kept["progress"], kept["last_failure"]) == ("PAID", 0, "Not in the register.")
    assert kept["application_info"]["company_name"] == COMPANY["company_name"]
    alice.apply(certificate_id, **COMPANY)
    assert alice.show(certificate_id)["last_failure"] == ""
    assert (alice("balance.show")["cash"], Order.objects.count()) == (cash, orders)


def test_withdrawing_is_for_the_two_pending_states(desk: Desk, alice: Caller) -> None:
    # rule: WDR-1
    # rule: WDR-2
    def withdrawn(certificate_id: str) -> None:
        alice("certificates.cancel", certificate_id)
        assert alice.status(certificate_id) == "CANCELCHECKING"
        alice.refused("certificates.cancel", certificate_id)
        desk.run()
        shown = alice.show(certificate_id)
        assert (shown["status"], shown["progress"]) == ("PAID", 0)
        alice.refused("certificates.cancel", certificate_id)

    certificate_id = alice.buy(**OV)
    alice.refused("certificates.cancel", certificate_id)
    alice.apply(certificate_id, **COMPANY)
    withdrawn(certificate_id)
    alice.apply(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "CHECKING_ORG"
    withdrawn(certificate_id)
    alice.apply(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "CHECKING_ORG"
    Caller(desk.someone("olga")).approve(certificate_id)
    alice.refused("certificates.cancel", certificate_id)  # To be issued
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    alice.refused("certificates.cancel", certificate_id)
