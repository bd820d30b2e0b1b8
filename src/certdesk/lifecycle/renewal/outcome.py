"""What one step of a renewal came to. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from .causes import Cause

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Moved:
    """Something was done; the next step may follow at once."""


@dataclass(frozen=True, slots=True)
class Waits:
    """For somebody or something else; looked at again when the certificate changes, or after `pause`."""

    cause: Cause | None = None
    reason: str = ""
    pause: timedelta = HOUR


@dataclass(frozen=True, slots=True)
class Failed:
    """Tried again later, with longer pauses; what was good before is as good as before."""

    cause: Cause
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """It is served, or `cause` INSTALL: it is issued and people must install it."""

    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Somebody took another way: nothing is left to do."""


Outcome = Moved | Waits | Failed | Done | Ended
