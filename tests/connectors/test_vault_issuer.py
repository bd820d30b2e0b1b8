"""The PKI engine of a real OpenBao as an issuer."""

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers.protocol import IssuerError, Order, OrderState, Reason
from certdesk.connectors.issuers.vault import stored
from certdesk.connectors.issuers.vault.access import Access
from certdesk.pki.x509 import certificates
from tests.support import tls, vault_pki
from tests.support.vault_pki import NAME, Engine, wanted

pytestmark = pytest.mark.server
T = TypeVar("T")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with vault_pki.engine() as made:
        yield made


def run(work: Awaitable[T]) -> T:
    async def inside() -> T:
        return await work

    return asyncio.run(inside())


def refusal(work: Awaitable[object]) -> IssuerError:
    with pytest.raises(IssuerError) as refused:
        run(work)
    return refused.value


def new() -> str:
    return f"order-{uuid4().hex}"


def leaf(order: Order) -> certificates.CertificateFacts:
    assert order.state is OrderState.ISSUED
    return certificates.facts(order.chain[0])


def test_an_order_is_a_certificate_at_once_and_read_again(engine: Engine) -> None:
    asked = wanted(NAME, "*.example.test", "10.0.0.1", reference=new())
    order = run(engine.issuer().place(asked))
    facts = leaf(order)
    assert set(facts.names) == set(asked.names)
    assert stored.fits(facts, asked)
    days = (facts.not_after - datetime.now(UTC)).total_seconds() / 86400
    assert 89.9 < days < 90  # what the role allows, not the year that was wanted
    subjects = [certificates.facts(one).subject for one in order.chain]
    assert subjects[1:] == ["CN=Test Issuer"]
    assert len(order.handle) <= 1000
    for again in (
        run(engine.issuer().poll(asked, order.handle)),
        run(engine.issuer().proceed(asked, order.handle, ())),
    ):
        assert again == order
    assert run(engine.issuer().withdraw(order.handle)) == Order(order.handle, OrderState.ISSUED)


def test_a_shorter_validity_is_given_as_wanted(engine: Engine) -> None:
    for days in (30, 1):
        asked = wanted(reference=new(), days=days)
        end = leaf(run(engine.issuer().place(asked))).not_after
        assert timedelta(0) <= asked.not_after - end < timedelta(seconds=3601 if days > 2 else 10)
    over = refusal(engine.issuer().place(wanted(reference=new(), days=-1)))
    assert (over.reason, over.permanent) == (Reason.REFUSED, True)


def test_an_answer_that_was_lost_is_found_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, send = wanted(reference=new()), Access.send

    async def lost(self: Access, method: str, path: str, body: object = None) -> Fetched:
        answer = await send(self, method, path, body)
        if "/sign/" in path:
            raise IssuerError(Reason.UNREACHABLE, "The connection broke.")
        return answer

    before = set(engine.stored())
    with monkeypatch.context() as patch:
        patch.setattr(Access, "send", lost)
        assert not refusal(engine.issuer().place(asked)).permanent
    (made,) = set(engine.stored()) - before
    for _ in range(2):
        order = run(engine.issuer().place(asked))
        assert order.handle == made
        assert stored.fits(leaf(order), asked)
    assert len(order.chain) == 2
    assert len(engine.stored()) == len(before) + 1


def test_another_order_for_the_same_key_gets_its_own(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PAGE", 2)  # several pages
    key = ec.generate_private_key(ec.SECP256R1())
    first = run(engine.issuer().place(wanted(reference="order-one", key=key)))
    second = run(engine.issuer().place(wanted(reference="order-two", key=key)))
    assert first.handle != second.handle
    assert run(engine.issuer().place(wanted(reference="order-two", key=key))) == second
    # other names, another key, the certificate that is to be replaced: none of them is this order's
    others = wanted("other.example.test", reference="order-two", key=key)
    for asked in (others, wanted(reference="order-two")):
        assert run(engine.issuer().place(asked)).handle not in (first.handle, second.handle)
    renewal = wanted(reference="order-two", key=key, replaces=second.chain[0])
    assert run(engine.issuer().place(renewal)).handle not in (first.handle, second.handle)


def test_the_first_call_does_not_search(engine: Engine) -> None:
    asked = wanted(reference=new(), first=True)
    first, second = (run(engine.issuer().place(asked)) for _ in range(2))
    assert first.handle != second.handle
    newest = run(engine.issuer().place(replace(asked, first=False)))
    assert newest.handle in (first.handle, second.handle)


def test_revoked_is_revoked_and_twice_is_no_error(engine: Engine) -> None:
    asked = wanted(reference=new())
    order = run(engine.issuer().place(asked))
    for _ in range(2):
        run(engine.issuer().revoke(order.chain[0], order.handle, 4))
    assert run(engine.issuer().poll(asked, order.handle)).state is OrderState.CANCELLED
    assert run(engine.issuer().place(asked)).handle != order.handle  # a revoked one is no answer


def test_what_the_engine_does_not_store_is_issued_and_revoked_all_the_same(engine: Engine) -> None:
    engine.role("unstored", no_store=True)
    issuer, asked = engine.issuer(role="unstored"), wanted(reference=new())
    order = run(issuer.place(asked))
    assert refusal(issuer.poll(asked, order.handle)).reason is Reason.NOT_THERE
    run(issuer.revoke(order.chain[0], order.handle, 0))
    assert "no_store" in run(issuer.test()).notes[0]


def test_a_certificate_of_another_ca_is_not_revoked(engine: Engine) -> None:
    refused = refusal(engine.issuer().revoke(tls.make(NAME).leaf, "", 0))
    assert (refused.reason, refused.permanent) == (Reason.REFUSED, True)


@pytest.mark.parametrize(
    ("names", "words"),
    [(("www.other.test",), "not allowed by this role"), (("10.0.0.1",), "common_name")],
)
def test_what_the_role_does_not_sign_is_refused_for_good(
    engine: Engine, names: tuple[str, ...], words: str
) -> None:
    refused = refusal(engine.issuer().place(wanted(*names, reference=new())))
    assert (refused.reason, refused.permanent) == (Reason.REFUSED, True)
    assert words in refused.message


def test_a_role_may_take_names_from_the_call_and_need_no_common_name(engine: Engine) -> None:
    engine.role("loose", require_cn=False, use_csr_sans=False, use_csr_common_name=False)
    long = f"{'a' * 60}.example.test"
    for names in (("10.0.0.1",), (long,), ("fd00::1", NAME)):
        asked = wanted(*names, reference=new())
        assert set(leaf(run(engine.issuer(role="loose").place(asked))).names) == set(names)


def test_a_role_that_bounds_the_end_is_given_a_length(engine: Engine) -> None:
    engine.role("bounded", not_after_bound="forbid")
    asked = wanted(reference=new(), days=10)
    orders = [run(engine.issuer(role="bounded").place(asked)) for _ in range(2)]
    assert orders[0].handle != orders[1].handle  # it bears no mark
    assert abs(leaf(orders[0]).not_after - asked.not_after) < timedelta(minutes=1)


def test_another_certificate_than_ordered_comes_as_it_is_and_can_be_revoked(engine: Engine) -> None:
    engine.role("own", use_csr_sans=False)
    issuer, asked = engine.issuer(role="own"), wanted(reference=new())
    before = set(engine.stored())
    wrong = replace(asked, csr=wanted(reference=new()).csr)

    async def with_another_key(*arguments: Any, **more: Any) -> Any:
        body = arguments[2] | {
            "csr": x509.load_der_x509_csr(wrong.csr).public_bytes(vault_pki.Encoding.PEM).decode()
        }
        return await data(*arguments[:2], body, **more)

    data = issuer._access.data
    issuer._access.data = with_another_key  # type: ignore[method-assign]
    order = run(issuer.place(asked))
    assert not stored.fits(leaf(order), asked)
    (made,) = set(engine.stored()) - before
    assert made == order.handle
    assert run(engine.issuer().poll(asked, made)) == order
    run(engine.issuer().revoke(order.chain[0], made, 0))
    assert run(engine.issuer().poll(asked, made)).state is OrderState.CANCELLED


def test_an_approle_signs_in_first(engine: Engine) -> None:
    engine.send("POST", "sys/auth/approle", {"type": "approle"})
    engine.token()
    policy = f"p{abs(hash(vault_pki.EVERYTHING))}"
    engine.send("POST", "auth/approle/role/certdesk", {"token_policies": [policy]})
    role_id = engine.send("GET", "auth/approle/role/certdesk/role-id")["role_id"]
    secret_id = engine.send("POST", "auth/approle/role/certdesk/secret-id")["secret_id"]
    given = {"token": "", "role_id": role_id, "secret_id": secret_id}
    assert run(engine.issuer(**given).test()).ok
    assert run(engine.issuer(**given).place(wanted(reference=new()))).chain
    wrong = refusal(engine.issuer(**{**given, "secret_id": "wrong"}).place(wanted(reference=new())))
    assert (wrong.reason, "AppRole" in wrong.message) == (Reason.CREDENTIALS, True)


def test_the_test_tells_what_the_token_may_not_do(engine: Engine) -> None:
    sign = 'path "pki/sign/web" {capabilities=["update"]}'
    role = 'path "pki/roles/web" {capabilities=["read"]}'
    short = engine.issuer(token=engine.token(ttl="48h"))
    assert "give a new one" in run(short.test()).notes[0]
    lean = engine.issuer(token=engine.token(sign, ttl="2000h"))
    check = run(lean.test())
    assert check.ok
    assert [note.split(":")[0] for note in check.notes] == [
        "The role may not be read",
        "Certificates may not be listed",
        "Certificates may not be revoked.",
    ]
    assert leaf(run(lean.place(wanted(reference=new())))).names == (NAME,)
    blind, asked = engine.issuer(token=engine.token(f"{sign}\n{role}")), wanted(reference=new())
    assert len({run(blind.place(asked)).handle for _ in range(2)}) == 2  # it may not search
    for token, words in ((engine.token(role), "may not sign"), ("wrong", "permission denied")):
        check = run(engine.issuer(token=token).test())
        assert (check.ok, words in check.problem) == (False, True)
        assert check.next_step
    assert "no role nobody" in run(engine.issuer(role="nobody").test()).problem
    assert "no handler for route" in run(engine.issuer(mount="nowhere").test()).problem
    never = refusal(engine.issuer(token="wrong").place(wanted(reference=new())))
    assert (never.reason, never.permanent) == (Reason.CREDENTIALS, True)


def test_the_role_says_what_it_can(engine: Engine) -> None:
    issuer = engine.issuer()
    assert issuer.capabilities.domains == ()
    assert run(issuer.test()).ok
    found = issuer.capabilities
    assert (found.domains, found.wildcard, found.ip, found.longest_days) == (
        ("example.test",),
        True,
        True,
        90,
    )
    assert (found.methods, found.levels) == ((), {"DV"})


def test_a_list_without_details_is_searched_too(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vault has no list with ends of validity."""
    send = Access.send

    async def as_vault(self: Access, method: str, path: str, body: object = None) -> Fetched:
        return await send(self, method, path.replace("certs/detailed", "certs/unknown"), body)

    monkeypatch.setattr(Access, "send", as_vault)
    asked = wanted(reference=new())
    first = run(engine.issuer().place(asked))
    assert run(engine.issuer().place(asked)) == first
    monkeypatch.setattr(stored, "_MOST_READ", 0)  # of too many none is read
    assert run(engine.issuer().place(asked)).handle != first.handle


def test_a_ca_that_came_later_does_not_hide_what_the_former_one_signed(engine: Engine) -> None:
    engine.role("moved")
    issuer, asked = engine.issuer(role="moved"), wanted(reference=new())
    order = run(issuer.place(asked))
    made = engine.send(
        "POST", "pki/root/generate/internal", {"common_name": "New Root", "key_type": "ec", "ttl": "60000h"}
    )
    engine.role("moved", issuer_ref=made["issuer_id"])
    later = engine.issuer(role="moved")
    assert run(later.poll(asked, order.handle)) == order
    fresh = run(later.place(wanted(reference=new())))
    assert [len(one.chain) for one in (order, fresh)] == [2, 1]  # the root itself is not sent
    assert run(later.poll(replace(asked, csr=asked.csr), order.handle)) == order
