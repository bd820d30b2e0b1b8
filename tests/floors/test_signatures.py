"""Signatures against a really running server of two processes: what was changed after it was signed
is refused, and so is what comes late a second time, whichever process is asked, also after a restart."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic

import pytest

from certdesk.foundation.common import clock, sdk_signature
from certdesk.foundation.iam import signature
from certdesk.interfaces.cli.installation import Installation
from tests.support import prepared
from tests.support.rawhttp import Line, Reply, family, holder, message, once

pytestmark = [pytest.mark.server]
PRICE = "/v3/scm/prices"
CERTIFICATES = "/v3/scm/certificates"
BODY = json.dumps(
    {"cert_brand": "GEOTRUST", "cert_type": "DV_SSL_CERT", "domain_type": "SINGLE_DOMAIN", "order_number": 1}
).encode()
JSON = "application/json"


@dataclass(frozen=True)
class Sent:
    """A request, to be changed after it was signed. `headers` in the order of the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    chunked: bool = False

    def header(self, name: str, value: str | None) -> "Sent":
        """With another value of a header, or without it."""
        kept = tuple((key, old) for key, old in self.headers if key.lower() != name.lower())
        return replace(self, headers=kept if value is None else (*kept, (name, value)))

    def more(self, name: str, value: str) -> "Sent":
        """With a further header, even where there is one of the name."""
        return replace(self, headers=(*self.headers, (name, value)))

    def value(self, name: str) -> str:
        return next(value for key, value in self.headers if key.lower() == name.lower())

    def authorization(self, change: Callable[[str], str]) -> "Sent":
        return self.header("Authorization", change(self.value("Authorization")))

    def on(self, port: int) -> Reply:
        return once(port, self.wire(), self.method)

    def wire(self) -> bytes:
        if self.chunked:
            chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(self.body), self.body)
            return message(self.method, self.target, self.headers, chunks, length=False)
        return message(self.method, self.target, self.headers, self.body)


@dataclass
class Server:
    home: Installation
    key: dict[str, str]
    other: dict[str, str]
    disabled: dict[str, str]
    destroyed: dict[str, str]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.home.port}"

    def signed(
        self,
        method: str = "POST",
        target: str = PRICE,
        body: bytes | None = None,
        *,
        key: dict[str, str] | None = None,
        now: datetime | None = None,
        **headers: str,
    ) -> Sent:
        """A good request; every header of `headers` is signed too."""
        if body is None:
            body = BODY if method == "POST" else b""
        made = sdk_signature.sign(
            method,
            f"http://{self.host}{target}",
            (key or self.key)["access_key"],
            (key or self.key)["secret_key"],
            now=now or clock.real_now(),
            body=body,
            headers={"Content-Type": JSON, "X-Nonce": secrets.token_hex(8)}
            | {name.replace("_", "-"): value for name, value in headers.items()},
        )
        return Sent(method, target, tuple(made.items()), body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Installation(tmp_path_factory.mktemp("signed") / "home", workers="2") as home:
        first = prepared.set_up(home)
        disabled = home.access_key("officer")
        other = home.access_key("officer")
        home.run("access-key", "disable", disabled["access_key"])
        home.start("web")
        home.wait_ready()
        made = Server(home, first, other, disabled, {})
        made.destroyed = _destroyed(made)
        yield made


def _destroyed(server: Server) -> dict[str, str]:
    """A key that was good a moment ago."""
    path = "/v3.0/OS-CREDENTIAL/credentials"
    made = server.signed("POST", path, b"{}").on(server.home.port)
    assert made.status == 201, made.body
    words = json.loads(made.body)["credential"]
    key = {"access_key": words["access"], "secret_key": words["secret"]}
    assert server.signed("DELETE", f"{path}/{words['access']}").on(server.home.port).status == 204
    return key


Mutation = Callable[[Server], Sent]
MUTATIONS: dict[str, Mutation] = {}


def mutation(name: str) -> Callable[[Mutation], Mutation]:
    def enter(make: Mutation) -> Mutation:
        MUTATIONS[name] = make
        return make

    return enter


def _each(names: Sequence[tuple[str, Mutation]]) -> None:
    MUTATIONS.update(dict(names))


def get(server: Server, target: str = f"{CERTIFICATES}?content=a%20b&limit=10&status=ALL") -> Sent:
    return server.signed("GET", target)


def change(old: str, new: str) -> Mutation:
    """Something in the Authorization header."""
    return lambda server: server.signed().authorization(lambda text: text.replace(old, new, 1))


def names_of(sent: Sent) -> str:
    return sent.value("Authorization").partition("SignedHeaders=")[2].partition(",")[0]


def named(edit: Callable[[str], str]) -> Mutation:
    """Another list of signed headers, the signature as it was."""

    def make(server: Server) -> Sent:
        sent = server.signed()
        return sent.authorization(lambda text: text.replace(names_of(sent), edit(names_of(sent))))

    return make


def resigned(edit: Callable[[str], str]) -> Mutation:
    """Rightly signed over another list of headers: the list itself may not be."""

    def make(server: Server) -> Sent:
        sent = server.signed()
        names = [name for name in edit(names_of(sent)).split(";") if name]
        text = sdk_signature.canonical_request(
            sent.method,
            sent.target.encode(),
            "",
            [(name, sent.value(name)) for name in names],
            hashlib.sha256(sent.body).hexdigest(),
        )
        mac = sdk_signature.mac(server.key["secret_key"].encode(), sent.value("X-Sdk-Date"), text)
        return sent.header(
            "Authorization",
            f"SDK-HMAC-SHA256 Access={server.key['access_key']}, SignedHeaders={edit(names_of(sent))}, "
            f"Signature={mac}",
        )

    return make


def dated(form: str) -> Mutation:
    """A date of another form, rightly signed."""

    def make(server: Server) -> Sent:
        text = clock.real_now().strftime(form) if "%" in form else form
        sent = server.signed().header("X-Sdk-Date", text)
        pairs = sorted((name.lower(), value) for name, value in sent.headers if name != "Authorization")
        canonical = sdk_signature.canonical_request(
            sent.method, sent.target.encode(), "", pairs, hashlib.sha256(sent.body).hexdigest()
        )
        mac = sdk_signature.mac(server.key["secret_key"].encode(), text, canonical)
        head = sent.value("Authorization").partition("Signature=")[0]
        return sent.header("Authorization", f"{head}Signature={mac}")

    return make


def late(minutes: int) -> Mutation:
    return lambda server: server.signed(now=clock.real_now() + timedelta(minutes=minutes))


def of_key(which: str) -> Mutation:
    return lambda server: server.signed(key=getattr(server, which))


def stolen(secret: str, access: str = "") -> Mutation:
    """A key's name with another secret."""
    return lambda server: server.signed(
        key={"access_key": access or server.key["access_key"], "secret_key": secret}
    )


_each(
    [
        ("method HEAD for GET", lambda s: replace(get(s), method="HEAD")),
        ("method DELETE for GET", lambda s: replace(get(s, f"{CERTIFICATES}/scs1"), method="DELETE")),
        (
            "method PATCH for GET",
            lambda s: replace(get(s, f"{CERTIFICATES}/scs1"), method="PATCH", body=b"{}"),
        ),
        ("another path", lambda s: replace(get(s), target="/v3/scm/csr?content=a%20b&limit=10&status=ALL")),
        (
            "another id in the path",
            lambda s: replace(get(s, f"{CERTIFICATES}/scs1"), target=f"{CERTIFICATES}/scs2"),
        ),
        (
            "path in capitals",
            lambda s: replace(get(s, f"{CERTIFICATES}/scs1"), target=f"{CERTIFICATES}/SCS1"),
        ),
        (
            "path encoded twice",
            lambda s: replace(get(s, f"{CERTIFICATES}/a%20b"), target=f"{CERTIFICATES}/a%2520b"),
        ),
        (
            "a slash encoded",
            lambda s: replace(get(s, f"{CERTIFICATES}/a"), target="/v3/scm%2Fcertificates/b"),
        ),
        ("a dot segment", lambda s: replace(get(s, f"{CERTIFICATES}/a"), target=f"{CERTIFICATES}/./a")),
        ("two dots", lambda s: replace(get(s, f"{CERTIFICATES}/a"), target=f"{CERTIFICATES}/b/../a")),
        ("two slashes", lambda s: replace(get(s, f"{CERTIFICATES}/a"), target="/v3//scm/certificates/a")),
        (
            "NFC for NFD in the path",
            lambda s: replace(get(s, f"{CERTIFICATES}/e%CC%81"), target=f"{CERTIFICATES}/%C3%A9"),
        ),
        (
            "query value",
            lambda s: replace(get(s), target=f"{CERTIFICATES}?content=a%20c&limit=10&status=ALL"),
        ),
        ("query left out", lambda s: replace(get(s), target=CERTIFICATES)),
        ("query part added", lambda s: replace(get(s), target=get(s).target + "&offset=1")),
        ("query key twice", lambda s: replace(get(s), target=get(s).target + "&limit=50")),
        (
            "query in capitals",
            lambda s: replace(get(s), target=f"{CERTIFICATES}?content=A%20b&limit=10&status=ALL"),
        ),
        (
            "ampersand encoded",
            lambda s: replace(get(s), target=f"{CERTIFICATES}?content=a%20b%26limit=10&status=ALL"),
        ),
        (
            "query encoded twice",
            lambda s: replace(get(s), target=f"{CERTIFICATES}?content=a%2520b&limit=10&status=ALL"),
        ),
        (
            "NFC for NFD in the query",
            lambda s: replace(
                get(s, f"{CERTIFICATES}?content=e%CC%81"), target=f"{CERTIFICATES}?content=%C3%A9"
            ),
        ),
        (
            "query on a request without",
            lambda s: replace(get(s, CERTIFICATES), target=f"{CERTIFICATES}?limit=50"),
        ),
        ("body changed", lambda s: replace(s.signed(), body=BODY.replace(b"1", b"9"))),
        ("body with a space more", lambda s: replace(s.signed(), body=BODY + b" ")),
        ("body left out", lambda s: replace(s.signed(), body=b"")),
        ("body on a request without", lambda s: replace(get(s), body=b"{}")),
        (
            "body in chunks",
            lambda s: replace(s.signed().more("Transfer-Encoding", "chunked"), body=b"{}", chunked=True),
        ),
        (
            "UNSIGNED-PAYLOAD, signed, and another body",
            lambda s: replace(s.signed(X_Sdk_Content_Sha256="UNSIGNED-PAYLOAD"), body=BODY + b" "),
        ),
        (
            "UNSIGNED-PAYLOAD, not signed",
            lambda s: s.signed().more("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"),
        ),
        ("hash of another body stated", lambda s: s.signed().more("X-Sdk-Content-Sha256", "0" * 64)),
        (
            "hash of nothing stated for a body",
            lambda s: s.signed().more("X-Sdk-Content-Sha256", signature.EMPTY_HASH),
        ),
        (
            "signed hash kept, body swapped",
            lambda s: replace(s.signed(X_Sdk_Content_Sha256=hashlib.sha256(BODY).hexdigest()), body=b"{}"),
        ),
        ("a signed header changed", lambda s: s.signed().header("Content-Type", "text/plain")),
        ("a signed header left out", lambda s: s.signed().header("X-Nonce", None)),
        ("a signed header twice", lambda s: s.signed().more("X-Nonce", "x")),
        (
            "a signed header with another case of its value",
            lambda s: s.signed().header("Content-Type", "Application/JSON"),
        ),
        ("a signed header with a space inside", lambda s: s.signed(X_Word="a b").header("X-Word", "a  b")),
        ("NFC for NFD in a header", lambda s: s.signed(X_Word="e\u0301").header("X-Word", "\u00e9")),
        ("another Host", lambda s: s.signed().header("Host", f"localhost:{s.home.port}")),
        ("Host without its port", lambda s: s.signed().header("Host", "127.0.0.1")),
        ("Host twice", lambda s: s.signed().more("Host", "evil.example")),
        (
            "date changed",
            lambda s: s.signed().header(
                "X-Sdk-Date", (clock.real_now() + timedelta(seconds=9)).strftime(sdk_signature.DATE_FORMAT)
            ),
        ),
        ("date left out", lambda s: s.signed().header("X-Sdk-Date", None)),
        (
            "date twice",
            lambda s: s.signed().more("X-Sdk-Date", clock.real_now().strftime(sdk_signature.DATE_FORMAT)),
        ),
        (
            "security token swapped",
            lambda s: s.signed(X_Security_Token="one").header("X-Security-Token", "two"),
        ),
        (
            "security token left out",
            lambda s: s.signed(X_Security_Token="one").header("X-Security-Token", None),
        ),
        ("no Authorization", lambda s: s.signed().header("Authorization", None)),
        (
            "a made-up token in its place",
            lambda s: s.signed().header("Authorization", None).more("X-Auth-Token", "t" * 64),
        ),
        (
            "a wrong Authorization and a made-up token",
            lambda s: s.signed().header("Authorization", "x").more("X-Auth-Token", "t" * 64),
        ),
        (
            "Authorization twice, good first",
            lambda s: s.signed().more("Authorization", s.signed().value("Authorization")),
        ),
        (
            "Authorization twice, bad first",
            lambda s: replace(s.signed(), headers=(("Authorization", "Basic YTpi"), *s.signed().headers)),
        ),
        ("Authorization empty", lambda s: s.signed().header("Authorization", "")),
        ("algorithm SM3", change("SDK-HMAC-SHA256", "SDK-HMAC-SM3")),
        ("algorithm V11", change("SDK-HMAC-SHA256", "V11-HMAC-SHA256")),
        ("algorithm of another cloud", change("SDK-HMAC-SHA256", "AWS4-HMAC-SHA256")),
        ("algorithm none", change("SDK-HMAC-SHA256", "none")),
        ("algorithm in small letters", change("SDK-HMAC-SHA256", "sdk-hmac-sha256")),
        ("Basic", lambda s: s.signed().header("Authorization", "Basic YWRtaW46YWRtaW4=")),
        ("Bearer", lambda s: s.signed().header("Authorization", "Bearer " + "a" * 40)),
        (
            "no key named",
            lambda s: s.signed().authorization(lambda text: text.replace(s.key["access_key"], "")),
        ),
        (
            "signature left out",
            lambda s: s.signed().authorization(lambda text: text.partition("Signature=")[0] + "Signature="),
        ),
        ("signature of zeros", lambda s: s.signed().authorization(lambda text: text[:-64] + "0" * 64)),
        ("signature one digit short", lambda s: s.signed().authorization(lambda text: text[:-1])),
        ("signature one digit long", lambda s: s.signed().authorization(lambda text: text + "0")),
        (
            "signature in capitals",
            lambda s: s.signed().authorization(lambda text: text[:-64] + text[-64:].upper()),
        ),
        (
            "one digit of the signature",
            lambda s: s.signed().authorization(lambda text: text[:-1] + ("1" if text[-1] == "0" else "0")),
        ),
        ("signed headers left out", change("SignedHeaders=", "Signed=")),
        ("signed headers in another order", named(lambda text: ";".join(reversed(text.split(";"))))),
        ("signed headers with one twice", named(lambda text: text.replace("host", "host;host"))),
        ("signed headers in capitals", named(str.upper)),
        ("signed headers with an empty one", named(lambda text: text + ";")),
        ("signed headers without host", resigned(lambda text: text.replace("host;", ""))),
        ("signed headers without the date", resigned(lambda text: text.replace(";x-sdk-date", ""))),
        ("signed headers: none", resigned(lambda text: "")),
        ("signed headers name one that did not come", named(lambda text: text + ";x-zzz")),
        ("16 minutes late", late(-16)),
        ("16 minutes early", late(16)),
        ("a day late", late(-1440)),
        ("date with hyphens", dated("%Y-%m-%dT%H:%M:%SZ")),
        ("date without its Z", dated("%Y%m%dT%H%M%S")),
        ("date with a small z", dated("%Y%m%dT%H%M%Sz")),
        ("date with an offset", dated("%Y%m%dT%H%M%S+0000")),
        ("date with a fraction", dated("%Y%m%dT%H%M%S.000Z")),
        ("date in full-width digits", dated("２０２６１１２５T１２００００Z")),
        ("date 30 February", dated("20260230T120000Z")),
        ("date hour 25", dated("20261125T250000Z")),
        ("date in year 0", dated("00000101T000000Z")),
        ("date as a number", dated("1790000000")),
        ("key of nobody", stolen("s" * 40, "NOBODYSKEY0000000000")),
        ("key of nobody, signed with zeros", stolen("0" * 40, "NOBODYSKEY0000000000")),
        ("disabled key", of_key("disabled")),
        ("disabled key, signed with zeros", lambda s: s.signed(key={**s.disabled, "secret_key": "0" * 40})),
        ("destroyed key", of_key("destroyed")),
        ("another user's secret", lambda s: s.signed(key={**s.key, "secret_key": s.other["secret_key"]})),
        (
            "another user's key, my signature",
            lambda s: s.signed().authorization(
                lambda text: text.replace(s.key["access_key"], s.other["access_key"])
            ),
        ),
        ("an empty secret", stolen("")),
        ("the key as its secret", lambda s: s.signed(key={**s.key, "secret_key": s.key["access_key"]})),
    ]
)


# rule: IAM-10
@pytest.mark.parametrize("name", MUTATIONS)
def test_what_was_changed_after_signing_is_refused(server: Server, name: str) -> None:
    answer = MUTATIONS[name](server).on(server.home.port)
    assert answer.status in (0, 400, 401, 404, 411), (answer.status, answer.body)
    if answer.status == 401:
        assert b"APIGW.0301" in answer.body or answer.body == b""  # HEAD has none
    assert answer.seconds < 2


def test_there_are_at_least_forty() -> None:
    assert len(MUTATIONS) >= 90


SAME: dict[str, Mutation] = {
    "as it was signed": lambda s: s.signed(),
    "query in another order": lambda s: replace(
        get(s), target=f"{CERTIFICATES}?status=ALL&limit=10&content=a%20b"
    ),
    "plus for a space": lambda s: replace(get(s), target=f"{CERTIFICATES}?content=a+b&limit=10&status=ALL"),
    "small hex digits": lambda s: replace(
        get(s, f"{CERTIFICATES}?content=%2A"), target=f"{CERTIFICATES}?content=%2a"
    ),
    "a slash at the end": lambda s: replace(get(s, CERTIFICATES), target=f"{CERTIFICATES}/"),
    "headers in another order": lambda s: replace(s.signed(), headers=tuple(reversed(s.signed().headers))),
    "a header that is not signed": lambda s: s.signed().more("X-HTTP-Method-Override", "DELETE"),
    "spaces around a signed value": lambda s: s.signed(X_Word="a").header("X-Word", "  a  "),
    "14 minutes late": late(-14),
    "14 minutes early": late(14),
    "another user's own key": lambda s: get(replace_key(s)),
}


def replace_key(server: Server) -> Server:
    return replace(server, key=server.other)


@pytest.mark.parametrize("name", SAME)
def test_what_means_the_same_is_served(server: Server, name: str) -> None:
    """Else the refusals above could have another reason than the change."""
    answer = SAME[name](server).on(server.home.port)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("name", ["%E4%BE%8B%E5%AD%90.com", "e%CC%81.com", "a%2Bb~.com", "%F0%9F%98%80"])
def test_a_path_outside_ascii_can_be_signed(server: Server, name: str) -> None:
    answer = get(server, f"/v3/scm/domains/{name}").on(server.home.port)
    assert answer.status in (400, 404)
    assert json.loads(answer.body)["error_code"].startswith("SCM."), answer.body


def test_of_a_repeated_query_key_the_order_does_not_matter(server: Server) -> None:
    """Both orders have one signature; so both mean the same."""
    one = get(server, f"{CERTIFICATES}?limit=10&limit=0")
    other = replace(one, target=f"{CERTIFICATES}?limit=0&limit=10")
    answers = [each.on(server.home.port) for each in (one, other)]
    assert answers[0].status == answers[1].status, [each.body for each in answers]


# --- repeats ---------------------------------------------------------------------------------------


def both_processes(server: Server) -> list[Line]:
    """Connections held by two different processes of the server."""
    root = server.home.processes["web"].pid
    found: dict[int, Line] = {}
    lines = []
    while len(found) < 2:
        assert len(lines) < 100, f"100 connections went to {len(found)} of {len(family(root))} processes"
        line = Line(server.home.port)
        lines.append(line)
        assert line.send(get(server).wire()).status == 200
        found.setdefault(holder(line, root), line)
    for line in lines:
        if line not in found.values():
            line.socket.close()
    assert 0 not in found
    return list(found.values())


def late_repeat(server: Server, **more: str) -> Sent:
    """Signed 3 s ago: served the first time, a repeat of it comes too late at once."""
    return server.signed(now=clock.real_now() - timedelta(seconds=3), **more)


# rule: IAM-10
def test_a_late_repeat_is_refused_by_every_process_and_after_a_restart(server: Server) -> None:
    sent = [late_repeat(server) for _ in range(10)]
    lines = both_processes(server)
    for turn, one in enumerate(sent):
        assert lines[turn % 2].send(one.wire(), "POST").status == 200
        for line in (*lines, *lines):
            assert line.send(one.wire(), "POST").status == 401
    for line in lines:
        line.socket.close()
    server.home.kill("web")
    server.home.start("web")
    server.home.wait_ready()
    for one in sent:
        answer = one.on(server.home.port)
        assert answer.status == 401, answer.body
        assert b"used before" in answer.body


# rule: IAM-10
def test_reading_may_be_repeated(server: Server) -> None:
    past = clock.real_now() - timedelta(minutes=10)
    for method in ("GET", "HEAD"):
        sent = server.signed(method, CERTIFICATES, now=past)
        assert {sent.on(server.home.port).status for _ in range(6)} == {200}


# rule: IAM-10
def test_equal_calls_at_the_same_moment_are_all_served(server: Server) -> None:
    """As the SDK sends them: no nonce, so calls of one second are equal. A slow machine tries again."""
    for _ in range(10):
        now = clock.real_now().replace(microsecond=0) + timedelta(seconds=30)
        sent = server.signed(now=now).wire()
        began = monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, data=sent: once(server.home.port, data, "POST"), range(16)))
        if monotonic() - began < 1.9:
            assert {one.status for one in answers} == {200}
            return
    pytest.fail("16 calls never came within 2 s")
