"""Requests of one key that run at the same time are written together, and each is its own request still."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, together
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import requests as signed
from certdesk.foundation.iam.models import IdempotencyKey
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance import actions, instant_write
from certdesk.lifecycle.issuance.actions import IssueRequest, IssueResult
from certdesk.lifecycle.orders.models import Balance, Entry, Order
from tests.support.desk import Desk, open_desk
from tests.support.threads import crowd

pytestmark = pytest.mark.django_db(transaction=True)
FORM = ApplicationForm(domain="www.example.com", key_algorithm="EC_P256", agree_privacy_protection=True)
REQUEST = IssueRequest("GEOTRUST", "DV_SSL_CERT", FORM)


@pytest.fixture
def desk(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(together, "PATIENCE", 60.0)
    with open_desk() as made:
        made.issued("www.example.com")
        yield made


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many requests each first transaction was asked for."""
    found: list[int] = []
    real = instant_write.buy

    def buy(asked: list[instant_write.Asked]) -> instant_write.Bought:
        found.append(len(asked))
        return real(asked)

    monkeypatch.setattr(instant_write, "buy", buy)
    return found


def asking(principal: Principal, number: int, request: IssueRequest = REQUEST) -> Callable[[], object]:
    mine = replace(principal, request_id=f"request-{number}")
    return partial(actions.issue_now, mine, request, clock.now())


def statuses(results: list[object]) -> list[str]:
    return sorted(one.status for one in results if isinstance(one, IssueResult))


def refused(call: Callable[[], object]) -> Callable[[], object]:
    """The call, or what it was refused with."""

    def run() -> object:
        try:
            return call()
        except CertdeskError as error:
            return error

    return run


def test_requests_of_one_key_share_two_transactions(desk: Desk, sizes: list[int]) -> None:
    results = crowd(*(asking(desk.alice, number) for number in range(5)))
    assert sizes == [5]
    assert all(isinstance(one, IssueResult) and one.issued for one in results)
    assert len({one.serial for one in results if isinstance(one, IssueResult)}) == 5
    assert Certificate.objects.filter(state="ISSUED").count() == 6
    assert Order.objects.filter(state="PAID").count() == 6


def test_each_has_its_own_audit_rows(desk: Desk, sizes: list[int]) -> None:
    results = crowd(*(asking(desk.alice, number) for number in range(3)))
    assert sizes == [3]
    for number, one in enumerate(results):
        assert isinstance(one, IssueResult)
        events = Event.objects.filter(request_id=f"request-{number}")
        of_certificate = {event.action for event in events.filter(resource=f"cert:{one.certificate_id}")}
        assert of_certificate == {"certificate.domains_proved", "certificate.issue"}
        assert events.filter(resource=f"order:{one.order_id}").count() == 1
        assert events.count() == 3


def test_one_that_is_refused_does_the_others_no_harm(desk: Desk, sizes: list[int]) -> None:
    nowhere = replace(REQUEST, enterprise_project_id="00000000-0000-4000-8000-000000000000")
    calls = [asking(desk.alice, 1), asking(desk.alice, 2, nowhere), asking(desk.alice, 3)]
    first, second, third = crowd(*(refused(call) for call in calls))
    assert sizes == [3, 1, 1, 1]
    assert statuses([first, third]) == ["ISSUED", "ISSUED"]
    assert isinstance(second, CertdeskError)
    assert "enterprise project" in second.message
    assert Order.objects.count() == 3


def test_money_for_two_of_three_pays_two(desk: Desk, sizes: list[int]) -> None:
    price = Order.objects.get().amount
    Balance.objects.filter(account_id=desk.account.id).update(cash=2 * price)
    results = crowd(*(asking(desk.alice, number) for number in range(3)))
    assert sizes == [3]
    assert statuses(results) == ["ISSUED", "ISSUED", "UNPAID"]
    assert Balance.objects.get(account_id=desk.account.id).cash == 0
    assert Entry.objects.filter(book="CASH", amount=-price).count() == 3


def test_another_user_is_written_alone(desk: Desk, sizes: list[int]) -> None:
    bob = desk.someone("bob")
    results = crowd(asking(desk.alice, 1), asking(bob, 2), asking(desk.alice, 3))
    assert sorted(sizes) == [1, 2]
    owners = [Certificate.objects.get(id=one.certificate_id).owner_id for one in results]  # type: ignore[attr-defined]
    assert owners == [desk.alice.user_id, bob.user_id, desk.alice.user_id]


# rule: IAM-10
def test_each_notes_its_interim_answer_under_its_own_key(desk: Desk, sizes: list[int]) -> None:
    def issue(number: int) -> object:
        turn = signed.begin(desk.alice, "certificates.issue", f"key-{number}", b"", clock.real_now())
        with signed.noting(turn):
            return actions.issue_now(
                desk.alice,
                REQUEST,
                clock.now(),
                on_bought=lambda stands: signed.note(202, stands[0].certificate_id),
            )

    results = crowd(*(partial(issue, number) for number in range(3)))
    assert sizes == [3]
    for number, one in enumerate(results):
        assert isinstance(one, IssueResult)
        assert IdempotencyKey.objects.get(key=f"key-{number}").interim_answer == one.certificate_id


def test_what_was_settled_by_another_leaves_the_rest_issued(
    desk: Desk, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reconciler took one of them for dead between the two transactions."""
    from certdesk.lifecycle.issuance.models import Placement

    real = instant_write.sign

    def late(bought: instant_write.Bought) -> list[IssueResult]:
        Placement.objects.filter(reference=bought.ready[1].prepared.reference).update(state="DROPPED")
        return real(bought)

    monkeypatch.setattr(instant_write, "sign", late)
    results = crowd(*(asking(desk.alice, number) for number in range(3)))
    assert sizes == [3]
    assert statuses(results) == ["ISSUED", "ISSUED", "ISSUING"]
