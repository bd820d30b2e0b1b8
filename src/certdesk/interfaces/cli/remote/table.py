"""The client's table of operations, read when the first user command needs it."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import certdesk

PARTS = "client/generated/operations.json"
FILE_ONLY = frozenset({"auth", "options"})
"""They hold secrets: they come from a file, never from the command line, where others could read them."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One argument. `kind`: text, texts, integer, boolean, secret or json."""

    wire: str
    place: str
    kind: str
    required: bool
    values: tuple[str, ...]
    help: str

    @property
    def by_file(self) -> bool:
        return self.kind == "secret" or self.wire in FILE_ONLY or self.wire.endswith("private_key")


@dataclass(frozen=True, slots=True)
class Remote:
    """One operation."""

    name: str
    method: str
    path: str
    summary: str
    body: str
    is_file: bool
    idempotent: bool
    rows: str
    specs: tuple[Spec, ...]

    @property
    def verb(self) -> str:
        return self.name.partition(".")[2].replace("_", "-")


@cache
def _read() -> dict[str, Any]:
    text = (Path(certdesk.__path__[0]) / PARTS).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def chapters() -> dict[str, str]:
    """Name on the command line -> what the chapter is about."""
    return {name.replace("_", "-"): title for name, title in _read()["chapters"].items()}


def of_chapter(chapter: str) -> dict[str, Remote]:
    """The chapter's operations by their names on the command line."""
    prefix = chapter.replace("-", "_") + "."
    found = [_remote(one) for one in _read()["operations"] if one["name"].startswith(prefix)]
    return {one.verb: one for one in found}


def _remote(one: dict[str, Any]) -> Remote:
    specs = tuple(
        Spec(
            part["name"],
            part["in"],
            part["type"],
            part.get("required", False),
            tuple(value for value in part.get("enum", ()) if value),
            part.get("help", ""),
        )
        for part in one["arguments"]
    )
    return Remote(
        name=one["name"],
        method=one["method"],
        path=one["path"],
        summary=one["summary"],
        body=one["body"],
        is_file=one["file"],
        idempotent=one["idempotent"],
        rows=one["rows"],
        specs=specs,
    )
