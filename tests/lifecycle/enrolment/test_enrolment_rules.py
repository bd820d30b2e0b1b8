"""Authorisations after their time, and identifiers of certificates that are none."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.lifecycle.enrolment import rules, states
from certdesk.lifecycle.enrolment.errors import AcmeError

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class Standing:
    state: str
    expires_at: datetime


@pytest.mark.parametrize(
    ("state", "before", "after"),
    [
        ("pending", "pending", "invalid"),
        ("valid", "valid", "expired"),
        ("deactivated", "deactivated", "deactivated"),
    ],
)
def test_an_authorisation_ends_at_its_time(state: str, before: str, after: str) -> None:
    assert states.authorization(Standing(state, NOW + SECOND), NOW) == before
    assert states.authorization(Standing(state, NOW), NOW) == after


def test_a_certificate_identifier_has_one_spelling() -> None:
    assert rules.certificate_key("AQ.Ag") == (b"\x01", "2")
    for wrong in ("AR.Ag", "AQ.", ".Ag", "AQ", "AQ.Ag.Ag", "A.A"):
        with pytest.raises(AcmeError):
            rules.certificate_key(wrong)


def test_the_name_of_a_certificate_for_ari() -> None:
    """RFC 9773 §4.1: both parts of the identifier, and none without the key identifier."""
    upper, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(0x8765)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    bare = made.sign(upper, hashes.SHA256()).public_bytes(Encoding.DER)
    assert rules.certificate_id(bare) == ""
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(upper.public_key())
    full = made.add_extension(key, critical=False).sign(upper, hashes.SHA256()).public_bytes(Encoding.DER)
    assert rules.certificate_key(rules.certificate_id(full)) == (key.key_identifier, "8765")
