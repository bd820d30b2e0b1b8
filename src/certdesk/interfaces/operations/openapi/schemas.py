"""Component schemas of requests and answers, from the types themselves."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, TypeAdapter

from certdesk.interfaces.operations.answers import ANSWERS
from certdesk.interfaces.operations.answers.approvals import ApprovalWaiting
from certdesk.interfaces.operations.people_schemas import Wrapped
from certdesk.interfaces.operations.registry import Operation

from . import values, words

ROOT = "#/components/schemas/"
Schema = dict[str, Any]


class Components:
    """Every schema that the operations name, each once."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        found = list(operations)
        models = [model for one in found for model in (one.request, one.query) if model is not None]
        answers = [ANSWERS[one.name] for one in found if isinstance(ANSWERS.get(one.name), type)]
        self._known: dict[object, Schema] = {}
        wanted: list[Any] = list(dict.fromkeys([*models, *answers, ApprovalWaiting]))
        keys, definitions = TypeAdapter.json_schemas(
            [(one, "validation", TypeAdapter(one)) for one in wanted], ref_template=f"{ROOT}{{model}}"
        )
        self.schemas: dict[str, Schema] = {"Error": ERROR}
        parts = definitions.get("$defs", {})
        self.schemas |= {name: tidy(parts[name]) for name in sorted(parts)}
        for one in wanted:
            self._known[one] = keys[(one, "validation")]
        for model in models:
            self._with_values(model)

    def _with_values(self, model: type[BaseModel]) -> None:
        properties = self.of(model).get("properties", {})
        for name, schema in properties.items():
            _first(schema).update(values.of(model, name))
            if name in words.FIELDS and "description" not in schema:
                schema["description"] = words.FIELDS[name]

    def reference(self, found: object) -> Schema:
        """A reference to the schema of a model or an answer."""
        return dict(self._known[found])

    def of(self, found: object) -> Schema:
        """The schema itself."""
        name = self._known[found].get("$ref", "").removeprefix(ROOT)
        return self.schemas[name] if name else self._known[found]


def _first(schema: Schema) -> Schema:
    """The part that says what a value may be, where null may come too."""
    choices: list[Schema] = schema.get("anyOf", [])
    return next((one for one in choices if one.get("type") != "null"), schema)


ERROR: Schema = {
    "type": "object",
    "description": "A refusal: a code of the table, and what was refused, why, and what to do.",
    "required": ["error_code", "error_msg"],
    "properties": {
        "error_code": {"type": "string", "minLength": 3, "maxLength": 36},
        "error_msg": {"type": "string", "maxLength": 1024},
    },
}


def wrapped(model: type[BaseModel], reference: Schema) -> Schema:
    """IAM v3 puts some bodies into the name of their thing; both forms are read."""
    if not issubclass(model, Wrapped) or not model.wrapper:
        return reference
    inner = {"type": "object", "required": [model.wrapper], "properties": {model.wrapper: reference}}
    return {"anyOf": [reference, inner]}


def tidy(schema: Schema) -> Schema:
    """Without the titles that only repeat a name."""
    kept = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    for key in ("properties", "$defs"):
        if key in kept:
            kept[key] = {name: tidy(one) for name, one in kept[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = tidy(kept[key])
    for key in ("anyOf", "allOf", "oneOf"):
        if key in kept:
            kept[key] = [tidy(one) for one in kept[key]]
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].split())
    return kept
