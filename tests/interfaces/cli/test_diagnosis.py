"""What `doctor` says of the CRLs, on both sides of each limit."""

import pytest

from certdesk.interfaces.cli import diagnosis
from certdesk.pki.authority import publishing
from certdesk.pki.authority.models import Authority, Crl


@pytest.fixture(autouse=True)
def ca(db: None) -> None:
    from tests.support import authority

    authority.start_ca()


@pytest.mark.parametrize(
    ("entries", "level"), [(79_999, "ok"), (80_000, "warning"), (100_000, "warning"), (100_001, "problem")]
)
def test_the_longest_crl_is_told_before_it_is_too_long(entries: int, level: str) -> None:
    authority = Authority.objects.get(slug="dv-p256")
    Crl.objects.create(name="dv-p256-1", authority=authority, entries=7)
    Crl.objects.create(name="dv-p256-2", authority=authority, entries=entries)
    (found,) = (one for one in diagnosis.examine() if one.subject == "CRLs")
    assert found.level == level
    assert str(entries) in found.sentence
    assert ("dv-p256-2" in found.sentence) is (level != "ok")


def test_before_the_first_crl_nothing_is_too_long() -> None:
    assert publishing.longest() == ("", 0)
