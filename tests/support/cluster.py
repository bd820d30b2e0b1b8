"""A stand-in for a Kubernetes API server: Secrets with versions, Ingresses, merge patches, rights."""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.stub_http import Answer, Asked, Stub

TOKEN = "eyJhbGciOiJSUzI1NiJ9.the-service-accounts-token.signature"
Row = dict[str, Any]
_SECRETS = re.compile(r"/api/v1/namespaces/([a-z0-9-]+)/secrets(?:/([a-z0-9.-]+))?")
_INGRESSES = re.compile(r"/apis/networking\.k8s\.io/v1/namespaces/([a-z0-9-]+)/ingresses")
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _said(status: int, row: Row) -> Answer:
    return Answer(status, json.dumps(row).encode())


@dataclass
class Cluster(Stub):
    """`rival` may change a Secret between somebody's reading and writing; `may` are our rights."""

    secrets: dict[str, Row] = field(default_factory=dict)
    ingresses: list[Row] = field(default_factory=list)
    version: int = 0
    rivals: int = 0
    may_patch: bool = True
    may_list_ingresses: bool = True
    page: int = 1
    by_certificate: bool = False

    def add(self, name: str, certificate: str, key: str, labels: Row | None = None) -> None:
        data = {"tls.crt": encoded(certificate), "tls.key": encoded(key), "ca.crt": encoded("stays")}
        self._store(
            name, {"metadata": {"name": name, "labels": labels}, "type": "kubernetes.io/tls", "data": data}
        )

    def _store(self, name: str, row: Row) -> Row:
        self.version += 1
        row["metadata"]["resourceVersion"] = str(self.version)
        self.secrets[name] = row
        return row

    def is_change(self, asked: Asked) -> bool:
        return asked.method != "GET" and asked.path != _REVIEW

    def refuses(self, asked: Asked) -> Answer | None:
        if not self.by_certificate and asked.header.get("Authorization") != f"Bearer {TOKEN}":
            return self.failure(401)
        return None

    def failure(self, status: int) -> Answer:
        row = {
            "kind": "Status",
            "status": "Failure",
            "code": status,
            "reason": "Why",
            "message": "it says so",
        }
        return _said(status, row)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == _REVIEW and asked.method == "POST":
            spec = json.loads(asked.body)["spec"]["resourceAttributes"]
            assert spec == {"namespace": "default", "verb": "patch", "resource": "secrets"}, spec
            return _said(201, {"status": {"allowed": self.may_patch}})
        if _INGRESSES.fullmatch(asked.path) and asked.method == "GET":
            return self._listed(self.ingresses, asked.query) if self.may_list_ingresses else self.failure(403)
        match = _SECRETS.fullmatch(asked.path)
        if match is None or match[1] != "default":
            return self.failure(404)
        if match[2] is None:
            return self._created(asked) if asked.method == "POST" else self._chosen(asked.query)
        if match[2] not in self.secrets:
            return self.failure(404)
        row = self.secrets[match[2]]
        return self._patched(row, asked) if asked.method == "PATCH" else _said(200, row)

    def _chosen(self, query: dict[str, str]) -> Answer:
        assert query["fieldSelector"] == "type=kubernetes.io/tls", query
        key, _, value = query.get("labelSelector", "").partition("=")
        rows = [
            row
            for row in self.secrets.values()
            if not key or (row["metadata"].get("labels") or {}).get(key) == value
        ]
        return self._listed(rows, query)

    def _listed(self, rows: list[Row], query: dict[str, str]) -> Answer:
        start = int(query.get("continue", "0"))
        after = start + min(self.page, int(query["limit"]))
        more = {"continue": str(after)} if after < len(rows) else {}
        return _said(200, {"items": rows[start:after], "metadata": more})

    def _created(self, asked: Asked) -> Answer:
        assert asked.header.get("Content-Type") == "application/json"
        row = json.loads(asked.body)
        name = row["metadata"]["name"]
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) or set(row["data"]) != {
            "tls.crt",
            "tls.key",
        }:
            return self.failure(422)
        return self.failure(409) if name in self.secrets else _said(201, self._store(name, row))

    def _patched(self, row: Row, asked: Asked) -> Answer:
        if asked.header.get("Content-Type") != "application/merge-patch+json":
            return self.failure(415)
        if self.rivals:
            self.rivals -= 1
            self._store(row["metadata"]["name"], row)
        patch = json.loads(asked.body)
        assert set(patch) == {"metadata", "data"}, patch
        if patch["metadata"]["resourceVersion"] != row["metadata"]["resourceVersion"]:
            return self.failure(409)
        row["data"].update(patch["data"])
        return _said(200, self._store(row["metadata"]["name"], row))
