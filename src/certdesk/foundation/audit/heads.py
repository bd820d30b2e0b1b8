"""The last signed checkpoint of each account, kept beside the KEK and so outside the database (law 12).

Who can write to the database alone can cut a chain back to an older checkpoint, or remove an account with
all that tells of it; this file still knows how far each chain had come. Its lines are those of an export.
"""

from collections.abc import Sequence
from pathlib import Path

import structlog

from certdesk.foundation.common import private_file, settings

from . import queries
from .verify import Row, canonical
from .verify import read_heads as read_heads

_log = structlog.get_logger(__name__)


def path() -> Path:
    return settings.get().kek_path.with_suffix(".heads")


def keep(ends: Sequence[Row]) -> None:
    """Notes these checkpoints, once they are committed; an earlier one never replaces a later one.

    One that the chain does not hold any more stays beside the new one, so that a chain which was cut back
    and has grown again is still named. A folder that cannot be written to (a mounted secret) is no reason
    not to seal.
    """
    try:
        with private_file.locked(path()):
            known: dict[str, list[Row]] = {}
            for one in read():
                known.setdefault(str(one["account_id"]), []).append(one)
            for end in ends:
                before = known.setdefault(str(end["account_id"]), [])
                if not before or int(before[-1]["sequence"]) < int(end["sequence"]):
                    before[-1:] = [*(one for one in before[-1:] if not _stands(one)), end]
            lines = [canonical({"checkpoint": one}) for _, all_ in sorted(known.items()) for one in all_]
            private_file.replace(path(), lines)
    except (OSError, ValueError) as error:
        _log.warning("the heads of the audit log were not noted", file=str(path()), reason=str(error))


def _stands(head: Row) -> bool:
    return queries.digest_at(str(head["account_id"]), int(head["sequence"])) == str(head["digest"])


def read() -> list[Row]:
    """What is noted; nothing before the first event was sealed."""
    return read_heads(path()) if path().exists() else []


def set_aside_of_another() -> bool:
    """For the first start on an empty database: the file beside an older KEK tells of one that is gone."""
    if not path().exists() or queries.accounts():
        return False
    path().replace(path().with_name(path().name + ".old"))
    _log.warning("the database is new: the heads of an earlier audit log were set aside", file=str(path()))
    return True
