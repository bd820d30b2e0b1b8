"""Stores of secrets with versions: a stand-in for OpenBao's KV engine, and the real server."""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.stub_http import Answer, Asked, Stub

TOKEN, ROLE, SECRET = "the-root-token-of-the-stand-in", "the-role-id", "the-secret-id-of-the-role"
Row = dict[str, Any]
_KV = re.compile(r"/v1/secret/(data|metadata)/certificates(?:/([^/]+))?")


def _said(status: int, row: Row | None) -> Answer:
    return Answer(status, b"" if row is None else json.dumps(row).encode())


@dataclass
class VaultStub(Stub):
    """`rivals`: how many times somebody else is faster."""

    versions: dict[str, list[Row]] = field(default_factory=dict)
    marks: dict[str, Row] = field(default_factory=dict)
    rivals: int = 0
    capabilities: tuple[str, ...] = ("create", "read", "update")

    def add(self, name: str, certificate: str, key: str) -> None:
        self.versions[name] = [{"certificate": certificate, "private_key": key, "note": "stays"}]

    def is_change(self, asked: Asked) -> bool:
        return asked.method == "POST" and "/secret/" in asked.path

    def refuses(self, asked: Asked) -> Answer | None:
        if asked.path != "/v1/auth/approle/login" and asked.header.get("X-Vault-Token") != TOKEN:
            return self.failure(403)
        return None

    def failure(self, status: int) -> Answer:
        return _said(status, {"errors": ["the stand-in does not want to"]})

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v1/auth/approle/login":
            right = json.loads(asked.body) == {"role_id": ROLE, "secret_id": SECRET}
            return _said(200, {"auth": {"client_token": TOKEN}}) if right else self.failure(400)
        if asked.path == "/v1/sys/capabilities-self":
            (path,) = json.loads(asked.body)["paths"]
            return _said(200, {"data": {path: list(self.capabilities)}})
        match = _KV.fullmatch(asked.path)
        if match is None:
            return self.failure(404)
        part, name = match.groups()
        if name is None:
            keys = [*self.versions, "folder/"] if self.versions else []
            return _said(200, {"data": {"keys": keys}}) if keys else _said(404, {"errors": []})
        if part == "metadata":
            self.marks[name] = json.loads(asked.body)["custom_metadata"]
            return _said(204, None)
        return self._written(name, json.loads(asked.body)) if asked.method == "POST" else self._read(name)

    def _read(self, name: str) -> Answer:
        if name not in self.versions:
            return _said(404, {"errors": []})
        found = self.versions[name]
        metadata = {"version": len(found), "custom_metadata": self.marks.get(name)}
        return _said(200, {"data": {"data": found[-1], "metadata": metadata}})

    def _written(self, name: str, given: Row) -> Answer:
        found = self.versions.setdefault(name, [])
        if self.rivals:
            self.rivals -= 1
            found.append(found[-1])
        if given["options"]["cas"] != len(found):
            return _said(400, {"errors": ["check-and-set parameter did not match the current version"]})
        found.append(given["data"])
        return _said(200, {"data": {"version": len(found)}})


@contextlib.contextmanager
def openbao(program: Path, port: int) -> Iterator[str]:
    """The real server in memory, its root token `TOKEN`; yields its address."""
    url = f"http://127.0.0.1:{port}"
    asked = ["server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={TOKEN}"]
    log = subprocess.DEVNULL
    process = subprocess.Popen(
        [program, *asked, f"-dev-listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
    )
    try:
        transport = httpx.HTTPTransport(retries=8)  # waits longer each time: about 30 seconds in all
        with httpx.Client(transport=transport, base_url=url, trust_env=False) as client:
            client.get("/v1/sys/health").raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(20)
