"""One request of the matrix, and how it is sent so that nothing of it stays."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from django.db import transaction
from django.test import Client

from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries
from certdesk.interfaces.operations.registry import Operation
from tests.support.signed import Answer, Person, send

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_DIGITS = str.maketrans("0123456789", "5678901234")
_HEX = str.maketrans("0123456789abcdef", "5678901234fedcba")


@dataclass(frozen=True)
class Ask:
    """What is sent.

    Attributes:
        values: path parameters.
        by: who sends it as the owner, where it may not be Alice (two-person rules).
    """

    values: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    by: str = "alice"

    def path(self, operation: Operation) -> str:
        path = _PARAMETER.sub(lambda found: self.values[found[1]], operation.path)
        return f"{path}?{self.query}" if self.query else path

    def with_values(self, **values: str) -> "Ask":
        return replace(self, values={**self.values, **values})


def other_id(text: str) -> str:
    """An id of the same form that nobody has; a number begins with no zero, which pages would leave out."""
    changed = text.translate(_HEX if re.fullmatch("[0-9a-f]{32}", text) else _DIGITS)
    if changed.isdigit():
        changed = re.sub("^0", "9", changed)
    return changed if changed != text else f"{text}5"


def ask(who: Person, operation: Operation, what: Ask) -> Answer:
    """Signs, sends, and undoes whatever it did."""
    path = what.path(operation)
    raw = (
        what.body
        if isinstance(what.body, bytes)
        else orjson.dumps(what.body if what.body is not None else {})
    )
    more = {"Content-Type": "application/json", "X-Nonce": secrets.token_hex(8), **what.headers}
    headers = who.headers(operation.method, path, raw, clock.real_now(), **more)
    queries.forget_keys()
    with transaction.atomic():
        answer = who.send(operation.method, path, raw, headers=headers)
        transaction.set_rollback(True)
    queries.forget_keys()
    return answer


def ask_unsigned(operation: Operation, what: Ask) -> Answer:
    body = what.body if isinstance(what.body, bytes) else b"{}"
    with transaction.atomic():
        answer = send(Client(), operation.method, what.path(operation), body, dict(what.headers))
        transaction.set_rollback(True)
    return answer


def told(answer: Answer, *ids: str) -> tuple[int, str]:
    """Status and text of an answer, the ids that were asked for left out."""
    text = answer.response.content.decode("utf-8", "replace")
    for one in sorted(ids, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", "<id>", text)
    return answer.status, text
