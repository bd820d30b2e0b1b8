"""Requests made from the served OpenAPI document: good, nearly good and hostile, the same in every run."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Schema = dict[str, Any]
MOST_DEPTH = 6

TEXTS = (
    "", " ", "a", "0", "-1", "null", "true", "a" * 63, "a" * 64, "a" * 65, "a" * 513, "a" * 5000,
    "www.example.com", "*.example.com", "EXAMPLE.COM.", "xn--a.example.com", "xn--fiqs8s", "例子.测试",
    "e\u0301", "\u00e9", "\u202eevil", "\u200b", "\ufeff", "\U0001f600", "\x01\x1f\x7f", "a\tb", "a\r\nb: c",
    "\u0000", "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "{{7*7}}", "${7*7}", "#{7*7}",
    "' OR '1'='1", "'; DROP TABLE x;--", "%", "_", "\\", "%00", "..", "../../etc/passwd", "/etc/passwd",
    "C:\\windows", "=1+1", "+1", "-1+1", "@SUM(1)", "http://169.254.169.254/", "http://127.0.0.1:1/",
    "file:///etc/passwd", "gopher://x", "$(id)", "`id`", "|id", "%s%n", "1e309", "NaN", "2026-02-30",
    "9999-12-31", "0000-00-00", "2026-11-25", "GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", "EC_P256", "CNY",
    "10.00", "-10.00", "1e5", "0.001", "ISSUED", "ALL", "all", "builtin", "0",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 5, 10, 20, 50, 100, 101, 255, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**30)
WRONG: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e300, 10**40, "", "x", [], {}, [[]], [None], {"a": {}}, {"$ne": ""},
    {"__proto__": {}}, [{}], ["x"] * 101, "x" * 70_001,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    operation: str
    method: str
    target: str
    body: bytes
    content_type: str = "application/json"


@dataclass
class Generator:
    """`ids` grows with what the server says it has made; nothing that stood there before is touched."""

    document: dict[str, Any]
    seed: str
    ids: list[str] = field(default_factory=lambda: ["scs1600313391074", "x", "1"])

    def __post_init__(self) -> None:
        found = [
            (path, method.upper(), described)
            for path, methods in sorted(self.document["paths"].items())
            for method, described in sorted(methods.items())
        ]
        # What comes later is asked once in a round; the rest six times.
        self.operations = [*found, *(one for one in found * 5 if not one[2].get("x-later"))]

    def cases(self, count: int) -> Iterator[Case]:
        """Every operation in turn, so that each has its share."""
        for number in range(count):
            path, method, described = self.operations[number % len(self.operations)]
            yield self._case(path, method, described, random.Random(f"{self.seed}-{number}"))

    def learn(self, answer: object) -> None:
        """Ids in the answer to something that was made."""
        if isinstance(answer, dict):
            for name, value in answer.items():
                if isinstance(value, str | int) and (name == "id" or name.endswith("_id")):
                    self.ids = [*self.ids[-200:], str(value)]
                self.learn(value)
        elif isinstance(answer, list):
            for value in answer:
                self.learn(value)

    def _case(self, path: str, method: str, described: Schema, dice: random.Random) -> Case:
        given = described.get("parameters", [])
        values = {one["name"]: self._segment(dice) for one in given if one["in"] == "path"}
        target = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "x"), path)
        asked = [one for one in given if one["in"] == "query" and dice.random() < 0.5]
        if asked:
            target += "?" + "&".join(self._query(one, dice) for one in asked)
        body, kind = self._body(described.get("requestBody"), dice)
        return Case(described["operationId"], method, target, body, kind)

    def _segment(self, dice: random.Random) -> str:
        text = dice.choice(self.ids) if dice.random() < 0.7 else dice.choice(TEXTS)
        return quote(text, safe="") or "%20"

    def _query(self, one: Schema, dice: random.Random) -> str:
        value = self._value(one.get("schema", {}), dice, 0)
        text = value if isinstance(value, str) else json.dumps(value)
        return f"{one['name']}={quote(text[:2000], safe='')}"

    def _body(self, described: Schema | None, dice: random.Random) -> tuple[bytes, str]:
        if described is None:
            return b"", "application/json"
        kind, media = next(iter(described["content"].items()))
        if kind != "application/json":
            return dice.randbytes(200), f"{kind}; boundary=x"
        if "example" in media and dice.random() < 0.6:
            value = self._changed(media["example"], dice)
        else:
            value = self._value(media["schema"], dice, 0)
        return json.dumps(value).encode("utf-8", "surrogatepass"), kind

    def _changed(self, example: Any, dice: random.Random) -> Any:
        """The document's example as it is, or with one field that is not."""
        if not isinstance(example, dict) or not example or dice.random() < 0.4:
            return example
        name = dice.choice(sorted(example))
        inner = example[name]
        if isinstance(inner, dict) and inner and dice.random() < 0.7:
            return {**example, name: self._changed(inner, dice)}
        return {**example, name: dice.choice(WRONG) if dice.random() < 0.5 else self._text(dice)}

    def _value(self, schema: Schema, dice: random.Random, depth: int) -> Any:
        """A value that fits, or with one chance in nine one that does not."""
        if dice.random() < 0.11 and depth:
            return dice.choice(WRONG)
        if depth > MOST_DEPTH:
            return None
        if "$ref" in schema:
            return self._value(self._resolved(schema["$ref"]), dice, depth)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self._value(dice.choice(schema[word]), dice, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return dice.choice(schema["enum"])
        kind = schema.get("type", "string")
        makers: dict[str, Callable[[Schema, random.Random, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "integer": lambda _, dice, __: dice.choice(NUMBERS[:9] if dice.random() < 0.8 else NUMBERS),
            "number": lambda _, dice, __: dice.choice(NUMBERS),
            "boolean": lambda _, dice, __: dice.random() < 0.5,
            "null": lambda _, __, ___: None,
        }
        return makers[kind](schema, dice, depth) if kind in makers else self._text(dice)

    def _text(self, dice: random.Random) -> str:
        return dice.choice(self.ids) if dice.random() < 0.15 else dice.choice(TEXTS)

    def _object(self, schema: Schema, dice: random.Random, depth: int) -> Any:
        needed = set(schema.get("required", ()))
        made = {
            name: self._value(inner, dice, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if (dice.random() < 0.95 if name in needed else dice.random() < 0.4)
        }
        if not made or dice.random() < 0.05:
            made[dice.choice(TEXTS)] = dice.choice(WRONG)
        return made

    def _array(self, schema: Schema, dice: random.Random, depth: int) -> Any:
        inner = schema.get("items", {})
        return [self._value(inner, dice, depth + 1) for _ in range(dice.choice((0, 1, 1, 1, 2, 5)))]

    def _resolved(self, reference: str) -> Schema:
        found: Any = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        resolved: Schema = found
        return resolved
