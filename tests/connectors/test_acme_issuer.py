"""The ACME client against Pebble: accounts, methods, chains, keys, and what it asks for."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certdesk.connectors.issuers import registry
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerError, OrderState, Reason
from certdesk.pki.x509.certificates import chain_to_pem
from certdesk.pki.x509.renewal_info import certificate_id
from tests.support import acme_between, pebble
from tests.support.acme_between import CUT, Between, Reply, problem
from tests.support.issuer_kinds import (
    LOOPBACK,
    OUTSIDE,
    Memory,
    acme,
    acme_options,
    ended,
    run,
    tasks_by,
    wanted,
)
from tests.support.pebble import Pebble

pytestmark = pytest.mark.server
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with pebble.running(tmp_path_factory.mktemp("pebble"), PEBBLE_ALTERNATE_ROOTS="1") as made:
        yield made


@pytest.fixture
def front(server: Pebble) -> Iterator[Between]:
    with acme_between.standing(server) as made:
        yield made


@pytest.fixture
def options(front: Between) -> dict[str, Any]:
    return acme_options(front.directory, front.identity.pem)


@pytest.fixture
def name() -> str:
    return f"acme{next(_NUMBERS)}.example.test"


def issue(server: Pebble, connector: Any, order: Any, method: str) -> Any:
    placed = run(connector.place(order))
    found = tasks_by(placed, method)
    for one in found:
        server.set_up(one)
    proceeded = run(connector.proceed(order, placed.handle, tuple(one.id for one in found)))
    return run(ended(connector, order, proceeded))


def test_an_address_is_proved_by_http(server: Pebble, options: dict[str, Any]) -> None:
    found = issue(server, acme(options), wanted("ip", "127.0.0.1"), "http-01")
    assert found.state is OrderState.ISSUED


@pytest.mark.parametrize("method", ["http-01", "dns-01"])
def test_a_name_is_proved_by_each_method(
    server: Pebble, options: dict[str, Any], name: str, method: str
) -> None:
    found = issue(server, acme({**options, "methods": [method]}), wanted("m", name), method)
    assert (found.state, len(found.chain)) == (OrderState.ISSUED, 2)


def test_a_wildcard_and_its_name_take_two_records_at_one_place(
    server: Pebble, options: dict[str, Any], name: str
) -> None:
    order, connector = wanted("w", name, f"*.{name}"), acme(options)
    placed = run(connector.place(order))
    assert {one.method for one in placed.tasks} == {"dns-01"}
    assert len({one.value for one in placed.tasks}) == 2
    assert {one.where for one in placed.tasks} == {f"_acme-challenge.{name}"}
    assert issue(server, connector, order, "dns-01").state is OrderState.ISSUED


def test_a_name_that_can_be_proved_in_no_way_used_here_is_refused(options: dict[str, Any], name: str) -> None:
    connector = acme({**options, "methods": ["http-01"]})
    assert connector.capabilities.methods == ("http-01",)
    with pytest.raises(IssuerError) as refused:
        run(connector.place(wanted("u", name, f"*.{name}")))
    assert (refused.value.reason, refused.value.field) == (Reason.REFUSED, "methods")


def test_the_chain_with_the_wanted_root_is_chosen(server: Pebble, options: dict[str, Any], name: str) -> None:
    roots = [
        server.root(number).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        for number in (0, 1)
    ]
    for root in (*roots, "A root that nobody has"):
        found = issue(server, acme({**options, "root": root}), wanted(str(root), f"r{name}"), "http-01")
        top = x509.load_der_x509_certificate(found.chain[-1]).issuer
        held = top.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        assert held == (root if root in roots else roots[0])


def test_a_binding_is_asked_for_and_given(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pebble.running(tmp_path_factory.mktemp("bound"), eab=True) as bound:
        directory, ca = bound.directory, bound.identity.pem
        without = run(acme(acme_options(directory, ca)).test())
        assert (without.ok, "(EAB)" in without.problem) == (False, True)
        wrong = {"eab_key_id": "kid-2", "eab_hmac_key": pebble.MAC_KEY}
        refused = run(acme(acme_options(directory, ca, **wrong)).test())
        assert (refused.ok, bool(refused.next_step)) == (False, True)
        given = {"eab_key_id": pebble.KEY_ID, "eab_hmac_key": pebble.MAC_KEY}
        options = acme_options(directory, ca, **given)
        for _ in range(2):  # the second time it is there
            assert run(acme(options).test()).ok


def test_terms_are_agreed_to_by_somebody(front: Between) -> None:
    options = {**acme_options(front.directory, front.identity.pem), "terms_agreed": False}
    found = run(acme(options).test())
    assert (found.ok, "terms" in found.problem) == (False, True)
    assert ("POST", "/order-plz") not in front.asked


def test_an_edited_contact_address_reaches_the_server_with_a_test(
    front: Between, options: dict[str, Any]
) -> None:
    told: list[object] = []

    def seen(method: str, path: str, reply: Reply) -> Reply:
        if path.startswith("/my-account/") and reply.status < 300:
            told.append(reply.object.get("contact"))
        return reply

    front.after = seen
    for email in ("", "ops@example.com", "other@example.com"):
        assert run(acme({**options, "email": email}).test()).ok
    assert told[1:] == [["mailto:ops@example.com"], ["mailto:other@example.com"]]


def test_only_https_and_only_what_is_open_is_asked(front: Between, options: dict[str, Any]) -> None:
    plain = {**options, "directory_url": "http://192.88.98.1:14000/dir"}
    refused = run(acme(plain).test())
    assert "https alone" in refused.problem
    closed = registry.connect("acme", options, Outside())
    found = run(closed.test())
    assert (found.ok, "CERTDESK_ALLOW_NETWORKS" in found.next_step) == (False, True)
    public = {**options, "directory_url": "https://192.88.98.1:4711/dir"}
    assert "Port 4711" in run(acme(public).test()).problem
    assert front.asked == []
    lab = {**options, "directory_url": front.directory.replace("https://", "http://")}
    assert "https alone" not in run(acme(lab).test()).problem


def test_a_server_that_nobody_vouches_for_or_that_is_none_is_refused(front: Between) -> None:
    stranger = acme_options(front.directory, "")
    assert not run(acme(stranger).test()).ok
    elsewhere = acme_options(front.directory.replace("/dir", "/nowhere"), front.identity.pem)
    with pytest.raises(IssuerError) as nowhere:
        run(acme(elsewhere).place(wanted("n", "n.example.test")))
    assert (nowhere.value.reason, nowhere.value.permanent) == (Reason.NOT_THERE, True)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"newNonce": 7, "newAccount": "x"}'])
def test_a_page_that_is_no_directory_is_told(front: Between, options: dict[str, Any], body: bytes) -> None:
    front.before = lambda method, path: Reply(200, {}, body) if path == "/dir" else None
    with pytest.raises(IssuerError) as told:
        run(acme(options).place(wanted("n", "n.example.test")))
    assert (told.value.reason, told.value.sent) == (Reason.BAD_ANSWER, False)


def test_nonces_are_tried_again_but_not_for_ever(front: Between, options: dict[str, Any], name: str) -> None:
    bad = problem(400, "badNonce", "not that one")
    left = [3]

    def some(method: str, path: str) -> Reply | None:
        left[0] -= path == "/order-plz"
        return bad if path == "/order-plz" and left[0] >= 0 else None

    front.before = some
    assert run(acme(options).place(wanted("n", name))).state is OrderState.TASKS
    front.before = lambda method, path: bad if path == "/order-plz" else None
    with pytest.raises(IssuerError) as tired:
        run(acme(options).place(wanted("m", name)))
    assert (tired.value.reason, tired.value.permanent) == (Reason.BUSY, False)
    front.before = lambda method, path: Reply(200, {}, b"") if path == "/nonce-plz" else None
    with pytest.raises(IssuerError) as without:
        run(acme(options).place(wanted("o", name)))
    assert without.value.reason is Reason.BAD_ANSWER


def test_a_server_that_asks_for_time_is_left_alone(
    front: Between, options: dict[str, Any], name: str
) -> None:
    now = [0.0]
    memory = Memory(lambda: now[0])
    late = problem(429, "rateLimited", "too many certificates", "3600")
    front.before = lambda method, path: late if path == "/order-plz" else None
    for reference, wait in (("a", 3600), ("b", 3600), ("c", 1)):
        with pytest.raises(IssuerError) as told:
            run(acme(options, memory).place(wanted(reference, name)))
        assert (told.value.reason, told.value.retry_after) == (Reason.RATE_LIMITED, wait)
        now[0] = 0.0 if reference == "a" else 3599.5
    assert front.asked.count(("POST", "/order-plz")) == 1
    now[0], front.before = 3600.0, lambda method, path: None
    assert run(acme(options, memory).place(wanted("c", name))).state is OrderState.TASKS


def test_a_server_that_gives_no_nonces_for_a_while_is_left_alone(
    front: Between, options: dict[str, Any], name: str
) -> None:
    memory = Memory(lambda: 0.0)
    late = problem(503, "serverInternal", "busy", "60")
    front.before = lambda method, path: late if path == "/nonce-plz" else None
    for reason in (Reason.BUSY, Reason.RATE_LIMITED):
        with pytest.raises(IssuerError) as told:
            run(acme(options, memory).place(wanted("a", name)))
        assert (told.value.reason, told.value.retry_after) == (reason, 60)
    assert front.asked.count(("HEAD", "/nonce-plz")) == 1


def test_the_certificate_of_another_order_comes_as_it_is_and_one_that_cannot_be_read_is_told(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    foreign = issue(server, acme(options), wanted("foreign", f"x{name}"), "http-01")
    text = chain_to_pem(foreign.chain).encode()

    def instead(body: bytes) -> None:
        front.after = lambda method, path, reply: (
            Reply(200, reply.headers, body) if path.startswith("/certZ/") else reply
        )

    instead(text)
    found = issue(server, acme(options), wanted("another", f"a{name}"), "http-01")
    assert found.chain == foreign.chain
    instead(b"nothing")
    with pytest.raises(IssuerError, match="cannot be read") as wrong:
        issue(server, acme(options), wanted("nothing", f"n{name}"), "http-01")
    assert (wrong.value.reason, wrong.value.permanent) == (Reason.BAD_ANSWER, True)


def test_profiles_are_those_that_the_directory_lists(
    front: Between, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(IssuerError) as none:
        run(acme({**options, "profile": "classic"}).place(wanted("p", name)))
    assert (none.value.reason, "Leave" in none.value.next_step) == (Reason.REFUSED, True)

    def listing(method: str, path: str, reply: Reply) -> Reply:
        if path != "/dir":
            return reply
        found = reply.object
        found["meta"] |= {"profiles": {"classic": "usual", "short": "six days"}, "caaIdentities": ["ca.test"]}
        return Reply(200, reply.headers, json.dumps(found).encode())

    front.after = listing
    connector = acme({**options, "profile": "short"})
    account, profiles = run(connector.test()).notes
    assert account.startswith("Our account there is https://127.0.0.1:")
    assert profiles == "It offers these profiles: classic, short."
    assert connector.capabilities.caa_domains == ("ca.test",)
    with pytest.raises(IssuerError, match="tlsserver") as other:
        run(connector.place(wanted("p", name, product="tlsserver")))
    assert other.value.next_step == "Choose one of classic, short."
    assert run(connector.place(wanted("q", name))).state is OrderState.TASKS


def test_a_cut_connection_may_pass_and_a_lost_answer_costs_no_second_certificate(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    order, connector = wanted("cut", name), acme(options)
    placed = run(connector.place(order))
    found = tasks_by(placed, "http-01")
    for one in found:
        server.set_up(one)
    front.after = lambda method, path, reply: CUT if path.startswith("/finalize-order/") else reply
    with pytest.raises(IssuerError) as cut:
        run(ended(connector, order, run(connector.proceed(order, placed.handle, (found[0].id,)))))
    assert (cut.value.reason, cut.value.permanent) == (Reason.UNREACHABLE, False)
    front.after = lambda method, path, reply: reply
    again = acme(options)
    issued = run(ended(again, order, run(again.proceed(order, placed.handle, (found[0].id,)))))
    assert (issued.state, len(front.finalized)) == (OrderState.ISSUED, 1)


def test_valid_proofs_are_used_again(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with pebble.running(tmp_path_factory.mktemp("reuse"), PEBBLE_AUTHZREUSE="100") as reusing:
        options = acme_options(reusing.directory, reusing.identity.pem)
        first = issue(reusing, acme(options), wanted("1", name), "http-01")
        connector, order = acme(options), wanted("2", name)
        placed = run(connector.place(order))
        assert placed.state is OrderState.TASKS  # nothing is finalized before the handle is recorded
        assert placed.tasks
        assert all(one.done for one in placed.tasks)
        second = run(ended(connector, order, run(connector.proceed(order, placed.handle, ()))))
        assert second.state is OrderState.ISSUED
        assert second.chain[0] != first.chain[0]


def changed(path: str, **fields: Any) -> Any:
    """A server whose answers at a path hold something else; None = nothing."""

    def after(_: str, asked: str, reply: Reply) -> Reply:
        if not asked.startswith(path) or reply.status >= 300:
            return reply
        body = {name: one for name, one in (reply.object | fields).items() if one is not None}
        return Reply(reply.status, reply.headers, json.dumps(body).encode())

    return after


@pytest.mark.parametrize("path", ["/sign-me-up", "/order-plz"])
def test_an_answer_without_its_place_is_none(
    front: Between, options: dict[str, Any], name: str, path: str
) -> None:
    front.after = lambda method, asked, reply: (
        Reply(reply.status, {**reply.headers, "Location": []}, reply.body) if asked == path else reply
    )
    with pytest.raises(IssuerError) as told:
        run(acme(options).place(wanted("l", name)))
    assert told.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/order-plz", {"status": "sleeping"}),
        ("/order-plz", {"identifiers": None}),
        ("/order-plz", {"identifiers": [{"type": "dns", "value": "other.example.test"}]}),
        ("/order-plz", {"authorizations": None}),
        ("/order-plz", {"authorizations": ["https://127.0.0.1/1", "https://127.0.0.1/2"]}),
        ("/order-plz", {"status": "valid"}),
    ],
)
def test_an_order_that_makes_no_sense_is_not_believed(
    front: Between, options: dict[str, Any], name: str, path: str, fields: dict[str, Any]
) -> None:
    front.after = changed(path, **fields)
    with pytest.raises(IssuerError) as told:
        run(acme(options).place(wanted("o", name)))
    assert (told.value.reason, told.value.permanent) == (Reason.BAD_ANSWER, True)


def test_an_order_that_the_server_gave_up_is_refused_and_ordered_anew(
    front: Between, options: dict[str, Any], name: str
) -> None:
    connector, order = acme(options), wanted("i", name)
    placed = run(connector.place(order))
    front.after = changed("/my-order/", status="invalid")
    told = run(connector.poll(order, placed.handle))
    assert told.state is OrderState.REFUSED
    assert told.words.endswith("without saying why.")
    front.after = changed("/authZ/", status="expired")
    assert run(connector.poll(order, placed.handle)).state is OrderState.REFUSED
    front.after = lambda method, path, reply: reply
    assert run(connector.place(order)).handle == placed.handle
    front.after = changed("/my-order/", status="invalid")
    assert run(connector.place(order)).handle != placed.handle
    gone = problem(404, "malformed", "no such order")
    front.before = lambda method, path: gone if path.startswith("/my-order/") else None
    assert run(connector.place(order)).handle != placed.handle
    front.before = lambda method, path: CUT if path.startswith("/my-order/") else None
    with pytest.raises(IssuerError) as cut:
        run(connector.place(order))
    assert cut.value.reason is Reason.UNREACHABLE


def test_two_processes_may_finalize_at_once(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    early = problem(403, "orderNotReady", "it is in work")
    front.before = lambda method, path: early if path.startswith("/finalize-order/") else None
    order, connector = wanted("t", name), acme(options)
    placed = run(connector.place(order))
    (task,) = tasks_by(placed, "http-01")
    server.set_up(task)
    found = run(connector.proceed(order, placed.handle, (task.id,)))
    for _ in range(200):
        if all(one.done for one in found.tasks) and found.state is OrderState.TASKS:
            break
        found = run(connector.poll(order, placed.handle))
    assert all(one.done for one in found.tasks)  # not finalized by us: the other one's word is taken
    front.after = changed("/my-order/", status="processing")
    assert run(connector.withdraw(placed.handle)).state is OrderState.WORKING
    refused = problem(400, "badCSR", "weak key")
    front.after = lambda method, path, reply: reply
    front.before = lambda method, path: refused if path.startswith("/finalize-order/") else None
    with pytest.raises(IssuerError, match="weak key") as told:
        run(connector.poll(order, placed.handle))
    assert told.value.reason is Reason.REFUSED


def test_names_lead_only_where_the_operator_has_opened(front: Between, options: dict[str, Any]) -> None:
    async def resolver(host: str) -> list[str]:
        return {"inside.example.test": ["8.8.8.8", "127.0.0.1"]}.get(host, ["8.8.8.8"])

    outside = Outside(seconds=5, allow_networks=LOOPBACK, resolver=resolver)
    for host in ("inside", "outside"):
        at = {**options, "directory_url": f"https://{host}.example.test:{front.port}/dir"}
        assert not run(registry.connect("acme", at, outside).test()).ok
    assert front.asked == []  # its certificate is not for that name; the other has no address to ask
    front.before = lambda method, path: Reply(200, {}, b"x" * (OUTSIDE.max_bytes + 1))
    large = run(acme(options).test())
    assert "bytes" in large.problem


def test_times_of_the_server_are_handed_on_and_kept_within_a_call(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    waits = {"/my-order/": "3", "/authZ/": "5", "/chalZ/": "4"}
    front.after = lambda method, path, reply: next(
        (
            Reply(reply.status, {**reply.headers, "Retry-After": [seconds]}, reply.body)
            for begin, seconds in waits.items()
            if path.startswith(begin) and reply.status < 300
        ),
        reply,
    )
    connector, order = acme(options), wanted("z", name, f"www.{name}")
    placed = run(connector.place(order))
    assert placed.retry_after == 5
    found = tasks_by(placed, "http-01")
    for one in found:
        server.set_up(one)
    front.clock = lambda: 5.0
    for told, state in ((found[:1], OrderState.TASKS), (found[1:], OrderState.WORKING)):
        proceeded = run(connector.proceed(order, placed.handle, tuple(one.id for one in told)))
        assert (proceeded.state, proceeded.retry_after) == (state, 5)
        front.clock = lambda: 10.0
    assert front.early == []


def test_a_challenge_whose_look_has_just_ended_is_no_failure(
    front: Between, options: dict[str, Any], name: str
) -> None:
    connector, order = acme(options), wanted("y", name)
    placed = run(connector.place(order))
    (task,) = tasks_by(placed, "http-01")
    late = problem(400, "malformed", "Cannot update challenge with status valid, only status pending")
    front.before = lambda method, path: late if path.startswith("/chalZ/") else None
    assert run(connector.proceed(order, placed.handle, (task.id,))).state is OrderState.WORKING
    strange = problem(403, "unauthorized", "not yours")
    front.before = lambda method, path: strange if path.startswith("/chalZ/") else None
    with pytest.raises(IssuerError, match="not yours"):
        run(acme(options).proceed(order, placed.handle, (task.id,)))


def test_the_end_is_asked_for_where_the_ca_takes_it(
    front: Between, options: dict[str, Any], name: str
) -> None:
    ends: list[str] = []

    def seen(method: str, path: str, reply: Reply) -> Reply:
        if path == "/order-plz" and reply.status < 300:  # not a nonce that Pebble refused
            ends.append(json.loads(reply.body).get("notAfter", ""))
        return reply

    front.after = seen
    now = datetime.now(UTC)
    for days, most in ((30, 30), (300, 90)):  # beyond what it gives, the order would be refused
        order = replace(wanted(f"e{days}", name), not_after=now + timedelta(days=days))
        found = run(acme({**options, "preset": "google"}).place(order))
        assert found.state is OrderState.TASKS
        left = datetime.fromisoformat(ends.pop().replace("Z", "+00:00")) - now
        assert abs(left - timedelta(days=most)) < timedelta(minutes=2)
    run(acme({**options, "preset": "step-ca"}).place(wanted("s", name)))
    assert ends == [""]
    unknown = problem(400, "malformed", "who?")
    front.after = changed("/dir", renewalInfo="https://127.0.0.1/ari")
    once = [unknown]
    front.before = lambda method, path: once.pop() if path == "/order-plz" and once else None
    der = front.pebble.root().public_bytes(serialization.Encoding.DER)  # names no key of its CA
    more: dict[str, Any] = {"replaces": der, "predecessor": "x"}
    with pytest.raises(IssuerError, match="who"):
        run(acme(options).place(wanted("f", name, **more)))


def test_what_the_server_does_not_offer_is_told(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    issued = issue(server, acme(options), wanted("a", name), "http-01")

    def less(method: str, path: str, reply: Reply) -> Reply:
        return Reply(200, reply.headers, reply.body.replace(b"revokeCert", b"x")) if path == "/dir" else reply

    front.after = less
    with pytest.raises(IssuerError, match="revokeCert") as none:
        run(acme(options).revoke(issued.chain[0], issued.handle, 0))
    assert none.value.permanent


def test_directory_and_account_are_asked_for_once_in_a_process(
    front: Between, options: dict[str, Any], name: str
) -> None:
    memory = Memory(lambda: 0.0)
    for reference in ("a", "b"):
        assert run(acme(options, memory).place(wanted(reference, f"{reference}{name}"))).handle
    assert front.asked.count(("GET", "/dir")) == 1
    assert front.asked.count(("POST", "/sign-me-up")) == 2  # is there one; the new one
    assert run(acme(options, memory).test()).ok
    assert front.asked.count(("GET", "/dir")) == 2
    assert front.asked.count(("POST", "/sign-me-up")) == 3


def test_an_account_that_the_server_has_lost_is_made_again(
    front: Between, options: dict[str, Any], name: str
) -> None:
    memory, lost = Memory(lambda: 0.0), ["/order-plz"]
    assert run(acme(options, memory).place(wanted("a", f"a{name}"))).handle
    gone = problem(400, "accountDoesNotExist", "no such account")
    front.before = lambda method, path: gone if path in lost and lost.pop() else None
    assert run(acme(options, memory).place(wanted("b", f"b{name}"))).handle
    assert front.asked.count(("POST", "/sign-me-up")) == 3


def test_a_challenge_is_answered_once(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    connector = acme({**options, "methods": ["http-01"]})
    order = wanted("once", name)
    placed = run(connector.place(order))
    (task,) = tasks_by(placed, "http-01")
    server.set_up(task)
    pending = ("/my-order/", "/authZ/")
    shown: dict[str, Reply] = {}
    # the server shows for a while what it showed before the answer
    front.after = lambda method, path, reply: (
        shown.setdefault(path, reply) if path.startswith(pending) and reply.status < 300 else reply
    )
    for _ in range(2):
        run(connector.proceed(order, placed.handle, (task.id,)))
    assert sum(path.startswith("/chalZ/") for _, path in front.asked) == 1


def test_the_ca_is_asked_when_to_replace_what_it_issued(
    server: Pebble, front: Between, options: dict[str, Any], name: str
) -> None:
    connector = acme(options)
    with pytest.raises(IssuerError, match="renewalInfo"):
        run(connector.advice(b""))  # this Pebble has no such thing
    leaf = issue(server, connector, wanted("ari", name), "http-01").chain[0]
    window = {"start": "2027-01-02T03:04:05.999999999Z", "end": "2027-01-03T04:00:00+01:00"}
    answers = [
        {"suggestedWindow": window, "explanationURL": "https://ca.example.test/why"},
        {"suggestedWindow": window, "explanationURL": "javascript:alert(1)"},
        {"suggestedWindow": window | {"end": window["start"]}},
        {"suggestedWindow": window | {"start": "2027-01-02T03:04:05"}},
        {"suggestedWindow": window | {"end": "soon"}},
        {"suggestedWindow": "soon"},
    ]
    asked: list[str] = []

    def info(method: str, path: str) -> Reply | None:
        if not path.startswith("/ari/"):
            return None
        asked.append(path)
        return Reply(200, {"Retry-After": ["21600"]}, json.dumps(answers.pop(0)).encode())

    front.after = changed("/dir", renewalInfo=front.directory.replace("/dir", "/ari"))
    front.before = info
    connector = acme(options)
    told = run(connector.advice(leaf))
    assert told.start == datetime(2027, 1, 2, 3, 4, 5, 999999, UTC)
    assert told.end == datetime(2027, 1, 3, 3, 0, 0, 0, UTC)
    assert (told.explanation, told.retry_after) == ("https://ca.example.test/why", 21600)
    assert asked == [f"/ari/{certificate_id(leaf)}"]
    assert run(connector.advice(leaf)).explanation == ""
    while answers:
        with pytest.raises(IssuerError, match="named no window") as none:
            run(connector.advice(leaf))
        assert none.value.reason is Reason.BAD_ANSWER
    front.before = lambda method, path: problem(404, "malformed", "unknown") if "/ari/" in path else None
    with pytest.raises(IssuerError, match="unknown"):
        run(connector.advice(leaf))
    root = front.pebble.root().public_bytes(serialization.Encoding.DER)
    with pytest.raises(IssuerError, match="names no key of its CA"):
        run(connector.advice(root))
