"""When somebody leaves: certificates, orders and contacts go to a named team mate."""

import time
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, Forbidden, WrongState
from certdesk.foundation.iam import finding, queries, rules
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates.editing import UPDATE
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rows import columns
from certdesk.lifecycle.orders.models import Order

from .models import BookContact, Contact

HAND_OVER = "iam:users:handOver"
BATCH, PAUSE = 100, 0.002  # law 13
UNDECIDED = ("CHECKING", "CHECKING_ORG")
"""While an application is looked at, its contact stays: the officer is told from the applicant by it."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many of each went, and how many certificates the principal has no right to and left."""

    certificates: int
    orders: int
    contacts: int
    left: int


def hand_over(principal: Principal, user_id: str, to: str, now: datetime) -> HandedOver:
    """Makes `to` (user id or name) the owner of all that is the user's; may be run again.

    Who submitted an application stays on record: ORG-5 goes by it.

    Raises:
        NotFound, Forbidden: no right; or one would hand to oneself what a policy of one's own gives the
            owner alone. BadParameter, WrongState: the team mate is the same user, or switched off.
    """
    user = finding.user(principal, HAND_OVER, user_id)
    heir = _heir(principal, user, to)
    condition, params = queries.where(principal, UPDATE, columns("certificates_certificate"))
    moved = 0
    while True:
        done = _certificates(principal, user, heir, condition, params, now)
        moved += done
        if done < BATCH:
            break
        time.sleep(PAUSE)
    orders = _orders(principal, user, heir)
    contacts = _contacts(principal, user, heir)
    left = Certificate.objects.filter(account_id=user.account_id, owner_id=user.id).count()
    with sql.short_transaction():
        details = {"to": heir.id, "certificates": moved, "orders": orders, "contacts": contacts, "left": left}
        audit.record(principal, HAND_OVER, resource=f"user:{user.id}", details=details)
    return HandedOver(moved, orders, contacts, left)


def _heir(principal: Principal, user: User, to: str) -> User:
    found = User.objects.filter(account_id=principal.account_id, id=to).first()
    found = found or User.objects.filter(account_id=principal.account_id, name=to).first()
    if found is None:
        raise finding.missing("user", to)
    if found.id == user.id:
        raise BadParameter("Name another user to take over.", field="to")
    if not found.is_active:
        raise WrongState("The user who takes over is switched off.", next_step="Name an active one.")
    if found.id == principal.user_id and rules.is_owner_bound(principal.grants):
        raise Forbidden(
            "You may not hand things to yourself: a policy of yours gives owners more.",
            next_step="Ask another administrator.",
            details={"action": HAND_OVER},
        )
    return found


def _certificates(
    principal: Principal, user: User, heir: User, condition: str, params: list[object], now: datetime
) -> int:
    """At most 100 in one transaction, each with its audit row."""
    with sql.short_transaction():
        rows = sql.rows(
            f"SELECT id FROM certificates_certificate WHERE owner_id = %s AND {condition}"
            f" ORDER BY id LIMIT {BATCH}",
            [user.id, *params],
        )
        ids = [row[0] for row in rows]
        Certificate.objects.filter(id__in=ids, owner_id=user.id).update(owner_id=heir.id, updated_at=now)
        details = {"from": user.id, "to": heir.id}
        lines = [audit.Line(HAND_OVER, f"cert:{one}", details) for one in ids]
        if lines:
            audit.record_many(principal, lines, account_id=user.account_id)
    return len(ids)


def _orders(principal: Principal, user: User, heir: User) -> int:
    moved = 0
    while True:
        with sql.short_transaction():
            mine = Order.objects.filter(account_id=user.account_id, user_id=user.id).order_by("id")
            ids = list(mine.values_list("id", flat=True)[:BATCH])
            Order.objects.filter(id__in=ids).update(user_id=heir.id)
            details = {"from": user.id, "to": heir.id}
            lines = [audit.Line(HAND_OVER, f"order:{one}", details) for one in ids]
            if lines:
                audit.record_many(principal, lines, account_id=user.account_id)
        moved += len(ids)
        if len(ids) < BATCH:
            return moved
        time.sleep(PAUSE)


def _contacts(principal: Principal, user: User, heir: User) -> int:
    """Mails about certificates that named the one who leaves go to the heir; he leaves the book."""
    if not user.email or not heir.email:
        return 0
    with sql.short_transaction():
        settled = Certificate.objects.filter(account_id=user.account_id, owner_id=heir.id)
        ids = list(settled.exclude(state__in=UNDECIDED).values_list("id", flat=True))
        count = 0
        for start in range(0, len(ids), BATCH):
            of_these = Contact.objects.filter(application__certificate_id__in=ids[start : start + BATCH])
            for field in ("applicant_email", "contact_email"):
                count += of_these.filter(**{f"{field}__iexact": user.email}).update(**{field: heir.email})
        BookContact.objects.filter(account_id=user.account_id, email__iexact=user.email).delete()
    return count
