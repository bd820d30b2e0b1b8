"""REV: a revoked certificate is one that the world sees as revoked."""

import re
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as forms
from cryptography.x509.oid import NameOID
from django.test import Client

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Attempt, Message
from certdesk.foundation.sealing.errors import SecretMissing
from certdesk.lifecycle.applications.models import Contact
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import revocation_jobs
from certdesk.lifecycle.issuance.models import RevocationRequest
from certdesk.lifecycle.validation.models import OrganizationDocument
from certdesk.pki.authority import issuers, ocsp, revocation
from tests.support.desk import Desk
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.organization import DECIDE, DOCUMENTS, PDF, waiting, yes
from tests.support.rulebook import SECOND, Caller, LabClock
from tests.support.uploads import World

from .test_rules_application import csr_for
from .test_rules_issuance import issue
from .test_rules_upload import upload

DAY = timedelta(days=1)
REVOKE, CONFIRM = "certificates.revoke", "certificates.confirm_revocation"


def status_of(leaf: x509.Certificate) -> forms.OCSPResponse:
    """What a browser would ask."""
    issuer = next(
        one.certificate
        for one in (issuers.holder(slug) for slug in ("dv-p256", "ov-p256", "ev-p256"))
        if one.certificate.subject == leaf.issuer
    )
    request = forms.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()  # noqa: S303
    answer = Client().post(
        "/ocsp", request.public_bytes(Encoding.DER), content_type="application/ocsp-request"
    )
    return forms.load_der_ocsp_response(answer.content)


def on_crl(leaf: x509.Certificate) -> x509.RevokedCertificate | None:
    enqueue(revocation.CRLS)
    testing.run_due(strict=True)
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = str((points[0].full_name or [])[0].value)
    content = Client().get("/" + url.split("/", 3)[3]).content
    return x509.load_der_x509_crl(content).get_revoked_certificate_by_serial_number(leaf.serial_number)


def proof_of(key: ec.EllipticCurvePrivateKey, words: str) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def watch() -> None:
    enqueue(revocation_jobs.WATCH)
    testing.run_due(strict=True)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp, "FRESH", 0)


def test_dv_is_revoked_within_the_next_job_and_the_world_sees_it(desk: Desk, alice: Caller) -> None:
    # rule: REV-1
    # rule: REV-2
    # rule: REV-4
    certificate_id = issue(desk, alice, "www.example.com")
    leaf = alice.leaf(certificate_id)
    assert status_of(leaf).certificate_status is forms.OCSPCertStatus.GOOD
    assert on_crl(leaf) is None
    body = {"reason_code": "SUPERSEDED", "reason": "the new one is in place"}
    assert alice(REVOKE, certificate_id, body) == {"cert_id": certificate_id, "message": "success"}
    assert alice.status(certificate_id) == "REVOKING"
    desk.run()
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["revoke_reason"]) == ("REVOKED", "the new one is in place")
    seen = status_of(leaf)
    assert seen.certificate_status is forms.OCSPCertStatus.REVOKED
    assert seen.revocation_reason is x509.ReasonFlags.superseded
    listed = on_crl(leaf)
    assert listed is not None
    assert listed.extensions.get_extension_for_class(x509.CRLReason).value.reason is (
        x509.ReasonFlags.superseded
    )
    (version,) = alice("certificates.versions", certificate_id)["items"]
    assert version["status"] == "REVOKED"
    assert Message.objects.filter(template="revoked", recipient="ada@example.com").count() == 1


def test_nothing_takes_it_back_and_buying_again_is_free(desk: Desk, alice: Caller) -> None:
    # rule: REV-3
    # rule: REV-5
    # rule: WDR-4
    certificate_id = issue(desk, alice, "www.example.com")
    alice(REVOKE, certificate_id, {})
    for state in ("REVOKING", "REVOKED"):
        assert alice.status(certificate_id) == state
        for name in ("certificates.cancel", REVOKE, "certificates.reopen"):
            body = {} if name == REVOKE else None
            assert alice.refused(name, certificate_id, body).kind.value == "wrong_state"
        desk.run()
    assert alice.refused("certificates.export", certificate_id).kind.value == "not_exportable"
    assert issue(desk, alice, "www.example.com") != certificate_id


def test_ov_is_revoked_only_after_the_mail_was_confirmed(desk: Desk, alice: Caller, client: Client) -> None:
    # rule: REV-2
    # rule: REV-9
    certificate_id = issue(desk, alice, "www.example.com", cert_type="OV_SSL_CERT")
    leaf = alice.leaf(certificate_id)
    alice(REVOKE, certificate_id, {"reason_code": "KEY_COMPROMISE", "reason": "laptop lost"})
    desk.run()
    assert alice.status(certificate_id) == "REVOKING"
    assert status_of(leaf).certificate_status is forms.OCSPCertStatus.GOOD
    assert alice.leaf(certificate_id) == leaf  # meanwhile it can be downloaded
    message = Message.objects.get(template="revocation-confirmation")
    assert message.recipient == "ada@example.com"
    assert "/confirm/" not in message.text  # who reads the outbox does not see the link
    text, _ = outbox.complete(message)
    address = re.search(r"/confirm/revocation-\S+", text)
    assert address is not None
    shown = client.get(address[0])
    assert (shown.status_code, "laptop lost" in shown.content.decode()) == (200, True)
    desk.run()
    assert alice.status(certificate_id) == "REVOKING"  # opening it revokes nothing
    assert 'data-standing="DONE"' in client.post(address[0]).content.decode()
    desk.run()
    assert alice.status(certificate_id) == "REVOKED"
    assert status_of(leaf).revocation_reason is x509.ReasonFlags.key_compromise
    assert 'data-standing="USED"' in client.post(address[0]).content.decode()
    assert client.get("/confirm/revocation-none").status_code == 404


def test_its_personal_data_goes_its_record_stays(desk: Desk, alice: Caller) -> None:
    # rule: REV-8
    # rule: REV-10
    certificate_id = issue(desk, alice, "www.example.com")
    Certificate.objects.filter(id=certificate_id).update(auto_renewal=True)
    leaf = alice.leaf(certificate_id)
    assert Contact.objects.filter(application__certificate_id=certificate_id).exists()
    alice(REVOKE, certificate_id, {})
    assert not Certificate.objects.get(id=certificate_id).auto_renewal
    desk.run()
    assert alice.show(certificate_id)["revoke_reason"] == "UNSPECIFIED"
    assert not Contact.objects.filter(application__certificate_id=certificate_id).exists()
    (version,) = alice("certificates.versions", certificate_id)["items"]
    assert version["serial"] == f"{leaf.serial_number:032x}"
    happened = {one["action"] for one in alice("certificates.events", certificate_id)["items"]}
    assert {"certificate.issue", "certificate.revoke", "certificate.revoked"} <= happened


def test_what_was_written_and_shown_goes_too_but_the_last_mail(desk: Desk, alice: Caller) -> None:
    # rule: REV-8
    certificate_id = waiting(desk, alice)
    alice(DOCUMENTS, certificate_id, {"name": "Licence.pdf", "content": PDF})
    Caller(desk.someone("olga"))(DECIDE, certificate_id, {**yes(), "reason": ""})
    desk.run(timedelta(minutes=1))
    assert alice.status(certificate_id) == "ISSUED"
    theirs = Message.objects.filter(certificate_id=certificate_id, recipient="ada@example.com")
    assert theirs.exclude(text="").count() > 1
    alice(REVOKE, certificate_id, {})
    alice(CONFIRM, certificate_id)
    desk.run()
    assert alice.status(certificate_id) == "REVOKED"
    assert OrganizationDocument.objects.get().name == ""
    (last,) = theirs
    assert (last.template, bool(last.text)) == ("revoked", True)
    assert not Message.objects.filter(certificate_id=certificate_id).exclude(id=last.id).exclude(text="")
    Message.objects.filter(id=last.id).update(state="QUEUED")
    desk.run(timedelta(minutes=61))
    assert theirs.count() == 1  # it waits for its delivery
    Message.objects.filter(id=last.id).update(state="SENT")
    Attempt.objects.create(message=last, at=clock.real_now(), delivered=True, answer="250 ada@example.com")
    desk.run(timedelta(minutes=61))
    last.refresh_from_db()
    assert (last.recipient, last.text, last.html, last.attempts.get().answer) == ("", "", "", "")


def test_the_account_may_confirm_too_and_twice_is_no_error(desk: Desk, alice: Caller) -> None:
    # rule: REV-2
    certificate_id = issue(desk, alice, "www.example.com", cert_type="OV_SSL_CERT")
    assert alice.refused(CONFIRM, certificate_id).kind.value == "wrong_state"
    alice(REVOKE, certificate_id, {})
    for _ in range(2):
        assert alice(CONFIRM, certificate_id)["message"] == "success"
    assert Event.objects.filter(action="certificate.revocation_confirmed").count() == 1
    desk.run()
    assert alice.status(certificate_id) == "REVOKED"
    assert alice.refused(CONFIRM, certificate_id).kind.value == "wrong_state"


def test_without_a_confirmation_it_is_issued_again_after_thirty_days(
    lab: LabClock, desk: Desk, alice: Caller, client: Client
) -> None:
    # rule: REV-9
    certificate_id = issue(desk, alice, "www.example.com", cert_type="OV_SSL_CERT")
    leaf, asked = alice.leaf(certificate_id), clock.now()
    alice(REVOKE, certificate_id, {})
    message = Message.objects.get(template="revocation-confirmation")
    address = re.search(r"/confirm/revocation-\S+", outbox.complete(message)[0])
    assert address is not None
    for moment, reminded in ((3 * DAY - SECOND, False), (3 * DAY, True), (3 * DAY + SECOND, True)):
        lab.at(asked + moment)
        watch()
        row = RevocationRequest.objects.get(certificate_id=certificate_id)
        assert (row.reminded_at is not None) is reminded
    lab.at(asked + 30 * DAY)
    watch()
    assert alice.status(certificate_id) == "REVOKING"
    assert 'data-standing="GOOD"' in client.get(address[0]).content.decode()
    lab.at(asked + 30 * DAY + SECOND)
    assert client.post(address[0]).status_code == 410
    watch()
    shown = alice.show(certificate_id)
    assert shown["status"] == "ISSUED"
    assert "not confirmed within 30 days" in shown["last_failure"]
    assert status_of(leaf).certificate_status is forms.OCSPCertStatus.GOOD
    with pytest.raises(SecretMissing):  # the link is gone
        outbox.complete(Message.objects.get(id=message.id))
    alice(REVOKE, certificate_id, {})  # and it can be asked for anew
    assert alice.status(certificate_id) == "REVOKING"


def test_what_expires_before_its_confirmation_is_expired(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: LST-7
    certificate_id = issue(desk, alice, "www.example.com", cert_type="OV_SSL_CERT")
    end = alice.leaf(certificate_id).not_valid_after_utc
    lab.at(end - 31 * DAY)
    alice(REVOKE, certificate_id, {})
    lab.at(end + SECOND)
    assert alice.status(certificate_id) == "EXPIRED"
    assert alice.refused(CONFIRM, certificate_id).kind.value == "wrong_state"
    watch()
    assert Certificate.objects.get(id=certificate_id).state == State.ISSUED
    assert alice.status(certificate_id) == "EXPIRED"


def test_the_month_before_the_end_bars_an_ordinary_request(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REV-1
    # rule: REV-6
    first, second = (issue(desk, alice, f"{name}.example.com") for name in "ab")
    end = alice.leaf(first).not_valid_after_utc
    lab.at(end - 30 * DAY)
    refusal = alice.refused(REVOKE, first, {"reason_code": "SUPERSEDED"})
    assert (refusal.kind.value, "within one month" in refusal.message) == ("wrong_state", True)
    assert alice.status(first) == "ISSUED"
    assert "revoke" not in alice.show(first)["operations"]
    alice(REVOKE, first, {"reason_code": "KEY_COMPROMISE"})  # that is always allowed
    lab.at(end - 30 * DAY - SECOND)
    assert "revoke" in alice.show(second)["operations"]
    alice(REVOKE, second, {})


@pytest.mark.parametrize(("days", "allowed"), [(100, True), (101, False)])
def test_what_lives_a_hundred_days_has_no_such_month(
    lab: LabClock, desk: Desk, alice: Caller, days: int, allowed: bool
) -> None:
    # rule: REV-6
    certificate_id = issue(desk, alice, "www.example.com")
    begin = alice.leaf(certificate_id).not_valid_before_utc
    Certificate.objects.filter(id=certificate_id).update(not_after=begin + timedelta(days=days))
    lab.at(begin + timedelta(days=days - 10))
    assert ("revoke" in alice.show(certificate_id)["operations"]) is allowed
    if allowed:
        alice(REVOKE, certificate_id, {})
    else:
        assert alice.refused(REVOKE, certificate_id, {}).kind.value == "wrong_state"


@pytest.mark.parametrize("state", [state for state in State if state not in (State.ISSUED, State.DELETED)])
def test_only_issued_ones_are_revoked(desk: Desk, alice: Caller, state: State) -> None:
    # rule: REV-1
    certificate_id = alice.buy()
    if state is State.EXPIRED:
        placed(certificate_id, State.ISSUED, clock.now() - SECOND)
    else:
        placed(certificate_id, state)
    refusal = alice.refused(REVOKE, certificate_id, {})
    assert refusal.kind.value == "wrong_state"
    assert "revoke" not in alice.show(certificate_id)["operations"]


def test_an_uploaded_one_is_not(desk: Desk, alice: Caller) -> None:
    # rule: REV-1
    certificate_id = upload(alice, World().body())
    for reason in ("", "KEY_COMPROMISE"):
        refusal = alice.refused(REVOKE, certificate_id, {"reason_code": reason})
        assert "only the CA that issued it" in refusal.message


def test_a_proved_compromise_blocks_the_key_in_every_account(desk: Desk, alice: Caller) -> None:
    # rule: REV-6
    key = ec.generate_private_key(ec.SECP256R1())
    one, other = (
        issue(desk, alice, f"{name}.example.com", csr=csr_for(f"{name}.example.com", key=key))
        for name in "ab"
    )
    leaves = [alice.leaf(one), alice.leaf(other)]
    old = csr_for("a.example.com", key=key)
    stranger = proof_of(ec.generate_private_key(ec.SECP256R1()), f"key compromise {one}")
    for bad in (old, stranger, proof_of(key, f"key compromise {other}"), "no CSR", "x" * 20_000):
        refusal = alice.refused(REVOKE, one, {"reason_code": "KEY_COMPROMISE", "key_proof": bad})
        assert (refusal.field, alice.status(one)) == ("key_proof", "ISSUED")
    good = proof_of(key, f"key compromise {one}")
    assert alice.refused(REVOKE, one, {"key_proof": good}).field == "key_proof"
    alice(REVOKE, one, {"reason_code": "KEY_COMPROMISE", "key_proof": good})
    desk.run()
    for certificate_id, leaf in zip((one, other), leaves, strict=True):
        assert alice.status(certificate_id) == "REVOKED"
        assert status_of(leaf).revocation_reason is x509.ReasonFlags.key_compromise
    third = alice.buy()
    assert "key" in alice.not_applied(third, csr=csr_for("www.example.com", key=key)).message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason_code": "BOREDOM"}, "reason_code"),
        ({"reason_code": "key_compromise"}, "reason_code"),
        ({"reason": "x" * 256}, "reason"),
    ],
)
def test_what_is_no_reason(desk: Desk, alice: Caller, body: dict[str, str], field: str) -> None:
    certificate_id = issue(desk, alice, "www.example.com")
    assert alice.refused(REVOKE, certificate_id, body).field == field
    alice(REVOKE, certificate_id, {"reason": "x" * 255})


def test_the_older_api_gives_its_reason_in_words(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "www.example.com")
    more = {"project_id": desk.account.name, "cert_id": certificate_id}
    assert alice.refused("v2.revoke", body={"reason": "x" * 64}, **more).kind.value == "bad_parameter"
    answer = alice("v2.revoke", body={"reason": "x" * 63}, **more)
    assert answer == {"cert_id": certificate_id, "message": "success"}
    desk.run()
    assert RevocationRequest.objects.get(certificate_id=certificate_id).words == "x" * 63
    assert alice.status(certificate_id) == "REVOKED"


def test_whose_right_it_is(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "www.example.com")
    bob = Caller(desk.someone("bob", "scm:cert:get", "scm:cert:list"))
    for name in (REVOKE, CONFIRM):
        body = {} if name == REVOKE else None
        assert bob.refused(name, certificate_id, body).kind.value == "forbidden"
    assert Caller(desk.someone("rob", "scm:cert:revoke", "scm:cert:get"))(REVOKE, certificate_id, {})


def test_charlie_learns_nothing(office: Office) -> None:
    certificate_id = issue(office.desk, Caller(office.desk.alice), "www.example.com")
    charlie = Caller(queries.principal_of(office.people["charlie"], Via.API))
    for wanted in (certificate_id, "scs0000000000000"):
        assert charlie.refused(REVOKE, wanted, {}).kind.value == "not_found"
