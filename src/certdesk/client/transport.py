"""Signed requests over one HTTP connection pool; waits where the server says when to ask again."""

import json
import re
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode

import httpx

from certdesk.foundation.common import sdk_signature

from .errors import ClientError, Refused, Unreachable, Waiting

TIMEOUT = 60.0
PATIENCE = 60.0
SAFE_TO_REPEAT = frozenset({"GET", "PUT", "DELETE"})
_NAME = re.compile(r"filename\*=UTF-8''([^;]+)")
Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was answered. `content` may hold private keys: it is not shown in `repr`."""

    name: str
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"Download({self.name!r}, {len(self.content)} bytes)"


class Transport:
    """Speaks to one installation with one access key.

    Args:
        endpoint: scheme, host and port; a path is not allowed, the API stands at the root.
        timeout: seconds for one request.
        patience: seconds that a call may wait altogether for what the server asked to wait for.
        language: of sentences, `en` or `zh`.
        verify: False, or a file of roots, PEM.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        language: str = "en",
        verify: bool | str = True,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not _is_endpoint(endpoint):
            raise ClientError(
                f"{endpoint!r} is no endpoint. Use scheme and host, e.g. https://certdesk.example.com."
            )
        self._endpoint = endpoint.rstrip("/")
        self._access_key = access_key
        self._secret_key = secret_key
        self._patience = patience
        self._language = language
        self._sleep = sleep
        self._now = now
        self._http = httpx.Client(timeout=timeout, verify=_trust(verify))

    def __repr__(self) -> str:
        return f"Transport({self._endpoint!r}, {self._access_key!r})"

    def close(self) -> None:
        self._http.close()

    @staticmethod
    def path(shape: str, *values: str) -> str:
        """The path with its parameters filled in."""
        parts = iter(values)
        return re.sub(r"\{[a-z_]+\}", lambda _: quote(str(next(parts)), safe=""), shape)

    def call(self, method: str, path: str, **given: Any) -> Any:
        """The answer's JSON; None when there is none.

        Raises:
            Refused: the server refused. Waiting: other people must approve it first.
            Unreachable: it did not answer, or something else did in its place.
        """
        answer = self.send(method, path, **given)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise self._not_ours(answer) from None

    def download(self, method: str, path: str, **given: Any) -> Download:
        """The answer's file. Raises: as `call`."""
        answer = self.send(method, path, **given)
        found = _NAME.search(answer.headers.get("Content-Disposition", ""))
        name = unquote(found[1]) if found else "download"
        return Download(name, answer.headers.get("Content-Type", "").partition(";")[0], answer.content)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Given | None = None,
        body: Given | None = None,
        array: list[Any] | None = None,
        file: tuple[str, bytes] | None = None,
        headers: Given | None = None,
        idempotency_key: str | bool = "",
    ) -> httpx.Response:
        """One operation, asked again as often as the server says and patience allows. Raises: as `call`."""
        sent = {name: str(value) for name, value in (headers or {}).items() if value is not None}
        if idempotency_key:
            sent["Idempotency-Key"] = uuid.uuid4().hex if idempotency_key is True else str(idempotency_key)
        target = path + _query(query or {})
        content, kind = _content(body, array, file)
        repeatable = method in SAFE_TO_REPEAT or bool(idempotency_key)
        left = self._patience
        while True:
            answer = self._once(method, target, content, {**sent, "Content-Type": kind})
            if answer.status_code < 300:
                _refuse_waiting(answer)
                return answer
            if answer.status_code < 400:
                raise self._not_ours(answer)
            refused = _refused(answer)
            wait = refused.retry_after
            again = answer.status_code == 429 or (answer.status_code == 503 and repeatable)
            if not again or wait is None or wait > left:
                raise refused
            left -= max(wait, 1)
            self._sleep(wait)

    def _once(self, method: str, target: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        url = self._endpoint + target
        signed = sdk_signature.sign(
            method,
            url,
            self._access_key,
            self._secret_key,
            now=self._now(),
            body=content,
            headers={"X-Language": self._language, **headers},
        )
        try:
            return self._http.request(method, url, content=content or None, headers=signed)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{self._endpoint} did not answer: {error or type(error).__name__}. "
                "Check the endpoint and that the server is running."
            ) from error

    def _not_ours(self, answer: httpx.Response) -> Unreachable:
        place = answer.headers.get("Location", "")
        where = f", to {place}" if place else ""
        return Unreachable(
            f"{self._endpoint} gave an answer that is not the API's (HTTP {answer.status_code}{where}). "
            "Check the endpoint, its scheme too."
        )


def _is_endpoint(text: str) -> bool:
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host) and parsed.path in ("", "/")


def _trust(verify: bool | str) -> bool | ssl.SSLContext:
    if isinstance(verify, bool):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise ClientError(f"The roots in {verify} cannot be read: {error}. Check the file.") from None


def _refuse_waiting(answer: httpx.Response) -> None:
    """202 may also be an answer of the operation itself; the request's id tells."""
    if answer.status_code != 202:
        return
    try:
        said = answer.json()
    except ValueError:
        return
    if isinstance(said, dict) and said.keys() == {"approval_id"}:
        raise Waiting(str(said["approval_id"]))


def _query(given: Given) -> str:
    """Without what was not said; true and false as the server reads them."""
    said = {name: _text(value) for name, value in given.items() if value is not None}
    return f"?{urlencode(said, quote_via=quote)}" if said else ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _content(
    body: Given | None, array: list[Any] | None, file: tuple[str, bytes] | None
) -> tuple[bytes, str]:
    """Bytes and content type; None in a body means: not said."""
    if file is not None:
        request = httpx.Request("POST", "http://form", files={"document": file})
        return request.read(), request.headers["Content-Type"]
    if array is not None:
        return json.dumps(array).encode(), "application/json"
    if body is None:
        return b"", "application/json"
    said = {name: value for name, value in body.items() if value is not None}
    return json.dumps(said).encode(), "application/json"


def _refused(answer: httpx.Response) -> Refused:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    wait = answer.headers.get("Retry-After", "")
    return Refused(
        answer.status_code,
        str(said.get("error_code", "")),
        str(said.get("error_msg", "")),
        answer.headers.get("X-Request-Id", ""),
        int(wait) if wait.isascii() and wait.isdigit() else None,
    )
