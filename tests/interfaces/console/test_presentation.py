"""Relative times, durations, money and names as people read them: pure values in and out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from certdesk.interfaces.console import presentation
from certdesk.interfaces.console.presentation import Relative, Unit

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, Relative(0, Unit.NOW, True)),
        (59, Relative(0, Unit.NOW, True)),
        (-59, Relative(0, Unit.NOW, False)),
        (60, Relative(1, Unit.MINUTE, True)),
        (90 * 60 - 1, Relative(89, Unit.MINUTE, True)),
        (90 * 60, Relative(1, Unit.HOUR, True)),
        (-(2 * 86400 - 1), Relative(47, Unit.HOUR, False)),
        (2 * 86400, Relative(2, Unit.DAY, True)),
        (7 * 86400 - 1, Relative(6, Unit.DAY, True)),
        (730 * 86400 - 1, Relative(729, Unit.DAY, True)),
        (730 * 86400, Relative(2, Unit.YEAR, True)),
        (-1200 * 86400, Relative(3, Unit.YEAR, False)),
    ],
)
def test_a_distance_is_told_in_one_unit_and_never_promises_more_than_is_left(
    seconds: int, expected: Relative
) -> None:
    assert presentation.relative(NOW + timedelta(seconds=seconds), NOW) == expected


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(0), [(0, Unit.SECOND)]),
        (timedelta(milliseconds=900), [(0, Unit.SECOND)]),
        (timedelta(seconds=61), [(1, Unit.MINUTE), (1, Unit.SECOND)]),
        (timedelta(hours=6), [(6, Unit.HOUR)]),
        (timedelta(days=2, hours=4, minutes=9), [(2, Unit.DAY), (4, Unit.HOUR)]),
        (timedelta(days=2, minutes=9), [(2, Unit.DAY)]),
        (timedelta(days=-366), [(1, Unit.YEAR), (1, Unit.DAY)]),
    ],
)
def test_a_duration_is_told_in_two_neighbouring_units(
    span: timedelta, expected: list[tuple[int, Unit]]
) -> None:
    assert presentation.parts(span) == expected


# rule: LST-3
@pytest.mark.parametrize(
    ("not_after", "expected"),
    [
        (None, False),
        (NOW - timedelta(seconds=1), False),
        (NOW, True),
        (NOW + timedelta(days=30), True),
        (NOW + timedelta(days=30, seconds=1), False),
    ],
)
def test_the_reminder_shows_in_the_last_30_days_only(not_after: datetime | None, expected: bool) -> None:
    assert presentation.expires_soon(not_after, NOW) is expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("388", "CNY", "¥ 388.00"),
        (Decimal("1388.5"), "USD", "$ 1,388.50"),
        (0, "CHF", "CHF 0.00"),
        ("-212.10", "CNY", "−¥ 212.10"),
        ("90071992547409.93", "CNY", "¥ 90,071,992,547,409.93"),  # a binary float would lose the cents
    ],
)
def test_money_keeps_its_cents(amount: Decimal | str | int, currency: str, expected: str) -> None:
    assert presentation.money(amount, currency) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("www.example.net", ""),
        ("xn--bcher-kva.example", "bücher.example"),
        ("*.xn--fiqs8s.example", "*.中国.example"),
        ("xn--zzzzzzzz99999.example", ""),
    ],
)
def test_the_unicode_form_stands_beside_punycode_only(name: str, expected: str) -> None:
    assert presentation.unicode_form(name) == expected
