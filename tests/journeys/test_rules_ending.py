"""DEL, UNS, FRE-4: certificates leave the list for good, over the operations that every face serves."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import Sum

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Forbidden, WrongState
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.sealing.models import Secret
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.models import Balance, Entry, Order
from certdesk.pki.keystore.models import Key
from tests.support.desk import Desk
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.rulebook import SECOND, Caller, LabClock
from tests.support.uploads import World

DELETE, UNSUBSCRIBE = "certificates.delete", "certificates.unsubscribe"
FREE = {"cert_brand": "SYMANTEC", "cert_type": "DV_SSL_CERT_BASIC", "free": True}


@pytest.fixture
def desk(office: Office) -> Desk:
    """Alice by the API, with rights that a job finds again."""
    alice = replace(office.desk.alice, via=Via.API)
    return replace(office.desk, alice=alice)


@pytest.fixture
def alice(desk: Desk) -> Caller:
    return Caller(desk.alice)


def console(caller: Caller) -> Caller:
    return Caller(replace(caller.principal, via=Via.CONSOLE))


def gone(caller: Caller, certificate_id: str) -> None:
    """404 wherever it is asked for, in no list, and its keys are destroyed."""
    for name in ("show", "export", "versions", "events", "delete", "unsubscribe", "edit"):
        body = {"name": "another"} if name == "edit" else None
        assert caller.refused(f"certificates.{name}", certificate_id, body).kind.value == "not_found"
    assert certificate_id not in [
        one["id"] for one in caller("certificates.list", query={"limit": 50})["certificates"]
    ]
    held = {*Version.objects.filter(certificate_id=certificate_id).values_list("key_id", flat=True)}
    held |= {*Application.objects.filter(certificate_id=certificate_id).values_list("key_id", flat=True)}
    for key in Key.objects.filter(id__in=held - {""}):
        assert (key.state, key.secret_id) == ("DESTROYED", "")
    assert Certificate.objects.get(id=certificate_id).deleted_at is not None


def test_a_paid_certificate_is_deleted_when_issued_revoked_or_expired(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: DEL-1
    # rule: DEL-2
    # rule: DEL-3
    for state in (State.ISSUED, State.REVOKED):
        for caller in (alice, console(alice)):
            certificate_id = desk.issued(f"{caller.principal.via}.{state.value.lower()}.example.com")
            placed(certificate_id, state, desk.certificate(certificate_id).not_after)
            secrets = Secret.objects.count()
            assert "delete" in alice.show(certificate_id)["operations"]
            assert caller(DELETE, certificate_id) is None
            assert Secret.objects.count() < secrets
            desk.run()
            gone(alice, certificate_id)
            told = Event.objects.get(resource=f"cert:{certificate_id}", action="certificate.delete")
            assert told.actor == alice.principal.actor
    certificate_id = desk.issued("www.ends.example.com")
    lab.at(desk.certificate(certificate_id).not_after + SECOND)
    assert alice.status(certificate_id) == "EXPIRED"
    alice(DELETE, certificate_id)
    gone(alice, certificate_id)


# rule: DEL-1
@pytest.mark.parametrize("state", [state for state in State if state not in (State.DELETED, State.EXPIRED)])
def test_every_other_state_refuses_a_deletion(db: None, alice: Caller, state: State) -> None:
    certificate_id = alice.buy()
    placed(certificate_id, state)
    if state in (State.ISSUED, State.REVOKED, State.UPLOAD):
        alice(DELETE, certificate_id)
        return
    fault = alice.refused(DELETE, certificate_id)
    assert isinstance(fault, WrongState)
    assert "delete" not in [
        one for one in alice.show(certificate_id)["operations"] if state is not State.UNSUBSCRIBING
    ]


# rule: DEL-1
# rule: LST-7
@pytest.mark.parametrize("state", ["REVOKING", "REVOKING_DOMAIN", "REISSUING", "SUPPLEMENTCHECKING"])
def test_what_was_pending_ends_with_an_expired_one(lab: LabClock, alice: Caller, state: str) -> None:
    certificate_id = alice.buy()
    end = clock.now().replace(microsecond=0)
    placed(certificate_id, State(state), end)
    lab.at(end)
    assert isinstance(alice.refused(DELETE, certificate_id), WrongState)
    lab.at(end + SECOND)
    alice(DELETE, certificate_id)
    gone(alice, certificate_id)


def test_a_free_one_in_force_is_deleted_by_the_api_alone(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: DEL-1
    # rule: FRE-4
    def free(name: str) -> str:
        certificate_id = alice.buy(**FREE)
        if name:
            alice.apply(certificate_id, name)
            desk.publish(certificate_id)
            alice.verify(certificate_id)
            desk.run()
            assert alice.status(certificate_id) == "ISSUED"
        return certificate_id

    pending, by_console = free(""), console(alice)
    assert "delete" in alice.show(pending)["operations"]
    assert "unsubscribe" not in alice.show(pending)["operations"]
    assert isinstance(alice.refused(UNSUBSCRIBE, pending), WrongState)
    by_console(DELETE, pending)
    issued = free("www.free.example.com")
    assert "delete" in alice.show(issued)["operations"]
    assert "API only" in by_console.refused(DELETE, issued).message
    assert alice.status(issued) == "ISSUED"
    assert "reissue" not in alice.show(issued)["operations"]
    assert "renew" not in alice.show(issued)["operations"]
    alice(DELETE, issued)
    gone(alice, issued)
    ended = free("www.ended.example.com")
    lab.at(desk.certificate(ended).not_after + SECOND)
    by_console(DELETE, ended)
    assert Certificate.objects.filter(free=True).count() == 3  # FRE-1: deleted ones count


def test_a_paid_pending_one_is_unsubscribed_not_deleted(db: None, alice: Caller) -> None:
    # rule: DEL-1
    certificate_id = alice.buy()
    assert "unsubscribe" in alice.refused(DELETE, certificate_id).message
    assert "delete" not in alice.show(certificate_id)["operations"]


def test_an_uploaded_one_is_deleted_hosted_or_expired(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: DEL-1
    world = World(clock.now(), lasts=timedelta(days=5))
    hosted, ends = (str(alice("certificates.import", body=world.body())["certificate_id"]) for _ in "12")
    assert isinstance(alice.refused(UNSUBSCRIBE, hosted), WrongState)  # UNS-1: not bought here
    console(alice)(DELETE, hosted)
    gone(alice, hosted)
    lab.at(world.now + timedelta(days=5) + SECOND)
    alice(DELETE, ends)
    gone(alice, ends)


def test_who_may_delete(desk: Desk, alice: Caller) -> None:
    # rule: DEL-1
    certificate_id = desk.issued("www.example.com")
    reader = Caller(desk.someone("rita", "scm:cert:get"))
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    assert isinstance(reader.refused(DELETE, certificate_id), Forbidden)
    assert isinstance(reader.refused(UNSUBSCRIBE, certificate_id), Forbidden)
    assert charlie.refused(DELETE, certificate_id).kind.value == "not_found"
    assert alice.status(certificate_id) == "ISSUED"
    Caller(desk.someone("bob"))(DELETE, certificate_id)
    gone(alice, certificate_id)


def books_balance() -> None:
    """Every posting sums to zero, and the balance is what the cash book says."""
    sums = Entry.objects.values("posting").annotate(total=Sum("amount")).values_list("total", flat=True)
    assert set(sums) == {0}
    booked = Entry.objects.filter(book="CASH").aggregate(total=Sum("amount"))["total"]
    assert booked == Balance.objects.aggregate(total=Sum("cash"))["total"]


def cash(desk: Desk) -> int:
    return Balance.objects.get(account_id=desk.account.id).cash


def test_unsubscribing_gives_the_cash_back_and_the_certificate_is_gone(desk: Desk, alice: Caller) -> None:
    # rule: UNS-2
    # rule: UNS-3
    # rule: UNS-5
    # rule: UNS-6
    before = cash(desk)
    certificate_id = alice.buy()
    order = Order.objects.get(id=desk.certificate(certificate_id).order_id)
    assert cash(desk) == before - order.cash < before
    assert alice(UNSUBSCRIBE, certificate_id) == {"unsubscribe_results": "SUCCESS"}
    assert alice.status(certificate_id) == "UNSUBSCRIBING"
    assert alice.show(certificate_id)["operations"] == []
    assert alice(UNSUBSCRIBE, certificate_id) == {"unsubscribe_results": "SUCCESS"}  # asked twice
    desk.run()
    gone(alice, certificate_id)
    assert cash(desk) == before
    shown = alice("orders.show", order_id=order.id)
    assert (shown["state"], shown["refund"]) == ("REFUNDED", shown["cash"])
    assert Event.objects.filter(action="order.refunded").count() == 1
    books_balance()


def test_each_of_an_order_is_refunded_alone(desk: Desk, alice: Caller) -> None:
    # rule: UNS-7
    before = cash(desk)
    alice("orders.buy", body={**BUY_THREE})
    order = Order.objects.get()
    first, second, third = Certificate.objects.order_by("id").values_list("id", flat=True)
    alice(UNSUBSCRIBE, first)
    desk.run()
    assert (alice.status(second), Order.objects.get().state) == ("PAID", "PAID")
    for one in (second, third):
        alice(UNSUBSCRIBE, one)
    desk.run()
    assert (cash(desk), Order.objects.get().state) == (before, "REFUNDED")
    assert Order.objects.get().refund == order.cash
    books_balance()


BUY_THREE = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "order_number": 3,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}


def test_seven_days_to_the_second(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: UNS-1
    # rule: TIM-1
    first, second = alice.buy(), alice.buy()
    paid = orders.order(desk.alice, desk.certificate(first).order_id).paid_at
    assert paid == desk.certificate(first).created_at
    lab.at(paid + timedelta(days=7))
    assert "seven days" in alice.refused(UNSUBSCRIBE, first).message
    assert "unsubscribe" not in alice.show(first)["operations"]
    lab.at(paid + timedelta(days=7) - SECOND)
    assert "unsubscribe" in alice.show(second)["operations"]
    alice(UNSUBSCRIBE, second)
    lab.at(paid + timedelta(days=8))  # the review may come later than the request
    desk.run()
    gone(alice, second)


def test_after_a_withdrawal_and_after_a_revocation(desk: Desk, alice: Caller) -> None:
    # rule: UNS-2
    before = cash(desk)
    withdrawn = alice.buy()
    alice.apply(withdrawn)
    assert isinstance(alice.refused(UNSUBSCRIBE, withdrawn), WrongState)
    alice("certificates.cancel", withdrawn)
    desk.run()
    revoked = desk.issued("www.revoked.example.com")
    assert isinstance(alice.refused(UNSUBSCRIBE, revoked), WrongState)
    placed(revoked, State.REVOKED, desk.certificate(revoked).not_after)
    for one in (withdrawn, revoked):
        alice(UNSUBSCRIBE, one)
    desk.run()
    for one in (withdrawn, revoked):
        gone(alice, one)
    assert cash(desk) == before
    books_balance()


# rule: UNS-2
@pytest.mark.parametrize(
    "state", [one for one in State if one not in (State.PAID, State.REVOKED, State.UNSUBSCRIBING)]
)
def test_every_other_state_refuses_it(db: None, alice: Caller, state: State) -> None:
    certificate_id = alice.buy()
    if state is State.EXPIRED:
        placed(certificate_id, State.ISSUED, clock.now() - SECOND)
    else:
        placed(certificate_id, state)
    fault = alice.refused(UNSUBSCRIBE, certificate_id)
    assert fault.kind.value == ("not_found" if state is State.DELETED else "wrong_state")
    assert Certificate.objects.get(id=certificate_id).state != State.UNSUBSCRIBING


# rule: UNS-5
@pytest.mark.parametrize("former", [State.PAID, State.REVOKED])
def test_an_operation_during_the_review_is_refused_and_ends_it(
    desk: Desk, alice: Caller, former: State
) -> None:
    before = cash(desk)
    certificate_id = alice.buy()
    placed(certificate_id, former)
    operations = (
        ("certificates.edit", {"name": "another"}),
        ("certificates.apply", {**PEOPLE, "domain": "www.example.com"}),
        (DELETE, None),
        ("certificates.reopen", None),
    )
    for name, body in operations:
        alice(UNSUBSCRIBE, certificate_id)
        for reading in ("show", "events", "versions"):
            alice(f"certificates.{reading}", certificate_id)
        assert alice.status(certificate_id) == "UNSUBSCRIBING"
        stranger = Caller(desk.someone("rita", "scm:cert:get", "scm:cert:list"))
        assert isinstance(stranger.refused(name, certificate_id, body), Forbidden)
        assert alice.status(certificate_id) == "UNSUBSCRIBING"  # who may not, ends nothing
        assert "under review" in alice.refused(name, certificate_id, body).message
        shown = alice.show(certificate_id)
        assert shown["status"] == former.value
        assert "another operation" in shown["last_failure"]
    desk.run()
    assert alice.status(certificate_id) == former.value
    alice(UNSUBSCRIBE, certificate_id)  # it may be asked again
    desk.run()
    gone(alice, certificate_id)
    assert cash(desk) == before


PEOPLE = {
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
    "agree_privacy_protection": True,
}


def test_a_user_who_is_gone_when_the_review_comes(desk: Desk, alice: Caller) -> None:
    # rule: UNS-5
    before = cash(desk)
    certificate_id = alice.buy()
    paid = before - cash(desk)
    alice(UNSUBSCRIBE, certificate_id)
    User.objects.filter(id=desk.alice.user_id).update(is_active=False)
    desk.run(timedelta(hours=1), strict=False)
    shown = alice.show(certificate_id)
    assert shown["status"] == "PAID"
    assert "gone or switched off" in shown["last_failure"]
    assert cash(desk) == before - paid
    books_balance()


def test_the_review_takes_no_part_in_what_is_no_longer_under_review(desk: Desk, alice: Caller) -> None:
    certificate_id = alice.buy()
    alice(UNSUBSCRIBE, certificate_id)
    placed(certificate_id, State.PAID)
    assert desk.run() >= 1
    assert alice.status(certificate_id) == "PAID"
    assert ROWS[State.PAID].operations


def test_a_refusal_is_always_an_expected_one(desk: Desk, alice: Caller) -> None:
    for name in (DELETE, UNSUBSCRIBE):
        assert isinstance(alice.refused(name, "scs0000000000000"), CertdeskError)
