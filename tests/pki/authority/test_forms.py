"""DER forms, dates and our own check of the finished bytes, one by one."""

import contextlib
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certdesk.pki.authority import check, der, issue, issuers, profiles
from certdesk.pki.authority.built import Built
from certdesk.pki.authority.errors import CheckFailed
from tests.support.authority import NOW, request


@given(st.binary(max_size=70_000), st.integers(0x01, 0xFE))
def test_what_is_written_is_read(content: bytes, tag: int) -> None:
    element = der.tlv(tag, content)
    assert list(der.read(element + element)) == [(tag, content, element)] * 2


@given(st.binary(max_size=40))
def test_reading_foreign_bytes_ends_or_refuses(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert b"".join(whole for _, _, whole in der.read(data)) == data


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 1 << 127, (1 << 128) - 1])
def test_integers_are_positive_and_shortest(value: int) -> None:
    content = der.integer(value)[2:]
    assert int.from_bytes(content, "big", signed=True) == value
    assert len(content) == 1 or content[0] or content[1] & 0x80


@pytest.mark.parametrize(
    "dotted", ["2.5.29.17", "1.2.840.113549.1.1.11", "2.23.140.1.2.1", "1.3.6.1.5.5.7.3.1"]
)
def test_object_identifiers_are_those_of_the_library(dotted: str) -> None:
    oid = x509.ObjectIdentifier(dotted)
    usage = x509.ExtendedKeyUsage([oid]).public_bytes()
    assert usage == der.sequence(der.object_identifier(oid))


def test_dates_from_2050_on_have_four_digits_of_the_year() -> None:
    assert der.time(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)) == b"\x17\x0d491231235959Z"
    assert der.time(datetime(2050, 1, 1, tzinfo=UTC)) == b"\x18\x0f20500101000000Z"


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-11-23 12:00:00", 12, "2027-11-23 11:59:59"),
        ("2028-02-29 00:00:00", 12, "2029-02-27 23:59:59"),
        ("2026-12-31 10:00:00", 2, "2027-02-28 09:59:59"),
        ("2026-08-31 10:00:00", 3, "2026-11-30 09:59:59"),
    ],
)
def test_a_period_is_calendar_months_minus_a_second(start: str, months: int, end: str) -> None:
    # rule: TIM-1
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = profiles.validity("private", months, begin + timedelta(microseconds=5))
    assert found == (begin, datetime.fromisoformat(end).replace(tzinfo=UTC))


def test_a_renewal_carries_over_what_was_left() -> None:
    begin, end = profiles.validity("private", 12, NOW, timedelta(days=5))
    assert end - profiles.validity("private", 12, NOW)[1] == timedelta(days=5)
    assert begin == NOW


@pytest.mark.parametrize(
    ("on", "days"),
    [
        ("2026-03-14", 398),
        ("2026-03-15", 200),
        ("2027-03-14", 200),
        ("2027-03-15", 100),
        ("2029-03-14", 100),
        ("2029-03-15", 47),
    ],
)
def test_public_lifetimes_change_on_their_day(on: str, days: int) -> None:
    # rule: REN-8
    start = datetime.fromisoformat(on).replace(tzinfo=UTC)
    assert profiles.PROFILES["public"].longest(start.date()) == days
    begin, end = profiles.validity("public", 12, start)
    assert end - begin + timedelta(seconds=1) <= timedelta(days=min(days - 1, 366))


@pytest.fixture
def built(ca: None) -> Built:
    return issue.build(request(["www.example.com", "*.example.com"]), NOW)


def replaced(built: Built, old: bytes, new: bytes) -> Built:
    assert built.tbs.count(old) >= 1
    return dataclasses.replace(built, tbs=built.tbs.replace(old, new))


def test_the_finished_bytes_pass_our_own_check(built: Built) -> None:
    check.check(built)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda b: dataclasses.replace(b, serial=b.serial ^ 1), "serial"),
        (lambda b: dataclasses.replace(b, serial=5), "serial"),
        (lambda b: dataclasses.replace(b, not_before=b.not_before + timedelta(seconds=1)), "notBefore"),
        (lambda b: dataclasses.replace(b, not_after=b.not_after - timedelta(seconds=1)), "notAfter"),
        (lambda b: dataclasses.replace(b, names=b.names[:1]), "alternative names"),
        (lambda b: dataclasses.replace(b, names=b.names[::-1]), "alternative names"),
        (lambda b: dataclasses.replace(b, subject=()), "subject"),
        (lambda b: dataclasses.replace(b, spki=b.spki[:-1] + b"\0"), "public key"),
        (lambda b: replaced(b, b"*.example.com", b"*.example.org"), "alternative names"),
        (lambda b: replaced(b, b"http://pki", b"http://pk1"), "extensions"),
        (lambda b: dataclasses.replace(b, issuer=issuers.find("ov-p256")), "issuer"),
        (lambda b: dataclasses.replace(b, issuer=issuers.find("dv-rsa2048")), "signature algorithm"),
        (lambda b: dataclasses.replace(b, tbs=b.tbs + b"\0"), "form"),
        (lambda b: dataclasses.replace(b, tbs=b.tbs[:-1]), "form"),
        (lambda b: dataclasses.replace(b, tbs=b""), "form"),
        (lambda b: dataclasses.replace(b, tbs=b"\x30" * 200_000), "length"),
    ],
)
def test_any_difference_is_found_and_named(built: Built, change: object, field: str) -> None:
    with pytest.raises(CheckFailed) as failed:
        check.check(change(built))  # type: ignore[operator]
    assert failed.value.details == {"field": field}
