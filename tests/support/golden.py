"""Golden files: whole conversations with the API, kept as JSON and compared exactly.

A file is a list of steps: `{"do": "POST /path", "send": body, "status": 200, "get": body}`; without `get` the
answer has no body. What differs in each run stands as `<name:kind>`: the value must have the form of the kind
and is called `name` from then on. `<name>` alone is that very value again, in requests and in answers.
`headers` are sent beside the usual ones; `keep` names a value of the answer's headers; `as` says who sends.
`"<x*300>"` in a request is 300 times x. A step `{"world": "prove <name>"}` is what happens outside: its
records are set, and the jobs that are due run.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.signed import Answer, Person


def _pem(label: str) -> str:
    return rf"-----BEGIN {label}-----\n(?:[A-Za-z0-9+/=]{{1,64}}\n)+-----END {label}-----\n"


FORMS = {
    "hex32": r"[0-9a-f]{32}",
    "certificate": r"scs[0-9]{13}",
    "order": r"CS[0-9A-F]{21}",
    "name": r"scm-[0-9a-f]{6}",
    "millis": r"1[0-9]{12}",
    "time": r"20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.0",
    "moment": r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z",
    "sha1": r"[0-9a-f]{40}",
    "value": r'"?[0-9A-Za-z]{32,64}"?',
    "accesskey": r"[0-9A-Z]{20}",
    "secretkey": r"[0-9A-Za-z]{40}",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "cert": _pem("CERTIFICATE"),
    "certs": rf"(?:{_pem('CERTIFICATE')})+",
    "csr": _pem("CERTIFICATE REQUEST"),
    "key": _pem("PRIVATE KEY"),
}
NUMBERS = frozenset({"millis"})
"""Kinds that are JSON numbers; every other one is text."""

_PLACE = re.compile(r"<([a-z_0-9]+)(?::([a-z0-9]+))?>")
_REPEATED = re.compile(r"<([^<>*]+)\*([0-9]+)>")


class Different(AssertionError):
    """The answer is not the one of the file."""


World = Callable[[str], None]
People = Mapping[str, Person]
"""Who sends, by name; `as` names another one than Alice."""


def play(
    people: People, file: Path, known: dict[str, Any] | None = None, world: World | None = None
) -> dict[str, Any]:
    """Sends every step and compares every answer; answers the values by name.

    Args:
        known: values that the file may name without having met them.
        world: does what a step `world` says, with the values in it.

    Raises:
        Different: names file, step and place.
    """
    values = dict(known or {})
    for number, step in enumerate(json.loads(file.read_text(encoding="utf-8")), start=1):
        if "world" in step:
            assert world is not None
            world(filled(step["world"], values))
            continue
        answer = sent(people, step, values)
        where = f"{file.name} step {number} ({step['do']})"
        if answer.status != step["status"]:
            raise Different(f"{where}: {answer.status} {answer.json}")
        if "get" not in step and answer.response.content:
            raise Different(f"{where}: a body came: {answer.response.content[:200]!r}")
        compare(step.get("get"), answer.json, values, where)
        keep(step, answer, values)
        check_headers(answer, where)
    return values


def sent(people: People, step: dict[str, Any], values: dict[str, Any]) -> Answer:
    method, _, path = filled(step["do"], values).partition(" ")
    body = filled(step["send"], values) if "send" in step else None
    return people[step.get("as", "alice")].send(method, path, body, **filled(step.get("headers", {}), values))


def keep(step: dict[str, Any], answer: Answer, values: dict[str, Any]) -> None:
    """Values of headers, e.g. a token, by the names that the step gives them."""
    for name, header in step.get("keep", {}).items():
        values[name] = answer.response.headers[header]


def check_headers(answer: Answer, where: str) -> None:
    """Every answer names its request, and says what it is where it is something (API §8.2)."""
    headers = answer.response.headers
    kind = "application/json" if answer.response.content else None
    named = re.fullmatch(r"[0-9a-f]{32}", headers.get("X-Request-Id", ""))
    if not named or headers.get("Content-Type") != kind:
        raise Different(f"{where}: the headers are {dict(headers)}")


def filled(expected: Any, values: dict[str, Any]) -> Any:
    """A request with the values of earlier answers in it."""
    if isinstance(expected, dict):
        return {name: filled(value, values) for name, value in expected.items()}
    if isinstance(expected, list):
        return [filled(value, values) for value in expected]
    if not isinstance(expected, str):
        return expected
    expected = _REPEATED.sub(lambda found: found[1] * int(found[2]), expected)
    return _PLACE.sub(lambda found: str(values[found[1]]), expected)


def compare(expected: Any, actual: Any, values: dict[str, Any], where: str) -> None:
    """Raises:
    Different: another type, key, length or value.
    """
    place = _PLACE.fullmatch(expected) if isinstance(expected, str) else None
    if place is not None:
        _bind(place[1], place[2], actual, values, where)
    elif type(expected) is not type(actual):
        raise Different(f"{where}: {expected!r} is expected, {actual!r} came")
    elif isinstance(expected, dict):
        if expected.keys() != actual.keys():
            raise Different(f"{where}: fields differ: {sorted(expected.keys() ^ actual.keys())}")
        for name, value in expected.items():
            compare(value, actual[name], values, f"{where}.{name}")
    elif isinstance(expected, list):
        if len(expected) != len(actual):
            raise Different(f"{where}: {len(expected)} entries are expected, {actual!r} came")
        for position, value in enumerate(expected):
            compare(value, actual[position], values, f"{where}[{position}]")
    elif (filled(expected, values) if isinstance(expected, str) else expected) != actual:
        raise Different(f"{where}: {expected!r} is expected, {actual!r} came")


def _bind(name: str, kind: str | None, actual: Any, values: dict[str, Any], where: str) -> None:
    if kind is None:
        if actual != values[name]:
            raise Different(f"{where}: {name} is {values[name]!r}, {actual!r} came")
        return
    right_type = type(actual) is (int if kind in NUMBERS else str)
    if not right_type or not re.fullmatch(FORMS[kind], str(actual)):
        raise Different(f"{where}: {actual!r} is no {kind}")
    if values.setdefault(name, actual) != actual:
        raise Different(f"{where}: {name} is {values[name]!r}, {actual!r} came")
