"""What an uploaded CSR may decide, and what it may not."""

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr import TEXT_LIMIT, parse_csr
from certdesk.pki.x509.errors import BadCsr
from tests.support import der, hostile_requests
from tests.support.chains import rsa_key
from tests.support.hostile import HostileCsr, hostile_csrs

CASES = hostile_csrs()
GOOD = "good.example.com"


def texts(pem: str) -> list[str]:
    return [name.text for name in parse_csr(pem).names]


def test_the_corpus_is_long_enough_and_names_its_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
    assert {case.expect for case in CASES} == {"refused", "ignored"}


@pytest.mark.parametrize("case", [c for c in CASES if c.expect == "refused"], ids=lambda case: case.name)
def test_a_hostile_csr_is_refused_with_its_reason(case: HostileCsr) -> None:
    started = time.process_time()
    with pytest.raises(BadCsr) as caught:
        parse_csr(case.pem)
    assert time.process_time() - started < 0.5
    assert case.fragment in caught.value.message
    assert caught.value.kind is Kind.BAD_CSR
    assert caught.value.next_step
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("case", [c for c in CASES if c.expect == "ignored"], ids=lambda case: case.name)
def test_what_the_order_decides_is_ignored_and_listed(case: HostileCsr) -> None:
    parsed = parse_csr(case.pem)
    assert [name.text for name in parsed.names] == [GOOD]
    assert any(case.fragment in entry for entry in parsed.ignored)
    assert "".join(parsed.ignored).isprintable()
    assert "hunter2" not in repr(parsed.ignored)


def test_key_names_and_request_come_out() -> None:
    builder = hostile_requests.built(
        x509.SubjectAlternativeName(
            [x509.DNSName(name) for name in ("b.example.com", "*.C.example.com", "A.example.com")]
        ),
        common_name="a.example.com",
    )
    pem = builder.sign(rsa_key(), hashes.SHA384()).public_bytes(Encoding.PEM).decode()
    parsed = parse_csr(pem)
    assert [name.text for name in parsed.names] == ["a.example.com", "b.example.com", "*.c.example.com"]
    assert parsed.public_key == rsa_key().public_key()
    assert parsed.key_description == "RSA 2048"
    assert parsed.spki_sha256 == keys.spki_sha256(rsa_key().public_key())
    assert parsed.pem == pem
    assert parsed.ignored == ()


def test_the_common_name_alone_is_enough() -> None:
    assert texts(der.pem(hostile_requests.raw(subject=der.common_name(b"*.Example.com")))) == [
        "*.example.com"
    ]


def test_text_around_and_both_labels_are_read() -> None:
    pem = hostile_requests.signed(hostile_requests.built())
    assert texts("Certificate Request:\n    Data: ...\n" + pem.replace("\n", "\r\n")) == [GOOD]
    assert texts(pem.replace(" CERTIFICATE REQUEST", " NEW CERTIFICATE REQUEST")) == [GOOD]
    assert texts(pem + " " * (TEXT_LIMIT - len(pem))) == [GOOD]


def test_250_names_are_taken() -> None:
    names = [f"n{number}.example.com".encode() for number in range(250)]
    assert len(texts(hostile_requests.with_names(*names, names[0].upper()))) == 250


def test_internal_names_and_addresses_where_they_are_allowed() -> None:
    general = [der.dns_name(b"db.corp"), der.tlv(0x87, bytes([10, 0, 0, 1]))]
    pem = der.pem(hostile_requests.raw(der.extension_request(der.alternative_names(*general))))
    parsed = parse_csr(pem, allow_internal=True, allow_ip=True)
    assert [name.text for name in parsed.names] == ["db.corp", "10.0.0.1"]
    assert [name.text for name in parse_csr(pem, allow_internal=True).names] == ["db.corp"]
    with pytest.raises(BadCsr, match="does not exist in the public DNS"):
        parse_csr(pem)


@pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")
def test_a_country_that_is_no_code_is_ignored_too() -> None:
    country = der.sequence(der.set_of(der.sequence(der.oid("2.5.4.6"), der.tlv(0x13, b"Germany"))))
    names = der.extension_request(der.alternative_names(der.dns_name(GOOD.encode())))
    parsed = parse_csr(der.pem(hostile_requests.raw(names, subject=country)))
    assert parsed.ignored == ("subject C: Germany",)


def test_a_key_on_the_blocklist_is_refused() -> None:
    pem = hostile_requests.signed(hostile_requests.built())
    digest = parse_csr(pem).spki_sha256
    with pytest.raises(BadCsr, match="compromised"):
        parse_csr(pem, blocked={digest}.__contains__)


def test_a_failing_blocklist_is_not_blamed_on_the_csr() -> None:
    def down(digest: bytes) -> bool:
        raise ConnectionError("database is away")

    with pytest.raises(ConnectionError):
        parse_csr(hostile_requests.signed(hostile_requests.built()), blocked=down)


@given(st.text() | st.binary(max_size=300).map(der.pem))
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(CertdeskError):
        parse_csr(text)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_changed_byte_raises_anything_else_or_adds_a_name(place: int, byte: int) -> None:
    raw = bytearray(
        hostile_requests.raw(der.extension_request(der.alternative_names(der.dns_name(GOOD.encode()))))
    )
    raw[place % len(raw)] = byte
    try:
        assert texts(der.pem(bytes(raw))) == [GOOD]
    except BadCsr:
        return
