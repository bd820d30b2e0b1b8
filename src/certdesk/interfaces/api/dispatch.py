"""One path for every API request: route, signature, permission, body, operation, answer, error table.

Called by the edge middleware before sessions, CSRF and URL resolving: an API request needs none of them.
"""

from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
import structlog
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import override

from certdesk.foundation.common import clock, ids, sql
from certdesk.foundation.common.errors import CertdeskError, NotFound
from certdesk.foundation.iam import rates, tokens
from certdesk.foundation.iam import requests as signed
from certdesk.foundation.iam.errors import BadSignature
from certdesk.foundation.iam.principal import NOBODY, Principal
from certdesk.foundation.iam.requests import Outcome, Turn
from certdesk.foundation.iam.signature import Message
from certdesk.interfaces.operations import errors, registry
from certdesk.interfaces.operations.errors import Refusal
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import File, Headed, Json, Operation, Stream
from certdesk.interfaces.words.say import language

from . import bodies
from .router import Router

JSON = "application/json"
Answered = TypeVar("Answered", bound=HttpResponseBase)
_CERTIFICATE = frozenset({"certificate_id", "cert_id", "resource_id"})
"""Path parameters that are the id of a certificate."""
_log = structlog.get_logger("certdesk.api")


@lru_cache(maxsize=1)
def router() -> Router:
    return Router(OPERATIONS.values())


def is_api(path: str) -> bool:
    """Whether `path` belongs to the signed API: it is decided by the first segment alone."""
    return path[1:].partition("/")[0] in router().first_segments


def refuse(request: HttpRequest, error: CertdeskError) -> HttpResponse:
    """A request that is refused before it is read, in the API's shape."""
    request_id = getattr(request, "request_id", "") or ids.request_id()
    with override(language(request.META)):
        return _refused(errors.refusal(error, about_certificate=False), request_id)


def handle(request: HttpRequest) -> HttpResponseBase:
    """Answers an API request; never raises."""
    request_id = getattr(request, "request_id", "") or ids.request_id()
    with override(language(request.META)):
        return _answer(request, request_id)


def _answer(request: HttpRequest, request_id: str) -> HttpResponseBase:
    found = router().find(request.path_info)
    method = "GET" if request.method == "HEAD" else request.method or ""
    operation = found.operations.get(method) if found else None
    if found is None or operation is None:
        line = errors.NO_ROUTE if found is None else errors.WRONG_METHOD
        response = _refused(errors.plain(line), request_id)
        if found is not None:
            response["Allow"] = ", ".join(sorted(found.operations))
        return response
    try:
        status, answer = _run(request, operation, found.values, request_id)
        return _answered(status, answer, request_id)
    except CertdeskError as error:
        about_certificate = bool(_CERTIFICATE.intersection(operation.parameters))
        return _refused(errors.refusal(error, about_certificate=about_certificate), request_id)
    except Exception:  # noqa: BLE001 the one place where what nobody expected becomes a bland 500
        _log.exception("request failed", operation=operation.name, request_id=request_id)
        return _refused(errors.unknown(request_id), request_id)


def _run(
    request: HttpRequest, operation: Operation, values: tuple[str, ...], request_id: str
) -> tuple[int, Json | File | Headed | bytes]:
    body = bodies.raw(request, operation.max_body)
    source = str(request.META.get("REMOTE_ADDR", ""))
    if operation.public:
        rates.check_unsigned(source)
        known = NOBODY
    else:
        known = authenticate(request, body)
        rates.check_key(known.access_key or known.user_id)
    principal = known.at(source=source, request_id=request_id)
    registry.authorize(operation, principal)
    if any(bodies.NUL in value for value in values):
        raise NotFound("There is nothing with U+0000 in its id.", next_step="Check the id.")
    parameters = dict(zip(operation.parameters, values, strict=True))
    for argument, header in operation.headers:
        parameters[argument] = request.headers.get(header, "")
    given = _given(request, operation, body)
    query = bodies.query(request.META.get("QUERY_STRING", "")) if operation.query is not None else None
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if not operation.idempotent or key is None:
        return registry.perform(operation, principal, given, query, parameters)
    return _once(operation, principal, given, parameters, key, request.path_info.encode() + b"\n" + body)


def _given(request: HttpRequest, operation: Operation, body: bytes) -> Any:
    if operation.request is None:
        return None
    return bodies.form_file(request.META, body) if operation.multipart else bodies.json(body)


def authenticate(request: HttpRequest, body: bytes) -> Principal:
    """Who signed the request, or whose token it carries; a signature goes before a token.

    Raises:
        BadSignature: nobody, or not so that it can be believed.
    """
    header = request.META.get("HTTP_AUTHORIZATION")
    token = request.META.get("HTTP_X_AUTH_TOKEN")
    if not header and token:
        return tokens.authenticate(token, clock.real_now())
    if not header:
        raise BadSignature("no Authorization header" if token is None else tokens.REFUSED)
    return signed.authenticate(_message(request, body), header, clock.real_now())


def _message(request: HttpRequest, body: bytes) -> Message:
    meta = request.META

    def header(name: str) -> str | None:
        """By WSGI's names; values are UTF-8 that the server read as Latin-1 (§4.2)."""
        key = name.upper().replace("-", "_")
        value = meta.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")
        if value is None or value.isascii():
            return value
        return str(value).encode("latin-1", "replace").decode("utf-8", "replace")

    path = request.path_info.encode("utf-8", "replace")  # Django has read the bytes as UTF-8
    return Message(request.method or "", path, meta.get("QUERY_STRING", ""), header, body)


def _once(
    operation: Operation,
    principal: Principal,
    given: Any,
    parameters: dict[str, str],
    key: str,
    asked: bytes,
) -> tuple[int, Json | File | Headed | bytes]:
    """Runs the operation for the first request with this Idempotency-Key; repeats its answer to others."""
    turn = signed.begin(principal, operation.name, key, asked, clock.real_now())
    if turn.outcome is Outcome.REPEAT:
        return turn.status, turn.answer.encode()
    try:
        if operation.one_transaction:
            outcome = _whole(operation, principal, given, parameters, turn)
        else:
            with signed.noting(turn):
                outcome = _kept(turn, registry.perform(operation, principal, given, None, parameters))
    except CertdeskError:
        signed.give_up(turn)
        raise
    except Exception:
        if operation.one_transaction:
            signed.give_up(turn)  # it was rolled back whole
        else:
            signed.settle(turn)  # something may have happened
        raise
    return outcome


def _whole(
    operation: Operation, principal: Principal, given: Any, parameters: dict[str, str], turn: Turn
) -> tuple[int, Json | File | Headed]:
    """Operation and kept answer in one transaction. What a refusal wrote is committed too, e.g. why an
    order could not be paid; the operation's own savepoint has undone the rest."""
    with sql.short_transaction():
        try:
            return _kept(turn, registry.perform(operation, principal, given, None, parameters))
        except CertdeskError as error:
            refused = error
    raise refused


def _kept(turn: Turn, outcome: tuple[int, Json | File | Headed]) -> tuple[int, Json | File | Headed]:
    status, answer = outcome
    signed.finish(turn, status, "" if isinstance(answer, File | Headed) else orjson.dumps(answer).decode())
    return outcome


def _answered(status: int, answer: Json | File | Headed | bytes, request_id: str) -> HttpResponseBase:
    response: HttpResponseBase
    headers = answer.headers if isinstance(answer, Headed) else {}
    if isinstance(answer, Headed):
        answer = answer.content
    if isinstance(answer, Stream):
        response = StreamingHttpResponse(answer.pieces, status=status, content_type=answer.content_type)
        response["Content-Disposition"] = _attachment(answer)
    elif isinstance(answer, File):
        response = HttpResponse(answer.content, status=status, content_type=answer.content_type)
        response["Content-Disposition"] = _attachment(answer)
    elif status == 204 or answer is None:
        response = HttpResponse(status=status)
        del response["Content-Type"]
    else:
        content = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        response = HttpResponse(content, status=status, content_type=JSON)
    for name, value in headers.items():
        response.headers[name] = value
    return _finished(response, request_id)


def _attachment(file: File) -> str:
    return f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"


def _refused(refusal: Refusal, request_id: str) -> HttpResponse:
    response = HttpResponse(orjson.dumps(refusal.body), status=refusal.status, content_type=JSON)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return _finished(response, request_id)


def _finished(response: Answered, request_id: str) -> Answered:
    headers = response.headers
    headers["X-Request-Id"] = request_id
    headers["Cache-Control"] = "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    return response
