"""Holds every answer of an operation against the type that the description of the API gives it."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from certdesk.interfaces.operations.answers import ANSWERS, FileAnswer
from certdesk.interfaces.operations.openapi import document
from certdesk.interfaces.operations.registry import File, Headed, Operation


@cache
def _components() -> dict[str, Any]:
    return {
        "components": {"schemas": {n: _closed(s) for n, s in document()["components"]["schemas"].items()}}
    }


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A field that the type does not name is a fault here; clients would ignore it."""
    return schema | {"additionalProperties": False} if "properties" in schema else schema


@cache
def _validator(name: str) -> Draft202012Validator:
    answer = ANSWERS[name]
    assert isinstance(answer, type)
    return Draft202012Validator(_components() | {"$ref": f"#/components/schemas/{answer.__name__}"})


def fault(found: Operation, status: int, answer: object) -> str:
    """What is wrong with an answer; empty when it is as described."""
    content = answer.content if isinstance(answer, Headed) else answer
    expected = ANSWERS.get(found.name)
    if content is None:
        return "" if status == found.success == 204 else f"{found.name}: nothing, with status {status}"
    if isinstance(content, File):
        described = expected.content_type if isinstance(expected, FileAnswer) else ""
        came = content.content_type.partition(";")[0]
        return "" if came == described else f"{found.name}: a file of {came}, not {described!r}"
    if status == 202 and found.two_person and not found.later:
        waiting = isinstance(content, dict) and set(content) == {"approval_id"}
        return "" if waiting else f"{found.name}: 202 without the id of its request"
    if not isinstance(expected, type):  # that an operation has a type is a test of its own
        return ""
    errors = sorted(_validator(found.name).iter_errors(content), key=str)
    return "; ".join(f"{found.name} {list(one.absolute_path)}: {one.message:.300}" for one in errors)


def watched(perform: Callable[..., Any], faults: list[str]) -> Callable[..., Any]:
    """`registry.perform` that notes what is not as described."""

    def run(found: Operation, *rest: Any) -> Any:
        status, answer = perform(found, *rest)
        if said := fault(found, status, answer):
            faults.append(said)
        return status, answer

    return run
