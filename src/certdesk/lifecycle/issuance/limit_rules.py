"""The published limits of a CA, counted from our own orders: what counts for which limit, and when it is free
again. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from certdesk.connectors.issuers.acme.presets import Limit
from certdesk.foundation.common.clock import wire
from certdesk.lifecycle.issuers.rules import Passed
from certdesk.pki.x509.reserved_names import registrable

DOMAIN, NAMES, ACCOUNT = "registered domain", "exact set of names", "account"
"""What a limit may be for; that of failed proofs is not ours to count."""
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Key:
    """What an order counts for; `key` as it is kept, at most 255 characters."""

    per: str
    key: str


ACCOUNT_KEY = Key(ACCOUNT, "account")
Counting = Mapping[Limit, Sequence[Key]]
"""What an order counts for at one CA, by the limits of it."""


def digest_of(names: Sequence[str]) -> str:
    """The same for the same set of names, in whatever order."""
    return sha256(";".join(sorted(names)).encode()).hexdigest()


def keys_of(names: Sequence[str]) -> tuple[Key, ...]:
    """Everything that an order for these names counts for, each once."""
    domains = dict.fromkeys(registrable(one.removeprefix("*.")) for one in names)
    found = [Key(DOMAIN, f"domain:{one}"[:255]) for one in domains if one]
    return (*found, Key(NAMES, f"names:{digest_of(names)}"), ACCOUNT_KEY)


def counting(limits: Sequence[Limit], names: Sequence[str], *, known: bool) -> Counting:
    """What an order for these names counts for.

    Args:
        known: the CA issued for exactly these names before, and counts only that set of them again.
    """
    keys = [one for one in keys_of(names) if not known or one.per == NAMES]
    counted = {limit: [one for one in keys if one.per == limit.per] for limit in limits}
    return {limit: found for limit, found in counted.items() if found}


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
