"""The description of the API: valid, whole, and what the server really reads."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, ValidationError

from certdesk.foundation.common.errors import Kind
from certdesk.interfaces.operations import docs, errors, registry
from certdesk.interfaces.operations.answers import ANSWERS
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.openapi import document, refusals, values, words
from tests.support import answers
from tests.support.signed import Person, account, person

MOST = 1024 * 1024
SOURCE = Path(__file__).resolve().parents[3] / "src/certdesk"
BY_ID: dict[str, tuple[str, str, dict[str, Any]]] = {
    one["operationId"]: (method, path, one)
    for path, methods in document()["paths"].items()
    for method, one in methods.items()
}
LIVE = sorted(name for name, one in OPERATIONS.items() if not one.later)


def test_it_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []
    broken = json.loads(json.dumps(document()))
    broken["paths"]["/v3/scm/orders/{order_id}"]["get"]["parameters"][0]["required"] = "yes"
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_it_is_served_and_of_bounded_size(client: Client) -> None:
    served = client.get("/openapi.json")
    assert served.json() == document()
    assert len(served.content) < MOST
    assert len(docs.openapi_text()) < MOST
    assert json.loads(docs.openapi_text()) == document()


def test_every_operation_is_in_it_with_its_action() -> None:
    assert set(BY_ID) == set(OPERATIONS)
    for name, (method, path, one) in BY_ID.items():
        found = OPERATIONS[name]
        assert (method.upper(), path) == (found.method, found.path)
        assert one["x-actions"] == [found.action, *found.also]
        assert one["x-action"] == found.action
        assert ("501" in one["responses"]) == found.later == one["x-later"]
        assert one["summary"], name
        assert (one.get("security") == []) == found.public


def fields(model: type[BaseModel] | None) -> set[str]:
    """As they are called in a request: some names are words of Python."""
    return set(model.model_json_schema().get("properties", {})) if model is not None else set()


@pytest.mark.parametrize("name", LIVE)
def test_every_parameter_that_is_read_is_in_it(name: str) -> None:
    found, one = OPERATIONS[name], BY_ID[name][2]
    places: dict[str, set[str]] = {"path": set(), "query": set(), "header": set()}
    for parameter in one.get("parameters", []):
        places[parameter["in"]].add(parameter["name"])
    assert places["path"] == set(found.parameters)
    assert places["query"] == fields(found.query)
    key = {"Idempotency-Key"} if found.idempotent else set()
    assert places["header"] == {header for _, header in found.headers} | key
    assert ("requestBody" in one) == (found.request is not None)


@pytest.mark.parametrize("name", [name for name in LIVE if OPERATIONS[name].request is not None])
def test_bodies_are_described_by_the_model_that_reads_them(name: str) -> None:
    found, one = OPERATIONS[name], BY_ID[name][2]
    assert found.request is not None
    if found.multipart:
        assert set(one["requestBody"]["content"]) == {"multipart/form-data"}
        return
    schema = one["requestBody"]["content"]["application/json"]["schema"]
    reference = schema.get("anyOf", [schema])[0]["$ref"]
    described = document()["components"]["schemas"][reference.rpartition("/")[2]]
    plain = found.request.model_json_schema()
    assert set(described.get("properties", {})) == set(plain.get("properties", {}))
    assert described.get("required", []) == plain.get("required", [])
    wrapper = getattr(found.request, "wrapper", "")
    assert ("anyOf" in schema) == bool(wrapper)


@pytest.mark.parametrize("name", LIVE)
def test_every_answer_has_a_type(name: str) -> None:
    """A new operation that answers something gets its line in operations/answers."""
    assert (name in ANSWERS) == (OPERATIONS[name].success != 204)


def test_answers_are_of_operations_that_are_there() -> None:
    assert {name for name in ANSWERS if OPERATIONS[name].later} == set()


@pytest.mark.parametrize("model", sorted(words.EXAMPLES))
def test_examples_can_be_sent(model: str) -> None:
    requests = {one.request.__name__: one.request for one in OPERATIONS.values() if one.request is not None}
    assert registry.read(requests[model], words.EXAMPLES[model])


def test_words_are_of_what_is_there() -> None:
    chapters = {name.partition(".")[0] for name in OPERATIONS}
    known = {field for one in OPERATIONS.values() for field in (*fields(one.request), *fields(one.query))}
    known |= {parameter for one in OPERATIONS.values() for parameter in one.parameters}
    assert chapters - set(words.CHAPTERS) == set()
    assert len(known - set(words.FIELDS)) * 10 < len(known)  # nearly every field has a sentence of its own
    assert set(words.PATH_EXAMPLES) <= known


def test_every_code_is_in_the_table_of_errors() -> None:
    table = {one["code"]: one for one in document()["x-errors"]}
    written = {
        code
        for path in SOURCE.rglob("*.py")
        for code in re.findall(r'code ?= ?"((?:SCM|APIGW)\.\d{4})"', path.read_text(encoding="utf-8"))
    }
    assert written <= set(table)
    assert {line.code for line in errors.KINDS.values()} <= set(table)
    assert set(errors.TEXTS) <= set(table)
    assert {refusals.REFERENCES[one["status"]] for one in table.values()} <= set(refusals.responses())
    assert table["SCM.0707"]["status"] == 400
    assert table["SCM.0010"]["status"] == errors.KINDS[Kind.WRONG_STATE].status
    assert all(one["code"] in docs.errors_page() for one in table.values())


@pytest.fixture
def alice() -> Person:
    return person(account(), "alice", "users")


WITHOUT_EFFECT = {("orders.export", "limit")}  # a file has no pages
ENUMS = [
    (name, parameter)
    for name in LIVE
    for parameter in BY_ID[name][2].get("parameters", [])
    if parameter["in"] == "query" and "enum" in parameter["schema"]
    if not OPERATIONS[name].parameters and (name, parameter["name"]) not in WITHOUT_EFFECT
]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "parameter"), ENUMS)
def test_a_value_outside_a_closed_set_is_refused(name: str, parameter: dict[str, Any]) -> None:
    """Both sides: what the description names is taken, anything else is not."""
    rich = person(account(), "alice", "admins")
    path = OPERATIONS[name].path
    outside = 11 if parameter["schema"].get("type") == "integer" else "sideways"
    refused = rich.get(f"{path}?{parameter['name']}={outside}")
    assert refused.status in (400, 403), refused
    if refused.status == 403:
        return
    for value in parameter["schema"]["enum"]:
        assert rich.get(f"{path}?{parameter['name']}={value}").status == 200, value


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [(model, field, value) for (model, field), found in values.VALUES.items() for value in found],
)
def test_values_fit_the_outer_limits(model: type[BaseModel], field: str, value: object) -> None:
    assert field in model.model_fields
    assert field not in refused_fields(model, {field: str(value)})
    assert field in refused_fields(model, {field: "x" * 1000})


def refused_fields(model: type[BaseModel], given: dict[str, str]) -> set[object]:
    try:
        model.model_validate(given)
    except ValidationError as error:
        return {one["loc"][0] for one in error.errors()}
    return set()


def test_the_watch_over_answers_can_fail() -> None:
    found = OPERATIONS["tags.create"]
    assert answers.fault(found, 200, {"desc": "success"}) == ""
    assert "desc" in answers.fault(found, 200, {})
    assert "more" in answers.fault(found, 200, {"desc": "success", "more": 1})
    assert answers.fault(found, 200, None)
    assert answers.fault(OPERATIONS["users.invite"], 204, None) == ""
    zipped = registry.File("x.zip", "application/zip", b"")
    assert answers.fault(OPERATIONS["certificates.download"], 200, zipped) == ""
    assert answers.fault(OPERATIONS["orders.export"], 200, zipped)
