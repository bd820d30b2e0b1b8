"""A client that signs its requests and calls the service in this process."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpResponse
from django.test import Client

from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions, signature
from certdesk.foundation.iam.models import Account, User

HOST = "certdesk.test:8080"
PASSWORD = "correct horse battery staple"


@dataclass
class Answer:
    status: int
    json: Any
    response: HttpResponse

    @property
    def code(self) -> str:
        return str(self.json["error_code"]) if isinstance(self.json, dict) else ""

    @property
    def text(self) -> str:
        return str(self.json["error_msg"])


@dataclass
class Person:
    """A user with an access key."""

    user: User
    access_key: str
    secret_key: str
    http: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    @property
    def account(self) -> Account:
        return self.user.account

    def headers(self, method: str, path: str, body: bytes, now: datetime, **more: str) -> dict[str, str]:
        return signature.sign(
            method, f"http://{HOST}{path}", self.access_key, self.secret_key, now=now, body=body, headers=more
        )

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        now: datetime | None = None,
        **extra: str,
    ) -> Answer:
        """Signs and sends; `extra` headers are sent unsigned. `body` is JSON unless it is bytes."""
        raw = body if isinstance(body, bytes) else (b"" if body is None else orjson.dumps(body))
        # A nonce, so that two equal requests of one second are two requests.
        signed = headers or self.headers(
            method,
            path,
            raw,
            now or clock.real_now(),
            **{"Content-Type": "application/json", "X-Nonce": secrets.token_hex(8)},
        )
        return send(self.http, method, path, raw, {**signed, **extra})

    def get(self, path: str, **extra: str) -> Answer:
        return self.send("GET", path, **extra)

    def post(self, path: str, body: object = None, **extra: str) -> Answer:
        return self.send("POST", path, body, **extra)


def send(http: Client, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Sends exactly these headers."""
    response = http.generic(method, path, body, headers=headers)
    if response.streaming:  # a file of any size; here they are small
        whole = HttpResponse(b"".join(response.streaming_content), status=response.status_code)
        whole.headers = response.headers
        whole.streaming_content = [whole.content]
        response = whole
    is_json = response.headers.get("Content-Type", "").startswith("application/json") and response.content
    return Answer(response.status_code, orjson.loads(response.content) if is_json else None, response)


def account(name: str = "") -> Account:
    return actions.create_account(name or f"account-{secrets.token_hex(4)}")


def person(owner: Account, name: str, *groups: str) -> Person:
    """A user without a password, in the groups, with an access key."""
    user = actions.create_user(owner, name, None, groups)
    return Person(user, *actions.create_access_key(user))
