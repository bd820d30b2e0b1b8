"""The name of a certificate in ACME Renewal Information (RFC 9773 §4.1)."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from certdesk.pki.x509.renewal_info import authority_key, certificate_id, read_certificate_id

KEY = bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4")


def made(*named: x509.AuthorityKeyIdentifier, serial: int = 0x8765_4321) -> bytes:
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    for one in named:
        builder = builder.add_extension(one, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_it_is_that_of_the_rfc_and_read_again() -> None:
    """The serial as in DER, with a zero in front where its first bit is set."""
    certificate = made(x509.AuthorityKeyIdentifier(KEY, None, None))
    assert certificate_id(certificate) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
    assert authority_key(certificate) == KEY
    assert read_certificate_id("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE") == (KEY, "87654321")
    small = made(x509.AuthorityKeyIdentifier(KEY, None, None), serial=0x7F)
    assert read_certificate_id(certificate_id(small)) == (KEY, "7f")


@pytest.mark.parametrize("named", [(), (x509.AuthorityKeyIdentifier(None, [x509.DNSName("ca.test")], 1),)])
def test_a_certificate_that_names_no_key_of_its_ca_has_none(
    named: tuple[x509.AuthorityKeyIdentifier, ...],
) -> None:
    certificate = made(*named)
    assert (certificate_id(certificate), authority_key(certificate)) == ("", b"")


@pytest.mark.parametrize("wrong", ["", "AQ", "AQ.", ".Ag", "AR.Ag", "AQ.Ag.Ag", "A.A", "AQ.Aé"])
def test_it_has_one_spelling(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_certificate_id(wrong)
