"""Rules of application, proof, organisation and issuance, each through the operations that faces serve."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.operations import index, registry
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.validation.organization_rules import checklist
from tests.support.desk import COMPANY, Desk

from .test_main_path import csr_for

PEOPLE = {
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
    "agree_privacy_protection": True,
    "key_algorithm": "EC_P256",
}


assert index  # importing it declares every operation


class Client:
    """A user at the operations registry."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def __call__(self, name: str, certificate_id: str = "", body: object = None, **more: Any) -> Any:
        ids = {"certificate_id": certificate_id} if certificate_id else {}
        return registry.call(name, self.principal, body=body, **ids, **more)[1]

    def apply(self, certificate_id: str, domain: str, **more: object) -> Any:
        return self("certificates.apply", certificate_id, {**PEOPLE, "domain": domain, **more})

    def show(self, certificate_id: str) -> Any:
        return self("certificates.show", certificate_id)

    def proof(self, certificate_id: str) -> Any:
        return self("certificates.domain_verification", certificate_id)["domains"]


@pytest.fixture
def alice(desk: Desk) -> Client:
    return Client(desk.alice)


def refusal(client: Client, certificate_id: str, domain: str, **more: object) -> CertdeskError:
    with pytest.raises(CertdeskError) as caught:
        client.apply(certificate_id, domain, **more)
    return caught.value


def test_submitting_moves_to_pending_domain_name_verification(desk: Desk, alice: Client) -> None:
    # rule: APP-1
    certificate_id = desk.buy()
    assert alice.apply(certificate_id, "www.example.com") == {"request_info": "success"}
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["progress"]) == ("CHECKING", 40)
    refusal(alice, certificate_id, "www.example.com")


def test_system_generated_and_uploaded_csr(desk: Desk, alice: Client) -> None:
    # rule: APP-2
    made, uploaded = desk.buy(), desk.buy()
    alice.apply(made, "www.example.com")
    alice.apply(uploaded, "", csr=csr_for("up.example.com")[0])
    for certificate_id in (made, uploaded):
        desk.publish(certificate_id)
    desk.run()
    assert alice.show(uploaded)["domain"] == "up.example.com"
    assert "PRIVATE KEY" in alice("certificates.export", made)["private_key"]
    assert not alice("certificates.export", uploaded).get("private_key")


@pytest.mark.parametrize(
    ("cert_type", "algorithm", "good"),
    [
        ("OV_SSL_CERT", "RSA_2048", True),
        ("OV_SSL_CERT", "RSA_3072", True),
        ("OV_SSL_CERT", "RSA_4096", False),
        ("OV_SSL_CERT_PRO", "RSA_4096", True),
        ("OV_SSL_CERT_PRO", "EC_P256", False),
    ],
)
def test_key_algorithms_follow_the_type(
    desk: Desk, alice: Client, cert_type: str, algorithm: str, good: bool
) -> None:
    # rule: APP-3
    # rule: CAT-4
    certificate_id = desk.buy(cert_type)
    if good:
        alice.apply(certificate_id, "www.example.com", key_algorithm=algorithm, **COMPANY)
    else:
        fault = refusal(alice, certificate_id, "www.example.com", key_algorithm=algorithm, **COMPANY)
        assert fault.field == "key_algorithm"


def test_root_hash_algorithm_is_default_or_sha_256(desk: Desk, alice: Client) -> None:
    # rule: APP-4
    alice.apply(desk.buy(), "a.example.com", ca_hash_algorithm="SHA-256")
    alice.apply(desk.buy(), "b.example.com", ca_hash_algorithm="DEFAULT")
    assert refusal(alice, desk.buy(), "c.example.com", ca_hash_algorithm="MD5").field == "ca_hash_algorithm"


def test_names_stay_within_what_was_bought(desk: Desk, alice: Client) -> None:
    # rule: APP-5
    multi = desk.buy(domain_type="MULTI_DOMAIN", names=3)
    refusal(alice, multi, "a.example.com")
    refusal(alice, multi, "a.example.com", sans="b.example.com;B.example.com")
    refusal(alice, multi, "a.example.com", sans="b.example.com;c.example.com;d.example.com")
    refusal(alice, desk.buy(), "*.example.com")
    refusal(alice, desk.buy(domain_type="WILDCARD"), "www.example.com")
    alice.apply(multi, "a.example.com", sans="b.example.com")  # fewer than bought


def test_a_single_domain_certificate_holds_exactly_one_name(desk: Desk, alice: Client) -> None:
    # rule: CAT-10
    certificate_id = desk.buy()
    refusal(alice, certificate_id, "example.com", sans="www.example.com")
    alice.apply(certificate_id, "example.com")
    desk.publish(certificate_id)
    desk.run()
    leaf = x509.load_pem_x509_certificate(
        alice("certificates.export", certificate_id)["certificate"].encode()
    )
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["example.com"]


def test_a_unicode_name_is_refused_with_its_punycode(desk: Desk, alice: Client) -> None:
    # rule: APP-6
    certificate_id = desk.buy()
    assert "xn--" in refusal(alice, certificate_id, "例子.example.com").next_step
    alice.apply(certificate_id, "xn--fsqu00a.example.com")


def test_names_cannot_be_changed_but_by_withdrawing(desk: Desk, alice: Client) -> None:
    # rule: APP-8
    certificate_id = desk.buy()
    alice.apply(certificate_id, "a.example.com")
    refusal(alice, certificate_id, "b.example.com")
    alice("certificates.cancel", certificate_id)
    desk.run()
    alice.apply(certificate_id, "b.example.com")
    assert alice.show(certificate_id)["domain"] == "b.example.com"


def test_company_fields_are_mandatory_for_ov_only(desk: Desk, alice: Client) -> None:
    # rule: APP-9
    alice.apply(desk.buy(), "www.example.com")
    ov = desk.buy("OV_SSL_CERT")
    for missing in COMPANY:
        assert refusal(alice, ov, "www.example.com", **(COMPANY | {missing: ""})).field == missing
    alice.apply(ov, "www.example.com", **COMPANY)


def test_applicant_and_contact_are_checked(desk: Desk, alice: Client) -> None:
    # rule: APP-10
    certificate_id = desk.buy()
    for field in ("applicant_name", "applicant_phone", "applicant_email"):
        assert refusal(alice, certificate_id, "www.example.com", **{field: "?"}).field == field
    fault = refusal(alice, certificate_id, "www.example.com", contact_name="Alan Turing")
    assert fault.field == "contact_phone"
    alice.apply(certificate_id, "www.example.com")
    desk.publish(certificate_id)
    desk.run()
    assert "ada@example.com" not in str(alice("certificates.export", certificate_id))


def test_the_statement_must_be_accepted(desk: Desk, alice: Client) -> None:
    # rule: APP-11
    certificate_id = desk.buy()
    fault = refusal(alice, certificate_id, "www.example.com", agree_privacy_protection=False)
    assert fault.field == "agree_privacy_protection"


def test_without_real_name_authentication_no_application(desk: Desk, alice: Client) -> None:
    # rule: APP-14
    certificate_id = desk.buy()
    type(desk.account).objects.update(real_name_verified=False)
    assert "real-name" in refusal(alice, certificate_id, "www.example.com").message


def test_each_name_is_verified_on_its_own(desk: Desk, alice: Client) -> None:
    # rule: DOM-1
    # rule: DOM-11
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=2)
    alice.apply(certificate_id, "a.example.com", sans="b.example.com")
    desk.publish(certificate_id, leave_out=("b.example.com",))
    report = alice("certificates.verify", certificate_id)
    assert report["status"] == "CHECKING"
    assert [one["status"] for one in report["domains"]] == ["VERIFIED", "FAILED"]
    assert report["domains"][1]["cause"]
    assert alice.proof(certificate_id)[1]["checks"][0]["perspective"] == "local"


def test_where_the_record_goes(desk: Desk, alice: Client) -> None:
    # rule: DOM-3
    # rule: DOM-14
    # rule: DOM-15
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=4)
    alice.apply(certificate_id, "www.example.com", sans="example.com;a.example.com;www.co.uk")
    records = {
        one["domain"]: (one["record_name"], one["record_value"]) for one in alice.proof(certificate_id)
    }
    assert records["www.example.com"] == records["example.com"]
    assert records["example.com"][0] == "_dnsauth.example.com"
    assert records["a.example.com"][0] == "_dnsauth.a.example.com"
    assert records["www.co.uk"][0] == "_dnsauth.www.co.uk"
    assert len({value for _, value in records.values()}) == 3


def test_the_check_commands_are_given(desk: Desk, alice: Client) -> None:
    # rule: DOM-5
    certificate_id = desk.buy()
    alice.apply(certificate_id, "www.example.com")
    commands = alice.proof(certificate_id)[0]["commands"]
    assert commands[0] == "nslookup -q=TXT _dnsauth.example.com"
    assert any(command.startswith("dig ") for command in commands)


def test_the_record_type_is_catalogue_data(desk: Desk, alice: Client, tmp_path: Any) -> None:
    # rule: DOM-16
    from certdesk.foundation.common import settings

    text = SHIPPED.read_text(encoding="utf-8")
    wanted = '[brands.GEOTRUST]\ntitle = "GeoTrust"\n'
    assert wanted in text
    (tmp_path / "c.toml").write_text(text.replace(wanted, wanted + 'record_type = "CNAME"\n'))
    settings.install(settings.get().model_copy(update={"catalogue": tmp_path / "c.toml"}))
    certificate_id = desk.buy()
    alice.apply(certificate_id, "www.example.com")
    record = alice.proof(certificate_id)[0]
    first, second, zone = record["record_value"].split(".", 2)
    assert (record["record_type"], len(first), len(second)) == ("CNAME", 32, 32)
    assert zone == settings.get().dcv_zone
    desk.dns.set(record["record_name"], "CNAME", ["elsewhere.example.net."])
    seen = alice("certificates.verify", certificate_id)["domains"][0]
    assert "elsewhere.example.net" in seen["seen"] + seen["cause"]
    desk.dns.set(record["record_name"], "CNAME", [record["record_value"] + "."])
    assert alice("certificates.verify", certificate_id)["status"] == "ISSUING"


def test_ov_goes_on_to_the_organization_and_dv_to_issuance(desk: Desk, alice: Client) -> None:
    # rule: DOM-10
    dv, ov = desk.buy(), desk.buy("OV_SSL_CERT")
    alice.apply(dv, "dv.example.com")
    alice.apply(ov, "ov.example.com", **COMPANY)
    for certificate_id in (dv, ov):
        desk.publish(certificate_id)
    assert alice("certificates.verify", dv)["status"] == "ISSUING"
    assert alice.show(dv)["progress"] == 90
    assert alice("certificates.verify", ov)["status"] == "CHECKING_ORG"
    assert alice.show(ov)["progress"] == 70


def test_the_officer_decides_and_the_applicant_never(desk: Desk, alice: Client) -> None:
    # rule: ORG-2
    # rule: ORG-5
    # rule: ORG-3
    certificate_id = desk.buy("OV_SSL_CERT")
    alice.apply(certificate_id, "www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    assert Message.objects.filter(template="organization-request", recipient="ada@example.com").exists()
    body = {"decision": "approve", "checked": [item.id for item in checklist("OV")], "reason": ""}
    with pytest.raises(CertdeskError):
        alice("organization.decide", certificate_id, body)
    olga = Client(desk.someone("olga"))
    assert olga("organization.decide", certificate_id, body)["status"] == "ISSUING"
    desk.run()
    assert alice.show(certificate_id)["status"] == "ISSUED"


def test_withdrawing_leads_back_to_pending_application(desk: Desk, alice: Client) -> None:
    # rule: WDR-1
    # rule: WDR-2
    certificate_id = desk.buy()
    with pytest.raises(CertdeskError):
        alice("certificates.cancel", certificate_id)
    alice.apply(certificate_id, "www.example.com")
    assert alice("certificates.cancel", certificate_id)["message"] == "success"
    assert alice.show(certificate_id)["status"] == "CANCELCHECKING"
    desk.run()
    assert alice.show(certificate_id)["status"] == "PAID"


def test_applying_again_repeats_the_proof(desk: Desk, alice: Client) -> None:
    # rule: WDR-5
    certificate_id = desk.buy("OV_SSL_CERT")
    alice.apply(certificate_id, "www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    alice("certificates.cancel", certificate_id)
    desk.run()
    alice.apply(certificate_id, "www.example.com", **COMPANY)
    assert alice.proof(certificate_id)[0]["status"] == "PENDING"


def test_the_ca_was_quicker(desk: Desk, alice: Client) -> None:
    # rule: WDR-3
    certificate_id = desk.buy()
    alice.apply(certificate_id, "www.example.com")
    desk.publish(certificate_id)
    alice("certificates.verify", certificate_id)
    with pytest.raises(CertdeskError, match="approved"):
        alice("certificates.cancel", certificate_id)


def test_a_permanent_refusal_shows_the_words_of_the_ca(desk: Desk, alice: Client) -> None:
    # rule: ISS-4
    import hashlib

    from certdesk.foundation.common import clock
    from certdesk.pki.keystore import actions as keystore

    csr, spki = csr_for("www.example.com")
    certificate_id = desk.buy()
    alice.apply(certificate_id, "", csr=csr)
    keystore.block(hashlib.sha256(spki).digest(), "compromised", clock.now())
    desk.publish(certificate_id)
    desk.run(strict=False)
    shown = alice.show(certificate_id)
    assert shown["status"] == "UNPASSED"
    assert "compromised" in shown["last_failure"]


@pytest.mark.parametrize(("entered", "signed"), [("91520900MA6J", "91520900MA6J"), ("", "Not stated")])
def test_the_registration_number_of_ev_is_the_officers_or_openly_not_stated(
    desk: Desk, alice: Client, entered: str, signed: str
) -> None:
    # rule: ORG-2
    # rule: ISS-2
    certificate_id = desk.buy("EV_SSL_CERT")
    alice.apply(certificate_id, "www.example.com", **COMPANY)
    desk.publish(certificate_id)
    desk.run()
    items = {one["id"]: one["text"] for one in alice("organization.show", certificate_id)["checklist"]}
    assert "Not stated" in items["jurisdiction"]
    body = {"decision": "approve", "checked": list(items), "reason": ""}
    Client(desk.someone("olga"))(
        "organization.decide", certificate_id, {**body, "registration_number": entered}
    )
    seen = alice("organization.show", certificate_id)
    assert ("Not stated" in str(seen["checklist"])) is not bool(entered)
    Client(desk.someone("omar"))("organization.decide", certificate_id, body)
    desk.run()
    pem = alice("certificates.export", certificate_id)["certificate"].encode()
    subject = x509.load_pem_x509_certificate(pem).subject
    assert subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == signed
