"""Who has to wait before the next attempt to sign in. Pure.

Failures are counted by name and address together, so an attacker elsewhere locks nobody out. Where a name
is tried from many addresses, or many names from one, those who signed in there before still get in.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=5)
MOST_HERE = 5
"""Failures of one name from one address in `WINDOW`."""
MOST_OF_ADDRESS = 30
"""Failures from one address, whatever the name, in `WINDOW`; those who know the place are not held up."""
MOST_OF_NAME = 50
"""Failures of one name from other addresses in `WINDOW`; likewise."""
KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tries:
    """What is remembered of a name, an address, and the two together.

    Attributes:
        failures, since: of the pair; since = when its first failure of this window was.
        of_address, of_name: failures in the window now running, the pair's own not counted.
        succeeded_at: when this name last signed in from this address.
    """

    failures: int
    since: datetime | None
    of_address: int
    of_name: int
    succeeded_at: datetime | None


def wait(tries: Tries, now: datetime) -> timedelta | None:
    """How long the next attempt has to wait; None = it may be made now."""
    ends = tries.since + WINDOW if tries.since else now
    if tries.failures >= MOST_HERE and now < ends:
        return ends - now
    is_known = tries.succeeded_at is not None and now - tries.succeeded_at <= KNOWN_FOR
    if not is_known and (tries.of_address >= MOST_OF_ADDRESS or tries.of_name >= MOST_OF_NAME):
        return WINDOW
    return None
