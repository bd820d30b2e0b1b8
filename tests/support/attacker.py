# ruff: noqa: E501  # one place a line
"""Drives a running installation with the abuse corpus: by the API, by the console's forms, and as bytes."""

import http.client
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from certdesk.foundation.common import clock, sdk_signature
from certdesk.interfaces.cli.installation import Installation
from tests.support import abuse, abuse_wire
from tests.support.rawhttp import once

C = "/v3/scm/certificates"
FORM = "application/x-www-form-urlencoded"
LEFT_ALONE = ("/logout", "/account", "/login", "/language")
"""Forms that would end the attacker's own session."""
MOST_PAGES = 160
KEPT_FOR = 2.0
"""Seconds after which a connection is not trusted to be open still."""


@dataclass(frozen=True)
class Result:
    """One answer; `what` says which input went where."""

    what: str
    status: int
    seconds: float
    body: bytes


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """The links and the forms of a page."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path = path
        self.links: set[str] = set()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._chooser = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.add(given["href"])
        if tag == "form":
            self._form = None
            if given.get("method", "").lower() == "post":
                self._form = Form(urlsplit(urljoin(self.path, given.get("action") or self.path)).path)
                self.forms.append(self._form)
        if self._form is not None and given.get("name"):
            self._enter(tag, given)
        chooses = tag == "option" and self._form is not None and self._chooser and "value" in given
        if chooses and (not self._form.fields[self._chooser] or "selected" in given):
            self._form.fields[self._chooser] = given["value"]

    def _enter(self, tag: str, given: Mapping[str, str]) -> None:
        assert self._form is not None
        kind = given.get("type", "text") if tag == "input" else tag
        if kind in ("checkbox", "radio") and "checked" not in given and given["name"] in self._form.fields:
            return
        if kind != "file":
            self._form.fields[given["name"]] = given.get("value", "")
        self._chooser = given["name"] if tag == "select" else ""
        if given["name"] != "csrfmiddlewaretoken" and kind not in ("file", "submit", "button"):
            self._form.texts.append(given["name"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


@dataclass
class Attacker:
    """`ids`: what the attacker owns, by kind (`set_up` makes it)."""

    home: Installation
    key: dict[str, str]
    session: str
    ids: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    inputs: Counter[str] = field(default_factory=Counter)
    pages: list[str] = field(default_factory=list)
    used: float = 0.0
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", self.home.port, timeout=30)

    # --- sending -----------------------------------------------------------------------------------

    def send(self, what: str, method: str, path: str, body: bytes = b"", **headers: str) -> Result:
        """One request on the kept connection; a broken one is opened anew."""
        began = time.monotonic()
        if began - self.used > KEPT_FOR:
            self.line.close()  # the server may have closed it: that is no answer to this request
        self.used = began
        try:
            self.line.request(method, path, body or None, headers)
            answer = self.line.getresponse()
            content, status = answer.read(), answer.status
            self.last = answer
        except (http.client.HTTPException, ConnectionError):
            self.line.close()
            content, status = b"", 0
        found = Result(what, status, time.monotonic() - began, content)
        self.results.append(found)
        return found

    def signed(self, what: str, method: str, path: str, body: bytes = b"") -> Result:
        headers = sdk_signature.sign(
            method,
            self.home.url + path,
            self.key["access_key"],
            self.key["secret_key"],
            now=clock.real_now(),
            body=body,
            headers={"Content-Type": "application/json"},
        )
        return self.send(what, method, path, body, **headers)

    def asked(self, method: str, path: str, body: object = None) -> Any:
        """A good request, for making things."""
        found = self.signed("set-up", method, path, b"" if body is None else json.dumps(body).encode())
        assert found.status < 300, (method, path, found.status, found.body)
        return json.loads(found.body or b"null")

    def page(self, what: str, method: str, path: str, fields: Mapping[str, str] | None = None) -> Result:
        headers = {"Cookie": f"sessionid={self.session}; csrftoken={'c' * 32}", "Content-Type": FORM}
        if fields is None:
            return self.send(what, method, path, **headers)
        given = {**fields, "csrfmiddlewaretoken": "c" * 32}
        return self.send(what, method, path, urlencode(given, errors="surrogatepass").encode(), **headers)

    # --- what the attacker owns ----------------------------------------------------------------------

    def set_up(self, upload: Mapping[str, object]) -> None:
        bought = self.asked("POST", f"{C}/buy", BUY)
        self.ids["cert"] = bought["cert"][0]["cert_id"]
        self.ids["applied"] = self.asked("POST", f"{C}/buy", BUY)["cert"][0]["cert_id"]
        self.asked("POST", f"{C}/{self.ids['applied']}/apply", APPLY)
        self.ids["order"] = self.asked("POST", f"{C}/buy", {**BUY, "is_auto_pay": False})["order_id"]
        self.ids["csr"] = self.asked("POST", "/v3/scm/csr", CSR)["id"]
        self.ids["group"] = self.asked("POST", "/v3/groups", {"name": "attacked"})["id"]
        self.ids["user"] = self.asked("POST", "/v3/users", {"name": "attacked"})["id"]
        self.ids["uploaded"] = self.asked("POST", f"{C}/import", upload)["certificate_id"]

    # --- the corpus ----------------------------------------------------------------------------------

    def texts(self, share: int) -> None:
        """Every text into `share` of the fields of the API, each into others, and into every kind of id."""
        number = 0
        places = list(places_of(self.ids))
        for kind, texts in abuse.TEXTS.items():
            for text in texts:
                self.inputs[kind] += 1
                for step in range(share):
                    method, path, make = places[(number + step * 7) % len(places)]
                    body = json.dumps(make(text)).encode("ascii") if make else b""
                    target = path.replace("@TEXT@", _quoted(text))
                    self.signed(f"{kind} {text[:40]!r} at {method} {path}", method, target, body)
                number += 1

    def values(self) -> None:
        for name, text in abuse.VALUES.items():
            self.inputs["wrong types"] += 1
            for method, path, make in places_of(self.ids):
                if make:
                    body = json.dumps(make("@TEXT@")).replace('"@TEXT@"', text).encode()
                    self.signed(f"{name} at {method} {path}", method, path, body)

    def bodies(self) -> None:
        paths = (
            "/v3/groups",
            f"{C}/buy",
            f"{C}/import",
            "/v3/scm/csr",
            f"{C}/batch-issue",
            "/v3/auth/tokens",
        )
        for name, body in abuse.BODIES.items():
            self.inputs["bodies"] += 1
            for path in paths:
                self.signed(f"body {name} to {path}", "POST", path, body)

    def extra_fields(self) -> None:
        """Each alone and all at once, to what changes and what makes; what then stands there is kept."""
        self.before = self.seen()
        every = dict(abuse.EXTRA_FIELDS)
        for name, value in [*every.items(), ("all", every)]:
            self.inputs["fields nobody asked for"] += 1
            more = value if name == "all" and isinstance(value, dict) else {name: value}
            for method, path, body in (
                ("PATCH", f"{C}/{self.ids['cert']}", {"name": "kept"}),
                ("PUT", f"/v3/users/{self.ids['user']}", {"description": "kept"}),
                (
                    "POST",
                    "/v3/scm/prices",
                    {key: BUY[key] for key in ("cert_brand", "cert_type", "domain_type")},
                ),
            ):
                self.signed(f"extra {name} at {path}", method, path, json.dumps({**more, **body}).encode())
        self.after = self.seen()

    def seen(self) -> dict[str, Any]:
        """What the fields would have changed."""
        found = {
            "certificate": self.asked("GET", f"{C}/{self.ids['cert']}"),
            "user": self.asked("GET", f"/v3/users/{self.ids['user']}"),
            "account": self.asked("GET", "/v3/scm/accounts"),
        }
        for one in ("certificate", "user"):
            for name in ("name", "description", "updated_at", "user"):
                found[one].pop(name, None)
        return found

    def wire(self) -> None:
        host = f"127.0.0.1:{self.home.port}".encode()
        for name, data in abuse_wire.WIRE.items():
            self.inputs["as bytes"] += 1
            try:
                found = once(self.home.port, data.replace(b"@HOST@", host), timeout=3)
            except TimeoutError:  # it waits for more of what was begun; its own time ends that
                waits = name in abuse_wire.INCOMPLETE
                self.results.append(Result(f"bytes: {name}", 0, 0 if waits else 3, b""))
                continue
            whole = found.body + repr(found.headers).encode()
            self.results.append(Result(f"bytes: {name}", found.status, found.seconds, whole))

    def forms(self, share: int) -> None:
        """Every form of every page that can be reached, each field with `share` texts of the corpus."""
        texts = [text for kind in abuse.TEXTS.values() for text in kind if len(text) < 5000]
        seen: set[str] = set()
        number = 0
        for page in self.crawl():
            for form in page.forms:
                shape = re.sub(r"[0-9a-f]{32}|scs\d+|CS\d+|\d+", "#", form.action) + ",".join(form.fields)
                own = form.action in LEFT_ALONE or self.key["access_key"] in form.action
                if shape in seen or own or "password" in form.fields:
                    continue
                seen.add(shape)
                for name in form.texts or [""]:
                    for _ in range(share):
                        text = texts[number % len(texts)]
                        number += 11
                        fields = {**form.fields, name: text} if name else form.fields
                        self.page(f"form {form.action} {name} {text[:40]!r}", "POST", form.action, fields)
        self.inputs["forms of the console"] += len(seen)

    def searches(self) -> None:
        """What the lists of the console are asked for."""
        for kind in ("scripts", "SQL and LIKE", "unicode", "NUL", "line ends and controls", "dates"):
            for text in abuse.TEXTS[kind]:
                for path in (
                    "/certificates?content=",
                    "/orders?content=",
                    "/domains?content=",
                    "/outbox?before=",
                ):
                    self.page(f"search {text[:40]!r} at {path}", "GET", path + _quoted(text))

    def crawl(self) -> Iterator[Page]:
        """Pages by the links on them, one of each kind; the attacker's own first."""
        waiting = ["/certificates", f"/certificates/{self.ids['cert']}", f"/certificates/{self.ids['uploaded']}",
                   f"/csrs/{self.ids['csr']}", f"/orders/{self.ids['order']}", f"/iam/groups/{self.ids['group']}",
                   f"/iam/users/{self.ids['user']}"]  # fmt: skip
        seen: set[str] = set()
        while waiting and len(seen) < MOST_PAGES:
            path = waiting.pop(0)
            kind = re.sub(r"[0-9a-f]{32}|scs\d+|CS\d+|\b\d+\b", "#", path.partition("?")[0])
            if kind in seen or path.startswith(("/static", "/logout", "/docs")):
                continue
            seen.add(kind)
            found = self.page(f"crawl {path}", "GET", path)
            if found.status != 200 or "html" not in self.last.headers.get("Content-Type", ""):
                continue
            self.pages.append(path)
            page = Page(path, found.body.decode())
            waiting.extend(sorted(page.links))
            yield page


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass")[:3000], safe="")


BUY = {
    "cert_brand": "GEOTRUST", "cert_type": "DV_SSL_CERT", "domain_type": "SINGLE_DOMAIN", "domain_numbers": 1,
    "agree_privacy_protection": True, "is_auto_pay": True,
}  # fmt: skip
APPLY = {
    "domain": "www.attacked-shop.com", "applicant_name": "Mallory", "applicant_phone": "13800138000",
    "applicant_email": "m@attacked-shop.com", "agree_privacy_protection": True, "key_algorithm": "EC_P256",
}  # fmt: skip
CSR = {"name": "attacked", "domain_name": "www.attacked-shop.com", "private_key_algo": "EC_P256"}
RFC2136 = {"server": "127.0.0.1", "port": 53, "zones": ["a.com"], "key_name": "k", "key_secret": "AAAA"}
POLICY = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list"]}]}


def places_of(ids: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    """Where a text can be put: method, path with `@TEXT@`, and what makes the body of it."""
    cert = f"{C}/{ids['cert']}"

    def one(method: str, path: str, field_: str, **rest: object) -> tuple[str, str, Any]:
        return method, path, lambda text: {**rest, field_: text}

    for name in ("name", "description", "owner"):
        yield one("PATCH", cert, name)
    yield "POST", f"{cert}/tags", lambda text: {"tag": {"key": text, "value": "x"}}
    yield "POST", f"{cert}/tags", lambda text: {"tag": {"key": "attacked", "value": text}}
    yield (
        "POST",
        f"{cert}/tags/action",
        lambda text: {"action": "create", "tags": [{"key": text, "value": text}]},
    )
    for name in ("name", "domain_name", "private_key_algo", "sans", "company_name", "usage"):
        yield one("POST", "/v3/scm/csr", name, **{key: value for key, value in CSR.items() if key != name})
    for name in ("name", "csr", "private_key"):
        yield one("POST", "/v3/scm/csr/upload", name, **{"name": "a", "csr": "x"})
    yield one("PUT", f"/v3/scm/csr/{ids['csr']}", "name")
    for name in ("name", "description"):
        yield one("POST", "/v3/groups", name, **({"name": "g"} if name != "name" else {}))
        yield one("PUT", f"/v3/groups/{ids['group']}", name)
        yield one("POST", "/v1.0/enterprise-projects", name, **({"name": "p"} if name != "name" else {}))
    for name in ("name", "email", "phone", "description"):
        yield one("POST", "/v3/users", name, **({"name": "u"} if name != "name" else {}))
    for name in ("email", "phone", "description"):
        yield one("PUT", f"/v3/users/{ids['user']}", name)
    for name in ("display_name", "description"):
        yield one("POST", "/v3.0/OS-ROLE/roles", name, display_name="r", policy=POLICY)
    yield "POST", "/v3.0/OS-ROLE/roles", lambda text: {
        "display_name": "r", "policy": {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": [text]}]}
    }  # fmt: skip
    for name in ("label", "provider"):
        yield one("POST", "/v3/scm/dns-connections", name, **{"provider": "rfc2136", "options": RFC2136})
    for name in ("server", "zones", "key_name", "key_secret"):
        yield "POST", "/v3/scm/dns-connections", lambda text, name=name: {
            "provider": "rfc2136", "label": "a", "options": {**RFC2136, name: [text] if name == "zones" else text}
        }  # fmt: skip
    for provider, name in (("powerdns", "url"), ("huawei", "endpoint")):
        yield "POST", "/v3/scm/dns-connections", lambda text, provider=provider, name=name: {
            "provider": provider, "label": "a", "options": {name: text, "api_key": "k"}
        }  # fmt: skip
    for name in ("name", "certificate", "certificate_chain", "private_key"):
        yield one("POST", f"{C}/import", name, **({"name": "a"} if name != "name" else {}))
    for name in ("domain", "sans", "csr", "csr_id", "company_name", "country", "applicant_name", "applicant_phone",
                 "applicant_email", "contact_email", "domain_method", "key_algorithm"):  # fmt: skip
        yield one(
            "POST", f"{cert}/apply", name, **{key: value for key, value in APPLY.items() if key != name}
        )
    for name in ("cert_brand", "cert_type", "domain_type", "enterprise_project_id", "primary_domain_type"):
        yield one("POST", "/v3/scm/prices", name, **{key: value for key, value in BUY.items() if key != name})
    for name in ("payment_method", "coupon_code"):
        yield one("POST", f"/v3/scm/orders/{ids['order']}/pay", name, coupon_code="NOBODYS")
    yield "POST", "/v3/scm/domains/preflight", lambda text: {"domains": [text]}
    yield "POST", "/v3/scm/resource_instances/action", lambda text: {
        "action": "filter", "tags": [{"key": text, "values": [text]}], "matches": [{"key": "resource_name", "value": text}]
    }  # fmt: skip
    yield (
        "POST",
        "/v3/scm/policies/simulate",
        lambda text: {"user": "admin", "action": text, "resource": text},
    )
    yield "POST", "/v3/auth/tokens", lambda text: {"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"name": text, "password": "x", "domain": {"name": text}}}}}}  # fmt: skip
    for path in (f"{C}?content=@TEXT@", f"{C}?sort_key=@TEXT@", f"{C}/search?content=@TEXT@", f"{C}/search?tag=@TEXT@",
                 f"{C}/search?marker=@TEXT@", f"{C}/search?expires_before=@TEXT@", "/v3/scm/orders?content=@TEXT@",
                 "/v3/scm/orders?created_from=@TEXT@", "/v3/scm/orders?min_amount=@TEXT@", "/v3/users?name=@TEXT@",
                 "/v3/scm/csr?name=@TEXT@", f"{C}/@TEXT@", "/v3/scm/orders/@TEXT@", "/v3/scm/csr/@TEXT@",
                 "/v3/users/@TEXT@", "/v3/groups/@TEXT@", "/v3.0/OS-ROLE/roles/@TEXT@", "/v3/scm/domains/@TEXT@",
                 f"{cert}/download?server=@TEXT@", "/v3/scm/contacts?x=@TEXT@", "/v2/@TEXT@/scm/cert/product",
                 "/v3.0/OS-CREDENTIAL/credentials/@TEXT@", "/v1.0/enterprise-projects/@TEXT@"):  # fmt: skip
        yield "GET", path, None
