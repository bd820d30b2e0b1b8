"""Stand-ins for Huawei Cloud ELB v3, WAF v1 and CDN, strict in signature, path, query, body and key pair."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from certdesk.foundation.iam import signature
from certdesk.foundation.iam.errors import BadSignature
from tests.support.stub_http import Answer, Asked, Stub

ACCESS_KEY, SECRET_KEY = "HUAWEITESTACCESSKEY2", "another0secret0of0the0stand0in0for0huawei"
PROJECT = "0123456789abcdef0123456789abcdef"
Row = dict[str, Any]


def fits(certificate: str, key: str) -> bool:
    """Whether the first certificate of the PEM and the key are a pair."""
    leaf = x509.load_pem_x509_certificates(certificate.encode())[0]
    return leaf.public_key() == load_pem_private_key(key.encode(), None).public_key()


@dataclass
class HuaweiCloud(Stub):
    """What all three have in common; `served` is told what clients get from now on."""

    served: Callable[[str, str], object] = lambda certificate, key: None
    ids: Any = field(default_factory=lambda: count(1))

    def new_id(self) -> str:
        return f"{next(self.ids):032x}"

    def refuses(self, asked: Asked) -> Answer | None:
        path = unquote(asked.path).encode()
        message = signature.Message(asked.method, path, asked.raw_query, asked.header.get, asked.body)
        try:
            said = signature.read(asked.header.get("Authorization", ""))
            if said.access_key != ACCESS_KEY:
                raise BadSignature()
            signature.verify(message, said, SECRET_KEY.encode(), datetime.now(UTC))
        except BadSignature as error:
            return _said(
                401, {"error_code": "APIGW.0301", "error_msg": f"Incorrect IAM authentication: {error}"}
            )
        return None

    def failure(self, status: int) -> Answer:
        return _said(status, {"error_code": f"XXX.{status}", "error_msg": "The stand-in does not want to."})


def _said(status: int, row: Row | None) -> Answer:
    return Answer(status, b"" if row is None else json.dumps(row).encode())


@dataclass
class ElbStub(HuaweiCloud):
    """`echo`: whether private keys are shown; `page`: rows of one answer at most."""

    certificates: dict[str, Row] = field(default_factory=dict)
    listeners: list[Row] = field(default_factory=list)
    balancers: dict[str, Row] = field(default_factory=dict)
    echo: bool = True
    page: int = 1

    def add(self, certificate: str, key: str, domain: str) -> str:
        one = self.new_id()
        row = {"id": one, "name": "first", "type": "server", "domain": domain, "source": None}
        self.certificates[one] = {**row, "certificate": certificate, "private_key": key}
        return one

    def answer(self, asked: Asked) -> Answer:
        root = f"/v3/{PROJECT}/elb/"
        if not asked.path.startswith(root) or asked.header.get("X-Project-Id") != PROJECT:
            return _said(404, {"error_code": "APIGW.0101", "error_msg": "The API does not exist."})
        path = asked.path.removeprefix(root)
        if path == "certificates/settings/private-key-echo" and asked.method == "GET":
            return _said(200, {"private_key_echo": self.echo})
        if path in ("certificates", "listeners") and asked.method == "GET":
            return self._listed(path, asked.query)
        if path == "certificates" and asked.method == "POST":
            return self._created(json.loads(asked.body)["certificate"])
        kind, _, one = path.partition("/")
        if kind == "loadbalancers" and asked.method == "GET" and one in self.balancers:
            return _said(200, {"loadbalancer": self.balancers[one]})
        if kind != "certificates" or one not in self.certificates:
            return _said(404, {"error_code": "ELB.8904", "error_msg": f"certificate {one} not found."})
        if asked.method == "PUT":
            return self._changed(one, json.loads(asked.body)["certificate"])
        return _said(200, {"certificate": self._shown(self.certificates[one])})

    def _listed(self, path: str, query: dict[str, str]) -> Answer:
        rows = list(self.certificates.values()) if path == "certificates" else self.listeners
        assert 0 < int(query["limit"]) <= 2000, query
        names = [row["id"] for row in rows]
        start = names.index(query["marker"]) + 1 if "marker" in query else 0
        cut = rows[start : start + self.page]
        more = {"next_marker": cut[-1]["id"]} if start + self.page < len(rows) else {}
        return _said(
            200, {path: [self._shown(row) for row in cut], "page_info": {"current_count": 1, **more}}
        )

    def _shown(self, row: Row) -> Row:
        return {**row, "private_key": "******"} if not self.echo and "private_key" in row else dict(row)

    def _created(self, given: Row) -> Answer:
        assert given["type"] == "server", given
        problem = self._wrong(given)
        if problem:
            return problem
        one = self.new_id()
        self.certificates[one] = {"id": one, **given}
        return _said(201, {"certificate": self._shown(self.certificates[one])})

    def _changed(self, one: str, given: Row) -> Answer:
        assert "type" not in given, given
        problem = self._wrong(given)
        if problem:
            return problem
        self.certificates[one].update(given)
        self.served(given["certificate"], given["private_key"])
        return _said(200, {"certificate": self._shown(self.certificates[one])})

    def _wrong(self, given: Row) -> Answer | None:
        names = given.get("domain", "").split(",")
        if len(names) > 100 or not fits(given["certificate"], given["private_key"]):
            return _said(
                400, {"error_code": "ELB.8902", "error_msg": "The key does not match the certificate."}
            )
        return None


_ONE = re.compile(r"(waf/instance|premium-waf/host|waf/certificate)(?:/([^/]+))?(/apply-to-hosts)?")


@dataclass
class WafStub(HuaweiCloud):
    """`hosts` by edition's path; a host names its certificate."""

    certificates: dict[str, Row] = field(default_factory=dict)
    hosts: dict[str, dict[str, Row]] = field(
        default_factory=lambda: {"waf/instance": {}, "premium-waf/host": {}}
    )

    def add(self, name: str, certificate: str, key: str) -> str:
        one = self.new_id()
        self.certificates[one] = {
            "id": one,
            "name": name,
            "content": certificate,
            "key": key,
            "exp_status": 0,
        }
        return one

    def add_host(self, hostname: str, certificate: str, path: str = "waf/instance") -> str:
        one = self.new_id()
        front = "HTTPS" if certificate else "HTTP"
        server = [{"front_protocol": front, "back_protocol": "HTTP", "address": "192.0.2.1", "port": 80}]
        row = {"id": one, "hostname": hostname, "server": server, "certificateid": certificate}
        self.hosts[path][one] = row
        return one

    def answer(self, asked: Asked) -> Answer:
        root = f"/v1/{PROJECT}/"
        match = _ONE.fullmatch(asked.path.removeprefix(root)) if asked.path.startswith(root) else None
        if match is None or asked.query.get("enterprise_project_id") != "0":
            return _said(404, {"error_code": "APIGW.0101", "error_msg": "The API does not exist."})
        path, one, applied = match.groups()
        rows = self.certificates if path == "waf/certificate" else self.hosts[path]
        if one is None:
            return self._made(json.loads(asked.body)) if asked.method == "POST" else self._listed(rows, asked)
        if one not in rows:
            return _said(404, {"error_code": "WAF.00014002", "error_msg": "The resource does not exist."})
        if applied:
            return self._applied(one, json.loads(asked.body))
        if asked.method == "DELETE":
            return _said(200, rows.pop(one))
        return _said(200, self._shown(rows[one]))

    def _shown(self, row: Row) -> Row:
        if "content" not in row:
            return row
        every = [host for found in self.hosts.values() for host in found.values()]
        bound = [{"id": host["id"]} for host in every if host["certificateid"] == row["id"]]
        return {**row, "key": None, "bind_host": bound}

    def _listed(self, rows: dict[str, Row], asked: Asked) -> Answer:
        page, size = int(asked.query["page"]), int(asked.query["pagesize"])
        found = [row for row in rows.values() if asked.query.get("name", "") in row.get("name", "")]
        cut = found[(page - 1) * size : page * size]
        listed = [
            {k: v for k, v in self._shown(row).items() if k not in ("content", "certificateid")}
            for row in cut
        ]
        return _said(200, {"items": listed, "total": len(found)})

    def _made(self, given: Row) -> Answer:
        assert set(given) == {"name", "content", "key"}, given
        if len(given["name"]) > 256 or not fits(given["content"], given["key"]):
            return _said(400, {"error_code": "WAF.00013003", "error_msg": "Invalid certificate."})
        return _said(
            200, {"id": self.add(given["name"], given["content"], given["key"]), "name": given["name"]}
        )

    def _applied(self, one: str, given: Row) -> Answer:
        for path, key in (("waf/instance", "cloud_host_ids"), ("premium-waf/host", "premium_host_ids")):
            for host in given[key]:
                if host not in self.hosts[path]:
                    return _said(
                        404, {"error_code": "WAF.00014002", "error_msg": "The domain does not exist."}
                    )
                self.hosts[path][host]["certificateid"] = one
        self.served(self.certificates[one]["content"], self.certificates[one]["key"])
        return _said(200, self._shown(self.certificates[one]))


@dataclass
class CdnStub(HuaweiCloud):
    """`https` by domain; private keys are never shown unless `shows_keys`."""

    https: dict[str, Row] = field(default_factory=dict)
    shows_keys: bool = False

    def add(self, domain: str, certificate: str, key: str) -> None:
        self.https[domain] = {"certificate": certificate, "private_key": key, "cert_name": "first"}

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v1.0/cdn/domains" and asked.method == "GET":
            rows = [{"id": name, "domain_name": name, "domain_status": "online"} for name in self.https]
            return self._page("domains", rows, asked.query)
        if asked.path == "/v1.0/cdn/domains/https-certificate-info" and asked.method == "GET":
            wanted = asked.query.get("domain_name", "")
            rows = [self._row(name) for name in self.https if wanted in name and self.https[name]]
            return self._page("https", rows, asked.query)
        match = re.fullmatch(r"/v1\.1/cdn/configuration/domains/([^/]+)/configs", asked.path)
        if match is None or asked.method != "PUT":
            return _said(404, {"error_code": "APIGW.0101", "error_msg": "The API does not exist."})
        if match[1] not in self.https:
            return _said(
                400, {"error": {"error_code": "CDN.0007", "error_msg": "The domain does not exist."}}
            )
        return self._changed(match[1], json.loads(asked.body))

    def _row(self, name: str) -> Row:
        shown = self.https[name] if self.shows_keys else {**self.https[name], "private_key": None}
        return {"domain_name": name, "certificate_type": 0, **shown}

    def _page(self, key: str, rows: list[Row], query: dict[str, str]) -> Answer:
        page, size = int(query["page_number"]), int(query["page_size"])
        return _said(200, {"total": len(rows), key: rows[(page - 1) * size : page * size]})

    def _changed(self, name: str, given: Row) -> Answer:
        assert set(given) == {"configs"}, given
        assert set(given["configs"]) == {"https"}, given
        new = given["configs"]["https"]
        assert (new["https_status"], new["certificate_source"]) == ("on", 0), new
        if not 3 <= len(new["certificate_name"]) <= 64 or not fits(
            new["certificate_value"], new["private_key"]
        ):
            return _said(
                400, {"error": {"error_code": "CDN.0301", "error_msg": "certificate and key differ."}}
            )
        self.add(name, new["certificate_value"], new["private_key"])
        self.https[name]["cert_name"] = new["certificate_name"]
        self.served(new["certificate_value"], new["private_key"])
        return _said(204, None)
