"""What the issuer makes of answers that no healthy engine gives: errors, cuts, other shapes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerConnector, IssuerError, OrderState, Reason, Wanted
from certdesk.connectors.issuers.vault import stored
from certdesk.connectors.issuers.waits import LONGEST_WAIT
from tests.support import tls, vault
from tests.support.stub_http import CUT, NONSENSE, SLOW, Answer, Asked, Stub, running
from tests.support.vault_pki import LOOPBACK, NAME, wanted

ROLE = {
    "max_ttl": 7776000, "allow_any_name": True, "allow_subdomains": True, "allow_ip_sans": True,
    "allowed_domains": [], "key_type": "any", "key_bits": 0,
}  # fmt: skip
MADE = tls.make(NAME)
ORDER = wanted(reference="r")
GOOD = {"certificate": MADE.bundle.leaf, "serial_number": "01:02", "issuing_ca": MADE.bundle.chain}
LISTED = {"keys": ["01:02"], "key_info": {"01:02": {"not_after": "2040-01-01T00:00:00Z"}}}
Verb = Callable[[IssuerConnector], Awaitable[Any]]


@dataclass
class Engine(Stub):
    """Each path's `data`, or its whole answer; 404 for every other one."""

    rows: dict[str, Any] = field(default_factory=dict)

    def refuses(self, asked: Asked) -> Answer | None:
        return None

    def failure(self, status: int) -> Answer:
        return Answer(status, json.dumps({"errors": ["the engine\ndoes not want to"]}).encode())

    def answer(self, asked: Asked) -> Answer:
        row = self.rows.get(asked.path.removeprefix("/v1/"))
        if row is None:
            return Answer(404, b'{"errors":[]}')
        return row if isinstance(row, Answer) else Answer(200, json.dumps({"data": row}).encode())


@pytest.fixture
def engine() -> Iterator[Engine]:
    with running(Engine()) as stub:
        stub.rows["pki/roles/web"] = ROLE
        yield stub


def issuer(engine: Engine, seconds: float = 20, **options: Any) -> IssuerConnector:
    given = {"server_url": engine.url, "token": vault.TOKEN, "role": "web", **options}
    return registry.connect("vault", given, Outside(seconds=seconds, allow_networks=LOOPBACK))


def refusal(work: Awaitable[object]) -> IssuerError:
    async def inside() -> object:
        return await work

    with pytest.raises(IssuerError) as refused:
        asyncio.run(inside())
    return refused.value


def place(one: IssuerConnector, order: Wanted = ORDER) -> Awaitable[Any]:
    return one.place(order)


def revoke(one: IssuerConnector) -> Awaitable[Any]:
    return one.revoke(MADE.leaf, "01:02", 0)


def poll(one: IssuerConnector) -> Awaitable[Any]:
    return one.poll(ORDER, "01:02")


@pytest.mark.parametrize(
    ("fault", "reason", "permanent"),
    [
        (400, Reason.REFUSED, True),
        (403, Reason.CREDENTIALS, True),
        (404, Reason.NOT_THERE, True),
        (412, Reason.BUSY, False),
        (429, Reason.RATE_LIMITED, False),
        (500, Reason.BUSY, False),
        (503, Reason.BUSY, False),
        (307, Reason.BAD_ANSWER, True),
        (CUT, Reason.UNREACHABLE, False),
        (NONSENSE, Reason.BAD_ANSWER, True),
    ],
)
@pytest.mark.parametrize("verb", [place, revoke, poll])
def test_each_failure_says_whether_it_may_pass(
    engine: Engine, fault: int | str, reason: Reason, permanent: bool, verb: Verb
) -> None:
    if verb is revoke and fault == NONSENSE:
        return  # 200 is all that it looks at
    engine.fault = fault
    engine.when = "POST" if verb is not poll else "GET"
    told = refusal(verb(issuer(engine)))
    assert (told.reason, told.permanent) == (reason, permanent)
    assert told.sent == (not isinstance(fault, int) or fault >= 500) or verb is not place
    assert vault.TOKEN not in f"{told} {told.next_step}"
    if isinstance(fault, int) and fault != 404:
        assert "the engine does not want to" in told.message
        assert str(fault) in told.message


def test_a_server_that_says_nothing_is_left(engine: Engine) -> None:
    engine.fault = SLOW
    told = refusal(place(issuer(engine, seconds=0.2)))
    assert (told.reason, told.sent) == (Reason.TIMEOUT, False)
    closed = registry.connect("vault", {"server_url": engine.url, "token": "x", "role": "web"}, Outside())
    assert refusal(place(closed)).reason is Reason.NOT_ALLOWED


@pytest.mark.parametrize(
    "row", [[], {"certificate": "x", "serial_number": "1"}, {**GOOD, "certificate": "?"}]
)
def test_an_order_answered_in_another_shape_is_told(engine: Engine, row: object) -> None:
    engine.rows["pki/sign/web"] = row
    assert refusal(place(issuer(engine))).reason is Reason.BAD_ANSWER


def test_a_certificate_for_another_key_comes_as_it_is(engine: Engine) -> None:
    engine.rows["pki/sign/web"] = GOOD
    order = asyncio.run(place(issuer(engine)))  # type: ignore[arg-type]
    assert (order.state, order.handle, order.chain[0]) == (OrderState.ISSUED, "01:02", MADE.leaf)
    assert engine.changes == ["POST /v1/pki/sign/web"]


@pytest.mark.parametrize(
    "rows",
    [
        {"pki/certs/detailed": {"keys": ["01:02"]}},
        {"pki/certs/detailed": {**LISTED, "key_info": {"01:02": {"not_after": "soon"}}}},
        {"pki/certs": {"keys": ["01:02"]}, "pki/cert/01:02": {"certificate": "?"}},
        {"pki/roles/web": {"max_ttl": "x"}},
        {"sys/internal/ui/mounts/pki": {}},
    ],
)
def test_a_search_answered_in_another_shape_is_told(engine: Engine, rows: dict[str, Any]) -> None:
    engine.rows |= rows
    assert refusal(place(issuer(engine))).reason is Reason.BAD_ANSWER
    assert engine.changes == []


def test_a_search_that_breaks_off_orders_nothing(engine: Engine) -> None:
    engine.rows["pki/certs/detailed"] = Answer(500)
    told = refusal(place(issuer(engine)))
    assert (told.reason, told.sent, engine.changes) == (Reason.BUSY, False, [])


def test_a_list_without_end_is_left(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.rows |= {"pki/certs/detailed": LISTED, "pki/sign/web": GOOD}
    monkeypatch.setattr(stored, "PAGE", 1)
    monkeypatch.setattr(stored, "_MOST_PAGES", 3)
    assert asyncio.run(place(issuer(engine))).handle == "01:02"  # type: ignore[arg-type]  # so it was ordered
    assert [one.query["after"] for one in engine.asked if one.path.endswith("detailed")] == [
        "",
        *["01:02"] * 2,
    ]


def test_a_stored_certificate_needs_its_ca(engine: Engine) -> None:
    engine.rows["pki/cert/01:02"] = {"certificate": MADE.bundle.leaf, "revocation_time": 0}
    assert refusal(poll(issuer(engine))).reason is Reason.BAD_ANSWER
    engine.rows["pki/issuer/default/json"] = {"ca_chain": 7}
    assert refusal(poll(issuer(engine))).reason is Reason.BAD_ANSWER
    other = tls.make("other.example.test").bundle.chain
    engine.rows["pki/issuer/default/json"] = {"ca_chain": [other]}
    assert refusal(poll(issuer(engine))).reason is Reason.BAD_ANSWER


def test_the_wait_that_the_server_names_is_told() -> None:
    from certdesk.connectors.http import Fetched
    from certdesk.connectors.issuers.vault.access import Access
    from certdesk.connectors.issuers.vault.options import VaultPkiOptions

    options = VaultPkiOptions.model_validate(
        {"server_url": "http://10.0.0.5:8200", "token": "x", "role": "web"}
    )
    access = Access(options, Outside())
    assert options.endpoint() == ("10.0.0.5", 8200)
    past = "Thu, 26 Nov 2020 12:00:30 GMT"
    for text, seconds in (("7", 7), ("soon", None), ("9" * 7, LONGEST_WAIT), (past, 0)):
        answer = Fetched(429, (("retry-after", text),), b"?", "", "", ())
        assert access.failure(answer, "The order").retry_after == seconds


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"auth": {}}'])
def test_a_sign_in_answered_in_another_shape_is_told(engine: Engine, body: bytes) -> None:
    role = {"token": "", "role_id": vault.ROLE, "secret_id": vault.SECRET, "namespace": "team/a"}
    engine.rows["auth/approle/login"] = Answer(200, body)
    assert refusal(place(issuer(engine, **role))).reason is Reason.BAD_ANSWER
    assert engine.asked[-1].header["X-Vault-Namespace"] == "team/a"
    engine.rows["auth/approle/login"] = Answer(503)
    assert refusal(place(issuer(engine, **role))).reason is Reason.BUSY


def test_a_token_whose_end_cannot_be_read_is_taken_for_good(engine: Engine) -> None:
    ways = ("sign/web", "certs/detailed", "certs", "revoke")
    engine.rows["auth/token/lookup-self"] = {"expire_time": "soon"}
    engine.rows["sys/capabilities-self"] = {f"pki/{path}": ["root"] for path in ways}
    check = asyncio.run(issuer(engine).test())
    assert (check.ok, check.notes) == (True, ())


@pytest.mark.parametrize(
    "options",
    [{"token": ""}, {"token": "", "role_id": "r"}, {"role": "../x"}, {"mount": "/pki"}, {"ca": "x"}],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    given = {
        "server_url": "https://vault.example.test:8200",
        "token": "secret-token",
        "role": "web",
        **options,
    }
    with pytest.raises(IssuerError) as refused:
        registry.read_options("vault", given)
    assert refused.value.reason is Reason.OPTIONS
    assert "secret-token" not in str(refused.value)
    assert registry.kind_of("vault").label
    with pytest.raises(IssuerError, match="no kind"):
        registry.kind_of("nothing")
