"""From application to certificate, for each kind, through real DNS and the built-in CA."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Conflict, Forbidden, Kind, NotFound
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Application, Contact
from certdesk.lifecycle.applications.queries import last_details
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.issuance.models import Placement
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation.organization_rules import checklist
from certdesk.pki.authority.models import Intent
from certdesk.pki.keystore.models import Key
from tests.support.desk import COMPANY, FORM, Desk

HOUR = timedelta(hours=1)


def leaf(certificate_id: str) -> x509.Certificate:
    version = Version.objects.get(certificate_id=certificate_id)
    return x509.load_der_x509_certificate(bytes(version.der))


def names_in(certificate_id: str) -> list[str]:
    extension = leaf(certificate_id).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def attribute(certificate_id: str, oid: x509.ObjectIdentifier) -> str:
    found = leaf(certificate_id).subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def csr_for(*names: str) -> tuple[str, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, names[0]),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Evil Ltd"),
            ]
        )
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    return pem, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_dv_certificate_goes_all_the_way(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="WWW.example.com")
    assert desk.state(certificate_id) == "CHECKING"
    desk.run()
    assert desk.state(certificate_id) == "CHECKING"
    desk.publish(certificate_id)
    desk.run(HOUR)
    certificate = desk.certificate(certificate_id)
    assert (certificate.state, certificate.current_version) == ("ISSUED", 1)
    assert (certificate.domain, certificate.sans) == ("www.example.com", "www.example.com")
    assert names_in(certificate_id) == ["www.example.com"]
    assert attribute(certificate_id, NameOID.ORGANIZATION_NAME) == ""
    version = Version.objects.get(certificate_id=certificate_id)
    assert Key.objects.get(id=version.key_id).tenant == desk.account.id
    assert certificate.not_before is not None
    assert certificate.not_after == leaf(certificate_id).not_valid_after_utc
    assert Application.objects.get().state == "FULFILLED"
    assert Placement.objects.get().state == "FULFILLED"
    assert Intent.objects.get().state == "SIGNED"
    mails = dict(Message.objects.values_list("template", "recipient"))
    assert mails == {"dns-record": "ada@example.com", "issued": "ada@example.com"}
    moves = Event.objects.filter(resource=f"cert:{certificate_id}", action__startswith="certificate.")
    assert [event.action for event in moves.order_by("id")] == [
        "certificate.bought",
        "certificate.apply",
        "certificate.domains_proved",
        "certificate.issue",
    ]


def test_contact_details_are_neither_in_the_certificate_nor_in_the_audit(desk: Desk) -> None:
    desk.issued("www.example.com")
    assert Contact.objects.get().applicant_email == "ada@example.com"
    assert b"ada@example.com" not in bytes(Version.objects.get().der)
    assert not Event.objects.filter(details__contains="ada@example.com").exists()
    assert not Event.objects.filter(details__contains="7946").exists()


def test_the_certificate_has_a_calendar_year_minus_a_second(desk: Desk) -> None:
    certificate = desk.certificate(desk.issued("www.example.com"))
    assert certificate.not_before is not None
    assert certificate.not_after is not None
    whole = certificate.not_after + timedelta(seconds=1)
    assert (whole.month, whole.day, whole.time()) == (
        certificate.not_before.month,
        certificate.not_before.day,
        certificate.not_before.time(),
    )
    assert whole.year == certificate.not_before.year + 1


def test_a_multi_domain_certificate_keeps_its_names_in_order(desk: Desk) -> None:
    names = ["b.example.com", "a.example.com", "www.example.org", "example.org"]
    certificate_id = desk.issued(*names)
    assert names_in(certificate_id) == names
    assert attribute(certificate_id, NameOID.COMMON_NAME) == "b.example.com"


def test_a_wildcard_certificate_is_proved_at_its_base(desk: Desk) -> None:
    certificate_id = desk.buy(domain_type="WILDCARD")
    desk.apply(certificate_id, domain="*.example.com")
    desk.publish(certificate_id)
    desk.run()
    assert names_in(certificate_id) == ["*.example.com"]
    assert {question[0].rstrip(".") for question in desk.dns.questions} >= {"_dnsauth.example.com"}


def test_an_uploaded_csr_gives_key_and_names_and_nothing_else(desk: Desk) -> None:
    csr, spki = csr_for("up.example.com")
    certificate_id = desk.issued("up.example.com", csr=csr)
    public_key = leaf(certificate_id).public_key()
    assert public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == spki
    assert attribute(certificate_id, NameOID.ORGANIZATION_NAME) == ""
    assert Version.objects.get().key_id == ""
    assert not Key.objects.filter(tenant=desk.account.id).exists()


def test_an_rsa_key_is_made_by_the_worker_when_the_pool_is_empty(desk: Desk) -> None:
    Key.objects.filter(state="POOL").delete()
    certificate_id = desk.issued("rsa.example.com", key_algorithm="RSA_2048")
    assert Version.objects.get().key_algorithm == "RSA_2048"
    assert Key.objects.get(id=Version.objects.get(certificate_id=certificate_id).key_id).state == "ASSIGNED"


def approve(desk: Desk, certificate_id: str, officer: str, level: str = "OV") -> validation.Decided:
    return validation.decide(
        desk.someone(officer),
        certificate_id,
        approve=True,
        checked=[item.id for item in checklist(level)],
        reason="",
        now=clock.now(),
    )


def test_an_ov_certificate_waits_for_an_officer(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    assert Message.objects.filter(template="organization-request").count() == 1
    assert approve(desk, certificate_id, "olga") == validation.Decided("ISSUING", 0)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    assert attribute(certificate_id, NameOID.ORGANIZATION_NAME) == "Example Trading Co.,Ltd"
    assert attribute(certificate_id, NameOID.COUNTRY_NAME) == "CN"


def test_an_ev_certificate_needs_two_officers(desk: Desk) -> None:
    certificate_id = desk.buy("EV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", registration_number="91520900", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    assert approve(desk, certificate_id, "olga", "EV") == validation.Decided("CHECKING_ORG", 1)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    with pytest.raises(Conflict):
        approve(desk, certificate_id, "olga", "EV")
    assert approve(desk, certificate_id, "omar", "EV") == validation.Decided("ISSUING", 0)
    desk.run()
    assert attribute(certificate_id, NameOID.SERIAL_NUMBER) == "91520900"
    assert attribute(certificate_id, NameOID.BUSINESS_CATEGORY) == "Private Organization"


@pytest.mark.parametrize(
    ("cert_type", "algorithm", "curve"),
    [("OV_SSL_CERT_PRO", "EC_P384", "secp384r1"), ("OV_SSL_CERT", "EC_P256", "secp256r1")],
)
def test_pro_types_have_stronger_keys_and_chains(
    desk: Desk, cert_type: str, algorithm: str, curve: str
) -> None:
    certificate_id = desk.buy(cert_type)
    desk.apply(certificate_id, domain="www.example.com", key_algorithm=algorithm, **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    approve(desk, certificate_id, "olga")
    desk.run()
    public_key = leaf(certificate_id).public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    assert public_key.curve.name == curve


def test_only_pending_application_can_be_applied_for(desk: Desk) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="a.example.com")
    with pytest.raises(CertdeskError) as caught:
        desk.apply(certificate_id, domain="b.example.com")
    assert caught.value.kind is Kind.WRONG_STATE
    assert Application.objects.count() == 1


def test_a_refused_form_leaves_nothing_behind(desk: Desk) -> None:
    certificate_id = desk.buy()
    with pytest.raises(CertdeskError):
        desk.apply(certificate_id, domain="exa_mple.com")
    assert desk.state(certificate_id) == "PAID"
    assert not Application.objects.exists()
    assert not Contact.objects.exists()


def test_applying_takes_the_permission(desk: Desk) -> None:
    certificate_id = desk.buy()
    with pytest.raises(Forbidden):
        actions.apply(desk.someone("bob", "scm:cert:get"), certificate_id, FORM, clock.now())
    stranger = desk.someone("mallory")
    with pytest.raises(NotFound):
        actions.apply(replace(stranger, account_id="f" * 32), certificate_id, FORM, clock.now())


def test_an_account_flag_bars_the_application(desk: Desk) -> None:
    certificate_id = desk.buy()
    type(desk.account).objects.filter(id=desk.account.id).update(real_name_verified=False)
    with pytest.raises(Forbidden):
        desk.apply(certificate_id, domain="a.example.com")


def test_the_last_details_prefill_the_next_application(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    values = last_details(desk.alice).values
    assert values["company_name"] == COMPANY["company_name"]
    assert values["applicant_email"] == "ada@example.com"
    assert "domain" not in values
    assert last_details(desk.alice, certificate_id).values["domain"] == "www.example.com"


def test_a_rejection_shows_its_reason_and_can_be_modified(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    decided = validation.decide(
        desk.someone("olga"),
        certificate_id,
        approve=False,
        checked=[],
        reason="The licence has expired.",
        now=clock.now(),
    )
    assert decided.status == "UNPASSED"
    assert desk.certificate(certificate_id).last_failure == "The licence has expired."
    assert Message.objects.filter(template="refused").count() == 1
    orders = Certificate.objects.get(id=certificate_id).order_id
    actions.reopen(desk.alice, certificate_id, clock.now())
    reopened = desk.certificate(certificate_id)
    assert (reopened.state, reopened.order_id) == ("PAID", orders)
    assert reopened.last_failure == "The licence has expired."
    desk.apply(certificate_id, domain="www.example.com", **COMPANY)
    desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"  # the proof of before counts: nothing was withdrawn


def test_what_was_not_refused_cannot_be_reopened(desk: Desk) -> None:
    with pytest.raises(CertdeskError):
        actions.reopen(desk.alice, desk.buy(), clock.now())
