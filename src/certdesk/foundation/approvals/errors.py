"""Refusals of the two-person rule."""

from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.jobs.errors import Permanent


class Void(Permanent):
    """What was approved is not what it would be done to any more."""


class Changed(WrongState):
    """The same, told to the one who decides."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The request does not hold any more: {reason}",
            next_step="Ask for it again if it is still wanted.",
        )
