"""Validity, authorisation and subject: pure rules, both sides of each limit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certdesk.lifecycle.issuance import rules
from certdesk.lifecycle.issuance.errors import NotProved, PeriodOver
from certdesk.lifecycle.issuance.rules import Approvals, Proof

NOW = datetime(2026, 11, 23, 12, 30, 15, 999, tzinfo=UTC)
OLD = NOW - timedelta(days=398)


def test_a_year_is_the_calendar_date_a_year_on_minus_one_second():
    start, end = rules.validity(NOW, 12, 398)
    assert start == datetime(2026, 11, 23, 12, 30, 15, tzinfo=UTC)
    assert end == datetime(2027, 11, 23, 12, 30, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (datetime(2024, 2, 29, tzinfo=UTC), 12, datetime(2025, 2, 27, 23, 59, 59, tzinfo=UTC)),
        (datetime(2027, 2, 28, tzinfo=UTC), 12, datetime(2028, 2, 27, 23, 59, 59, tzinfo=UTC)),
        (datetime(2026, 11, 30, tzinfo=UTC), 3, datetime(2027, 2, 27, 23, 59, 59, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), 12, datetime(2027, 12, 30, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_months_are_calendar_months_clamped_to_the_end(start, months, end):
    assert rules.validity(start, months, 398) == (start, end)


def test_the_issuers_longest_certificate_ends_it_earlier():
    start, end = rules.validity(NOW, 12, 200)
    assert end - start == timedelta(days=200) - timedelta(seconds=1)


def authorize(names, proofs, level="DV", approvals=None):
    return rules.authorize(
        "scs0000000000001.1.1",
        "account",
        names,
        b"k" * 32,
        proofs,
        level=level,
        approvals=approvals or Approvals(),
        fresh_since=OLD,
    )


def proofs_of(names, at=NOW):
    return [Proof(name, number, at) for number, name in enumerate(names, 1)]


def test_the_authorization_lists_the_evidence_of_each_name():
    names = ["a.example.com", "b.example.com"]
    made = authorize(names, list(reversed(proofs_of(names))))
    assert made.names == ("a.example.com", "b.example.com")
    assert made.evidence == (1, 2)


@given(count=st.integers(1, 250), data=st.data())
def test_one_unproved_name_at_any_position_stops_everything(count, data):
    names = [f"n{number}.example.com" for number in range(count)]
    missing = data.draw(st.integers(0, count - 1))
    proofs = proofs_of(names)
    assert authorize(names, proofs).names == tuple(names)
    with pytest.raises(NotProved, match=f"n{missing}.example.com"):
        authorize(names, proofs[:missing] + proofs[missing + 1 :])


def test_the_proof_of_a_neighbour_is_no_proof():
    with pytest.raises(NotProved):
        authorize(["example.com"], proofs_of(["www.example.com", "*.example.com"]))


def test_no_names_no_authorization():
    with pytest.raises(NotProved):
        authorize([], [])


def test_evidence_ends_with_its_last_second():
    names = ["a.example.com"]
    assert authorize(names, proofs_of(names, OLD))
    with pytest.raises(NotProved, match="too old"):
        authorize(names, proofs_of(names, OLD - timedelta(microseconds=1)))


@pytest.mark.parametrize(
    ("level", "approvals", "good"),
    [
        ("DV", Approvals(), True),
        ("OV", Approvals(), False),
        ("OV", Approvals(False, ("user:1",)), False),
        ("OV", Approvals(True, ("user:1",)), True),
        ("EV", Approvals(True, ("user:1",)), False),
        ("EV", Approvals(True, ("user:1", "user:1")), False),
        ("EV", Approvals(True, ("user:1", "user:2")), True),
    ],
)
def test_an_organization_needs_its_officers(level, approvals, good):
    names = ["a.example.com"]
    if good:
        assert authorize(names, proofs_of(names), level, approvals).approved_by == approvals.officers
    else:
        with pytest.raises(NotProved):
            authorize(names, proofs_of(names), level, approvals)


COMPANY = {"name": "Example Ltd", "unit": "IT", "province": "Guizhou", "city": "Guiyang", "country": "CN"}


def test_the_subject_follows_the_level():
    assert rules.subject("DV", COMPANY).organization == ""
    assert rules.subject("OV", COMPANY).organization == "Example Ltd"
    assert rules.subject("OV", COMPANY).business_category == ""
    extended = rules.subject("EV", COMPANY | {"registration_number": "91-520"})
    assert (extended.serial_number, extended.jurisdiction_country) == ("91-520", "CN")
    assert extended.business_category == "Private Organization"


# rule: CAT-7
def test_a_further_version_never_outlasts_what_was_paid() -> None:
    now = datetime(2027, 1, 1, 12, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert rules.validity(now, 12, 398, now + second) == (now, now + second)
    with pytest.raises(PeriodOver):
        rules.validity(now, 12, 398, now)
