"""What a backup says of itself: its first member says how the tables are, its last one what was in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from .archive import Member
from .errors import BackupBroken

SCHEMA, MANIFEST, DATABASE = "schema.json", "manifest.json", "database.sqlite3"
TABLE = "table/"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Schema:
    """Attributes:
    migrations: app -> the names of those that were applied, in their order.
    columns: table -> columns in the order of its lines; empty where the whole file is the member.
    """

    migrations: Mapping[str, Sequence[str]]
    columns: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Attributes:
    made_at: real time, ISO 8601, of the moment that the content shows.
    counts: table -> rows.
    heads: account -> the last place in its audit chain and the digest there.
    kek_versions: those that the secrets in it need.
    """

    made_at: str
    database: str
    installation: str
    counts: Mapping[str, int]
    heads: Mapping[str, Sequence[Any]]
    kek_versions: Sequence[int]
    members: Sequence[Mapping[str, Any]]


def text(value: Schema | Manifest) -> bytes:
    return json.dumps(asdict(value), sort_keys=True).encode()


def schema(data: bytes) -> Schema:
    """Raises: BackupBroken."""
    return _read(Schema, data)


def manifest(data: bytes, seen: Sequence[Member]) -> Manifest:
    """The manifest, once the members that were seen are the very ones that it names.

    Raises:
        BackupBroken: one is missing, or differs.
    """
    found = _read(Manifest, data)
    if [dict(one) for one in found.members] != [asdict(one) for one in seen]:
        raise BackupBroken(
            "The backup holds other content than its manifest names.", next_step="Take another copy of it."
        )
    return found


def _read(kind: type[T], data: bytes) -> T:
    try:
        return kind(**json.loads(data))
    except (ValueError, TypeError):
        raise BackupBroken(
            "The backup's own description cannot be read.", next_step="Take another copy of it."
        ) from None
