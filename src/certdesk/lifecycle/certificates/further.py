"""Which certificates may be reissued or get more names, and why not others (REI-1, ADD-1, ADD-7). Pure."""

from datetime import datetime, timedelta
from typing import Protocol

FREE_NOT_RENEWED = "Free certificates are neither reissued nor renewed."
UPLOADED = "It was uploaded, so only the CA that issued it can change it."
NOT_SEVERAL = "A multi-domain certificate is not reissued; names are added to it instead."
ONLY_SEVERAL = "Names are added to multi-domain certificates only; others can be reissued for another name."
NO_ROOM = "All domain names that were bought are in the certificate already."


class Further(Protocol):
    """What the rules look at: a `Certificate` or a row of a list."""

    @property
    def source(self) -> str: ...
    @property
    def free(self) -> bool: ...
    @property
    def domain_type(self) -> str: ...
    @property
    def sans(self) -> str: ...
    @property
    def single_quota(self) -> int: ...
    @property
    def wildcard_quota(self) -> int: ...
    @property
    def first_issued_at(self) -> datetime | None: ...
    @property
    def reissue_days(self) -> int: ...


def no_reissue(one: Further, now: datetime) -> str:
    """Why it is not reissued whatever its state; empty when it may be. The window runs from the first
    issuance, whatever was reissued since, to the last second of its last day (REI-1, REI-2, TIM-1)."""
    if one.source != "BOUGHT":
        return UPLOADED
    if one.free:
        return FREE_NOT_RENEWED
    if one.domain_type == "MULTI_DOMAIN":
        return NOT_SEVERAL
    if one.first_issued_at is None or now <= window_end(one.first_issued_at, one.reissue_days):
        return ""
    return f"Its CA reissues within {one.reissue_days} days after the first issuance; they are over."


def window_end(first_issued_at: datetime, days: int) -> datetime:
    """The last second of the window."""
    return first_issued_at + timedelta(days=days)


def no_addition(one: Further) -> str:
    """Why no names can be added whatever its state; empty when some can."""
    if one.source != "BOUGHT":
        return UPLOADED
    if one.domain_type != "MULTI_DOMAIN":
        return ONLY_SEVERAL
    return "" if any(room(one)) or not one.sans else NO_ROOM


def room(one: Further) -> tuple[int, int]:
    """How many plain and how many wildcard names can still be added; the primary has a place of its own."""
    additional = one.sans.split(";")[1:]
    wildcards = sum(name.startswith("*.") for name in additional)
    return max(0, one.single_quota - len(additional) + wildcards), max(0, one.wildcard_quota - wildcards)
