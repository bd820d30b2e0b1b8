"""The operator's view of all accounts and their money."""

from collections.abc import Sequence
from dataclasses import dataclass

from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import Account
from certdesk.foundation.iam.principal import Principal

from .models import Coupon, Entry, Voucher

LIST = "certdesk:account:list"


@dataclass(frozen=True)
class AccountLine:
    """An account with its cash and what is left in its vouchers, minor units of its currency.

    The flags are the operator's word on who stands behind it (APP-14, ORD-5).
    `vouchers` includes expired ones: what they hold pays nothing any more but stays in the books.
    """

    id: str
    name: str
    currency: str
    cash: int
    vouchers: int
    real_name_verified: bool
    special_enterprise: bool


@dataclass(frozen=True)
class AccountMoney:
    """Everything the operator sees of one account's money; entries newest first."""

    line: AccountLine
    vouchers: Sequence[Voucher]
    coupons: Sequence[Coupon]
    entries: Sequence[Entry]


_LINES = (
    "SELECT a.id, a.name, a.currency,"
    " COALESCE((SELECT cash FROM orders_balance b WHERE b.account_id = a.id AND b.currency = a.currency), 0),"
    " COALESCE((SELECT SUM(remaining) FROM orders_voucher v"
    " WHERE v.account_id = a.id AND v.currency = a.currency), 0),"
    " a.real_name_verified, a.special_enterprise"
    " FROM iam_account a"
)


def accounts(principal: Principal, *, after: str = "", limit: int = 50) -> list[AccountLine]:
    """Accounts by name, those after the name `after`.

    Raises:
        Forbidden: only the operator may look.
    """
    iam.require_operator(principal, LIST)
    found = sql.rows(f"{_LINES} WHERE a.name > %s ORDER BY a.name LIMIT %s", [after, limit])
    return [_line(row) for row in found]


def money(principal: Principal, account_id: str, *, entries: int = 30) -> AccountMoney:
    """One account with its vouchers, coupons and last lines of the ledger.

    Raises:
        Forbidden: only the operator may look.
        NotFound: there is no such account.
    """
    iam.require_operator(principal, LIST)
    found = sql.row(f"{_LINES} WHERE a.id = %s", [account_id])
    if found is None:
        raise NotFound(f"There is no account {account_id}.", next_step="Look for it in the list of accounts.")
    of_account = {"account_id": account_id}
    return AccountMoney(
        _line(found),
        list(Voucher.objects.filter(**of_account).order_by("-granted_at", "-id")),
        list(Coupon.objects.filter(**of_account).order_by("-granted_at", "-id")),
        list(Entry.objects.filter(**of_account).order_by("-id")[:entries]),
    )


def account(principal: Principal, account_id: str) -> Account:
    """The account itself, for its flags. Raises: as `money`."""
    iam.require_operator(principal, LIST)
    found = Account.objects.filter(id=account_id).first()
    if found is None:
        raise NotFound(f"There is no account {account_id}.", next_step="Look for it in the list of accounts.")
    return found


def _line(row: sql.Row) -> AccountLine:
    return AccountLine(row[0], row[1], row[2], int(row[3]), int(row[4]), bool(row[5]), bool(row[6]))
