"""Reading a request's body: size before anything else, then JSON with a limit on its depth.

No text with U+0000 passes: PostgreSQL cannot hold it, and SQLite reads a text only as far as it.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind

NUL = "\x00"
MOST_READ_AWAY = 16 * 1024 * 1024
MAX_DEPTH = 32
MAX_PARAMETERS = 100
MAX_ITEMS = 50_000
_PIECE = 64 * 1024


def raw(request: HttpRequest, most: int) -> bytes:
    """The body's bytes.

    Args:
        most: bytes that the operation takes.

    Raises:
        BadParameter: it is larger, or was cut off.
        CertdeskError: it came without its length (411).
    """
    given = request.META.get("CONTENT_LENGTH") or "0"
    length = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    if length == 0 and "HTTP_TRANSFER_ENCODING" in request.META:
        _read_away(request.META["wsgi.input"], MOST_READ_AWAY)
        raise CertdeskError(
            "The body came without its length.",
            next_step="Send Content-Length instead of Transfer-Encoding: chunked.",
            kind=Kind.LENGTH_REQUIRED,
        )
    if length is None or length > most:
        _read_away(request, MOST_READ_AWAY if length is None else min(length, MOST_READ_AWAY))
        raise BadParameter(f"The body is larger than {most} bytes.", next_step="Send less at once.")
    body = b"".join(_pieces(request, length))
    if len(body) < length:
        raise BadParameter("The body ended before its Content-Length.")
    return body


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _pieces(source: _Readable, length: int) -> Iterator[bytes]:
    """The next `length` bytes, or as many as come. Not `request.body`: its limit is that of the forms."""
    while length:
        try:
            piece = source.read(length)
        except OSError:  # Django's UnreadablePostError is one: the client went away
            return
        if not piece:
            return
        length -= len(piece)
        yield piece


def _read_away(source: _Readable, most: int) -> None:
    """A refusal sent before the body has been read would reach a client as a broken connection."""
    while most > 0 and (piece := b"".join(_pieces(source, min(most, _PIECE)))):
        most -= len(piece)


def query(text: str) -> dict[str, str]:
    """The query's parameters; of a repeated one the greatest counts: the signature sorts them, so
    whoever changed their order on the way must not change what they mean.

    Raises:
        BadParameter: more than 100 parameters, no UTF-8, or U+0000 in one.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError:
        raise BadParameter(f"The query is not UTF-8 or has more than {MAX_PARAMETERS} parameters.") from None
    found = dict(sorted(pairs))
    for name, value in found.items():
        if NUL in name or NUL in value:
            raise _nul("The query", name.replace(NUL, ""))
    return found


_FILES = frozenset({"image/png", "image/jpeg", "application/pdf", "application/octet-stream"})


class _InMemory(MemoryFileUploadHandler):
    """Never a temporary file: what is uploaded stands on no disk unsealed. `raw` has limited the size."""

    def handle_raw_input(self, *arguments: Any, **more: Any) -> None:
        self.activated = True


def form_file(meta: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """`name` and `content` of the file in the field `document` (multipart/form-data); a body that is a
    picture or a document itself has no name.

    Raises:
        BadParameter: no such form, or not exactly one file in it.
    """
    if str(meta.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower() in _FILES:
        return {"name": "", "content": body}
    try:
        known = {**meta, "CONTENT_LENGTH": str(len(body))}
        _, files = MultiPartParser(known, BytesIO(body), [_InMemory()]).parse()
    except (MultiPartParserError, SuspiciousOperation):
        files = None
    found = files.getlist("document") if files is not None else []
    if len(found) != 1:
        raise BadParameter(
            "The body is no form with one file.",
            next_step="Send multipart/form-data with the file in the field `document`.",
            field="document",
        )
    return {"name": found[0].name or "", "content": found[0].read()}


def _nul(what: str, field: str = "") -> BadParameter:
    return BadParameter(f"{what} holds the character U+0000.", next_step="Leave it out.", field=field)


def json(body: bytes) -> Any:
    """The body as JSON; an empty one is an empty object.

    Raises:
        BadParameter: no JSON, nested too deeply, with too much in it, or U+0000 in a text, however deep.
    """
    if not body.strip():
        return {}
    if body.count(b",") > MAX_ITEMS or body.count(b":") > 2 * MAX_ITEMS:
        raise BadParameter(
            f"The body holds more than {MAX_ITEMS} fields and items.", next_step="Send less at once."
        )
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadParameter(
            f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}."
        ) from None
    brackets = body.count(b"{") + body.count(b"[")
    if brackets > MAX_DEPTH and _depth(found) > MAX_DEPTH:
        raise BadParameter(
            f"The body is nested more than {MAX_DEPTH} levels deep.", next_step="Send it flatter."
        )
    if b"\\u0000" in body and _has_nul(found):  # JSON has no other way to write it
        raise _nul("The body")
    return found


def _has_nul(found: Any) -> bool:
    """Whether any text in it, names of fields included, holds U+0000."""
    if isinstance(found, str):
        return NUL in found
    if isinstance(found, dict):
        return any(NUL in name or _has_nul(value) for name, value in found.items())
    return isinstance(found, list) and any(map(_has_nul, found))


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
