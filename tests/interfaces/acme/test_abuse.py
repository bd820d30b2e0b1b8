"""Whatever a client sends, it is refused with the right problem, and nothing is issued for it: a table."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.http import HttpResponse

from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.enrolment.models import Account, Challenge, Order
from tests.support.acme import BASE, HOST, Acme
from tests.support.acme_house import House
from tests.support.jose import b64, csr, jwk_of, jws

URN = "urn:ietf:params:acme:error:"
LEAST = 150
CSR = csr("mine.example.com")
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 weak on purpose


@dataclass
class World:
    """Alice's client with an order that is ready, and Charlie's with nothing."""

    house: House
    alice: Acme
    charlie: Acme
    order: dict[str, Any]
    url: str
    pending: dict[str, Any]
    challenge: str

    @property
    def authz(self) -> str:
        return str(self.order["authorizations"][0])


Case = tuple[str, str, Callable[[World], HttpResponse]]
"""Name, problem (or problems parted by `|`), what is sent."""


def world(house: House) -> World:
    alice, charlie = house.client(), house.client()
    placed = alice.order("mine.example.com")
    house.prove(alice, placed.json())
    pending = alice.order("other.example.com").json()
    challenge = alice.read(pending["authorizations"][0])["challenges"][0]["url"]
    return World(house, alice, charlie, placed.json(), placed.headers["Location"], pending, challenge)


def tampered(**changed: Any) -> Callable[[World], HttpResponse]:
    """A good request but for members of the JWS; None leaves one out."""

    def send(one: World) -> HttpResponse:
        good: dict[str, Any] = jws(one.alice.key, one.alice.header("/acme/new-order"), {"identifiers": []})
        found = {name: value for name, value in (good | changed).items() if value is not None}
        return one.alice.send("/acme/new-order", found)

    return send


def header(
    path: str = "/acme/new-order", payload: Any = None, **changed: Any
) -> Callable[[World], HttpResponse]:
    """A request whose signature is right, with another header."""
    return lambda one: one.alice.post(path, payload, **changed)


def raw(body: bytes, content_type: str = "application/jose+json") -> Callable[[World], HttpResponse]:
    return lambda one: one.alice.send("/acme/new-order", body, content_type)


def jws_shapes() -> Iterator[Case]:
    for name in ("protected", "payload", "signature"):
        yield f"{name} is missing", "malformed", tampered(**{name: None})
        for bad in (7, [], {}, True, "=", "a=b", "+/", "a b", "ä", "AA\n", "A"):
            yield f"{name} is {bad!r}", "malformed", tampered(**{name: bad})
    yield "an unprotected header", "malformed", tampered(header={"kid": "x"})
    yield "several signatures", "malformed", tampered(signatures=[])
    yield "a member too many", "malformed", tampered(more=1)
    yield "another spelling of the last bits", "malformed", tampered(signature="AB")
    bodies: list[bytes] = [b"", b"{}", b"[]", b"null", b"7", b'"x"', b"{", b"\xff", b"NaN", b'{"a":1,"a":2}']
    bodies += [b"[" * 50_000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b'{"protected":NaN}', b"1" * 6000]
    for body in bodies:
        yield f"the body {body[:12]!r} of {len(body)}", "malformed", raw(body)
    yield "a huge body", "malformed", raw(b"x" * 200_000)
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        yield f"the type {kind}", "malformed", raw(b"{}", kind)


def headers() -> Iterator[Case]:
    for algorithm in ("none", "None", "HS256", "HS512", "RS512", "PS256", "ES256K", "RSA1_5", "dir", ""):
        yield f"alg {algorithm}", "badSignatureAlgorithm", header(alg=algorithm)
    for algorithm in ("RS256", "ES384", "ES512", "EdDSA"):
        yield f"alg {algorithm} with a P-256 key", "badSignatureAlgorithm", header(alg=algorithm)
    for bad in (None, 7, [], {}, True):
        yield f"alg {bad!r}", "malformed", header(alg=bad)
        yield f"url {bad!r}", "malformed", header(url=bad)
    for url in ("", "/acme/new-order", f"https://{HOST}/acme/new-order", "http://evil/acme/new-order"):
        yield f"url {url!r}", "unauthorized", header(url=url)
    for url in (f"{BASE}/acme/new-authz", f"{BASE}/acme/new-order?x=1", f"{BASE}/acme/new-order/"):
        yield f"url {url!r}", "unauthorized", header(url=url)
    for nonce in (None, "", "x", "A" * 54, "AAAA", "A" * 5000):
        yield f"nonce {str(nonce)[:10]!r}", "badNonce", header(nonce=nonce)
    for bad in (7, [], {}):
        yield f"nonce {bad!r}", "malformed", header(nonce=bad)
    yield "neither jwk nor kid", "malformed", header(kid=None)
    yield "crit", "malformed", header(crit=["x"])
    yield "b64", "malformed", header(b64=False)
    for bad in (7, [], {}):
        yield f"kid {bad!r}", "malformed", header(kid=bad)
    for kid in ("", "x", f"{BASE}/acme/account/", f"{BASE}/acme/account/{'0' * 32}", f"{BASE}/acme/order/x"):
        yield f"kid {kid!r}", "accountDoesNotExist", header(kid=kid)
    yield (
        "jwk and kid",
        "malformed",
        lambda one: one.alice.post("/acme/new-order", {}, jwk=jwk_of(one.alice.key)),
    )
    yield (
        "jwk where kid belongs",
        "malformed",
        lambda one: one.alice.post("/acme/new-order", {}, kid=None, jwk=jwk_of(one.alice.key)),
    )
    yield "kid where jwk belongs", "malformed", header("/acme/new-account", {})
    yield "deep header", "malformed", header(x=json.loads("[" * 40 + "]" * 40))


def signatures() -> Iterator[Case]:
    def as_other(one: World) -> HttpResponse:
        """Charlie's signature under Alice's name."""
        return one.charlie.post("/acme/new-order", {}, kid=one.alice.kid)

    def twice(one: World) -> HttpResponse:
        body = jws(one.alice.key, one.alice.header(f"/acme/order/{one.url.rpartition('/')[2]}"), None)
        path = one.url.removeprefix(BASE)
        assert one.alice.send(path, body).status_code == 200
        return one.alice.send(path, body)

    def exchanged(one: World) -> HttpResponse:
        body = jws(one.alice.key, one.alice.header("/acme/new-order"), {"identifiers": []})
        return one.alice.send("/acme/new-order", body | {"payload": b64(b'{"identifiers":[1]}')})

    def by_public_key(one: World) -> HttpResponse:
        """HS256 with the public key as its secret."""
        secret = json.dumps(jwk_of(one.alice.key)).encode()
        return one.alice.send(
            "/acme/new-order", jws(secret, one.alice.header("/acme/new-order", alg="HS256"), {})
        )

    def short(one: World) -> HttpResponse:
        body = jws(one.alice.key, one.alice.header("/acme/new-order"), {})
        return one.alice.send("/acme/new-order", body | {"signature": ""})

    def zeros(one: World) -> HttpResponse:
        body = jws(one.alice.key, one.alice.header("/acme/new-order"), {})
        return one.alice.send("/acme/new-order", body | {"signature": b64(bytes(64))})

    yield "kid of another account", "unauthorized", as_other
    yield "a nonce twice", "badNonce", twice
    yield "another payload", "unauthorized", exchanged
    yield "HS256 with the public key", "badSignatureAlgorithm", by_public_key
    yield "no signature", "unauthorized", short
    yield "a signature of zeros", "unauthorized", zeros


def account_keys() -> Iterator[Case]:
    def register(jwk: Any) -> Callable[[World], HttpResponse]:
        return lambda one: Acme().post("/acme/new-account", {}, jwk=jwk)

    good = jwk_of(ec.generate_private_key(ec.SECP256R1()))
    weak = jwk_of(WEAK)
    strong = jwk_of(rsa.generate_private_key(65537, 2048))
    for bad in (7, [], "x", True):
        yield f"jwk {bad!r}", "malformed", register(bad)
    lacking = [{**good, "x": None}, {**good, "x": "="}, {**strong, "n": 7}, {"kty": "OKP", "crv": "Ed25519"}]
    for jwk in lacking:
        yield f"jwk {str(jwk)[:40]}", "malformed", register(jwk)
    wrong: list[Any] = [
        {}, {"kty": "oct", "k": "AAAA"}, {**good, "d": "AAAA"}, {**good, "crv": "P-521"},
        {**good, "crv": "X"},
        {**good, "x": good["y"]}, {**good, "x": "AAAA"}, {**good, "kty": "ec"}, weak, {**strong, "e": "Aw"},
        {**strong, "e": b64(b"\x02")}, {**strong, "n": b64(b"\x00" + b"\xff" * 256)}, {**strong, "n": ""},
        {**strong, "n": b64(b"\xff" * 3000)}, {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))},
        {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(31))}, {**good, "alg": "none"},
    ]  # fmt: skip
    for jwk in wrong:
        yield f"jwk {str(jwk)[:60]}", "badPublicKey", register(jwk)
    other = jwk_of(ed25519.Ed25519PrivateKey.generate())
    yield "the jwk of somebody else", "badSignatureAlgorithm", register(other)


def bindings() -> Iterator[Case]:
    def bound(**changed: Any) -> Callable[[World], HttpResponse]:
        def send(one: World) -> HttpResponse:
            acme = Acme()
            kid, key = changed.pop("credential", None) or one.house.credential()
            payload = changed.pop("payload", None)
            inner = acme.binding(kid, key, **{k: v for k, v in changed.items() if k != "binding"})
            if payload is not None:
                inner["payload"] = payload
            wanted = {"externalAccountBinding": changed.get("binding", inner)}
            return acme.post("/acme/new-account", wanted)

        return send

    yield "no binding", "externalAccountRequired", lambda one: Acme().post("/acme/new-account", {})
    for bad in (7, "x", [], {}, {"protected": "", "payload": "", "signature": ""}):
        yield f"binding {bad!r}", "malformed", bound(binding=bad)
    yield "binding by none", "badSignatureAlgorithm", bound(alg="none")
    yield "binding by RS256", "badSignatureAlgorithm", bound(alg="RS256")
    yield "binding for another url", "malformed", bound(url=f"{BASE}/acme/new-order")
    yield "binding with a nonce", "malformed", bound(nonce="x")
    yield "binding of an unknown kid", "unauthorized", bound(kid="0" * 32)
    yield "binding with another key", "malformed", bound(payload=b64(json.dumps(jwk_of(Acme().key)).encode()))
    yield (
        "binding with a wrong MAC",
        "unauthorized",
        lambda one: Acme().register(one.house.credential()[0], "AAAA"),
    )
    for bad in (
        "x",
        [7],
        ["tel:+1"],
        ["mailto:a@b@c"],
        ["mailto:"],
        ["mailto:a,b@example.com"],
        ["mailto:a@b?x"],
    ):
        yield (
            f"contact {bad!r}",
            "malformed|unsupportedContact|invalidContact",
            lambda one, bad=bad: Acme().post("/acme/new-account", {"contact": bad}),
        )


def orders() -> Iterator[Case]:
    def order(given: Any, **more: Any) -> Callable[[World], HttpResponse]:
        return lambda one: one.alice.post("/acme/new-order", {"identifiers": given} | more)

    for bad in (None, 7, "x", {}, [], [7], [{}], [{"type": "dns"}], [{"type": "dns", "value": 7}]):
        yield f"identifiers {bad!r}", "malformed", order(bad)
    yield (
        "251 identifiers",
        "malformed",
        order([{"type": "dns", "value": f"a{n}.example.com"} for n in range(251)]),
    )
    for value in (
        "", " ", "a b.com", "*.*.example.com", "a.*.com", "*", "*.com", "exa_mple.com", "a..b.com", "-a.com",
        "x" * 64 + ".com", "a." * 130 + "com", "a\x00.com", "пример.com", "http://a.com", "a.com:80",
        "a.com.",
        "127.0.0.1", "<script>.com", "$(id).com", "a.com/../x",
    ):  # fmt: skip
        yield (
            f"the name {value[:30]!r}",
            "rejectedIdentifier|malformed",
            order([{"type": "dns", "value": value}]),
        )
    for value in ("a.example.com", "999.1.1.1", "::ffff:1.2.3.4", "fe80::1%eth0", "0.0.0.0", "224.0.0.1"):
        yield f"the address {value!r}", "rejectedIdentifier", order([{"type": "ip", "value": value}])
    yield "a type of name", "unsupportedIdentifier", order([{"type": "email", "value": "a@example.com"}])
    good = [{"type": "dns", "value": "mine.example.com"}]
    yield "dates", "malformed", order(good, notAfter="2030-01-01T00:00:00Z")
    yield "an unknown profile", "invalidProfile", order(good, profile="gold")
    yield "a profile of a number", "malformed", order(good, profile=7)
    for bad in (7, "x", "a.b", "AAAA.AAAA", "." * 5, "A" * 200):
        yield f"replaces {bad!r}", "malformed", order(good, replaces=bad)
    yield "a payload that is a list", "malformed", lambda one: one.alice.post("/acme/new-order", [])
    yield "an empty payload", "malformed", lambda one: one.alice.post("/acme/new-order")
    yield (
        "a wildcard ahead",
        "malformed",
        lambda one: one.alice.post(
            "/acme/new-authz", {"identifier": {"type": "dns", "value": "*.example.com"}}
        ),
    )


def foreign() -> Iterator[Case]:
    """Charlie with the addresses of Alice's things."""
    things: dict[str, Callable[[World], str]] = {
        "order": lambda one: one.url,
        "authz": lambda one: one.authz,
        "challenge": lambda one: one.challenge,
        "finalize": lambda one: one.order["finalize"],
        "certificate": lambda one: one.url.replace("/order/", "/certificate/"),
        "orders": lambda one: f"{one.alice.kid}/orders",
    }
    for name, where in things.items():
        for payload in (None, {}, {"csr": b64(CSR)}, {"status": "deactivated"}):
            yield (
                f"Charlie at Alice's {name} with {str(payload)[:20]}",
                "malformed|unauthorized",
                lambda one, where=where, payload=payload: one.charlie.post(where(one), payload),
            )
    yield "Charlie at Alice's account", "unauthorized", lambda one: one.charlie.post(one.alice.kid)
    yield (
        "Charlie ends Alice's account",
        "unauthorized",
        lambda one: one.charlie.post(one.alice.kid, {"status": "deactivated"}),
    )
    for path in ("order/x", "authz/x", "challenge/x", "certificate/x", "account/x"):
        yield f"nothing at {path}", "malformed", header(f"/acme/{path}")


def finalizing() -> Iterator[Case]:
    def csr_of(given: Any) -> Callable[[World], HttpResponse]:
        return lambda one: one.alice.post(one.order["finalize"], {"csr": given})

    for bad in (None, 7, "=", "%%"):
        yield f"csr {bad!r}", "malformed", csr_of(bad)
    wrong = {
        "nothing": b"", "no CSR": b"x" * 50, "a further name": csr("mine.example.com", "evil.example.com"),
        "another name": csr("evil.example.com"), "no name": csr(), "a wildcard": csr("*.example.com"),
        "a further address": csr("mine.example.com", "127.0.0.1"), "cut": CSR[:-5],
        "a broken signature": CSR[:-1] + bytes([CSR[-1] ^ 1]),
        "a weak key": csr("mine.example.com", key=WEAK),
        "a further common name": csr("mine.example.com", common="evil.example.com"),
        "trailing bytes": CSR + b"x" * 20_000,
    }  # fmt: skip
    for name, der in wrong.items():
        yield f"a CSR with {name}", "badCSR", csr_of(b64(der))
    yield (
        "a CSR with the account's own key",
        "badCSR",
        lambda one: one.alice.post(
            one.order["finalize"], {"csr": b64(csr("mine.example.com", key=one.alice.key))}
        ),
    )
    yield (
        "an order that is pending",
        "orderNotReady",
        lambda one: one.alice.post(one.pending["finalize"], {"csr": b64(csr("other.example.com"))}),
    )
    yield (
        "no certificate yet",
        "malformed",
        lambda one: one.alice.post(one.url.replace("/order/", "/certificate/")),
    )


def others() -> Iterator[Case]:
    def change(key: Any, payload: Any = None, **changed: Any) -> Callable[[World], HttpResponse]:
        def send(one: World) -> HttpResponse:
            inner = {"alg": "ES256", "jwk": jwk_of(key), "url": f"{BASE}/acme/key-change"} | changed
            inner = {name: value for name, value in inner.items() if value is not None}
            said = payload or {"account": one.alice.kid, "oldKey": jwk_of(one.alice.key)}
            return one.alice.post("/acme/key-change", jws(key, inner, said))

        return send

    new = ec.generate_private_key(ec.SECP256R1())
    yield "a key change without an inner request", "malformed", header("/acme/key-change", {})
    yield "an inner nonce", "malformed", change(new, nonce="x")
    yield "an inner kid", "malformed", change(new, jwk=None, kid="x")
    yield "an inner url of elsewhere", "malformed", change(new, url=BASE)
    yield "an inner alg", "badSignatureAlgorithm", change(new, alg="none")
    yield "a key change for no account", "accountDoesNotExist", change(new, {"account": "x", "oldKey": 7})
    yield (
        "the old key of somebody else",
        "malformed",
        lambda one: change(new, {"account": one.alice.kid, "oldKey": jwk_of(new)})(one),
    )
    yield (
        "the account of somebody else",
        "malformed",
        lambda one: change(new, {"account": one.charlie.kid, "oldKey": jwk_of(one.alice.key)})(one),
    )
    yield "an inner key of somebody else", "unauthorized", change(new, jwk=jwk_of(Acme().key))
    yield "a key that has an account", "malformed", lambda one: change(one.charlie.key)(one)
    for bad in (None, 7, "=", b64(b"x"), ""):
        yield (
            f"revoking {bad!r}",
            "malformed",
            lambda one, bad=bad: one.alice.post("/acme/revoke-cert", {"certificate": bad}),
        )
    for bad in (2, 7, 8, 9, 10, 99, -1, "1", True, 1.5):
        yield (
            f"the reason {bad!r}",
            "badRevocationReason",
            lambda one, bad=bad: one.alice.post("/acme/revoke-cert", {"certificate": "AAAA", "reason": bad}),
        )
    for path in ("directory", "new-nonce"):
        yield f"a POST to {path}", "malformed", header(f"/acme/{path}", {})
    yield "nothing there", "malformed", header("/acme/nothing", {})
    yield (
        "an authorization is given another state",
        "malformed",
        lambda one: one.alice.post(one.authz, {"status": "valid"}),
    )
    yield (
        "an account is given another state",
        "malformed",
        lambda one: one.alice.post(one.alice.kid, {"status": "valid "}),
    )
    yield (
        "an answer to a challenge that is no object",
        "malformed",
        lambda one: one.alice.post(one.challenge, [1]),
    )
    for bad in ("x", "a.b", "....", "%00", "A" * 300):
        yield (
            f"renewal info of {bad[:9]!r}",
            "malformed",
            lambda one, bad=bad: one.alice.http.get(f"/acme/renewal-info/{bad}"),
        )


def cases() -> list[Case]:
    parts = (jws_shapes, headers, signatures, account_keys, bindings, orders, foreign, finalizing, others)
    return [case for part in parts for case in part()]


def test_the_corpus_is_refused_case_by_case(house: House) -> None:
    one, wrong = world(house), []
    before = (Account.objects.count(), Order.objects.count())
    asked = cases()
    assert len(asked) >= LEAST
    for name, problems, send in asked:
        answer = send(one)
        try:
            said = json.loads(answer.content)["type"].removeprefix(URN)
        except (ValueError, KeyError):
            said = f"no problem document: {answer.content[:80]!r}"
        if not (400 <= answer.status_code < 500 and said in problems.split("|")):
            wrong.append(f"{name}: {answer.status_code} {said}, not {problems}")
        elif answer.headers.get("Content-Type") != "application/problem+json":
            wrong.append(f"{name}: of the type {answer.headers.get('Content-Type')}")
        elif "Replay-Nonce" not in answer.headers:
            wrong.append(f"{name}: no fresh nonce")
    assert wrong == []
    house.desk.run()
    assert Certificate.objects.count() == 0  # nothing was bought or issued for any of it
    assert Account.objects.count() == before[0]
    assert not Challenge.objects.filter(
        authorization__account__id=one.charlie.kid.rpartition("/")[2]
    ).exists()
    done = one.alice.post(one.order["finalize"], {"csr": b64(CSR)})  # and the order is as good as before
    assert (done.status_code, done.json()["status"]) == (200, "valid")
