"""The OpenAPI description of the signed API, made from the registry once a process."""

from functools import cache
from typing import Any

from certdesk.interfaces.operations import errors
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import Operation

_SCHEMAS = "#/components/schemas/"


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1; request schemas are the very models that the API reads with."""
    schemas: dict[str, Any] = {
        "Error": {
            "type": "object",
            "required": ["error_code", "error_msg"],
            "properties": {
                "error_code": {"type": "string"},
                "error_msg": {"type": "string", "maxLength": errors.MAX_MESSAGE},
            },
        }
    }
    paths: dict[str, dict[str, Any]] = {}
    for found in OPERATIONS.values():
        paths.setdefault(found.path, {})[found.method.lower()] = _operation(found, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Certdesk", "version": "3"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "SDK-HMAC-SHA256",
                }
            },
        },
        "security": [{"signature": []}],
    }


def _operation(found: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": found.name,
        "summary": found.doc.split("\n")[0],
        "tags": [found.name.partition(".")[0]],
        "x-iam-actions": [found.action, *found.also],
        "x-later": found.later,
        "parameters": [*_path_parameters(found), *_query_parameters(found)],
        "responses": {
            str(501 if found.later else found.success): {"description": "The answer."},
            "default": {
                "description": "A refusal.",
                "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Error"}}},
            },
        },
    }
    if found.public:
        described["security"] = []
    if found.request is not None:
        name = found.request.__name__
        schema = found.request.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
        schemas.update(schema.pop("$defs", {}))
        schemas[name] = schema
        described["requestBody"] = {
            "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{name}"}}}
        }
    return described


def _path_parameters(found: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in found.parameters
    ]


def _query_parameters(found: Operation) -> list[dict[str, Any]]:
    if found.query is None:
        return []
    schema = found.query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": False, "schema": part}
        for name, part in schema["properties"].items()
    ]
