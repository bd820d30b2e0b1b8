"""What may be signed, for how long, and with which subject. Pure (law 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from certdesk.foundation.common.months import add_months as add_months
from certdesk.lifecycle.applications.subject import subject as subject
from certdesk.pki.authority.types import Authorization

from .errors import NotProved, PeriodOver

POLICY = "one-pipeline-1"
"""Version of the rules of this file; it stands in every authorisation for the record."""

_SECOND = timedelta(seconds=1)


NOTHING = timedelta(0)


def validity(
    issued_at: datetime,
    months: int,
    longest_days: int,
    latest: datetime | None = None,
    carried: timedelta = NOTHING,
) -> tuple[datetime, datetime]:
    """notBefore and notAfter, both ends included (TIM-1, CAT-7, ISS-1).

    A year is the calendar date a year on, minus one second; where the issuer's longest certificate is
    shorter, that is the end.

    Args:
        longest_days: of the profile on that date.
        carried: what a renewal takes over from the old certificate (REN-5).
        latest: a further version of a certificate never outlasts this (REI-8, ADD-6, REN-8).

    Raises:
        PeriodOver: `latest` has passed.
    """
    start = issued_at.replace(microsecond=0)
    end = min(paid_until(start, months, carried), start + timedelta(days=longest_days) - _SECOND)
    if latest is None:
        return start, end
    if start >= latest:
        raise PeriodOver(latest)
    return start, min(end, latest)


def paid_until(first_issued_at: datetime, months: int, carried: timedelta = NOTHING) -> datetime:
    """The last second of the period that was paid for, counted from the first issuance (CAT-7, ADD-4).

    Args:
        carried: what a renewal takes over from the old certificate (REN-5).
    """
    return add_months(first_issued_at, months) + carried - _SECOND


class Product(Protocol):
    """What is bought, as far as a renewal must have it in common with the old certificate (REN-5)."""

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
    def wildcard_quota(self) -> int: ...


class Named(Product, Protocol):
    """The same with the primary domain name."""

    @property
    def domain(self) -> str: ...


def same_product(old: Product, new: Product) -> bool:
    """Four of the five: CA, certificate type, domain type and domain quantity."""
    return all(getattr(old, name) == getattr(new, name) for name in _FOUR)


_FOUR = ("brand", "type", "domain_type", "primary_domain_type", "domain_quota", "wildcard_quota")


def same_five(old: Named, new: Product, primary: str) -> bool:
    """REN-5: the four, and the primary domain name."""
    return same_product(old, new) and old.domain.lower() == primary.lower()


def remaining(end: datetime | None, at: datetime) -> timedelta:
    """What is left of a period whose last second is `end`; nothing when it is over."""
    if end is None:
        return NOTHING
    return max(NOTHING, end + _SECOND - at.replace(microsecond=0))


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence for exactly one name."""

    name: str
    evidence_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Approvals:
    """Who approved the organisation: actors, and whether the verification ended with yes."""

    approved: bool = False
    officers: tuple[str, ...] = ()


def authorize(
    reference: str,
    account_id: str,
    names: Sequence[str],
    spki_sha256: bytes,
    proofs: Sequence[Proof],
    *,
    level: str,
    approvals: Approvals,
    fresh_since: datetime,
) -> Authorization:
    """The proof object that the signer asks for; the only place in the project that makes one (law 4).

    Args:
        proofs: evidence that is not void; any order, more names than needed do no harm.
        fresh_since: evidence older than this is worth nothing any more (DOM-13).

    Raises:
        NotProved: names the first name without its own evidence, or the missing approval.
    """
    by_name = {proof.name: proof for proof in proofs}
    if not names:
        raise NotProved("The application has no names.")
    for name in names:
        proof = by_name.get(name)
        if proof is None:
            raise NotProved(f"Control of {name} is not proved.")
        if proof.at < fresh_since:
            raise NotProved(f"The proof of control of {name} is too old to be used.")
    _check_approvals(level, approvals)
    return Authorization(
        reference=reference,
        account_id=account_id,
        names=tuple(names),
        spki_sha256=spki_sha256,
        evidence=tuple(by_name[name].evidence_id for name in names),
        approved_by=approvals.officers,
        policy=POLICY,
    )


def _check_approvals(level: str, approvals: Approvals) -> None:
    needed = {"DV": 0, "OV": 1, "EV": 2}[level]
    if needed and not approvals.approved:
        raise NotProved("The organization is not verified.")
    if len(set(approvals.officers)) < needed:
        raise NotProved(f"{level} certificates need the approval of {needed} different RA officers.")
