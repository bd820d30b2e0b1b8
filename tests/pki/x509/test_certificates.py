"""Facts of certificates and their PEM forms."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certdesk.pki.x509 import keys
from certdesk.pki.x509.certificates import (
    CHAIN_TEXT_LIMIT,
    chain_to_pem,
    facts,
    load_chain_pem,
    serial_hex,
    to_pem,
)
from certdesk.pki.x509.errors import BadCertificate
from tests.support.chains import NOT_AFTER, NOT_BEFORE, chain, rsa_key

LEAF = chain().leaf


def test_facts_of_a_leaf() -> None:
    made = chain(rsa_key(), ["www.example.com", "*.example.org"])
    found = facts(made.leaf)
    assert found.serial == "0abc"
    assert found.names == ("www.example.com", "*.example.org")
    assert (found.not_before, found.not_after) == (NOT_BEFORE, NOT_AFTER)
    assert found.sha1 == hashlib.sha1(made.leaf).hexdigest()  # noqa: S324 - fingerprint
    assert found.sha256 == hashlib.sha256(made.leaf).hexdigest()
    assert found.signature_algorithm == "ecdsa-with-SHA256"
    assert found.key == "RSA 2048"
    assert found.spki_sha256 == keys.spki_sha256(made.key.public_key())
    assert (found.subject, found.issuer) == ("", "CN=Test CA")


def test_facts_of_a_root_without_names() -> None:
    found = facts(chain().above[-1])
    assert found.names == ()
    assert found.subject == found.issuer == "CN=Test Root"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_a_serial_of_zero_is_shown_as_it_is() -> None:
    """Old private roots have one; whether it is acceptable is for the upload's checks to say."""
    leaf = LEAF.replace(b"\x02\x02\x0a\xbc", b"\x02\x02\x00\x00", 1)
    with pytest.raises(BadCertificate):
        facts(leaf)  # two bytes for zero are no DER
    root = chain().above[-1].replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
    assert facts(root).serial == "00"


def test_an_unknown_signature_algorithm_shows_its_number() -> None:
    leaf = chain().leaf.replace(bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040309"))
    assert facts(leaf).signature_algorithm == "1.2.840.10045.4.3.9"


@pytest.mark.parametrize(
    ("serial", "text"), [(1, "01"), (0xABC, "0abc"), (0x1234, "1234"), (0, "00"), (-5, "-05")]
)
def test_serials_have_an_even_number_of_digits(serial: int, text: str) -> None:
    assert serial_hex(serial) == text


def test_openssl_reads_the_pem(tmp_path: Path) -> None:
    made = chain()
    file = tmp_path / "leaf.pem"
    file.write_text(to_pem(made.leaf))
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(file), "-noout", "-serial"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert shown.stdout == b"serial=0ABC\n"


def test_a_chain_comes_back_in_its_order() -> None:
    made = chain()
    ders = [made.leaf, *made.above]
    assert load_chain_pem("comment\n" + chain_to_pem(ders)) == ders
    assert chain_to_pem([]) == ""


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "no PEM certificate"),
        ("x" * (CHAIN_TEXT_LIMIT + 1), "at most 1000000"),
        (to_pem(b"\x30\x00") * 21, "21 certificates; at most 20"),
        (to_pem(b"\x30\x00"), "cannot be read"),
        (to_pem(b"\x30\x80" * 3000), "cannot be read"),
        (to_pem(chain().leaf + b"\x00"), "cannot be read"),
        (to_pem(chain().leaf).replace("-----END", "---END"), "without its partner"),
        (to_pem(chain().leaf).replace("M", "!"), "Base64"),
        (to_pem(chain().leaf).replace("CERTIFICATE", "PRIVATE KEY"), "holds a PRIVATE KEY"),
    ],
    ids=["empty", "too long", "too many", "no certificate", "nested", "trailing", "open", "base64", "key"],
)
def test_bad_chain_text_is_refused_with_its_reason(text: str, fragment: str) -> None:
    with pytest.raises(BadCertificate, match=fragment) as caught:
        load_chain_pem(text)
    assert caught.value.next_step


def test_twenty_certificates_are_taken() -> None:
    assert len(load_chain_pem(to_pem(chain().leaf) * 20)) == 20


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_changed_byte_raises_anything_else(place: int, byte: int) -> None:
    leaf = bytearray(LEAF)
    leaf[place % len(leaf)] = byte
    try:
        assert facts(bytes(leaf)).sha256
    except BadCertificate:
        return
