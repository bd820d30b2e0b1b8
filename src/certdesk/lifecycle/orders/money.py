"""Amounts between people and the books: decimal text outside, integers of minor units inside. Pure."""

from decimal import Decimal, InvalidOperation

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.catalogue.rules import amount_text

MOST = 10**15
"""Above every honest amount, and far below what a 64-bit column holds."""


def parse_amount(text: str, digits: int = 2, field: str = "amount") -> int:
    """`1000` or `99.50` as minor units; exact.

    Raises:
        BadParameter: not a decimal, too many digits after the point, or too large.
    """
    try:
        scaled = Decimal(text.strip()).scaleb(digits)
    except InvalidOperation:
        scaled = Decimal("NaN")
    if not scaled.is_finite() or abs(scaled) > MOST or scaled != scaled.to_integral_value():
        raise BadParameter(
            f"{text!r} is not an amount with at most {digits} digits after the point.",
            next_step="Write it like 1000 or 99.50.",
            field=field,
        )
    return int(scaled)


def show_amount(minor: int, digits: int = 2) -> str:
    """Minor units as a decimal string: 9950 → `99.50`."""
    return amount_text(minor, digits)
