"""Reading a request's body: size before anything else, then JSON with a limit on its depth."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from certdesk.foundation.common.errors import BadParameter

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_PARAMETERS = 100


def raw(request: HttpRequest) -> bytes:
    """The body's bytes.

    Raises:
        BadParameter: it is larger than 1 MiB, or was cut off.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BYTES:
        raise _too_large()
    if length == "0":
        return b""
    try:
        return request.body
    except RequestDataTooBig:
        raise _too_large() from None
    except UnreadablePostError:
        raise BadParameter("The body ended before its Content-Length.") from None


def query(text: str) -> dict[str, str]:
    """The query's parameters; of a repeated one the last counts.

    Raises:
        BadParameter: more than 100 parameters, or no UTF-8.
    """
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict"))
    except ValueError:
        raise BadParameter(f"The query is not UTF-8 or has more than {MAX_PARAMETERS} parameters.") from None


def _too_large() -> BadParameter:
    return BadParameter(f"The body is larger than {MAX_BYTES} bytes.", next_step="Send less at once.")


def json(body: bytes) -> Any:
    """The body as JSON; an empty one is an empty object.

    Raises:
        BadParameter: no JSON, or nested too deeply.
    """
    if not body.strip():
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadParameter(
            f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}."
        ) from None
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MAX_DEPTH and _depth(found) > MAX_DEPTH:
        raise BadParameter(f"The body is nested more than {MAX_DEPTH} levels deep.")
    return found


def _depth(found: Any) -> int:
    """Levels of nesting, without recursion."""
    depth, level = 0, [found]
    while level and depth <= MAX_DEPTH:
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        level = [value for value in inner if isinstance(value, dict | list)]
        depth += 1
    return depth
