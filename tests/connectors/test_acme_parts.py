"""The parts of the ACME client that talk to nobody: keys, words, tasks, chains, advice, options, memory."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import josepy
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from certdesk.connectors.dns.providers.options import form
from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers import registry, waits
from certdesk.connectors.issuers.acme import chains, keys, memory, problems, tasks
from certdesk.connectors.issuers.acme.options import PresetName
from certdesk.connectors.issuers.acme.presets import PRESETS
from certdesk.connectors.issuers.protocol import IssuerError, Reason, Task
from certdesk.pki.x509.certificates import chain_to_pem
from tests.support.jose import csr

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ACCOUNT = "https://ca.example/account/1"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def pem_of(key: Any) -> str:
    return str(key.private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode())


KEYS = {
    "ES256": keys.make(),
    "ES384": pem_of(ec.generate_private_key(ec.SECP384R1())),
    "RS256": pem_of(rsa.generate_private_key(65537, 2048)),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_what_is_signed_another_library_verifies(algorithm: str) -> None:
    key = keys.read(KEYS[algorithm])
    made = keys.signed(key, {"url": "u", "nonce": "n", "jwk": key.jwk}, {"a": 1})
    read = josepy.JWS.from_json({**made, "header": {}})
    jwk = josepy.JWK.from_json(key.jwk)
    assert read.verify(jwk)
    assert read.signature.combined.alg.name == algorithm
    assert json.loads(read.payload) == {"a": 1}
    assert key.thumbprint == josepy.b64encode(jwk.thumbprint(hash_function=hashes.SHA256)).decode()
    assert keys.signed(key, {}, None)["payload"] == ""
    assert "PRIVATE" not in repr(key) + str(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        pem_of(ed25519.Ed25519PrivateKey.generate()),
        pem_of(ec.generate_private_key(ec.SECP521R1())),
        pem_of(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - it is refused
    ],
)
def test_a_key_that_no_server_takes_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="key") as refused:
        keys.read(text)
    assert refused.value.__suppress_context__ or "RSA" in str(refused.value)


def test_a_binding_is_signed_by_the_shared_secret() -> None:
    jwk = keys.read(KEYS["ES256"]).jwk
    made = keys.bound("kid", b"secret", "https://ca/new", jwk)
    read = josepy.JWS.from_json({**made, "header": {}})
    assert read.verify(josepy.JWKOct(key=b"secret"))
    assert json.loads(read.payload) == jwk
    assert json.loads(keys.unb64(made["protected"])) == {
        "alg": "HS256",
        "kid": "kid",
        "url": "https://ca/new",
    }


def answered(status: int, body: object = b"", **headers: str) -> Fetched:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Fetched(status, named, raw, "https://ca/x", "127.0.0.1", ())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("0", 0),
        ("120", 120),
        ("99999999999", waits.LONGEST_WAIT),
        ("Thu, 26 Nov 2026 12:00:30 GMT", 31),
        ("Thu, 26 Nov 2020 12:00:30 GMT", 0),
        ("Thu, 26 Nov 2026 12:00:30", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(text: str, seconds: int | None) -> None:
    assert waits.wait_of(answered(429, retry_after=text), NOW) == seconds


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("rateLimited", 429, Reason.RATE_LIMITED),
        ("", 429, Reason.RATE_LIMITED),
        ("serverInternal", 500, Reason.BUSY),
        ("", 503, Reason.BUSY),
        ("badNonce", 400, Reason.BUSY),
        ("", 409, Reason.BUSY),
        ("unauthorized", 403, Reason.CREDENTIALS),
        ("externalAccountRequired", 403, Reason.CREDENTIALS),
        ("", 401, Reason.CREDENTIALS),
        ("", 404, Reason.NOT_THERE),
        ("caa", 403, Reason.REFUSED),
        ("rejectedIdentifier", 400, Reason.REFUSED),
        ("badCSR", 400, Reason.REFUSED),
    ],
)
def test_an_error_document_says_whether_trying_again_helps(kind: str, status: int, reason: Reason) -> None:
    body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": "Told so"} if kind else b"<html>"
    error = problems.refusal(
        answered(status, body, retry_after="7"), "The order", "ca.example", NOW, decides=True
    )
    assert (error.reason, error.kind, error.retry_after) == (reason, kind, 7)
    look = problems.refusal(answered(status, body), "The look at the order", "ca.example", NOW)
    assert look.reason is (Reason.BAD_ANSWER if reason is Reason.REFUSED else reason)
    assert error.permanent is (reason not in (Reason.RATE_LIMITED, Reason.BUSY))
    assert ("Told so" in error.message) is bool(kind)
    assert error.next_step


def test_words_of_an_error_tell_each_name_and_are_bounded() -> None:
    inner = [
        {"identifier": {"type": "dns", "value": "a.example"}, "detail": "no CAA"},
        {"title": "odd"},
        "nothing",
    ]
    found = problems.words_of({"detail": "Two names", "subproblems": inner})
    assert found == "Two names a.example: no CAA odd"
    assert problems.words_of(None) == problems.words_of({}) == ""
    assert problems.words_of({"type": "urn:ietf:params:acme:error:caa"}) == "caa"
    assert problems.kind_of({"type": "about:blank"}) == ""
    assert len(problems.words_of({"detail": "x" * 9000})) == 500
    assert "\x1b" not in problems.words_of({"detail": "\x1b[31m"})


WAYS = ("dns-01", "http-01", "tls-alpn-01", "dns-persist-01")


def told(*authorizations: dict[str, Any]) -> tuple[Task, ...]:
    return tasks.tasks_of(authorizations, ACCOUNT, "thumb", WAYS)


def authorization(name: str, *challenges: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind = "ip" if ":" in name else "dns"
    return {
        "identifier": {"type": kind, "value": name},
        "status": "pending",
        "challenges": list(challenges),
        **more,
    }


def challenge(method: str, **more: Any) -> dict[str, Any]:
    return {"type": method, "url": f"https://ca/{method}", "status": "pending", "token": "tok", **more}


def test_challenges_say_what_has_to_stand_where() -> None:
    proof = "tok.thumb"
    offered = [challenge(method) for method in ("dns-01", "http-01", "tls-alpn-01")]
    dns, web, tls = told(authorization("a.example", *offered))
    assert (dns.where, dns.record_type) == ("_acme-challenge.a.example", "TXT")
    assert dns.value == keys.b64(hashlib.sha256(proof.encode()).digest())
    assert (web.where, web.value) == ("http://a.example/.well-known/acme-challenge/tok", proof)
    assert (tls.where, tls.value, tls.done) == ("a.example", proof, False)
    (six,) = told(authorization("2001:db8::1", challenge("http-01")))
    assert six.where.startswith("http://[2001:db8::1]/")


def test_a_name_with_its_wildcard_is_proved_in_the_dns_alone() -> None:
    both = [
        authorization("a.example", challenge("dns-01"), challenge("http-01")),
        authorization("a.example", challenge("dns-01"), wildcard=True),
        authorization("b.example", challenge("http-01")),
    ]
    found = [(one.name, one.method) for one in told(*both)]
    assert found == [("a.example", "dns-01"), ("a.example", "dns-01"), ("b.example", "http-01")]


def test_the_first_of_two_proofs_of_a_name_does_not_make_the_name_done() -> None:
    done = authorization("a.example", challenge("dns-01", status="valid"), status="valid")
    wild = authorization("a.example", challenge("dns-01"), wildcard=True)
    assert [one.done for one in told(done, wild)] == [False]
    wild["status"] = "valid"
    assert [one.done for one in told(done, wild)] == [True, True]


def test_only_the_ways_that_are_used_here_are_told() -> None:
    offered = authorization("a.example", challenge("dns-01"), challenge("tls-alpn-01"))
    accepted = authorization("b.example", challenge("tls-alpn-01"), status="valid")
    found = tasks.tasks_of([offered, accepted], ACCOUNT, "thumb", ("dns-01",))
    assert [(one.name, one.method) for one in found] == [
        ("a.example", "dns-01"),
        ("b.example", "tls-alpn-01"),
    ]


def test_a_record_that_stays_names_issuer_and_account() -> None:
    new = challenge("dns-persist-01", **{"issuer-domain-names": ["ca.example", "ca.test"]})
    old = challenge("dns-persist-01", **{"issuer-domain-name": "ca.example"})
    for one in (new, old):
        (found,) = told(authorization("a.example", one))
        assert (found.where, found.record_type) == ("_validation-persist.a.example", "TXT")
        assert found.value == f"ca.example; accounturi={ACCOUNT}"
    (wild,) = told(authorization("a.example", new, wildcard=True))
    assert wild.value.endswith("; policy=wildcard")
    for named in ({"issuer-domain-names": []}, {"issuer-domain-names": "x"}, {}):
        nobody = challenge("dns-persist-01", **named)
        assert told(authorization("a.example", nobody)) == ()


def test_what_is_accepted_is_done_and_what_failed_is_told() -> None:
    error = {"type": "urn:ietf:params:acme:error:dns", "detail": "no such record"}
    good = authorization("a.example", challenge("http-01", status="valid"), status="valid")
    bad = authorization("b.example", challenge("dns-01", error=error), status="invalid")
    odd = authorization("c.example", challenge("magic-01"), {"type": "x"}, challenge("dns-01", token=7))
    found = told(good, bad, odd, {"challenges": 7})
    assert [(one.name, one.done, one.words) for one in found] == [
        ("a.example", True, ""),
        ("b.example", False, "no such record"),
    ]
    assert tasks.fault_of([good, bad, odd]) == "b.example: no such record"
    assert tasks.fault_of([good]) == ""


def test_links_to_other_chains_are_found_among_others() -> None:
    headers = (
        ("link", '<https://ca/dir>;rel="index", <https://ca/1>;rel="alternate"'),
        ("link", "<https://ca/2>; rel=alternate"),
        ("link", "<https://ca/2>; rel=alternate"),
        ("x-link", "<https://ca/3>; rel=alternate"),
    )
    found = chains.alternates_of(Fetched(200, headers, b"", "", "", ()))
    assert found == ["https://ca/1", "https://ca/2"]


def certificate(
    subject: str, key: Any, issuer: str, by: Any, *names: str, serial: int = 0, named: bool = True
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=9))
    )
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(san, critical=False)
    if named:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
        builder = builder.add_extension(authority, critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


ROOT, MIDDLE, LEAF, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
TOP = certificate("Root X", ROOT, "Root X", ROOT)
ABOVE = certificate("Middle", MIDDLE, "Root X", ROOT)


def test_a_chain_is_read_without_its_root_and_held_against_the_order() -> None:
    leaf = certificate("a", LEAF, "Middle", MIDDLE, "a.example", "B.example")
    request = csr("a.example", "b.example", key=LEAF)
    chain = chains.read(chain_to_pem([leaf, ABOVE, TOP]).encode())
    assert chain == (leaf, ABOVE)
    assert chains.read(chain_to_pem([TOP]).encode()) == (TOP,)
    assert chains.holds(chain, request)
    assert chains.leads_to(chain, "Root X")
    assert not chains.leads_to(chain, "Root Y")
    assert not chains.holds(chain, csr("a.example", key=OTHER))
    assert not chains.holds((leaf, TOP), request)
    for body in (b"", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ValueError, match="cannot be read"):
            chains.read(body)


def test_presets_are_those_of_the_form_and_say_what_is_known() -> None:
    assert set(get_args(PresetName)) == set(PRESETS)
    for name, preset in PRESETS.items():
        assert preset.directory.startswith("https://") is (name not in ("step-ca", "ejbca", "other"))
        assert preset.as_of >= date(2026, 11, 1)
        assert preset.capabilities.harmless_until_proceed
        assert all(min(one.most, one.seconds) > 0 for one in preset.limits)
        assert bool(preset.source) is (name != "other")
    assert PRESETS["letsencrypt"].limits
    assert PRESETS["zerossl"].eab


def options(**given: object) -> Any:
    return registry.read_options("acme", {"preset": "letsencrypt", **given})


def test_a_key_is_made_once_and_kept_sealed() -> None:
    made = options()
    stored = made.stored()
    assert keys.read(stored["account_key"])
    assert made.shown()["account_key"] == "***"
    shown = {**made.shown(), "email": "ops@example.com"}
    assert registry.read_options("acme", shown, stored).stored()["account_key"] == stored["account_key"]
    assert options().stored()["account_key"] != stored["account_key"]
    assert made.endpoint() == ("acme-v02.api.letsencrypt.org", 443)
    kinds = {one.name: one.kind for one in form(type(made))}
    assert (kinds["account_key"], kinds["eab_hmac_key"], kinds["preset"]) == (
        "secret_block",
        "secret",
        "choice",
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"preset": "other"}, "directory"),
        ({"preset": "step-ca"}, "directory"),
        ({"directory_url": "ftp://ca"}, "https"),
        ({"directory_url": "https://u@ca/dir"}, "password"),
        ({"directory_url": "https://ca:99999/dir"}, "URL"),
        ({"account_key": "nonsense"}, "private key"),
        ({"eab_key_id": "kid"}, "binding"),
        ({"eab_key_id": "kid", "eab_hmac_key": "*"}, "base64url"),
        ({"email": "nobody"}, "email"),
        ({"methods": []}, "methods"),
        ({"methods": ["mail"]}, "methods"),
        ({"methods": ["tls-alpn-01"]}, "methods"),
        ({"ca": "nonsense"}, "PEM"),
    ],
)
def test_wrong_options_are_named_and_never_shown(given: dict[str, object], words: str) -> None:
    with pytest.raises(IssuerError) as refused:
        options(**given)
    assert (refused.value.reason, words in refused.value.message) == (Reason.OPTIONS, True)
    assert "nonsense" not in refused.value.message


def test_ways_that_nobody_sets_up_are_left_out_of_what_was_stored() -> None:
    stored = {**options().stored(), "methods": ["tls-alpn-01", "dns-01", "dns-persist-01"]}
    assert registry.read_options("acme", stored).stored()["methods"] == ["dns-01"]


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(IssuerError, match="no kind"):
        registry.kind_of("magic")
    assert registry.kind_of("acme").label == "ACME"


def test_memory_is_bounded_and_forgets_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    held = memory.Memory(lambda: at[0])
    held.hold("a", "u", 10)
    assert (held.held("a", "u"), held.held("b", "u")) == (10, 0)
    at[0] = 9.5
    assert held.held("a", "u") == 1
    at[0] = 10.0
    assert held.held("a", "u") == 0
    held.answer("c")
    held.placed("a", "r", "o")
    assert (held.is_answered("c"), held.order_of("a", "r"), held.order_of("a", "x")) == (True, "o", "")
    monkeypatch.setattr(memory, "_MOST", 1)
    held.answer("d")
    assert (held.is_answered("c"), held.is_answered("d")) == (False, True)
