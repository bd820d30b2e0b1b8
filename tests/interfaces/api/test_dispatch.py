"""What every API request goes through: route, signature, permission, body, errors, headers."""

import io
import re
import threading
from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.test import Client
from pydantic import BaseModel

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotAvailable
from certdesk.foundation.iam import actions, queries
from certdesk.foundation.iam import requests as signed_requests
from certdesk.foundation.iam.models import IdempotencyKey, UsedSignature
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.api import bodies, dispatch
from certdesk.interfaces.api.router import Router
from certdesk.interfaces.operations import docs, errors, later, registry
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.later import LATER
from certdesk.interfaces.operations.registry import Operation, Reply
from tests.support.signed import HOST, Person, account, person, send

pytestmark = pytest.mark.django_db
DOMAINS = "/v3/auth/domains"
PUBLIC = frozenset({"tokens.create"})
"""Unsigned by nature: a password in the body says who asks."""


@pytest.fixture
def alice() -> Person:
    return person(account(), "alice", "admins")


def path_of(operation: Operation) -> str:
    return re.sub(r"\{[a-z_]+\}", "scs1600313391074", operation.path)


# --- every route ---------------------------------------------------------------------------------


def test_every_operation_declares_its_action() -> None:
    assert len(OPERATIONS) > len(LATER)
    for operation in OPERATIONS.values():
        assert re.fullmatch(r"[a-z]+:[A-Za-z-]+:[A-Za-z]+", operation.action), operation.name


# rule: IAM-5
@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - PUBLIC))
def test_unsigned_is_401(name: str) -> None:
    operation = OPERATIONS[name]
    answer = send(Client(), operation.method, path_of(operation), b"{}", {"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (401, "APIGW.0301")
    assert answer.response["X-Request-Id"]


def test_what_a_client_gets_its_token_from_needs_no_signature_and_nothing_else_does() -> None:
    assert {one.name for one in OPERATIONS.values() if one.public} == PUBLIC
    for name in sorted(PUBLIC):
        operation = OPERATIONS[name]
        answer = send(Client(), operation.method, path_of(operation), b"{}", {"Content-Type": "a/b"})
        assert (answer.status, answer.code) == (400, "SCM.0005")


# rule: IAM-5
def test_a_user_without_policies_gets_403_that_names_the_action(alice: Person) -> None:
    bob = person(alice.account, "bob")
    for operation in OPERATIONS.values():
        if operation.everyone or operation.public:
            continue
        answer = bob.send(operation.method, path_of(operation), {})
        assert (answer.status, answer.code) == (403, "SCM.9403"), operation.name
        assert registry.operations[operation.name].action.split(":")[0] in answer.text


def test_a_stranger_never_gets_in() -> None:
    """Charlie may everything in his own account; with ids that are not his he gets nothing."""
    charlie = person(account(), "charlie", "admins")
    for operation in OPERATIONS.values():
        if operation.parameters:
            answer = charlie.send(operation.method, path_of(operation), {})
            assert answer.status in (400, 403, 404, 501), operation.name


def test_every_route_of_the_contract_is_there() -> None:
    assert len(LATER) == 0
    assert sum(operation.later for operation in OPERATIONS.values()) == len(LATER)


def test_a_route_to_come_answers_501_behind_its_right(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(registry, "operations", {})
        patch.setattr(registry, "_routes", set())
        later.enter((("stars.list", "GET", "/v3/scm/stars", "scm:cert:list"),))
        (operation,) = registry.operations.values()
    assert operation.later
    with pytest.raises(NotAvailable):
        registry.run(operation, queries.principal_of(alice.user, "api"), {})  # type: ignore[arg-type]


def test_full_access_reaches_every_scm_operation_but_the_officers() -> None:
    owner = account()
    user = actions.create_user(owner, "u", None, ["users"])
    principal = queries.principal_of(user, "api")  # type: ignore[arg-type]
    refused = {one.action for one in OPERATIONS.values() if not principal.may(one.action)}
    assert {action for action in refused if action.startswith("scm:")} == {"scm:organization:decide"}


def test_pages_of_the_manual_hold_every_operation() -> None:
    rows = [line for page in (docs.operations_page(), docs.later_page()) for line in page.split("\n")]
    assert sum(line.startswith("| ") for line in rows) == len(OPERATIONS) + 2
    assert f"These {len(LATER)} routes" in docs.later_page()
    assert "| `scm:cert:list` |" in docs.permissions_page()


# --- routing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v3/scm/tags", "tags.list"),
        ("GET", "/v3/scm/scs1/tags", "tags.of_certificate"),
        ("GET", "/v3/scm/csr/abc", "csrs.show"),
        ("POST", "/v3/scm/csr/upload", "csrs.upload"),
        ("POST", "/v3/scm/resource_instances/action", "tags.search"),
        ("POST", "/v3/scm/scs1/tags/action", "tags.batch"),
        ("POST", "/v3/scm/certificates/import", "certificates.import"),
        ("POST", "/v3/scm/notification/enable", "notices.enable"),
        ("POST", "/v3/scm/domains/preflight", "domains.preflight"),
        ("POST", "/v3/scm/domains/example.com/prove", "domains.prove"),
        ("GET", "/v3/auth/domains/", "identity.domains"),
    ],
)
def test_literal_segments_win(method: str, path: str, name: str) -> None:
    found = Router(OPERATIONS.values()).find(path)
    assert found is not None
    assert found.operations[method].name == name


def test_unknown_route_and_method(alice: Person) -> None:
    answer = alice.get("/v3/scm/nothing/here/at/all")
    assert (answer.status, answer.code) == (404, "APIGW.0101")
    answer = alice.send("PUT", DOMAINS)
    assert (answer.status, answer.code, answer.response["Allow"]) == (405, "APIGW.0101", "GET")
    assert alice.get("/v3/scm/csr/" + "x" * 300).status == 404


def test_duplicate_names_routes_and_missing_actions_refuse_to_start() -> None:
    known = OPERATIONS["tags.list"]
    for name, path, action in [
        ("tags.list", "/v3/new", "scm:a:b"),
        ("new", known.path, "scm:a:b"),
        ("new", "/v3/scm/{other}/tags", "scm:a:b"),
        ("new", "/v3/new", ""),
        ("new", "/v3/new", "scm:a"),
        ("new", "v3/new", "scm:a:b"),
    ]:
        with pytest.raises(ValueError, match=r"new|tags"):
            registry.add(Operation(name, "GET", path, action, known.run))
    assert "new" not in OPERATIONS


# --- identity ------------------------------------------------------------------------------------


def test_the_sdk_asks_who_it_is(alice: Person) -> None:
    answer = alice.get(DOMAINS)
    assert answer.status == 200
    assert [domain["id"] for domain in answer.json["domains"]] == [alice.account.id]
    projects = alice.get("/v3/projects?name=cn-north-4").json["projects"]
    assert [(project["name"], project["domain_id"]) for project in projects] == [
        ("cn-north-4", alice.account.id)
    ]


def test_answers_are_marked_and_kept_by_no_cache(alice: Person) -> None:
    first, second = alice.get(DOMAINS).response, alice.get(DOMAINS).response
    assert re.fullmatch("[0-9a-f]{32}", first["X-Request-Id"])
    assert first["X-Request-Id"] != second["X-Request-Id"]
    assert first["Cache-Control"] == "no-store"
    assert first["Content-Type"] == "application/json"
    assert "Set-Cookie" not in first.headers


# --- signatures ----------------------------------------------------------------------------------


def test_unknown_key_wrong_mac_and_disabled_key_read_the_same(alice: Person) -> None:
    bob = person(alice.account, "bob", "users")
    actions.set_access_key_enabled(bob.access_key, False)
    strangers = [
        Person(alice.user, "UNKNOWN0KEY000000000", alice.secret_key),
        Person(alice.user, alice.access_key, "x" * 40),
        bob,
    ]
    answers = {(one.get(DOMAINS).status, one.get(DOMAINS).text) for one in strangers}
    assert answers == {(401, "Incorrect IAM authentication information: verify aksk signature fail")}


def test_an_unknown_key_costs_what_a_wrong_mac_costs(
    alice: Person,
    django_assert_num_queries,  # type: ignore[no-untyped-def]
) -> None:
    """No stopwatch tells which keys exist: both failures make the one look-up."""
    alice.get(DOMAINS)  # the key is cached from here on
    for stranger in (
        Person(alice.user, "UNKNOWN0KEY000000000", alice.secret_key),
        Person(alice.user, alice.access_key, "x" * 40),
    ):
        with django_assert_num_queries(1):
            assert stranger.get(DOMAINS).status == 401


# rule: IAM-7
def test_a_disabled_key_ends_at_once_here(alice: Person) -> None:
    assert alice.get(DOMAINS).status == 200
    actions.set_access_key_enabled(alice.access_key, False)
    assert alice.get(DOMAINS).status == 401


def test_a_token_is_refused_in_its_own_words() -> None:
    answer = send(Client(), "GET", DOMAINS, b"", {"X-Auth-Token": "t" * 40})
    assert (answer.status, answer.text.endswith("decrypt token fail")) == (401, True)


def test_a_header_that_is_not_ascii_is_signed_as_utf_8(alice: Person) -> None:
    headers = alice.headers("GET", DOMAINS, b"", clock.real_now(), **{"X-Note": "中文"})
    wire = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert send(alice.http, "GET", DOMAINS, b"", wire).status == 200


# --- repeats -------------------------------------------------------------------------------------

SOME_POST = "/v3/scm/issuers"
"""Its good signature is counted; what it asks for is refused, since it has no body."""


def sent_at(alice: Person, method: str, path: str, seconds_ago: float) -> dict[str, str]:
    return alice.headers(method, path, b"", clock.real_now() - timedelta(seconds=seconds_ago))


# rule: IAM-10
@pytest.mark.parametrize(("age", "status"), [(0, 400), (2, 400), (3, 401), (600, 401)])
def test_a_repeated_write_is_served_for_two_seconds(
    alice: Person, age: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = clock.real_now().replace(microsecond=0)
    monkeypatch.setattr(clock, "real_now", lambda: sent)
    headers = alice.headers("POST", SOME_POST, b"", sent)
    assert alice.send("POST", SOME_POST, headers=headers).status == 400
    monkeypatch.setattr(clock, "real_now", lambda: sent + timedelta(seconds=age))
    assert alice.send("POST", SOME_POST, headers=headers).status == status


# rule: IAM-10
def test_the_second_second_is_exact(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = clock.real_now().replace(microsecond=0)
    headers = alice.headers("POST", SOME_POST, b"", sent)
    for age, status in [(0.0, 400), (2.0, 400), (2.000001, 401)]:
        at = sent + timedelta(seconds=age)
        monkeypatch.setattr(clock, "real_now", lambda at=at: at)
        assert alice.send("POST", SOME_POST, headers=headers).status == status


# rule: IAM-10
def test_a_date_ahead_does_not_lengthen_the_two_seconds(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.real_now().replace(microsecond=0)
    monkeypatch.setattr(clock, "real_now", lambda: now)
    headers = sent_at(alice, "POST", SOME_POST, -600)
    assert alice.send("POST", SOME_POST, headers=headers).status == 400
    monkeypatch.setattr(clock, "real_now", lambda: now + timedelta(seconds=3))
    assert alice.send("POST", SOME_POST, headers=headers).status == 401


# rule: IAM-10
def test_a_repeated_read_is_served_in_the_whole_window(alice: Person) -> None:
    headers = sent_at(alice, "GET", DOMAINS, 600)
    assert [alice.send("GET", DOMAINS, headers=headers).status for _ in range(3)] == [200, 200, 200]
    assert alice.send("HEAD", DOMAINS, headers=sent_at(alice, "HEAD", DOMAINS, 600)).status == 200
    assert UsedSignature.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_signature_is_remembered_across_connections(alice: Person) -> None:
    """The table remembers, not the process: what another worker saw is a repeat here."""
    headers = sent_at(alice, "POST", SOME_POST, 5)
    seen: list[int] = []

    def elsewhere() -> None:
        seen.append(alice.send("POST", SOME_POST, headers=headers).status)
        connection.close()

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    assert [*seen, alice.send("POST", SOME_POST, headers=headers).status] == [400, 401]
    if sql.is_sqlite():
        assert sql.row("PRAGMA synchronous") == (2,)  # FULL again


def test_what_has_run_out_is_pruned(alice: Person) -> None:
    alice.post(SOME_POST)
    now = clock.real_now()
    assert signed_requests.prune(now + timedelta(minutes=15)) == 0
    assert signed_requests.prune(now + timedelta(minutes=46)) == 1
    signed_requests.begin(queries.principal_of(alice.user, "api"), "x", "k", b"", now)  # type: ignore[arg-type]
    assert signed_requests.prune(now + timedelta(hours=24, seconds=1)) == 1
    assert not IdempotencyKey.objects.exists()


# --- bodies --------------------------------------------------------------------------------------


class Echo(BaseModel):
    number: int = 0
    names: list[str] = []


class EchoQuery(BaseModel):
    flag: bool = False
    limit: int = 10


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> dict[str, Operation]:
    """Operations of this test alone, behind the real dispatcher."""
    found: dict[str, Operation] = {}
    calls: list[int] = []

    def run(principal: Principal, body: Echo) -> Reply:
        calls.append(body.number)
        if body.number == 13:
            raise BadParameter("13 is refused.")
        if body.number == 14:
            raise RuntimeError("secret detail")
        return Reply(202, {"number": body.number, "calls": len(calls)})

    def look(principal: Principal, query: EchoQuery) -> dict[str, object]:
        return query.model_dump()

    def refuse(principal: Principal, kind: str) -> dict[str, object]:
        raise CertdeskError("One sentence.", kind=Kind(kind), retry_after=7)

    common = {"everyone": True}
    for one in (
        Operation("test.echo", "POST", "/v3/echo", "scm:a:b", run, request=Echo, idempotent=True, **common),
        Operation(
            "test.whole",
            "POST",
            "/v3/whole",
            "scm:a:b",
            run,
            request=Echo,
            idempotent=True,
            one_transaction=True,
            **common,
        ),
        Operation("test.look", "GET", "/v3/look", "scm:a:b", look, query=EchoQuery, **common),
        Operation("test.refuse", "GET", "/v3/refuse/{kind}", "scm:a:b", refuse, **common),
        Operation(
            "test.missing",
            "GET",
            "/v3/c/{certificate_id}",
            "scm:a:b",
            lambda principal, certificate_id: refuse(principal, "not_found"),
            **common,
        ),
    ):
        found[one.name] = one
    monkeypatch.setattr(dispatch, "router", lambda: Router(found.values()))
    return found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 202),
        (b"  ", 202),
        (b"{}", 202),
        (b'{"unknown": 1}', 202),
        (b'{"number": 5, "names": ["x"]}', 202),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 202),
        (b'"x"', 400),
        (b'{"number": "x"}', 400),
        (b'{"number": NaN}', 400),
        (b'{"names": "x"}', 400),
        (b"\xff\xfe", 400),
        (b'{"names": ["\\ud800"]}', 400),
        (b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
        (b"[" * 100_000, 400),
        (b'{"x": ' + b'{"y":' * 5000 + b"1" + b"}" * 5000 + b"}", 400),
        (b'{"x": [' + b"{}," * 5000 + b"{}]}", 202),
        (b'{"x": "' + b"a" * 1_048_560 + b'"}', 202),
        (b'{"x": "' + b"a" * 1_048_576 + b'"}', 400),
    ],
)
def test_bodies(alice: Person, echo: dict[str, Operation], body: bytes, status: int) -> None:
    answer = alice.post("/v3/echo", body)
    assert answer.status == status
    if status == 400:
        assert answer.code == "SCM.0005"
        assert answer.text.startswith("Incorrect request parameter: ")


def test_a_body_is_capped_before_anyone_is_asked_who_he_is(alice: Person) -> None:
    answer = send(Client(), "POST", SOME_POST, b"x" * (1024 * 1024 + 1), {"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, "SCM.0005")


BATCH = "/v3/scm/certificates/batch-issue"


def test_a_batch_may_carry_twelve_mebibytes(alice: Person) -> None:
    """100 items with CSRs do not fit into one."""
    filled = b'{"items": [], "filling": "' + b"a" * (12 * 1024 * 1024 - 28) + b'"}'
    assert len(filled) == 12 * 1024 * 1024
    assert "larger" not in alice.post(BATCH, filled).text
    answer = alice.post(BATCH, filled + b" ")
    assert (answer.status, answer.code) == (400, "SCM.0005")
    assert "larger than 12582912 bytes" in answer.text


def raw_post(path: str, body: io.BytesIO, **meta: str) -> tuple[int, str]:
    answer = Client().generic("POST", path, **{"wsgi.input": body, **meta})
    return answer.status_code, answer.json()["error_msg"]


def test_a_body_too_large_is_read_away_so_that_the_refusal_arrives() -> None:
    body = io.BytesIO(b"x" * 3_000_000 + b"next request")
    status, _ = raw_post(SOME_POST, body, CONTENT_LENGTH="3000000")
    assert (status, body.read()) == (400, b"next request")
    endless = io.BytesIO(b"x" * 40_000_000)
    raw_post(SOME_POST, endless, CONTENT_LENGTH="40000000")
    assert endless.tell() == bodies.MOST_READ_AWAY


def test_a_body_without_its_length_is_411_with_the_cause() -> None:
    body = io.BytesIO(b"{}")
    status, text = raw_post(SOME_POST, body, HTTP_TRANSFER_ENCODING="chunked")
    assert (status, body.read()) == (411, b"")
    assert "Content-Length" in text


def test_a_body_that_is_cut_off_is_refused_so() -> None:
    status, text = raw_post(SOME_POST, io.BytesIO(b"{"), CONTENT_LENGTH="5")
    assert (status, "ended before" in text) == (400, True)
    status, text = raw_post(SOME_POST, io.BytesIO(b"{"), CONTENT_LENGTH="five")
    assert (status, "larger" in text) == (400, True)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("limit=20&flag=true&other=1", 200),
        ("limit=x", 400),
        ("limit=%ff", 400),
        ("a=1&" * 101, 400),
    ],
)
def test_queries(alice: Person, echo: dict[str, Operation], query: str, status: int) -> None:
    assert alice.get(f"/v3/look?{query}").status == status


def test_get_and_delete_with_a_content_type_and_no_body(alice: Person) -> None:
    assert alice.send("GET", DOMAINS).status == 200
    assert alice.send("DELETE", "/v3/scm/csr/x").code == "SCM.0707"


def nul_path(operation: Operation) -> str:
    return re.sub(r"\{[a-z_]+\}", "%00", operation.path)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_text_with_nul_is_refused_at_the_door(alice: Person, name: str) -> None:
    """In an id, in each parameter and in each field: PostgreSQL takes none, SQLite reads half of it."""
    operation = OPERATIONS[name]
    if operation.parameters:
        assert alice.send(operation.method, nul_path(operation), {}).status == 404
    for field in operation.query.model_fields if operation.query else ():
        answer = alice.send(operation.method, f"{path_of(operation)}?{field}=a%00b")
        assert (answer.status, answer.code) == (400, "SCM.0005"), field
    for field in operation.request.model_fields if operation.request else ():
        for value in ("\0", ["a\0b"], [{"x": {"y\0": 1}}]):
            answer = alice.send(operation.method, path_of(operation), {field: value})
            assert (answer.status, answer.code) == (400, "SCM.0005"), field
            assert "U+0000" in answer.text or operation.multipart


def test_a_marker_cannot_bring_nul_in(alice: Person) -> None:
    for path in (
        "/v3/scm/orders?marker=AAAA",
        "/v3/scm/certificates/search?marker=WyJ1cGRhdGVkIiwxLCJcdTAwMDAiXQ",
    ):
        assert (alice.get(path).status, alice.get(path).code) == (400, "SCM.0005")


def test_a_backslash_before_u0000_is_no_nul(alice: Person, echo: dict[str, Operation]) -> None:
    assert alice.post("/v3/echo", b'{"names": ["\\\\u0000"]}').status == 202


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_has_its_line(alice: Person, echo: dict[str, Operation], kind: Kind) -> None:
    answer = alice.get(f"/v3/refuse/{kind.value}")
    line = errors.KINDS[kind]
    assert (answer.status, answer.code) == (line.status, line.code)
    assert set(answer.json) == {"error_code", "error_msg"}
    assert answer.text.endswith("One sentence.")
    assert answer.response["Retry-After"] == "7"


def test_a_missing_certificate_has_the_text_of_its_id(alice: Person, echo: dict[str, Operation]) -> None:
    answer = alice.get("/v3/c/scs1")
    assert (answer.status, answer.code) == (404, "SCM.0020")
    assert answer.text.startswith("Incorrect certificate ID")


def test_chinese_on_request(alice: Person, echo: dict[str, Operation]) -> None:
    assert alice.get("/v3/c/scs1", **{"X-Language": "zh-cn"}).text.startswith("证书ID错误")
    assert alice.get("/v3/c/scs1", **{"X-Language": "en-us"}).text.startswith("Incorrect")
    assert alice.get("/v3/c/scs1", **{"Accept-Language": "zh-CN,en;q=0.5"}).text.startswith("证书ID错误")
    assert alice.get("/v3/c/scs1").text.startswith("Incorrect")


def test_the_sentence_and_the_next_step_are_chinese_too(alice: Person) -> None:
    body = {"cert_brand": "NOBODY", "cert_type": "DV_SSL_CERT", "domain_type": "SINGLE_DOMAIN"}

    def refused(**headers: str) -> str:
        return alice.post("/v3/scm/prices", body, **headers).text

    assert "is not in the catalogue" in refused()
    assert "目录中没有" in refused(**{"X-Language": "zh-cn"})
    assert "请使用其中之一" in refused(**{"X-Language": "zh-cn"})
    assert "is not in the catalogue" in refused()  # no answer leaves its language behind


def test_the_unexpected_is_bland_and_logged(
    alice: Person, echo: dict[str, Operation], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = alice.post("/v3/echo", {"number": 14})
    assert (answer.status, answer.code) == (500, "SCM.9500")
    assert "secret detail" not in answer.response.content.decode()
    assert answer.response["X-Request-Id"] in answer.text


# --- Idempotency-Key -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v3/echo", "/v3/whole"])
# rule: IAM-10
def test_one_answer_for_one_key(alice: Person, echo: dict[str, Operation], path: str) -> None:
    def post(number: int, key: str) -> tuple[int, str]:
        answer = alice.post(path, {"number": number}, **{"Idempotency-Key": key})
        return answer.status, answer.response.content.decode()

    first = post(1, "k1")
    assert first == (202, '{"number":1,"calls":1}')
    assert post(1, "k1") == first  # repeated, not run
    assert post(1, "k2")[1] == '{"number":1,"calls":2}'
    assert post(2, "k1")[0] == 400  # the same key with another body
    assert post(13, "k3")[0] == 400  # refused: nothing happened, so the key is free again
    assert post(5, "k3") == (202, '{"number":5,"calls":4}')
    assert post(5, "")[0] == 400
    assert post(5, "x" * 129)[0] == 400
    bob = person(alice.account, "bob")
    assert bob.post(path, {"number": 1}, **{"Idempotency-Key": "k1"}).json["calls"] == 5


# rule: IAM-10
def test_a_key_lives_24_hours(
    alice: Person, echo: dict[str, Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.real_now()
    calls = []
    for passed in (timedelta(0), timedelta(hours=24, seconds=-1), timedelta(hours=24)):
        monkeypatch.setattr(clock, "real_now", lambda passed=passed: start + passed)
        calls.append(alice.post("/v3/echo", {}, **{"Idempotency-Key": "k"}).json["calls"])
    assert calls == [1, 1, 2]


# rule: IAM-10
def test_while_the_first_runs_the_second_gets_409(
    alice: Person, echo: dict[str, Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    me = queries.principal_of(alice.user, "api")  # type: ignore[arg-type]
    body = orjson.dumps({"number": 1})
    turn = signed_requests.begin(me, "test.echo", "k", b"/v3/echo\n" + body, clock.real_now())
    answer = alice.post("/v3/echo", body, **{"Idempotency-Key": "k"})
    assert (answer.status, answer.code, answer.response["Retry-After"]) == (409, "SCM.9409", "1")
    with signed_requests.noting(turn):
        signed_requests.note(202, '{"cert_id":"c"}')  # what the first leaves if it is killed
    answer = alice.post("/v3/echo", body, **{"Idempotency-Key": "k"})
    assert (answer.status, answer.response["Retry-After"]) == (409, "1")  # nobody knows that it is dead
    later = clock.real_now() + signed_requests.ABANDONED_AFTER
    monkeypatch.setattr(clock, "real_now", lambda: later)
    assert alice.post("/v3/echo", body, **{"Idempotency-Key": "k"}).json == {"cert_id": "c"}
    signed_requests.finish(turn, 200, '{"cert_id":"c","serial":"1"}')  # it was only slow
    assert alice.post("/v3/echo", body, **{"Idempotency-Key": "k"}).json["serial"] == "1"


def test_after_an_unexpected_end_the_key_is_free_only_if_nothing_can_have_happened(
    alice: Person, echo: dict[str, Operation]
) -> None:
    for path, second in (("/v3/whole", 500), ("/v3/echo", 409)):
        assert alice.post(path, {"number": 14}, **{"Idempotency-Key": path}).status == 500
        assert alice.post(path, {"number": 14}, **{"Idempotency-Key": path}).status == second


def test_host_is_the_signed_one() -> None:
    assert HOST.endswith(":8080")
