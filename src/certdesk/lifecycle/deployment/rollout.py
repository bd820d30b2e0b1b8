"""In which order a deployment goes to its places, and when it stops by itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from certdesk.foundation.common.errors import BadParameter

MOST = 500
CANARY_FAILED = "A place of the first wave failed, so no other was begun."


@dataclass(frozen=True, slots=True)
class Rollout:
    """`canary` places first; then waves of `wave_size` (0 = all at once).

    A failure of the canary stops it, and so do `stop_after` failures or `stop_percent` in a hundred places
    (0 = that rule does not hold).
    """

    canary: int = 0
    wave_size: int = 0
    stop_after: int = 0
    stop_percent: int = 0


AT_ONCE = Rollout()


def check(plan: Rollout) -> Rollout:
    """The same.

    Raises:
        BadParameter: a number outside its range.
    """
    for field, most in (("canary", MOST), ("wave_size", MOST), ("stop_after", MOST), ("stop_percent", 100)):
        if not 0 <= getattr(plan, field) <= most:
            raise BadParameter(
                f"{field} is a number from 0 to {most}.",
                next_step="Correct it, or leave it out.",
                field=field,
            )
    return plan


def waves(count: int, plan: Rollout) -> list[int]:
    """The wave of each of `count` places, from 1, in their order."""
    canary = plan.canary if 0 < plan.canary < count else 0
    size = plan.wave_size or max(count, 1)
    first = 2 if canary else 1
    return [1 if place < canary else first + (place - canary) // size for place in range(count)]


def stops(plan: Rollout, failed: Sequence[int], count: int) -> str:
    """Why nothing further may begin; empty when it may.

    Args:
        failed: the wave of each place that failed; count: all places.
    """
    has_canary = 0 < plan.canary < count
    if has_canary and 1 in failed:
        return CANARY_FAILED
    too_many = plan.stop_after and len(failed) >= plan.stop_after
    share = plan.stop_percent and 100 * len(failed) >= plan.stop_percent * count
    if not failed or not (too_many or share):
        return ""
    return f"{len(failed)} places failed, which is as many as it was allowed, so no further one was begun."
