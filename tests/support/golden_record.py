"""Writes the answers into a golden file, once, for somebody to read before they are kept.

`GOLDEN=record` lets the test of the golden files come here. What differs in each run, an id, a time,
a random value, becomes `<name:kind>` where it is met first and `<name>` where it is met again; everything
else is written as it came.
"""

import json
import re
from pathlib import Path
from typing import Any

from tests.support.golden import FORMS, NUMBERS, People, World, filled, keep, sent

ORDER = (
    "certificate", "order", "name", "time", "moment", "uuid", "csr", "key", "cert", "certs", "sha1", "hex32",
    "value",
)  # fmt: skip
CLOCKS = frozenset({"time", "moment", "millis"})
FIELDS = {"accesskey": ("access", "access_key", "id"), "secretkey": ("secret", "secret_key")}


def record(people: People, file: Path, known: dict[str, Any], world: World) -> None:
    """Plays the requests of the file and writes status and answer of each."""
    values, steps = dict(known), []
    for step in json.loads(file.read_text(encoding="utf-8")):
        if "world" in step:
            world(filled(step["world"], values))
            steps.append(step)
            continue
        answer = sent(people, step, values)
        kept = {key: value for key, value in step.items() if key not in ("status", "get")}
        kept["status"] = answer.status
        if answer.response.content:
            kept["get"] = _named(answer.json, values, "")
        keep(step, answer, values)
        steps.append(kept)
    file.write_text(json.dumps(steps, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _named(found: Any, values: dict[str, Any], field: str) -> Any:
    if isinstance(found, dict):
        return {key: _named(value, values, key) for key, value in found.items()}
    if isinstance(found, list):
        return [_named(value, values, field) for value in found]
    if isinstance(found, bool) or not isinstance(found, str | int):
        return found
    return _place(found, values, field)


def _place(found: str | int, values: dict[str, Any], field: str) -> str | int:
    same = next((name for name, value in values.items() if value == found and type(value) is type(found)), "")
    if same and found != "":
        return f"<{same}>"
    kind = _kind(found, field)
    if kind:
        name = _free(field or kind, values)
        values[name] = object() if kind in CLOCKS else found  # a moment may be the same by luck: never reused
        return f"<{name}:{kind}>"
    return _inside(found, values) if isinstance(found, str) else found


def _kind(found: str | int, field: str) -> str:
    if isinstance(found, int):
        return next((kind for kind in NUMBERS if re.fullmatch(FORMS[kind], str(found))), "")
    for kind, fields in FIELDS.items():
        if field in fields and re.fullmatch(FORMS[kind], found):
            return kind
    tried = (kind for kind in ORDER if kind != "value" or field == "record_value")
    return next((kind for kind in tried if re.fullmatch(FORMS[kind], found)), "")


def _free(field: str, values: dict[str, Any]) -> str:
    base = re.sub(r"[^a-z_]", "_", field.lower())
    return next(name for name in (f"{base}_{n}" for n in range(1, 1000)) if name not in values)


def _inside(found: str, values: dict[str, Any]) -> str:
    """Known ids within a sentence."""
    for name, value in values.items():
        if isinstance(value, str) and len(value) >= 10 and "\n" not in value:
            found = found.replace(value, f"<{name}>")
    return found
