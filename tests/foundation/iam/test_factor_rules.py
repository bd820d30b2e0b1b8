"""Codes of authenticator apps against the vectors of RFC 6238, and recovery codes."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from certdesk.foundation.iam import factor_rules as rules

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    assert rules.code_at(SECRET, rules.step_of(now)) == code
    assert rules.matching_step(SECRET, code, now, 0) == rules.step_of(now)


def test_one_step_of_drift_and_no_more() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    step = rules.step_of(now)
    code = rules.code_at(SECRET, step)
    for steps, wanted in ((-2, None), (-1, step), (0, step), (1, step), (2, None)):
        moved = now + timedelta(seconds=steps * rules.PERIOD)
        assert rules.matching_step(SECRET, code, moved, 0) == wanted, steps


def test_a_step_counts_once() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    step = rules.step_of(now)
    code = rules.code_at(SECRET, step)
    assert rules.matching_step(SECRET, code, now, step - 1) == step
    assert rules.matching_step(SECRET, code, now, step) is None
    assert rules.matching_step(SECRET, "", now, 0) is None
    assert rules.matching_step(SECRET, "١٢٣٤٥٦", now, 0) is None


def test_the_qr_code_says_what_apps_read() -> None:
    secret = rules.new_secret()
    found = urlsplit(rules.uri(secret, "Certdesk desk.example.org", "other/alice"))
    asked = {name: values[0] for name, values in parse_qs(found.query).items()}
    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert found.path == "/Certdesk%20desk.example.org:other%2Falice"
    assert base64.b32decode(asked["secret"] + "=" * (-len(asked["secret"]) % 8)) == secret
    assert (asked["digits"], asked["period"], asked["issuer"]) == ("6", "30", "Certdesk desk.example.org")


def test_recovery_codes() -> None:
    codes = rules.new_recovery_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert rules.is_recovery(rules.typed(f" {code.upper()} "))
        assert rules.digest_of(code) == rules.digest_of(code.replace("-", " ").upper())
    assert not rules.is_recovery("123456")
    assert not rules.is_recovery("abcdabcdabcdabc!")
    assert not rules.is_recovery("abcdabcdabcdabcda")
