"""A request that answers when a deployment is over waits for its workers, beside the others (API §1.5)."""

import time
from collections.abc import Callable

from certdesk.foundation.common.baton import baton

from . import states
from .models import Deployment

SECONDS = 25.0
_PAUSE = 0.1


def _sleep() -> None:
    with baton.aside():
        time.sleep(_PAUSE)


pause: Callable[[], object] = _sleep
"""What happens between two looks; tests run the jobs here."""


def until_over(deployment: Deployment) -> Deployment:
    """The deployment when it is over, or as it stands after that time."""
    end = time.monotonic() + SECONDS
    while True:
        found = Deployment.objects.get(id=deployment.id)
        if found.state in states.OVER or time.monotonic() > end:
            return found
        pause()
