"""What the operator may grant: vouchers and discount coupons within sane limits. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common.errors import BadParameter

from .money import MOST

_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,31}")
NOTE_LIMIT = 100


@dataclass(frozen=True)
class NewVoucher:
    """Minor units of `currency`, good until `expires_at` (exclusive)."""

    currency: str
    amount: int
    expires_at: datetime
    note: str = ""


@dataclass(frozen=True)
class NewCoupon:
    """A percentage or an amount (minor units) off one order of at least `minimum`."""

    code: str
    currency: str
    expires_at: datetime
    percent: int | None = None
    amount: int | None = None
    minimum: int = 0
    note: str = ""


def check_voucher(wanted: NewVoucher, now: datetime) -> None:
    """Raises BadParameter for what cannot be granted."""
    _above_zero(wanted.amount)
    _check_end(wanted.expires_at, wanted.note, now)


def check_coupon(wanted: NewCoupon, now: datetime) -> None:
    """Raises BadParameter for what cannot be granted."""
    if not _CODE.fullmatch(wanted.code):
        raise BadParameter(
            f"{wanted.code!r} is no code of a coupon.",
            next_step="Use 3 to 32 capital letters, digits and hyphens.",
            field="code",
        )
    if (wanted.percent is None) is (wanted.amount is None):
        raise BadParameter(
            "A coupon is a percentage or an amount.", next_step="Give one of the two.", field="percent"
        )
    if wanted.percent is not None and not 1 <= wanted.percent <= 100:
        raise BadParameter(
            f"{wanted.percent} is no percentage of a discount.", next_step="Use 1 to 100.", field="percent"
        )
    if wanted.amount is not None:
        _above_zero(wanted.amount)
    if not 0 <= wanted.minimum <= MOST:
        raise BadParameter(
            "The least amount of an order cannot be below 0.", next_step="Leave it empty.", field="minimum"
        )
    _check_end(wanted.expires_at, wanted.note, now)


def _above_zero(amount: int) -> None:
    if not 0 < amount <= MOST:
        raise BadParameter("The amount must be above 0.", next_step="Send a positive amount.", field="amount")


def _check_end(expires_at: datetime, note: str, now: datetime) -> None:
    if expires_at <= now:
        raise BadParameter(
            "It would have expired already.", next_step="Choose a later end.", field="expires_at"
        )
    if len(note) > NOTE_LIMIT:
        raise BadParameter(
            f"The note has {len(note)} characters; at most {NOTE_LIMIT} are allowed.",
            next_step="Shorten it.",
            field="note",
        )
