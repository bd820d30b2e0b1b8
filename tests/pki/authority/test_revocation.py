"""Revoked means revoked: OCSP at once, the CRL by the next job, numbers that only rise."""

import secrets
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as ocsp_forms

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.pki.authority import (
    crl,
    der,
    issue,
    issuers,
    jobs,
    ocsp,
    publishing,
    queries,
    responders,
    revocation,
)
from certdesk.pki.authority.models import Authority, Crl, Reason, Responder, Revocation
from certdesk.pki.authority.types import Signed
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import certificates
from tests.support.authority import NOW, request

pytestmark = pytest.mark.usefixtures("ca")

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
BIN = Path(sys.executable).parent


def issued(*names: str) -> Signed:
    prepared = issue.prepare(request(names or ("www.example.com",)), NOW)
    issue.intend([prepared])
    signed = issue.sign(prepared)
    issue.record([signed])
    return signed


def leaf(signed: Signed) -> x509.Certificate:
    return x509.load_der_x509_certificate(signed.der)


def authority(slug: str = "dv-p256") -> x509.Certificate:
    return issuers.holder(slug).certificate


def sign_due(now: datetime = NOW) -> list[str]:
    """One round of the job; answers the names it signed."""
    names = publishing.due(now)
    for plan in publishing.take_numbers(names, now):
        assert publishing.publish(publishing.sign(plan))
    return names


def list_of(name: str) -> x509.CertificateRevocationList:
    held = queries.published(name)
    assert held is not None
    return x509.load_der_x509_crl(held.full)


def delta_of(name: str) -> x509.CertificateRevocationList:
    held = queries.published(name)
    assert held is not None
    return x509.load_der_x509_crl(held.delta)


def number_of(one: x509.CertificateRevocationList) -> int:
    return one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def crl_name(signed: Signed) -> str:
    return revocation.crl_of(leaf(signed), signed.issuer)


def question(
    serial: int, issuer: x509.Certificate | None = None, *, nonce: bytes = b"", old: bool = True
) -> bytes:
    builder = ocsp_forms.OCSPRequestBuilder().add_certificate_by_hash(
        *_hashes(issuer or authority(), "sha1" if old else "sha256"),
        serial_number=serial,
        algorithm=hashes.SHA1() if old else hashes.SHA256(),  # noqa: S303 - of a CertID
    )
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _hashes(issuer: x509.Certificate, name: str) -> tuple[bytes, bytes]:
    return ocsp._digest(name, issuer.subject.public_bytes()), ocsp._key_hash(name, issuer)


def ask(request: bytes, now: datetime = NOW) -> ocsp_forms.OCSPResponse:
    return ocsp_forms.load_der_ocsp_response(ocsp.answer(request, now).der)


@pytest.fixture
def turned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kept answer is held against the records anew."""
    monkeypatch.setattr(ocsp, "FRESH", 0)


def test_each_certificate_points_to_the_partition_that_its_serial_chooses() -> None:
    for _ in range(6):
        signed = issued(f"{secrets.token_hex(4)}.example.com")
        number = int(signed.serial, 16) % issuers.CRL_PARTITIONS
        assert crl_name(signed) == f"dv-p256-{number}"


def test_a_certificate_without_a_partition_is_on_the_crl_of_its_issuer() -> None:
    holder = issuers.holder("dv-p256")
    for name in ("dv-p256", "dv-p256-999", "another", "dv-p256-x"):
        pointer = issuers.crl_pointer(name, "http://old.example.com")
        certificate = (
            x509.CertificateBuilder(extensions=[x509.Extension(pointer.oid, False, pointer)])
            .subject_name(x509.Name([]))
            .issuer_name(holder.certificate.subject)
            .public_key(holder.key.public_key())
            .serial_number(77)
            .not_valid_before(NOW)
            .not_valid_after(NOW + DAY)
            .sign(holder.key, hashes.SHA256())
        )
        expected = name if name in ("dv-p256", "dv-p256-999") else "dv-p256"
        assert revocation.crl_of(certificate, "dv-p256") == expected


def test_revoked_once_for_ever_with_the_first_date_and_reason() -> None:
    # rule: REV-4
    signed = issued()
    assert revocation.revoke(signed.serial, Reason.KEY_COMPROMISE, NOW)
    assert not revocation.revoke(signed.serial, Reason.SUPERSEDED, NOW + DAY)
    row = Revocation.objects.get(serial=signed.serial)
    assert (row.reason, row.revoked_at) == (1, NOW.replace(microsecond=0))
    with pytest.raises(NotFound):
        revocation.revoke("ab" * 16, Reason.SUPERSEDED, NOW)


def test_one_of_many_waits_a_little_for_the_others_but_a_single_one_never_does() -> None:
    # rule: REV-4
    first, second, single = (issued(f"{name}.example.com") for name in "abc")
    before = clock.real_now()
    revocation.revoke(first.serial, Reason.SUPERSEDED, NOW, many=True)
    revocation.revoke(second.serial, Reason.SUPERSEDED, NOW, many=True)
    waiting = Job.objects.get(kind=revocation.CRLS, state="READY")
    assert waiting.run_at >= before + revocation.GATHERED
    revocation.revoke(single.serial, Reason.SUPERSEDED, NOW)
    assert Job.objects.get(kind=revocation.CRLS, state="READY").run_at <= clock.real_now()


def test_the_job_makes_every_crl_and_puts_a_revoked_serial_on_its_own() -> None:
    # rule: REV-4
    signed, other = issued("a.example.com"), issued("b.example.com")
    enqueue(jobs.RESPONDERS)
    enqueue(revocation.CRLS)
    assert testing.run_due(strict=True) >= 3  # more than one round of CRLs
    roots = Authority.objects.filter(parent=None).count()
    issuing = Authority.objects.exclude(parent=None).count()
    assert Crl.objects.exclude(this_update=None).count() == roots + issuing * issuers.CRL_PARTITIONS
    assert Responder.objects.count() == roots + issuing
    name = crl_name(signed)
    assert list_of(name).get_revoked_certificate_by_serial_number(int(signed.serial, 16)) is None
    revocation.revoke(signed.serial, Reason.AFFILIATION_CHANGED, clock.now())
    testing.run_due(strict=True)
    shown = list_of(name).get_revoked_certificate_by_serial_number(int(signed.serial, 16))
    assert shown is not None
    reason = shown.extensions.get_extension_for_class(x509.CRLReason).value
    assert reason.reason is x509.ReasonFlags.affiliation_changed
    assert list_of(name).get_revoked_certificate_by_serial_number(int(other.serial, 16)) is None
    assert list_of(name).is_signature_valid(authority().public_key())  # type: ignore[arg-type]


def test_large_crls_have_jobs_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_due()
    names = ["dv-p256-0", "dv-p256-1", "dv-p256-2", "dv-p256-3"]
    monkeypatch.setattr(publishing, "MOST_ENTRIES", 10)
    for name, entries in zip(names, (11, 4, 6, 0), strict=True):
        Crl.objects.filter(name=name).update(entries=entries)
    assert publishing.at_once(names) == names[:1]
    assert publishing.at_once(names[1:]) == names[1:]
    signed = issued()
    revocation.revoke(signed.serial, Reason.SUPERSEDED, NOW)
    Revocation.objects.filter(serial=signed.serial).update(crl="dv-p256-3")  # not shown yet, and it counts
    assert publishing.at_once(names[1:]) == names[1:3]
    assert publishing.at_once([]) == []


def test_numbers_only_rise_even_from_a_restored_old_database() -> None:
    sign_due()
    before = number_of(list_of("dv-p256-0"))
    Crl.objects.filter(name="dv-p256-0").update(number=3, base=3)  # what an old copy may hold
    assert "dv-p256-0" in sign_due(NOW + DAY)
    assert number_of(list_of("dv-p256-0")) >= before
    Crl.objects.filter(name="dv-p256-0").update(number=9_000_000_000)
    sign_due(NOW + 2 * DAY)
    assert number_of(list_of("dv-p256-0")) == 9_000_000_001


def test_an_unchanged_crl_is_made_anew_after_a_day_and_never_goes_back() -> None:
    assert sign_due()
    assert sign_due(NOW + DAY - SECOND) == []
    assert "dv-p256-3" in sign_due(NOW + DAY)
    ahead = list_of("dv-p256-3").last_update_utc
    assert "dv-p256-3" in sign_due(NOW)  # the clock was set back
    assert list_of("dv-p256-3").last_update_utc == ahead


def test_a_later_number_wins_over_a_late_signature() -> None:
    (late,) = publishing.take_numbers(["dv-p256-1"], NOW)
    (new,) = publishing.take_numbers(["dv-p256-1"], NOW)
    assert new.number > late.number
    assert publishing.publish(publishing.sign(new))
    assert not publishing.publish(publishing.sign(late))
    assert number_of(list_of("dv-p256-1")) == new.number


def test_the_delta_holds_what_the_base_does_not() -> None:
    first = issued("a.example.com")
    revocation.revoke(first.serial, Reason.SUPERSEDED, NOW)
    sign_due()
    name = crl_name(first)
    assert [len(list_of(name)), len(delta_of(name))] == [1, 0]
    base = number_of(list_of(name))
    second = first
    while crl_name(second) != name or second is first:
        second = issued(f"{secrets.token_hex(4)}.example.com")
    revocation.revoke(second.serial, Reason.UNSPECIFIED, NOW + SECOND)
    assert sign_due(NOW + SECOND) == [name]
    (entry,) = delta_of(name)
    assert entry.serial_number == int(second.serial, 16)
    assert len(entry.extensions) == 0  # nothing was said about the reason
    assert len(list_of(name)) == 2
    indicator = delta_of(name).extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert (indicator.critical, indicator.value.crl_number) == (True, base)
    assert number_of(delta_of(name)) == number_of(list_of(name)) > base
    sign_due(NOW + DAY + SECOND)  # the next base
    assert [len(list_of(name)), len(delta_of(name))] == [2, 0]


def test_an_entry_stays_until_a_crl_after_its_end_has_shown_it() -> None:
    signed = issued()
    revocation.revoke(signed.serial, Reason.SUPERSEDED, NOW)
    sign_due()
    name, end = crl_name(signed), signed.not_after
    sign_due(end + crl.KEPT - DAY)
    assert len(list_of(name)) == 1
    sign_due(end + crl.KEPT)
    assert len(list_of(name)) == 0


def test_good_revoked_unknown_and_foreign(turned: None) -> None:
    # rule: REV-4
    signed = issued()
    serial = int(signed.serial, 16)
    for old in (True, False):
        assert ask(question(serial, old=old)).certificate_status is ocsp_forms.OCSPCertStatus.GOOD
    revocation.revoke(signed.serial, Reason.KEY_COMPROMISE, NOW)
    answer = ask(question(serial))
    assert answer.certificate_status is ocsp_forms.OCSPCertStatus.REVOKED
    assert answer.revocation_reason is x509.ReasonFlags.key_compromise
    assert answer.revocation_time_utc == NOW.replace(microsecond=0)
    for number in (1, 77, secrets.randbits(128), serial + 1):
        assert ask(question(number)).certificate_status is ocsp_forms.OCSPCertStatus.UNKNOWN
    # the serial of another authority's certificate is not this one's
    assert ask(question(serial, authority("ov-p256"))).certificate_status is ocsp_forms.OCSPCertStatus.UNKNOWN
    stranger = question(serial, leaf(signed))
    assert ask(stranger).response_status is ocsp_forms.OCSPResponseStatus.UNAUTHORIZED


def test_a_certificate_that_is_only_intended_is_not_good() -> None:
    prepared = issue.prepare(request(), NOW)
    issue.intend([prepared])
    number = int(prepared.serial, 16)
    assert ask(question(number)).certificate_status is ocsp_forms.OCSPCertStatus.UNKNOWN


def test_the_status_of_an_authority_comes_from_its_root() -> None:
    answer = ask(question(authority().serial_number, authority("root-p256")))
    assert answer.certificate_status is ocsp_forms.OCSPCertStatus.GOOD


@pytest.mark.parametrize("junk", [b"", b"\x30\x03\x02\x01\x00", b"x" * 5000, bytes(range(90))])
def test_what_is_no_request_is_malformed(junk: bytes) -> None:
    assert ask(junk).response_status is ocsp_forms.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("last", [0x1B, 0x7F])  # SHA (0) and nothing at all, instead of SHA-1
def test_a_hash_that_nobody_knows_names_no_authority(last: int) -> None:
    sha1 = bytes.fromhex("06052b0e03021a")
    request = question(int(issued().serial, 16))
    assert request.count(sha1) == 1
    answer = ask(request.replace(sha1, sha1[:-1] + bytes([last])))
    assert answer.response_status is ocsp_forms.OCSPResponseStatus.UNAUTHORIZED


def test_a_nonce_given_twice_is_none() -> None:
    one = issuers.extension(x509.OCSPNonce(b"n" * 8))
    request = question(int(issued().serial, 16))
    ((_, whole, _),) = der.read(request)
    ((_, fields, _),) = der.read(whole)
    both = der.tlv(0xA2, der.sequence(one, one))
    twice = der.sequence(der.sequence(fields, both))
    with pytest.raises(x509.DuplicateExtension):
        _ = ocsp_forms.load_der_ocsp_request(twice).extensions
    answer = ask(twice)
    assert answer.certificate_status is ocsp_forms.OCSPCertStatus.GOOD
    assert len(answer.extensions) == 0


def test_what_is_padded_is_answered_and_not_kept() -> None:
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x" * ocsp.KEPT_REQUEST)
    padded = (
        ocsp_forms.OCSPRequestBuilder()
        .add_certificate_by_hash(*_hashes(authority(), "sha1"), int(issued().serial, 16), hashes.SHA1())  # noqa: S303 - of a CertID
        .add_extension(padding, critical=False)
        .build()
        .public_bytes(Encoding.DER)
    )
    assert ask(padded).certificate_status is ocsp_forms.OCSPCertStatus.GOOD
    assert padded not in ocsp._kept


def test_a_nonce_comes_back_and_nobody_keeps_that_answer() -> None:
    serial = int(issued().serial, 16)
    made = ocsp.answer(question(serial, nonce=b"n" * 32), NOW)
    held = ocsp_forms.load_der_ocsp_response(made.der)
    assert held.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
    assert made.until is None
    long = question(serial, nonce=b"n" * (ocsp.NONCE_LIMIT + 1))
    assert ask(long).response_status is ocsp_forms.OCSPResponseStatus.MALFORMED_REQUEST


def test_an_answer_is_kept_for_a_second_and_signed_anew_at_half_its_life(turned: None) -> None:
    asked = question(int(issued().serial, 16))
    first = ocsp.answer(asked, NOW)
    assert ocsp.answer(asked, NOW + ocsp.VALID / 2 - SECOND) is first
    assert ocsp.answer(asked, NOW + ocsp.VALID / 2) is not first
    assert ocsp.answer(asked, NOW - SECOND).produced == (NOW - SECOND).replace(microsecond=0)


def test_within_a_second_the_records_are_not_read(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    asked = question(int(issued().serial, 16))
    ocsp.answer(asked, NOW)
    with django_assert_num_queries(0):
        ocsp.answer(asked, NOW)


def test_the_process_keeps_no_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp, "KEPT", 2)
    for _ in range(5):
        ocsp.answer(question(int(issued(f"{secrets.token_hex(4)}.example.com").serial, 16)), NOW)
        assert len(ocsp._kept) <= 2


def test_the_responder_signs_and_without_one_the_authority_does() -> None:
    serial = int(issued().serial, 16)
    assert ask(question(serial)).certificates == []  # nobody made a responder yet
    for holder in [issuers.holder(slug) for slug in responders.lacking(NOW)]:
        responders.keep(responders.make(holder, NOW))
    ocsp.forget()
    answer = ask(question(serial))
    (responder,) = answer.certificates
    responder.verify_directly_issued_by(authority())
    responder.public_key().verify(  # type: ignore[union-attr,call-arg]
        answer.signature, answer.tbs_response_bytes, _ecdsa()
    )
    assert responders.lacking(NOW) == []
    late = NOW + responders.VALID - responders.RENEWED
    assert "dv-p256" in responders.lacking(late)
    # a clock that jumped behind its end: the authority answers itself until a worker made a new one
    assert ask(question(serial), NOW + responders.VALID + DAY).certificates == []


def test_a_responder_whose_key_was_destroyed_answers_no_more_when_the_clock_goes_back() -> None:
    serial = int(issued().serial, 16)
    responders.keep(responders.make(issuers.holder("dv-p256"), NOW))
    keystore.destroy(Responder.objects.get(authority_id="dv-p256").key_id)
    ocsp.forget()
    answer = ask(question(serial))
    assert (answer.certificate_status, answer.certificates) == (ocsp_forms.OCSPCertStatus.GOOD, [])
    assert "dv-p256" in responders.lacking(NOW)


def _ecdsa():  # type: ignore[no-untyped-def]
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.ECDSA(hashes.SHA256())


def test_crls_and_responders_pass_the_linter(tmp_path: Path) -> None:
    signed = issued()
    revocation.revoke(signed.serial, Reason.SUPERSEDED, NOW)
    made = responders.make(issuers.holder("dv-p256"), NOW)
    sign_due()
    files = {
        "full": (["lint_crl", "lint", "-t", "CRL", "-p", "BR"], queries.published(crl_name(signed)).full),  # type: ignore[union-attr]
        "root": (["lint_crl", "lint", "-t", "ARL", "-p", "BR"], queries.published("root-p256").full),  # type: ignore[union-attr]
        "responder": (
            ["lint_cabf_serverauth_cert", "lint", "-t", "OCSP-RESPONDER"],
            made.certificate_der,
        ),
        "answer": (
            ["lint_ocsp_response", "lint"],
            ocsp.answer(question(int(signed.serial, 16)), NOW).der,
        ),
    }
    for name, (command, content) in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:], "-s", "WARNING", str(path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, ""), (name, done.stdout, done.stderr[-800:])


@pytest.mark.server
def test_openssl_sees_it(tmp_path: Path) -> None:
    # rule: REV-4
    signed, good = issued("a.example.com"), issued("b.example.com")
    revocation.revoke(signed.serial, Reason.KEY_COMPROMISE, NOW)
    sign_due()
    chain = tmp_path / "ca.pem"
    chain.write_text("".join(certificates.to_pem(_der(slug)) for slug in ("dv-p256", "root-p256")))
    for one, verdict in ((signed, "revoked"), (good, "OK")):
        name = tmp_path / f"{one.serial}.pem"
        name.write_text(certificates.to_pem(one.der))
        lists = tmp_path / f"{one.serial}.crl"
        lists.write_bytes(
            b"".join(list_of(each).public_bytes(Encoding.PEM) for each in (crl_name(one), "root-p256"))
        )
        done = subprocess.run(
            [
                *("openssl", "verify", "-crl_check_all", "-extended_crl"),
                *("-attime", str(int(NOW.timestamp()) + 1), "-CAfile", str(chain)),
                *("-CRLfile", str(lists), str(name)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert verdict in done.stdout + done.stderr, done.stdout + done.stderr


def _der(slug: str) -> bytes:
    return bytes(Authority.objects.get(slug=slug).certificate_der)
