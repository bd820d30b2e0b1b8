"""A request that answers when a deployment is over waits for its workers, beside the others (API §1.5)."""

import time
from collections.abc import Callable

from certdesk.foundation.common.baton import baton

from . import states
from .models import Deployment, Step

SECONDS = 25.0
_PAUSE = 0.1


def _sleep() -> None:
    with baton.aside():
        time.sleep(_PAUSE)


pause: Callable[[], object] = _sleep
"""What happens between two looks; tests run the jobs here."""


def _held(found: Deployment) -> bool:
    """Paused, or every place of its wave waits for its target's window."""
    if found.state == states.DeploymentState.PAUSED:
        return True
    begun = Step.objects.filter(deployment=found, state__in=states.OPEN, wave__lte=found.wave)
    return begun.exists() and not begun.filter(waits_until=None).exists()


def until_over(deployment: Deployment) -> Deployment:
    """The deployment when it is over or held, or as it stands after that time."""
    end = time.monotonic() + SECONDS
    while True:
        found = Deployment.objects.get(id=deployment.id)
        if found.state in states.OVER or _held(found) or time.monotonic() > end:
            return found
        pause()
