"""The books: cash in the balance, and double entries whose postings sum to zero each. Minor units."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import amount_text

from . import queries
from .errors import BookedAlready
from .models import Book

CREDIT = "certdesk:account:credit"  # the host's own command and the operator: nobody else makes money


@dataclass(frozen=True)
class Payment:
    """What was paid for an order, minor units."""

    order_id: str
    currency: str
    cash: int
    voucher: int = 0
    coupon: int = 0

    @property
    def amount(self) -> int:
        return self.cash + self.voucher + self.coupon


def take(account_id: str, currency: str, minor: int) -> bool:
    """Takes cash if there is enough: one conditional UPDATE, so two payments cannot use the same money."""
    if minor == 0:
        return True
    return bool(
        sql.execute(
            "UPDATE orders_balance SET cash = cash - %s"
            " WHERE account_id = %s AND currency = %s AND cash >= %s",
            [minor, account_id, currency, minor],
        )
    )


def too_small(account_id: str, currency: str, minor: int) -> str:
    """The reason that an order keeps (ORD-7)."""
    digits = catalogue().currencies.get(currency, 2)
    there = amount_text(queries.cash(account_id, currency), digits)
    return (
        f"The balance is too small: {amount_text(minor, digits)} {currency} needed, {there} {currency} there."
    )


def book_payments(account_id: str, payments: Sequence[Payment], now: datetime) -> None:
    """Entries that sum to zero for each payment, one for each means; a free order moves nothing."""
    sql.insert(
        "orders_entry",
        [
            _entry(f"pay:{one.order_id}", account_id, book, one.currency, amount, now)
            for one in payments
            for book, amount in (
                (Book.CASH, -one.cash),
                (Book.VOUCHER, -one.voucher),
                (Book.COUPON, -one.coupon),
                (Book.REVENUE, one.amount),
            )
            if amount
        ],
    )


def book_grant(account_id: str, voucher_id: str, currency: str, minor: int, now: datetime) -> None:
    """A voucher that was granted, in two entries."""
    sql.insert(
        "orders_entry",
        [
            _entry(f"grant:{voucher_id}", account_id, Book.GRANTS, currency, -minor, now),
            _entry(f"grant:{voucher_id}", account_id, Book.VOUCHER, currency, minor, now),
        ],
    )


def give_back(account_id: str, order_id: str, item_id: str, currency: str, minor: int, now: datetime) -> None:
    """Cash of a refund, into the balance it was paid from; the posting's name allows it once."""
    if minor == 0:
        return
    posting = f"refund:{order_id}:{item_id}"
    sql.insert(
        "orders_entry",
        [
            _entry(posting, account_id, Book.REVENUE, currency, -minor, now),
            _entry(posting, account_id, Book.CASH, currency, minor, now),
        ],
    )
    _give(account_id, currency, minor)


def _give(account_id: str, currency: str, minor: int) -> None:
    sql.insert(
        "orders_balance",
        [{"account_id": account_id, "currency": currency, "cash": minor}],
        "ON CONFLICT (account_id, currency) DO UPDATE SET cash = orders_balance.cash + EXCLUDED.cash",
    )


def _entry(
    posting: str, account_id: str, book: Book, currency: str, minor: int, now: datetime
) -> dict[str, object]:
    return {
        "posting": posting,
        "account_id": account_id,
        "book": book.value,
        "currency": currency,
        "amount": minor,
        "at": now,
    }


def credit(
    account_id: str, currency: str, minor: int, reference: str, now: datetime, principal: Principal
) -> int:
    """Books cash into an account; answers the balance after it, minor units.

    Args:
        minor: above 0, minor units.
        reference: the payer's; the same one is booked once an account. Empty = none.

    Raises:
        Forbidden: only the operator may.
        BadParameter: amount or currency cannot be booked.
        BookedAlready: the reference was booked before.
    """
    iam.require_operator(principal, CREDIT)
    if minor <= 0:
        raise BadParameter("A credit must be above 0.", next_step="Send a positive amount.", field="amount")
    check_currency(currency)
    posting = _credit_posting(account_id, reference)
    with sql.short_transaction():
        entries = [
            _entry(posting, account_id, Book.OUTSIDE, currency, -minor, now),
            _entry(posting, account_id, Book.CASH, currency, minor, now),
        ]
        if sql.insert("orders_entry", entries, "ON CONFLICT (posting, book) DO NOTHING") != len(entries):
            raise BookedAlready(
                f"A credit with the reference {reference!r} is booked already.",
                next_step="Use another reference if it is another payment.",
            )
        _give(account_id, currency, minor)
        audit.record(
            principal,
            "account.credited",
            resource=f"account:{account_id}",
            details={"currency": currency, "minor": minor, "reference": reference},
            account_id=account_id,
        )
        return queries.cash(account_id, currency)


def check_currency(currency: str) -> None:
    """Raises BadParameter where the catalogue has no prices in the currency."""
    if currency not in catalogue().currencies:
        known = ", ".join(catalogue().currencies)
        raise BadParameter(
            f"The catalogue has no prices in {currency}.", next_step=f"Use one of: {known}.", field="currency"
        )


def _credit_posting(account_id: str, reference: str) -> str:
    if not reference:
        return f"credit:{secrets.token_hex(16)}"
    return f"credit:{hashlib.sha256(f'{account_id}:{reference}'.encode()).hexdigest()[:32]}"
