"""The last backup that was made of this database, as the audit log tells it."""

import json
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import queries as audit
from certdesk.foundation.sealing import kek

from .making import MADE, RESOURCE


@dataclass(frozen=True, slots=True)
class Last:
    """Attributes:
    lost_keks: versions that it needs and the KEK file no longer has; it cannot be restored with that file.
    """

    file: str
    at: datetime
    lost_keks: tuple[int, ...]


def last() -> Last | None:
    event = audit.events(resource=RESOURCE).filter(action=MADE).order_by("-id").first()
    if event is None:
        return None
    details = json.loads(event.details)
    have = kek.load().versions
    lost = tuple(one for one in details["kek_versions"] if one not in have)
    return Last(str(details["file"]), event.at, lost)
