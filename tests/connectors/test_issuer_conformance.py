"""One suite for every kind of CA with an interface, against a running server each (law 7)."""

from collections.abc import Iterator
from itertools import count

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certdesk.connectors.issuers.protocol import IssuerError, OrderState, Reason
from certdesk.pki.x509 import certificates
from tests.support.issuer_kinds import KINDS, Bench, asked_for, ended, proved, run, tasks_by, wanted, whole

pytestmark = pytest.mark.server
_NUMBERS = count(1)
_SUPERSEDED = 4


@pytest.fixture(scope="module", params=list(KINDS))
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with KINDS[request.param](tmp_path_factory.mktemp("ca")) as made:
        yield made


@pytest.fixture
def name() -> str:
    """That nobody has ordered yet."""
    return f"host{next(_NUMBERS)}.example.test"


def test_what_was_ordered_is_issued_and_can_be_collected_again(bench: Bench, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    order = wanted("first", name, f"www.{name}", key=key)
    connector = bench.connect()
    placed = run(asked_for(bench, connector, order, run(connector.place(order))))
    assert 0 < len(placed.handle) <= 1000
    assert placed.state is OrderState.TASKS if bench.method else placed.state is not OrderState.REFUSED
    assert {one.name for one in tasks_by(placed, bench.method)} == (
        set(order.names) if bench.method else set()
    )
    issued = run(ended(connector, order, run(proved(bench, connector, order, placed))))
    assert issued.state is OrderState.ISSUED, issued
    leaf = x509.load_der_x509_certificate(issued.chain[0])
    assert leaf.public_key() == key.public_key()
    assert set(certificates.facts(issued.chain[0]).names) == set(order.names)
    above = x509.load_der_x509_certificate(issued.chain[1])
    leaf.verify_directly_issued_by(above)
    top = x509.load_der_x509_certificate(issued.chain[-1])
    assert top.subject != top.issuer
    for again in (bench.connect(), connector):
        assert run(again.poll(order, placed.handle)).chain == issued.chain
        assert run(again.proceed(order, placed.handle, ())).chain == issued.chain
    assert bench.issued(order.names) == 1


def test_a_repeated_order_is_the_same_one(bench: Bench, name: str) -> None:
    connector, order = bench.connect(), wanted("same", name)
    first, second = run(connector.place(order)), run(connector.place(order))
    assert first.handle == second.handle
    assert run(whole(bench, connector, order)).state is OrderState.ISSUED
    again = run(asked_for(bench, connector, order, run(connector.place(order))))
    assert again.state is OrderState.ISSUED
    assert bench.issued(order.names) == 1


def test_a_crash_before_the_record_of_the_order_makes_no_second_certificate(bench: Bench, name: str) -> None:
    order = wanted("lost", name)
    lost = run(bench.connect().place(order))
    again = run(bench.connect().place(order))
    assert (lost.handle == again.handle) is bench.finds
    connector = bench.connect()
    issued = run(ended(connector, order, run(proved(bench, connector, order, again))))
    assert issued.state is OrderState.ISSUED
    assert bench.issued(order.names) == 1


def test_a_crash_after_a_call_is_taken_up_by_the_next_process(bench: Bench, name: str) -> None:
    order = wanted("crashed", name)
    placed = run(bench.connect().place(order))
    for _ in range(2):  # the answer to the first was never recorded
        found = run(proved(bench, bench.connect(), order, placed))
    issued = run(ended(bench.connect(), order, found))
    assert (issued.state, bench.issued(order.names)) == (OrderState.ISSUED, 1)


def test_what_is_not_proved_gets_no_certificate(bench: Bench, name: str) -> None:
    if not bench.method:
        assert bench.connect().capabilities.methods == ()
        return
    connector, order = bench.connect(), wanted("unproved", name)
    placed = run(asked_for(bench, connector, order, run(connector.place(order))))
    tasks = tuple(one.id for one in tasks_by(placed, bench.method))
    found = run(connector.proceed(order, placed.handle, tasks))
    if bench.refuses:
        found = run(ended(connector, order, found))
        assert (found.state, bool(found.words)) == (OrderState.REFUSED, True)
    else:
        assert (found.state, [one.done for one in found.tasks]) == (OrderState.TASKS, [False])
    assert (found.chain, bench.issued(order.names)) == ((), 0)


def test_an_order_is_taken_back_and_one_that_was_quicker_is_told(bench: Bench, name: str) -> None:
    connector, order = bench.connect(), wanted("back", name)
    placed = run(connector.place(order))
    over = OrderState.ISSUED if bench.at_once else OrderState.CANCELLED
    for again in (connector, bench.connect()):
        assert run(again.withdraw(placed.handle)).state is over
    if bench.cancels:
        assert run(connector.poll(order, placed.handle)).state is over
    assert bench.issued(order.names) == bench.at_once
    quick = wanted("quick", f"www.{name}")
    done = run(whole(bench, connector, quick))
    assert run(connector.withdraw(done.handle)).state is OrderState.ISSUED


def test_revoked_is_revoked_and_twice_is_no_error(bench: Bench, name: str) -> None:
    connector, order = bench.connect(), wanted("revoked", name)
    issued = run(whole(bench, connector, order))
    assert not bench.is_revoked(issued.chain[0])
    for again in (connector, bench.connect()):
        run(again.revoke(issued.chain[0], issued.handle, _SUPERSEDED))
    assert bench.is_revoked(issued.chain[0])


def test_the_test_says_whether_the_account_is_taken_and_orders_nothing(bench: Bench) -> None:
    assert run(bench.connect().test()).ok
    gone = run(bench.nowhere().test())
    assert (gone.ok, bool(gone.problem), bool(gone.next_step)) == (False, True, True)


def test_failures_say_whether_they_may_pass(bench: Bench, name: str) -> None:
    order = wanted("failing", name)
    with pytest.raises(IssuerError) as gone:
        run(bench.nowhere().place(order))
    assert (gone.value.reason, gone.value.permanent) == (Reason.UNREACHABLE, False)
    placed = run(bench.connect().place(order))
    stranger = bench.stranger()
    with pytest.raises(IssuerError) as strange:  # where an order is a certificate, anybody may read it
        run(stranger.place(order) if bench.at_once else stranger.poll(order, placed.handle))
    assert (strange.value.reason, strange.value.permanent) == (Reason.CREDENTIALS, True)
    assert strange.value.next_step


def test_what_it_can_do_is_said_before_anything_is_asked(bench: Bench) -> None:
    found = bench.nowhere().capabilities
    assert set() < found.levels <= {"DV", "OV", "EV"}
    assert min(found.most_names, found.longest_days) >= 1
    assert bench.method in (*found.methods, "")
