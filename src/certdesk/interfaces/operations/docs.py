"""Pages of the manual that are made from the registry."""

import json

from .index import OPERATIONS
from .openapi import document, refusals
from .registry import Operation


def operations_page() -> str:
    """Every operation that is there, with request, right and what it does."""
    lines = [
        "# Operations",
        "",
        "The API, the console and the command line call these. Each needs the actions named; those marked",
        "with a key accept `Idempotency-Key`.",
        "",
        "| operation | request | action | does |",
        "|---|---|---|---|",
    ]
    for found in _sorted(is_later=False):
        name = f"{found.name} 🔑" if found.idempotent else found.name
        lines.append(
            f"| {name} | `{found.method} {found.path}` | {_actions(found)} | {_first_line(found.doc)} |"
        )
    return "\n".join(lines)


def later_page() -> str:
    """The counted list of what is still to come."""
    found = _sorted(is_later=True)
    lines = [
        "# Operations to come",
        "",
        f"These {len(found)} routes exist, check their right and answer 501 `SCM.9001`.",
        "",
        "| operation | request | action |",
        "|---|---|---|",
    ]
    lines += [f"| {one.name} | `{one.method} {one.path}` | {_actions(one)} |" for one in found]
    return "\n".join(lines)


def permissions_page() -> str:
    """Every IAM action with the operations that it opens."""
    opened: dict[str, list[str]] = {}
    for found in OPERATIONS.values():
        for action in (found.action, *found.also):
            opened.setdefault(action, []).append(found.name)
    lines = ["# IAM actions", "", "| action | operations |", "|---|---|"]
    lines += [f"| `{action}` | {', '.join(sorted(names))} |" for action, names in sorted(opened.items())]
    return "\n".join(lines)


def errors_page() -> str:
    """Every code that a refusal may carry."""
    lines = [
        "# Errors",
        "",
        'A refusal is `{"error_code", "error_msg"}` with the status below; `error_msg` is this text, then',
        "what was refused, why, and what to do. Quote the header `X-Request-Id` to the operator.",
        "",
        "| code | HTTP | text |",
        "|---|---|---|",
    ]
    lines += [f"| `{one['code']}` | {one['status']} | {one['text'] or '–'} |" for one in refusals.table()]
    return "\n".join(lines)


def openapi_text() -> str:
    """The description of the API as a file, the one that is served."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _sorted(*, is_later: bool) -> list[Operation]:
    chosen = [one for one in OPERATIONS.values() if one.later is is_later]
    return sorted(chosen, key=lambda one: (one.path, one.method))


def _actions(found: Operation) -> str:
    if found.public:
        return "any request, unsigned"
    if found.everyone:
        return "any signed request"
    return " + ".join(f"`{action}`" for action in (found.action, *found.also))


def _first_line(doc: str) -> str:
    return doc.split("\n")[0]
