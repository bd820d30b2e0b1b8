"""The one path to a signature: prepare, intend, sign, record."""

import dataclasses
import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from django.db import transaction

from certdesk.foundation.jobs.models import Job
from certdesk.pki.authority import der, issue, issuers, profiles, queries
from certdesk.pki.authority.errors import (
    AlreadyIntended,
    AuthorityMissing,
    NotAuthorized,
    NotIntended,
    RequestRefused,
    TokenSpent,
)
from certdesk.pki.authority.models import Authority, Intent, IntentState
from certdesk.pki.authority.types import CertificateRequest, LevelName, Signed, Subject
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.errors import BadName, WeakKey
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.authority import NOW, SUBJECTS, pooled_key, request

pytestmark = pytest.mark.usefixtures("ca")


def issued(asked: CertificateRequest, now: datetime = NOW) -> Signed:
    prepared = issue.prepare(asked, now)
    issue.intend([prepared])
    signed = issue.sign(prepared)
    issue.record([signed])
    return signed


def load(signed: Signed) -> x509.Certificate:
    return x509.load_der_x509_certificate(signed.der)


def names_of(certificate: x509.Certificate) -> list[str]:
    return certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.DNSName)


def test_a_certificate_is_what_was_asked_and_its_authority_signed_it() -> None:
    # rule: ISS-1
    # rule: TIM-1
    asked = request(["www.example.com", "*.example.com"])
    signed = issued(asked)
    certificate = load(signed)
    assert names_of(certificate) == ["www.example.com", "*.example.com"]
    assert certificate.not_valid_before_utc == NOW
    assert certificate.not_valid_after_utc == datetime(2027, 11, 23, 11, 59, 59, tzinfo=UTC)
    assert keys.spki_der(certificate.public_key()) == asked.spki  # type: ignore[arg-type]
    chain = x509.load_pem_x509_certificates(signed.chain_pem)
    certificate.verify_directly_issued_by(chain[0])
    assert signed.issuer == "dv-p256"


def test_pointers_policy_and_usages_are_those_of_the_level() -> None:
    # rule: ISS-2
    for level, policy in (("DV", "2.23.140.1.2.1"), ("OV", "2.23.140.1.2.2"), ("EV", "2.23.140.1.1")):
        certificate = load(issued(request(level=level)))  # type: ignore[arg-type]
        extensions = certificate.extensions
        found = extensions.get_extension_for_class(x509.CertificatePolicies).value
        assert [each.policy_identifier.dotted_string for each in found] == [policy]
        access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        slug = f"{level.lower()}-p256"
        assert [each.access_location.value for each in access] == [
            "http://pki.example.com/ocsp",
            f"http://pki.example.com/ca/{slug}.cer",
        ]
        crl = extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name
        assert crl is not None
        partition = certificate.serial_number % issuers.CRL_PARTITIONS
        assert crl[0].value == f"http://pki.example.com/crl/{slug}-{partition}.crl"
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert [usage.dotted_string for usage in usages] == ["1.3.6.1.5.5.7.3.1"]
        usage = extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
        assert usage.critical
        assert usage.value.digital_signature  # type: ignore[attr-defined]


def test_the_subject_follows_the_level() -> None:
    # rule: ISS-2
    found = {
        level: [a.oid for a in load(issued(request(level=level))).subject] for level in ("DV", "OV", "EV")
    }
    organisation = [
        NameOID.COUNTRY_NAME,
        NameOID.STATE_OR_PROVINCE_NAME,
        NameOID.LOCALITY_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.COMMON_NAME,
    ]
    assert found["DV"] == [NameOID.COMMON_NAME]
    assert found["OV"] == organisation
    assert found["EV"] == [
        NameOID.JURISDICTION_COUNTRY_NAME,
        NameOID.BUSINESS_CATEGORY,
        NameOID.SERIAL_NUMBER,
        *organisation,
    ]


@pytest.mark.parametrize(("length", "present"), [(63, True), (64, True), (65, False)])
def test_the_common_name_is_the_primary_name_when_it_fits(length: int, present: bool) -> None:
    # rule: ISS-6
    primary = f"{'a' * 40}.{'b' * (length - 41 - 12)}.example.com"
    assert len(primary) == length
    certificate = load(issued(request([primary, "b.example.com"])))
    expected = [primary] if present else []
    found = [a.value for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    assert found == expected
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert san.critical is not present


def test_public_certificates_have_no_common_name_and_br_dates() -> None:
    # rule: ISS-6
    certificate = load(issued(request(profile="public")))
    assert list(certificate.subject) == []
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime == timedelta(days=199) - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("strong", "algorithm", "slug"),
    [
        (False, KeyAlgorithm.EC_P256, "ov-p256"),
        (False, KeyAlgorithm.EC_P384, "ov-p256"),
        (False, KeyAlgorithm.RSA_2048, "ov-rsa2048"),
        (True, KeyAlgorithm.EC_P384, "ov-p384"),
        (True, KeyAlgorithm.RSA_4096, "ov-rsa4096"),
    ],
)
def test_pro_types_have_the_stronger_chain(strong: bool, algorithm: KeyAlgorithm, slug: str) -> None:
    # rule: CAT-4
    signed = issued(request(level="OV", strong=strong, algorithm=algorithm))
    assert signed.issuer == slug
    issuer = x509.load_pem_x509_certificates(signed.chain_pem)[0]
    load(signed).verify_directly_issued_by(issuer)
    root = Authority.objects.get(slug=f"root-{slug.partition('-')[2]}")
    issuer.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(root.certificate_der)))


@pytest.mark.parametrize(
    ("level", "algorithm"),
    [("OV", KeyAlgorithm.EC_P256), ("OV", KeyAlgorithm.RSA_2048), ("DV", KeyAlgorithm.EC_P384)],
)
def test_pro_types_refuse_weaker_keys_and_dv(level: LevelName, algorithm: KeyAlgorithm) -> None:
    # rule: CAT-4
    with pytest.raises(AuthorityMissing):
        issue.prepare(request(level=level, strong=True, algorithm=algorithm), NOW)


def test_serials_are_128_random_bits_positive_and_never_twice() -> None:
    serials = {issue.new_serial() for _ in range(20_000)}
    assert len(serials) == 20_000
    assert all(0 < serial < 1 << 128 for serial in serials)
    assert all(len(certificates.serial_hex(serial)) == 32 for serial in serials)
    for bit in range(120):
        share = sum(serial >> bit & 1 for serial in serials) / len(serials)
        assert 0.45 < share < 0.55


def test_a_token_signs_once() -> None:
    prepared = issue.prepare(request(), NOW)
    issue.sign(prepared)
    with pytest.raises(TokenSpent):
        issue.sign(prepared)


def test_of_many_threads_one_signs() -> None:
    prepared = issue.prepare(request(), NOW)
    outcomes: list[bool] = []

    def attempt() -> None:
        try:
            issue.sign(prepared)
            outcomes.append(True)
        except TokenSpent:
            outcomes.append(False)

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 15 + [True]


def test_changed_bytes_and_a_borrowed_token_are_refused() -> None:
    first, second = issue.prepare(request(), NOW), issue.prepare(request(), NOW)
    changed = first.tbs.replace(b"www.example.com", b"www.example.org")
    for forged in (
        dataclasses.replace(first, tbs=changed),
        dataclasses.replace(first, tbs=second.tbs),
        dataclasses.replace(first, _token=second._token),
    ):
        with pytest.raises(TokenSpent):
            issue.sign(forged)


def test_the_signed_bytes_are_the_prepared_bytes() -> None:
    prepared = issue.prepare(request(), NOW)
    assert load(issue.sign(prepared)).tbs_certificate_bytes == prepared.tbs


def test_signing_touches_no_database(django_assert_num_queries: object) -> None:
    prepared = issue.prepare(request(), NOW)
    with django_assert_num_queries(0):  # type: ignore[operator]
        issue.sign(prepared)


def test_the_records_hold_intent_proof_and_certificate() -> None:
    asked = request()
    prepared = issue.prepare(asked, NOW)
    issue.intend([prepared])
    intent = issue.find(asked.authorization.reference)
    assert intent is not None
    assert (intent.state, intent.serial, bytes(intent.tbs)) == ("INTENDED", prepared.serial, prepared.tbs)
    proof = json.loads(intent.authorization_proof)
    assert proof["names"] == ["www.example.com"]
    assert proof["spki_sha256"] == hashlib.sha256(asked.spki).hexdigest()
    signed = issue.sign(prepared)
    issue.record([signed])
    intent.refresh_from_db()
    assert (intent.state, bytes(intent.certificate_der or b"")) == ("SIGNED", signed.der)


def test_one_reference_has_one_signature() -> None:
    first, again = (issue.prepare(request(reference="scs1.1.1"), NOW) for _ in range(2))
    issue.intend([first])
    with pytest.raises(AlreadyIntended), transaction.atomic():
        issue.intend([again, issue.prepare(request(), NOW)])
    assert Intent.objects.count() == 1
    assert issue.abandon(first.serial)
    issue.intend([again])


def test_an_abandoned_intent_takes_no_signature_and_a_signed_one_cannot_be_abandoned() -> None:
    prepared = issue.prepare(request(), NOW)
    issue.intend([prepared])
    assert issue.abandon(prepared.serial)
    assert not issue.abandon(prepared.serial)
    with pytest.raises(NotIntended):
        issue.record([issue.sign(prepared)])
    assert issue.find(prepared.reference) is None
    signed = issued(request())
    assert not issue.abandon(signed.serial)
    assert Intent.objects.get(serial=signed.serial).state == IntentState.SIGNED


def test_nothing_is_recorded_that_was_not_intended() -> None:
    with pytest.raises(NotIntended):
        issue.record([issue.sign(issue.prepare(request(), NOW))])


def test_empty_batches_do_nothing() -> None:
    issue.intend([])
    issue.record([])
    assert not Intent.objects.exists()
    assert queries.issued([]) == []


def test_ev_and_many_names_are_linted_whole_after_issuance() -> None:
    issued(request())  # proves the shape
    Job.objects.all().delete()
    many = issued(request([f"n{number}.example.com" for number in range(101)]))
    ev = issued(request(level="EV"))
    payloads = [job.payload["serials"] for job in Job.objects.filter(kind=issue.LINT)]
    assert payloads == [[many.serial], [ev.serial]]


def without(**changes: object) -> CertificateRequest:
    asked = request()
    return dataclasses.replace(asked, authorization=dataclasses.replace(asked.authorization, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ("other.example.com",)},
        {"names": ("www.example.com", "other.example.com"), "evidence": (1, 2)},
        {"names": ()},
        {"evidence": ()},
        {"evidence": (1, 2)},
        {"spki_sha256": b"\0" * 32},
        {"spki_sha256": b""},
        {"reference": ""},
        {"reference": "r" * 65},
        {"account_id": ""},
        {"policy": ""},
    ],
    ids=str,
)
def test_without_the_whole_proof_nothing_is_prepared(changes: dict[str, object]) -> None:
    with pytest.raises(NotAuthorized):
        issue.prepare(without(**changes), NOW)


def test_a_name_without_its_own_evidence_is_refused_at_every_position() -> None:
    """Promise 9: of a hundred names each one must be authorised."""
    names = [f"n{number}.example.com" for number in range(100)]
    asked = request(names)
    for position in range(100):
        other = (*names[:position], "stranger.example.org", *names[position + 1 :])
        with pytest.raises(NotAuthorized):
            issue.prepare(dataclasses.replace(asked, names=other), NOW)


@pytest.mark.parametrize(("level", "officers"), [("OV", ()), ("EV", ("o1",)), ("EV", ("o1", "o1"))])
def test_the_organisation_needs_its_approvals(level: LevelName, officers: tuple[str, ...]) -> None:
    asked = request(level=level)
    proof = dataclasses.replace(asked.authorization, approved_by=officers)
    with pytest.raises(NotAuthorized):
        issue.prepare(dataclasses.replace(asked, authorization=proof), NOW)


HOSTILE_NAMES = """
*.*.example.com exa_mple.com a..example.com *.com 192.168.1.1 localhost *.co.uk github.io a.local
xn--a.example.com WWW.example.com www.example.com. *a.example.com a.*.example.com -a.example.com
a-.example.com 1.0.0.127.in-addr.arpa a@example.com http://example.com example.com:443 ::1 0x7f.1
ab--cd.example.com bücher.example.com
""".split()  # noqa: SIM905 - one name a line says no more


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE_NAMES,
        "",
        "a b.example.com",
        "a\0.example.com",
        "a\r\n.example.com",
        "<script>.example.com",
        "=cmd|.example.com",
        "../../x.example.com",
        "\u202eexample.com",
        f"{'a' * 64}.example.com",
        ".".join(["a" * 62] * 5),
    ],
)
def test_hostile_names_never_reach_a_builder(name: str) -> None:
    with pytest.raises((BadName, RequestRefused)):
        issue.prepare(request([name]), NOW)


def test_names_are_counted_and_never_given_twice() -> None:
    with pytest.raises(RequestRefused, match="251 names"):
        issue.prepare(request([f"n{number}.example.com" for number in range(251)]), NOW)
    with pytest.raises((RequestRefused, NotAuthorized)):
        issue.prepare(request(["a.example.com", "a.example.com"]), NOW)
    with pytest.raises(RequestRefused, match="0 names"):
        issue.prepare(request([]), NOW)


def test_ev_takes_no_wildcard() -> None:
    with pytest.raises(RequestRefused, match="wildcard"):
        issue.prepare(request(["*.example.com"], level="EV"), NOW)


def test_internal_names_and_addresses_need_the_catalogues_leave_and_the_private_profile() -> None:
    names = ["host.corp", "10.0.0.1", "2001:db8::1"]
    with pytest.raises(BadName):
        issue.prepare(request(names), NOW)
    allowed = dataclasses.replace(request(names), allow_internal=True, allow_ip=True)
    san = load(issued(allowed)).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in san] == names
    public = dataclasses.replace(request(names, profile="public"), allow_internal=True, allow_ip=True)
    with pytest.raises(RequestRefused, match="public DNS only"):
        issue.prepare(public, NOW)


def with_spki(spki: bytes, algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256) -> CertificateRequest:
    asked = request()
    proof = dataclasses.replace(asked.authorization, spki_sha256=hashlib.sha256(spki).digest())
    return dataclasses.replace(asked, authorization=proof, spki=spki, key_algorithm=algorithm)


def test_weak_blocked_foreign_and_mangled_keys_are_refused() -> None:
    # rule: APP-12
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    good = request().spki
    for bad in (b"", b"\0", good[:-1], good + b"\0", good[:-1] + bytes([good[-1] ^ 1])):
        with pytest.raises((RequestRefused, WeakKey)):
            issue.prepare(with_spki(bad), NOW)
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - shown to be refused
    for key in (small, ec.generate_private_key(ec.SECP521R1()), ed25519.Ed25519PrivateKey.generate()):
        with pytest.raises((RequestRefused, WeakKey)):
            issue.prepare(with_spki(keys.spki_der(key.public_key())), NOW)
    with pytest.raises(RequestRefused, match="not RSA_2048"):
        issue.prepare(with_spki(good, KeyAlgorithm.RSA_2048), NOW)
    keystore.block(hashlib.sha256(good).digest(), "compromised", NOW)
    with pytest.raises(WeakKey, match="compromised"):
        issue.prepare(request(), NOW)


def test_a_key_in_an_unusual_form_is_refused() -> None:
    """A compressed point would be compared and blocked under another digest than the usual form."""
    public_key = pooled_key(KeyAlgorithm.EC_P256, 1).public_key()
    point = public_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    curve = der.sequence(
        der.object_identifier(x509.ObjectIdentifier("1.2.840.10045.2.1")),
        der.object_identifier(x509.ObjectIdentifier("1.2.840.10045.3.1.7")),
    )
    with pytest.raises(RequestRefused, match="unusual form"):
        issue.prepare(with_spki(der.sequence(curve, der.bit_string(point))), NOW)


def test_public_refuses_keys_that_the_service_made() -> None:
    made = keystore.make("acme", KeyAlgorithm.EC_P256)
    asked = with_spki(bytes(made.spki))
    issue.prepare(asked, NOW)
    begin, end = profiles.validity("public", 12, NOW)
    with pytest.raises(RequestRefused, match="made by this service"):
        issue.prepare(dataclasses.replace(asked, profile="public", not_before=begin, not_after=end), NOW)


@pytest.mark.parametrize(
    ("level", "changes"),
    [
        ("DV", {"organization": "X"}),
        ("OV", {"organization": ""}),
        ("OV", {"country": ""}),
        ("OV", {"country": "de"}),
        ("OV", {"country": "DEU"}),
        ("OV", {"state": "", "locality": ""}),
        ("OV", {"serial_number": "1"}),
        ("OV", {"organization": "O" * 65}),
        ("OV", {"organization": "Evil\r\nName"}),
        ("OV", {"organization": " padded"}),
        ("OV", {"country": "UK"}),
        ("OV", {"country": "XX"}),
        ("OV", {"state": "-"}),
        ("OV", {"organization": "Beispiel &amp; Werke"}),
        ("EV", {"serial_number": ""}),
        ("EV", {"serial_number": "HRB_1"}),
        ("EV", {"jurisdiction_country": ""}),
        ("EV", {"business_category": "Shop"}),
    ],
    ids=str,
)
def test_a_subject_that_does_not_fit_its_level_is_refused(level: LevelName, changes: dict[str, str]) -> None:
    # rule: ISS-2
    asked = request(level=level)
    subject: Subject = dataclasses.replace(SUBJECTS[level], **changes)
    with pytest.raises(RequestRefused):
        issue.prepare(dataclasses.replace(asked, subject=subject), NOW)


SECOND = timedelta(seconds=1)


def test_a_certificate_never_begins_before_its_issuer() -> None:
    """A clock may be set back behind the making of the CA; that heals, so nothing is refused for good."""
    first = issuers.find("dv-p256").not_before
    assert issue.prepare(request(now=first), first).not_before == first
    early = request(now=first - SECOND)
    with pytest.raises(RequestRefused, match="before the certificate of its issuer"):
        issue.prepare(early, first)
    with pytest.raises(AuthorityMissing, match="valid only from"):
        issue.prepare(early, first - SECOND)


LATER = NOW + timedelta(days=3)  # the CA is old enough for a certificate of two days ago


@pytest.mark.parametrize(
    ("begin", "end", "fits"),
    [
        (LATER, LATER + timedelta(days=200) - SECOND, True),
        (LATER, LATER + timedelta(days=200), False),
        (LATER + SECOND, LATER + timedelta(days=100), False),
        (LATER - timedelta(hours=48), LATER + timedelta(days=100), True),
        (LATER - timedelta(hours=48) - SECOND, LATER + timedelta(days=100), False),
        (LATER, LATER, False),
    ],
)
def test_dates_are_exact_to_the_second_on_either_side(begin: datetime, end: datetime, fits: bool) -> None:
    # rule: REN-8
    issue.prepare(request(profile="public", now=LATER), LATER)  # the shape, at its usual length
    asked = dataclasses.replace(request(profile="public", now=LATER), not_before=begin, not_after=end)
    if fits:
        issue.prepare(asked, LATER)
    else:
        with pytest.raises(RequestRefused):
            issue.prepare(asked, LATER)


def test_nothing_outlives_its_issuer() -> None:
    late = NOW + timedelta(days=7305 - 1) - timedelta(days=200)
    asked = request(now=late)
    with pytest.raises(RequestRefused, match="outlive"):
        issue.prepare(asked, late)


def test_keys_of_every_size_are_signed() -> None:
    asked = request(algorithm=KeyAlgorithm.RSA_2048, key=pooled_key(KeyAlgorithm.RSA_2048, 1))
    assert issued(asked).issuer == "dv-rsa2048"
