"""The whole document: what there is, how it is signed, what is refused."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import Operation

from . import parameters, refusals, responses, words
from .schemas import Components, wrapped

VERSION = "3"
Described = dict[str, Any]


@cache
def document() -> Described:
    """OpenAPI 3.1, once a process."""
    found = sorted(OPERATIONS.values(), key=lambda one: (one.path, one.method))
    components = Components(found)
    paths: dict[str, Described] = {}
    for one in found:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Certdesk",
            "version": VERSION,
            "summary": words.SUMMARY,
            "description": words.INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This installation."}],
        "tags": _tags(found),
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "responses": refusals.responses(),
            "securitySchemes": words.SECURITY,
        },
        "security": [{"signature": []}, {"token": []}],
        "x-errors": refusals.table(),
    }


def chapter(found: Operation) -> str:
    """The first part of an operation's name: its tag, and its group on the command line."""
    return found.name.partition(".")[0]


def _tags(found: list[Operation]) -> list[Described]:
    names = sorted({chapter(one) for one in found})
    return [{"name": name, "description": words.CHAPTERS.get(name, name)} for name in names]


def _operation(found: Operation, components: Components) -> Described:
    summary, _, rest = found.doc.partition("\n")
    described: Described = {
        "operationId": found.name,
        "summary": summary.strip(),
        "tags": [chapter(found)],
        "x-action": found.action,
        "x-actions": [found.action, *found.also],
        "x-everyone": found.everyone or found.public,
        "x-later": found.later,
        "x-max-body-bytes": found.max_body,
    }
    if rest.strip():
        described["description"] = " ".join(rest.split())
    if given := parameters.of(found, components):
        described["parameters"] = given
    if found.request is not None:
        described["requestBody"] = _body(found, found.request, components)
    described["responses"] = responses.of(found, components)
    if found.public:
        described["security"] = []
    return described


def _body(found: Operation, model: type[BaseModel], components: Components) -> Described:
    if found.multipart:
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        form = {"type": "object", "required": ["document"], "properties": {"document": file}}
        return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    media: Described = {"schema": wrapped(model, components.reference(model))}
    if example := words.EXAMPLES.get(model.__name__):
        media["example"] = example
    schema = components.of(model)
    needed = bool(schema.get("required")) or "items" in schema
    return {"required": needed, "content": {"application/json": media}}
