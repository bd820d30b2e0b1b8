"""Nothing that a CA outside sends counts before each of these has been looked at."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certdesk.foundation.common import clock
from certdesk.lifecycle.issuance import acceptance
from certdesk.lifecycle.issuance.acceptance import Accepted, Expected, Wrong
from certdesk.pki.x509 import keys
from certdesk.pki.x509.certificates import is_self_issued
from certdesk.pki.x509.csr_making import make_csr
from tests.support.outside_ca import Shape, issue, signer

KEY = ec.generate_private_key(ec.SECP256R1())
NAMES = ("www.example.com", "api.example.com")
CSR = x509.load_pem_x509_csr(make_csr(KEY, NAMES, {}).encode())


def expected(**more: object) -> Expected:
    given: dict[str, object] = {
        "names": NAMES,
        "spki_sha256": keys.spki_sha256(KEY.public_key()),
        "level": "DV",
        "longest_days": 90,
        "domains": frozenset({"example.com"}),
    }
    return Expected(**{**given, **more})  # type: ignore[arg-type]


def judged(shape: Shape, **more: object) -> Accepted | Wrong:
    return acceptance.check(issue(CSR, shape), expected(**more), clock.now())


def test_what_was_ordered_is_taken() -> None:
    found = judged(Shape())
    assert isinstance(found, Accepted)
    assert (found.names, found.authority, len(found.chain)) == (NAMES, "Outside Issuing CA", 1)


def test_names_under_the_same_proof_may_be_added_by_the_ca() -> None:
    found = judged(Shape(more_names=("example.com",)))
    assert isinstance(found, Accepted)
    assert found.names == (*NAMES, "example.com")


SERVER = ExtendedKeyUsageOID.SERVER_AUTH
BEFORE = [
    ("another key", Shape(key=ec.generate_private_key(ec.SECP256R1()).public_key()), "another key"),
    ("too few names", Shape(names=NAMES[:1]), "api.example.com was ordered"),
    ("a foreign name", Shape(more_names=("example.org",)), "nobody here has proved it"),
    ("a wildcard more", Shape(more_names=("*.example.com",)), "nobody here has proved it"),
    ("no name at all", Shape(more_names=("not a name",)), "nobody here has proved it"),
    ("no server", Shape(usage=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "not for servers"),
    ("no usage", Shape(usage=()), "not for servers"),
    ("a CA", Shape(is_ca=True), "CA certificate"),
    ("not begun", Shape(begins=timedelta(minutes=6)), "not valid before"),
    ("over", Shape(begins=-timedelta(days=30), days=29), "expired on"),
    ("too long", Shape(days=92), "the policy allows 90"),
    ("another chain", Shape(chain_of="Another CA"), "did not issue certificate 1"),
    ("another signature", Shape(signed_by="Another CA"), "did not issue certificate 1"),
]


@pytest.mark.parametrize(("shape", "words"), [one[1:] for one in BEFORE], ids=[one[0] for one in BEFORE])
def test_anything_else_is_wrong(shape: Shape, words: str) -> None:
    found = judged(shape)
    assert isinstance(found, Wrong)
    assert words in found.sentence


def test_clocks_that_differ_a_little_and_the_longest_validity_are_no_fault() -> None:
    assert isinstance(judged(Shape(begins=timedelta(minutes=4))), Accepted)
    assert isinstance(judged(Shape(days=91)), Accepted)


def test_an_organization_was_ordered() -> None:
    verified = {"level": "OV", "organization": "Example Ltd", "country": "GB"}
    assert isinstance(judged(Shape(), **verified), Wrong)
    assert isinstance(judged(Shape(organization="Example Ltd"), **verified), Accepted)
    assert isinstance(judged(Shape(organization="EXAMPLE  Ltd", country="GB"), **verified), Accepted)
    other = judged(Shape(organization="Other Ltd"), **verified)
    assert isinstance(other, Wrong)
    assert "'Other Ltd', which is not the one that was verified" in other.sentence
    abroad = judged(Shape(organization="Example Ltd", country="FR"), **verified)
    assert isinstance(abroad, Wrong)
    assert "the country 'FR'" in abroad.sentence


def test_what_cannot_be_read_is_wrong_and_no_error() -> None:
    now = clock.now()
    assert isinstance(acceptance.check((), expected(), now), Wrong)
    assert isinstance(acceptance.check((b"nothing",), expected(), now), Wrong)
    leaf, above = issue(CSR)
    assert isinstance(acceptance.check((leaf, b"nothing"), expected(), now), Wrong)
    assert isinstance(acceptance.check((leaf,), expected(), now), Wrong)
    assert isinstance(acceptance.check((leaf, above), expected(), now), Accepted)


def test_the_name_of_the_issuer_fits_its_column() -> None:
    assert acceptance.issuer_of("away", "R10") == "away:R10"
    assert len(acceptance.issuer_of("away", "x" * 99)) == acceptance.ISSUER_LIMIT
    root = signer()[1].certificate
    assert is_self_issued(root)
    assert not is_self_issued(x509.load_der_x509_certificate(issue(CSR)[0]))


def test_an_issuer_without_a_common_name_goes_by_its_organization() -> None:
    def named(*attributes: x509.NameAttribute) -> x509.Certificate:
        name = x509.Name(list(attributes))
        key = ec.generate_private_key(ec.SECP256R1())
        now = clock.now()
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        return builder.sign(key, CSR.signature_hash_algorithm)

    organization = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Example Trust")
    assert acceptance.authority_of(named(organization)) == "Example Trust"
    assert acceptance.authority_of(named()) == "?"
