"""What the operator gives: vouchers and discount coupons (cash is the ledger's `credit`)."""

import secrets
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.clock import wire
from certdesk.foundation.common.errors import Conflict, NotFound
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal

from . import grant_rules, ledger
from .grant_rules import NewCoupon, NewVoucher
from .models import Coupon

GRANT_VOUCHER, GRANT_COUPON = "certdesk:voucher:grant", "certdesk:coupon:grant"


def grant_voucher(principal: Principal, account_id: str, wanted: NewVoucher, now: datetime) -> str:
    """Gives an account a voucher; answers its id.

    Raises:
        Forbidden: only the operator may.
        BadParameter: amount, currency, end or note cannot be used.
        NotFound: there is no such account.
    """
    iam.require_operator(principal, GRANT_VOUCHER)
    ledger.check_currency(wanted.currency)
    grant_rules.check_voucher(wanted, now)
    voucher_id = f"VC{secrets.token_hex(8).upper()}"
    with sql.short_transaction():
        _check_account(account_id)
        sql.insert(
            "orders_voucher",
            [
                {
                    "id": voucher_id,
                    "account_id": account_id,
                    "currency": wanted.currency,
                    "amount": wanted.amount,
                    "remaining": wanted.amount,
                    "note": wanted.note,
                    "granted_at": now,
                    "expires_at": wanted.expires_at,
                }
            ],
        )
        ledger.book_grant(account_id, voucher_id, wanted.currency, wanted.amount, now)
        details = {"currency": wanted.currency, "minor": wanted.amount, "expires_at": wire(wanted.expires_at)}
        audit.record(
            principal, GRANT_VOUCHER, resource=f"voucher:{voucher_id}", details=details, account_id=account_id
        )
    return voucher_id


def grant_coupon(principal: Principal, account_id: str, wanted: NewCoupon, now: datetime) -> str:
    """Gives an account a discount coupon for one order; answers its id.

    Raises:
        Forbidden: only the operator may.
        BadParameter: code, discount, currency, end or note cannot be used.
        NotFound: there is no such account.
        Conflict: the account has a coupon of this code.
    """
    iam.require_operator(principal, GRANT_COUPON)
    ledger.check_currency(wanted.currency)
    grant_rules.check_coupon(wanted, now)
    coupon_id = f"CP{secrets.token_hex(8).upper()}"
    with sql.short_transaction():
        _check_account(account_id)
        if Coupon.objects.filter(account_id=account_id, code=wanted.code).exists():
            raise Conflict(
                f"This account has a coupon {wanted.code} already.",
                next_step="Choose another code.",
                field="code",
            )
        Coupon.objects.create(id=coupon_id, account_id=account_id, granted_at=now, **vars(wanted))
        audit.record(
            principal,
            GRANT_COUPON,
            resource=f"coupon:{coupon_id}",
            details={
                "code": wanted.code,
                "percent": wanted.percent,
                "minor": wanted.amount,
                "currency": wanted.currency,
                "expires_at": wire(wanted.expires_at),
            },
            account_id=account_id,
        )
    return coupon_id


def _check_account(account_id: str) -> None:
    if sql.row("SELECT 1 FROM iam_account WHERE id = %s", [account_id]) is None:
        raise NotFound(f"There is no account {account_id}.", next_step="Look for it in the list of accounts.")
