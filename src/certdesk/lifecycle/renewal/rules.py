"""What a renewal buys, and how long it will be valid (REN-3, REN-5). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from certdesk.lifecycle.issuance import rules as issuance
from certdesk.lifecycle.orders.rules import BuyRequest

CHANGEABLE = (
    "cert_brand",
    "cert_type",
    "domain_type",
    "domain_numbers",
    "primary_domain_type",
    "single_domain_number",
    "wildcard_domain_number",
    "enterprise_project_id",
)
"""What may differ from the old certificate; it then inherits nothing (REN-5)."""


class Old(Protocol):
    """The certificate to renew, as far as it decides what is bought."""

    @property
    def id(self) -> str: ...
    @property
    def brand(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def domain_type(self) -> str: ...
    @property
    def primary_domain_type(self) -> str: ...
    @property
    def domain_quota(self) -> int: ...
    @property
    def single_quota(self) -> int: ...
    @property
    def wildcard_quota(self) -> int: ...
    @property
    def validity_months(self) -> int: ...
    @property
    def enterprise_project_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for beside "the same again".

    Attributes:
        years: None = as the old certificate.
        statement: the CCM statement was accepted; None = it is asked before paying (ORD-2).
        changes: of `CHANGEABLE`, those that are wanted otherwise.
    """

    years: int | None = None
    statement: bool | None = False
    changes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """How long a renewal is valid if it is issued at a moment, both ends included.

    Attributes:
        days: carried over from the old certificate, to the nearest one.
        until: last second of the paid period.
        first_until: last second of the first certificate; earlier where the issuer's are shorter (REN-8).
    """

    days: int
    until: datetime
    first_until: datetime

    @property
    def rolls_over(self) -> bool:
        return self.first_until < self.until


def request(old: Old, wish: Wish, tags: tuple[tuple[str, str], ...] = ()) -> BuyRequest:
    """The purchase: the same CA, type, domain type, quantity, but for what is wanted otherwise (REN-3)."""
    multi = old.domain_type == "MULTI_DOMAIN"
    same = BuyRequest(
        cert_brand=old.brand,
        cert_type=old.type,
        domain_type=old.domain_type,
        domain_numbers=old.domain_quota,
        effective_time=old.validity_months // 12 if wish.years is None else wish.years,
        agree_privacy_protection=wish.statement,
        primary_domain_type=old.primary_domain_type if multi else "SINGLE_DOMAIN",
        single_domain_number=old.single_quota if multi else None,
        wildcard_domain_number=old.wildcard_quota if multi else None,
        enterprise_project_id=old.enterprise_project_id,
        tags=tags,
        renews=old.id,
    )
    changes = {name: value for name, value in (wish.changes or {}).items() if value is not None}
    if "domain_numbers" in changes and "single_domain_number" not in changes:
        changes["single_domain_number"] = None  # the rest of the new quantity
    if changes.get("domain_type", old.domain_type) != old.domain_type:
        changes = _FRESH | changes
    return replace(same, **changes)


_FRESH = {
    "domain_numbers": 1,
    "primary_domain_type": "SINGLE_DOMAIN",
    "single_domain_number": None,
    "wildcard_domain_number": None,
}
"""Of another domain type nothing of the old quantities fits."""


def outlook(end: datetime | None, months: int, longest_days: int, at: datetime) -> Outlook:
    """What a renewal issued at `at` will be valid for.

    Args:
        end: last second of the old one's paid period; None = nothing is inherited.
        longest_days: of a certificate of its issuer on that day.
    """
    carried = issuance.remaining(end, at)
    _, first = issuance.validity(at, months, longest_days, None, carried)
    until = issuance.paid_until(at.replace(microsecond=0), months, carried)
    return Outlook((carried + timedelta(hours=12)) // timedelta(days=1), until, first)
