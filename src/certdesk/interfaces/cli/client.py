"""A signed HTTP client for our own API, as any program outside would write one."""

from typing import Any

import httpx
import orjson

from certdesk.foundation.common import clock
from certdesk.foundation.iam import signature


class ApiRefused(Exception):
    """An answer of 400 or above; `status`, `code` and `sentence` are the server's words."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(f"HTTP {status} {code}: {sentence}")
        self.status = status
        self.code = code
        self.sentence = sentence


class Client:
    """Speaks to one installation with one access key."""

    def __init__(self, base: str, access_key: str, secret_key: str, timeout: float = 60.0) -> None:
        self.base = base
        self._access_key = access_key
        self._secret_key = secret_key
        self._http = httpx.Client(timeout=timeout, trust_env=False)

    def send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One signed request; the answer whatever its status."""
        content = b"" if body is None else orjson.dumps(body)
        signed = signature.sign(
            method,
            self.base + path,
            self._access_key,
            self._secret_key,
            now=clock.real_now(),
            body=content,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        return self._http.request(method, self.base + path, content=content or None, headers=signed)

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer's object.

        Raises:
            ApiRefused: the server refused.
        """
        answer = self.send(method, path, body, headers)
        if answer.status_code >= 400:
            error = _json(answer)
            raise ApiRefused(answer.status_code, error.get("error_code", ""), error.get("error_msg", ""))
        return _json(answer)

    def get(self, path: str) -> dict[str, Any]:
        return self.call("GET", path)

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        return self.call("POST", path, body)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _json(answer: httpx.Response) -> dict[str, Any]:
    if not answer.content:
        return {}
    parsed = orjson.loads(answer.content)
    return parsed if isinstance(parsed, dict) else {"items": parsed}
