"""How orders, authorisations and challenges stand (RFC 8555 §7.1.6). Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

ORDER_LIFE = timedelta(days=7)
PENDING_LIFE = timedelta(days=7)
"""How long a name may be proved after it was asked for."""

DELAYS = (0.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each look at an answered challenge; after the last one it is invalid."""


class Standing(Protocol):
    @property
    def state(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...


def authorization(one: Standing, now: datetime) -> str:
    """The state that clients see; a pending or valid one is expired or invalid after its time."""
    if now < one.expires_at or one.state not in ("pending", "valid"):
        return one.state
    return "expired" if one.state == "valid" else "invalid"


def order(one: Standing, authorizations: Sequence[str], now: datetime) -> str:
    """The state that clients see.

    Args:
        authorizations: the states of its authorisations, as `authorization` gives them.
    """
    if one.state != "pending":
        return one.state
    if now >= one.expires_at or any(state not in ("pending", "valid") for state in authorizations):
        return "invalid"
    return "ready" if authorizations and all(state == "valid" for state in authorizations) else "pending"


def next_look(looks: int) -> float | None:
    """Seconds until the next look after so many; None when it has been looked often enough."""
    return DELAYS[looks] if looks < len(DELAYS) else None
