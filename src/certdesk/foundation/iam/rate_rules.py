"""How fast requests may come: a token bucket told by one moment, that at which it will be full again. Pure.

All moments and spans are whole microseconds.
"""

from dataclasses import dataclass

SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`step`: what one request takes, its share of a second; `depth`: what a full bucket holds."""

    step: int
    depth: int


def rate(per_second: int, burst: int) -> Rate:
    """So many a second on average, and `burst` at once after a rest; both at least 1."""
    step = max(1, SECOND // per_second)
    return Rate(step, step * burst)


def take(full_at: int, now: int, rate: Rate) -> tuple[int, int]:
    """One request: when the bucket is full again, and how long the request has to wait (0: it may pass).

    A moment further ahead than a bucket can be empty comes from a clock that was set back; it counts as
    an empty bucket.
    """
    empty_for = min(max(full_at - now, 0), rate.depth)
    if empty_for + rate.step > rate.depth:
        return now + empty_for, empty_for + rate.step - rate.depth
    return now + empty_for + rate.step, 0
