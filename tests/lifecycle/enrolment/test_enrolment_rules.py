"""Authorisations after their time, and identifiers of certificates that are none."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

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
