"""The published limits of a CA, counted from our own orders: what counts for which limit, and when it is free
again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from certdesk.connectors.issuers.acme.presets import Limit
from certdesk.foundation.common.clock import wire
from certdesk.lifecycle.issuers.rules import Passed
from certdesk.pki.x509.reserved_names import registrable

DOMAIN, NAMES, ACCOUNT = "registered domain", "exact set of names", "account"
COUNTED = (DOMAIN, NAMES, ACCOUNT)
"""What a limit may be for; that of failed proofs is not ours to count."""
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Key:
    """What an order counts for; `key` as it is kept, at most 255 characters."""

    per: str
    key: str


def keys_of(names: Sequence[str]) -> tuple[Key, ...]:
    """Everything that an order for these names counts for, each once."""
    domains = dict.fromkeys(registrable(one.removeprefix("*.")) for one in names)
    digest = sha256(";".join(sorted(names)).encode()).hexdigest()
    found = [Key(DOMAIN, f"domain:{one}"[:255]) for one in domains if one]
    return (*found, Key(NAMES, f"names:{digest}"), Key(ACCOUNT, "account"))


def limited(limits: Sequence[Limit], key: Key) -> list[Limit]:
    """The limits that are counted by this key."""
    return [one for one in limits if one.per == key.per and one.per in COUNTED]


def used_up(limit: Limit, key: Key, last: datetime | None) -> Passed | None:
    """Why the next order would be one too many; None where it is not.

    Args:
        last: when the order was placed that fills the limit, counted from the newest; None where there are
            fewer in its period.
    """
    if last is None:
        return None
    free_at = last + timedelta(seconds=limit.seconds)
    hours, until = limit.seconds // 3600, wire(free_at)
    days = max(1, hours // 24)
    if key.per == DOMAIN:
        name = key.key.removeprefix("domain:")
        sentence = (
            f"It issues {limit.most} certificates in {days} days for {name}, "
            f"and they are used up until {until} UTC."
        )
    elif key.per == NAMES:
        sentence = (
            f"It issues {limit.most} certificates in {days} days for exactly these names, "
            f"and they are used up until {until} UTC."
        )
    else:
        sentence = (
            f"It takes {limit.most} orders in {hours} hours from our account, "
            f"and they are used up until {until} UTC."
        )
    return Passed(sentence, free_at)
