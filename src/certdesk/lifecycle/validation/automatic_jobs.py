"""The workers of automatic DNS: find the zone, write the value, wait until it is seen, remove it (DOM-7).

`perform` asks providers and name servers and touches no database. A provider's no is a result, not an error
of the job: it is kept and shown, and the manual way stays open.
"""

from certdesk.foundation.common import clock
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic

from . import automatic
from .automatic_find import Find as Find
from .automatic_find import FindAsked as FindAsked
from .automatic_wait import Wait as Wait
from .automatic_write import Remove as Remove
from .automatic_write import Write as Write

SWEEP = "validation.auto_sweep"
SWEEP_SECONDS = 5.0


@handler(SWEEP, max_attempts=3, lock=SWEEP, short_lease=True)
class Sweep(Handler[bool, None]):
    """Finds values that nobody needs any more: issued, refused, withdrawn, too old, or left by a kill."""

    def load(self, job: Job) -> bool | None:
        for record in automatic.unwanted(clock.now(), clock.real_now()):
            automatic.enqueue_remove(record)
        return None


periodic(SWEEP, SWEEP_SECONDS, at_start=True)
