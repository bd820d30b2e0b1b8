"""Parameters of an operation: path, query, headers."""

from typing import Any

from certdesk.interfaces.operations.registry import Operation

from . import words
from .schemas import Components

Described = dict[str, Any]
MOST_OF_A_KEY = 255


def of(found: Operation, components: Components) -> list[Described]:
    return [*_path(found), *_query(found, components), *_headers(found)]


def _path(found: Operation) -> list[Described]:
    return [
        _described(name, {"in": "path", "required": True, "schema": {"type": "string", "minLength": 1}})
        for name in found.parameters
    ]


def _query(found: Operation, components: Components) -> list[Described]:
    if found.query is None:
        return []
    schema = components.of(found.query)
    needed = schema.get("required", [])
    return [
        _described(name, {"in": "query", "required": name in needed, "schema": part})
        for name, part in schema.get("properties", {}).items()
    ]


def _headers(found: Operation) -> list[Described]:
    given = [
        {"name": header, "in": "header", "required": False, "schema": {"type": "string"}}
        for _, header in found.headers
    ]
    if found.idempotent:
        given.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": words.IDEMPOTENCY,
                "schema": {"type": "string", "minLength": 1, "maxLength": MOST_OF_A_KEY},
            }
        )
    return given


def _described(name: str, rest: Described) -> Described:
    """With its sentence, and an example where there is one."""
    found: Described = {"name": name, **rest}
    if name in words.FIELDS:
        found["description"] = words.FIELDS[name]
    schema = dict(found["schema"])
    schema.pop("description", None)
    found["schema"] = schema
    if name in words.PATH_EXAMPLES and rest["in"] == "path":
        found["example"] = words.PATH_EXAMPLES[name]
    return found
