"""Vouchers and coupons of an account: what there is, what would pay an order, and using them up."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.catalogue.queries import catalogue

from . import payment_rules
from .errors import UsedMeanwhile
from .models import Coupon, Order, Voucher
from .payment_rules import VOUCHER, Plan
from .queries import VIEW_BALANCE


def vouchers(principal: Principal) -> list[Voucher]:
    """Vouchers of the principal's account, those that end first before the others.

    Raises:
        Forbidden: no policy allows it.
    """
    principal.require(VIEW_BALANCE, Resource("balance", account_id=principal.account_id))
    return list(Voucher.objects.filter(account_id=principal.account_id).order_by("expires_at", "id"))


def coupons(principal: Principal) -> list[Coupon]:
    """Coupons of the principal's account, those that end first before the others.

    Raises:
        Forbidden: no policy allows it.
    """
    principal.require(VIEW_BALANCE, Resource("balance", account_id=principal.account_id))
    return list(Coupon.objects.filter(account_id=principal.account_id).order_by("expires_at", "id"))


def plan(order: Order, voucher_ids: Sequence[str], coupon_code: str, now: datetime) -> Plan:
    """How the order would be paid with these; nothing is written.

    Raises:
        BadParameter: one of them is unknown or cannot be used for this order.
    """
    chosen = _vouchers(order.account_id, list(dict.fromkeys(voucher_ids)))
    coupon = _coupon(order.account_id, coupon_code) if coupon_code else None
    digits = catalogue().currencies.get(order.currency, 2)
    return payment_rules.plan(order.amount, order.currency, chosen, coupon, now, digits)


def _vouchers(account_id: str, wanted: Sequence[str]) -> list[Voucher]:
    if not wanted:
        return []
    found = {one.id: one for one in Voucher.objects.filter(account_id=account_id, id__in=wanted)}
    for voucher_id in wanted:
        if voucher_id not in found:
            raise BadParameter(
                f"There is no voucher {voucher_id}.",
                next_step="Take an id of the balance's list of vouchers.",
                field="voucher_ids",
            )
    return [found[voucher_id] for voucher_id in wanted]


def _coupon(account_id: str, code: str) -> Coupon:
    found = Coupon.objects.filter(account_id=account_id, code=code.strip().upper()).first()
    if found is None:
        raise BadParameter(
            f"There is no coupon {code.strip()}.",
            next_step="Check the code in the balance's list of coupons.",
            field="coupon_code",
        )
    return found


def use(order: Order, wanted: Plan, now: datetime) -> None:
    """Uses the parts of a plan up, in the caller's transaction; what another request has used since the
    plan was made rolls the whole payment back.

    Raises:
        UsedMeanwhile: a voucher or the coupon has less left than the plan takes.
    """
    for part in sorted(wanted.parts, key=lambda one: one.source_id):  # one order of locks for all payments
        if part.means == VOUCHER:
            taken = sql.execute(
                "UPDATE orders_voucher SET remaining = remaining - %s"
                " WHERE id = %s AND account_id = %s AND remaining >= %s AND expires_at > %s",
                [part.amount, part.source_id, order.account_id, part.amount, sql.plain(now)],
            )
        else:
            taken = sql.execute(
                "UPDATE orders_coupon SET order_id = %s"
                " WHERE id = %s AND account_id = %s AND order_id = '' AND expires_at > %s",
                [order.id, part.source_id, order.account_id, sql.plain(now)],
            )
        if not taken:
            raise UsedMeanwhile(part.means.lower())
    sql.insert("orders_part", [{"order_id": order.id, **vars(part)} for part in wanted.parts])
