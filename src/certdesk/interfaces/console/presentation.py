"""How values are put for people: relative times, durations, money, names. Pure; no Django.

The words themselves are chosen in `templatetags/certdesk_ui.py`, where they are translated.
`static/certdesk.js` repeats the thresholds of `relative` to keep an open page true.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import idna

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
SOON = timedelta(days=30)  # LST-3: the reminder shows from 30 days before expiry

SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}


class Unit(StrEnum):
    NOW = "now"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    YEAR = "year"


SECONDS = {Unit.YEAR: YEAR, Unit.DAY: DAY, Unit.HOUR: HOUR, Unit.MINUTE: MINUTE, Unit.SECOND: 1}


@dataclass(frozen=True)
class Relative:
    """A distance in time in one unit, e.g. 6 days ahead."""

    count: int
    unit: Unit
    ahead: bool


def relative(moment: datetime, now: datetime) -> Relative:
    """How far `moment` is from `now`, rounded towards now: nobody is promised more time than is left."""
    ahead = moment >= now
    seconds = int(abs(moment - now).total_seconds())
    if seconds < MINUTE:
        return Relative(0, Unit.NOW, ahead)
    if seconds < 90 * MINUTE:
        return Relative(seconds // MINUTE, Unit.MINUTE, ahead)
    if seconds < 2 * DAY:
        return Relative(seconds // HOUR, Unit.HOUR, ahead)
    if seconds < 730 * DAY:
        return Relative(seconds // DAY, Unit.DAY, ahead)
    return Relative(seconds // YEAR, Unit.YEAR, ahead)


def parts(span: timedelta) -> list[tuple[int, Unit]]:
    """The two largest units of a duration: 2 days 4 hours; a span under a second is 0 seconds."""
    rest = int(abs(span).total_seconds())
    found: list[tuple[int, Unit]] = []
    for unit, size in SECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            found.append((count, unit))
        elif found:
            break  # "1 year 3 minutes" helps nobody: only neighbours stand together
    return found[:2] or [(0, Unit.SECOND)]


def expires_soon(not_after: datetime | None, now: datetime) -> bool:
    """Whether the reminder of LST-3 shows: still in force, and in its last 30 days."""
    return not_after is not None and now <= not_after <= now + SOON


def money(amount: Decimal | str | int, currency: str) -> str:
    """`¥ 1,388.00`: exact cents, the currency's sign, or its code where it has no common sign."""
    exact = Decimal(amount).quantize(Decimal("0.01"))
    sign = "−" if exact < 0 else ""
    return f"{sign}{SYMBOLS.get(currency, currency)} {abs(exact):,.2f}"


def unicode_form(name: str) -> str:
    """The Unicode form of a name with punycode labels; empty where it adds nothing or is no valid IDN."""
    if "xn--" not in name.lower():
        return ""
    star, plain = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    try:
        return star + idna.decode(plain)
    except idna.IDNAError:
        return ""
