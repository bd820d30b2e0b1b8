"""Limits, names, marks and periods of organisation verification, without a database."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import person_rules
from certdesk.lifecycle.applications.contacts import same_information
from certdesk.lifecycle.catalogue.working_days import Region, promise
from certdesk.lifecycle.validation import document_rules, organization_rules

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("given", "kind", "clean"),
    [
        ("licence.pdf", "PDF", "licence.pdf"),
        ("C:\\scans\\licence.PDF", "PDF", "licence.pdf"),
        ("../../etc/passwd", "PNG", "passwd.png"),
        ("photo.jpeg", "JPEG", "photo.jpg"),
        ("营业执照.png", "PNG", "营业执照.png"),
        ("a\r\nSet-Cookie: x=1.pdf", "PDF", "a__Set-Cookie_ x_1.pdf"),
        ('x";filename=evil.exe', "PDF", "x__filename_evil.exe.pdf"),
        ("....", "PDF", "document.pdf"),
        ("\u202efdp.exe", "PDF", "_fdp.exe.pdf"),
        ("n" * 300, "PDF", "n" * 80 + ".pdf"),
    ],
)
def test_a_name_means_nothing_to_anybody(given: str, kind: str, clean: str) -> None:
    assert document_rules.clean_name(given, kind) == clean


def test_the_limits_of_documents_on_both_sides() -> None:
    most = document_rules.MAX_BYTES
    assert document_rules.kind_of(b"%PDF-".ljust(most, b"x")) == "PDF"
    for content in (b"%PDF-".ljust(most + 1, b"x"), b"", b"%PDF", b"\x89PNG\r\n\x1a", b"\xff\xd8"):
        with pytest.raises(BadParameter):
            document_rules.kind_of(content)
    document_rules.check_count(document_rules.MAX_COUNT - 1)
    with pytest.raises(BadParameter):
        document_rules.check_count(document_rules.MAX_COUNT)
    parts = document_rules.pieces(b"x" * (document_rules.PART_BYTES + 1))
    assert [len(one) for one in parts] == [document_rules.PART_BYTES, 1]


def test_thirteen_months_are_calendar_months() -> None:
    # rule: ORG-4
    # rule: TIM-1
    for approved, last in (
        (datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2027, 2, 28, 12, tzinfo=UTC)),
        (datetime(2027, 1, 31, 12, tzinfo=UTC), datetime(2028, 2, 29, 12, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)),
    ):
        assert organization_rules.may_reuse(approved, 13, last)
        assert not organization_rules.may_reuse(approved, 13, last + SECOND)
        assert not organization_rules.may_reuse(approved, 0, approved)


def test_the_same_company_is_told_field_by_field() -> None:
    # rule: APP-15
    one = {"name": "Café", "city": "Paris"}
    assert same_information(one, {"name": " Cafe\u0301 ", "city": "Paris", "unit": " "})
    for other in ({"name": "café", "city": "Paris"}, {"name": "Café"}, {**one, "unit": "IT"}):
        assert not same_information(one, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada+ra@Example.net", "ada@example.NET", True),
        ("ada@example.net", "eva@example.net", False),
        ("nobody", "nobody", False),
        ("", "", False),
    ],
)
def test_marks_of_a_mailbox(one: str, other: str, same: bool) -> None:
    marks = person_rules.email_mark(one), person_rules.email_mark(other)
    assert (bool(marks[0]) and marks[0] == marks[1]) is same


def test_marks_of_phone_and_name() -> None:
    assert person_rules.phone_mark("+86 (10) 1234-5678") == person_rules.phone_mark("861012345678")
    assert person_rules.phone_mark("12345") == ""
    assert person_rules.name_mark(" Alice ") == person_rules.name_mark("alice")
    assert person_rules.name_mark(" ") == ""


def test_the_first_day_in_time_agrees_with_the_promise() -> None:
    # rule: ISS-5
    regions = (
        Region(),
        Region(timezone(timedelta(hours=8)), holidays=frozenset({date(2027, 3, 3), date(2027, 3, 4)})),
        Region(weekend=frozenset({4, 5}), workdays=frozenset({date(2027, 3, 5)})),
    )
    for region in regions:
        for day in range(14):
            now = datetime(2027, 3, 1, 17, 30, tzinfo=UTC) + timedelta(days=day)
            first = organization_rules.late_from(5, now, region)
            for age in range(20):
                since = now - timedelta(days=age)
                late = promise((3, 5), since, now, region).late
                assert late is (region.day(since) < first), (region, now, age)
