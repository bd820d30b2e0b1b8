"""The two-person rule: frozen by hash, decided once by somebody else, run through a job."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from certdesk.foundation.approvals import actions, queries, registry, rules
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Forbidden, NotFound, WrongState
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import Account, User
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import testing

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
OPERATION = "test.revoke"
pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    iam.ensure_system_policies()
    return iam.create_account("first")


def person(account: Account, name: str, group: str = "admins") -> Principal:
    return principal_of(iam.create_user(account, name, None, [group]), Via.API, access_key=f"AK{name}")


@pytest.fixture
def alice(account: Account) -> Principal:
    return person(account, "alice")


@pytest.fixture
def bob(account: Account) -> Principal:
    return person(account, "bob")


@pytest.fixture
def ran() -> Iterator[list[str]]:
    done: list[str] = []

    @registry.executor(OPERATION)
    def execute(request: Request, principal: Principal, now: datetime) -> str:
        if request.payload.get("fail"):
            raise WrongState("The certificate is revoked already.")
        done.append(f"{principal.name}/{principal.via}: {request.payload['certificate_id']}")
        return "Revocation of scs1 has begun."

    yield done
    del registry.executors[OPERATION]


def ask(principal: Principal, **payload: object) -> Request:
    return actions.ask(principal, OPERATION, {"certificate_id": "scs1", **payload}, NOW)


def state_of(request: Request) -> str:
    return Request.objects.get(id=request.id).state


def test_whether_a_second_person_is_needed_is_a_rule_of_the_account(alice: Principal) -> None:
    assert not actions.needed(alice.account_id, OPERATION)
    actions.set_rule(alice, OPERATION, True)
    actions.set_rule(alice, OPERATION, True)
    assert actions.needed(alice.account_id, OPERATION)
    assert not actions.needed("other", OPERATION)
    assert queries.rules_of(alice.account_id) == [OPERATION]
    actions.set_rule(alice, OPERATION, False)
    assert not actions.needed(alice.account_id, OPERATION)


def test_an_approved_request_runs_once_for_the_one_who_asked(
    alice: Principal, bob: Principal, ran: list[str]
) -> None:
    request = ask(alice)
    assert testing.run_due() == 0
    actions.decide(bob, request.id, True, "", NOW)
    assert testing.run_due() == 1
    assert ran == ["alice/job: scs1"]
    done = Request.objects.get(id=request.id)
    assert (done.state, done.outcome) == ("DONE", "Revocation of scs1 has begun.")
    assert (done.decided_by, done.decided_at) == (bob.user_id, NOW)
    jobs.enqueue("approvals.run", {"request_id": request.id})
    testing.run_due()
    assert len(ran) == 1
    events = Event.objects.filter(resource=f"approval:{request.id}").order_by("id")
    assert [event.action for event in events] == ["approval.asked", "approval.approved", "approval.done"]


def test_nobody_decides_what_he_asked_for(alice: Principal, bob: Principal) -> None:
    # rule: ORG-5
    request = ask(alice)
    same_key = Principal(bob.account_id, bob.user_id, bob.name, Via.API, alice.access_key, grants=bob.grants)
    for refused in (alice, same_key):
        with pytest.raises(Forbidden):
            actions.decide(refused, request.id, True, "", NOW)
    assert state_of(request) == "PENDING"


def test_without_the_right_or_from_another_account_it_cannot_be_decided(
    account: Account, alice: Principal
) -> None:
    request = ask(alice)
    with pytest.raises(Forbidden):
        actions.decide(person(account, "reader", "readers"), request.id, True, "", NOW)
    stranger = person(iam.create_account("second"), "carol")
    with pytest.raises(NotFound):
        actions.decide(stranger, request.id, True, "", NOW)


def test_the_house_itself_is_no_second_person() -> None:
    with pytest.raises(Forbidden):
        rules.check_other_person(rules.Person("a"), rules.Person(""))


def test_a_rejection_needs_a_reason_and_runs_nothing(
    alice: Principal, bob: Principal, ran: list[str]
) -> None:
    request = ask(alice)
    for reason in ("  ", "x" * 256):
        with pytest.raises(BadParameter):
            actions.decide(bob, request.id, False, reason, NOW)
    actions.decide(bob, request.id, False, " not  now ", NOW)
    assert testing.run_due() == 0
    assert (state_of(request), Request.objects.get(id=request.id).reason) == ("REJECTED", "not now")
    with pytest.raises(WrongState):
        actions.decide(bob, request.id, True, "", NOW)
    assert ran == []


def test_a_request_lives_seven_days_of_business_time(alice: Principal, bob: Principal) -> None:
    # rule: TIM-2
    request, other = ask(alice), ask(alice)
    actions.decide(bob, other.id, True, "", NOW + rules.LIFE - timedelta(microseconds=1))
    with pytest.raises(WrongState):
        actions.decide(bob, request.id, True, "", NOW + rules.LIFE)
    assert (state_of(request), state_of(other)) == ("EXPIRED", "APPROVED")
    assert Event.objects.filter(action="approval.expired").count() == 1


def test_what_nobody_decides_is_closed_by_a_job(alice: Principal) -> None:
    request = actions.ask(alice, OPERATION, {}, datetime(2020, 1, 1, tzinfo=UTC))
    jobs.enqueue("approvals.expire")
    testing.run_due()
    assert state_of(request) == "EXPIRED"
    assert list(queries.of_account(alice.account_id, state=State.EXPIRED)) == [request]


def test_a_request_changed_after_its_approval_does_not_run(
    alice: Principal, bob: Principal, ran: list[str]
) -> None:
    request = ask(alice)
    actions.decide(bob, request.id, True, "", NOW)
    Request.objects.filter(id=request.id).update(payload={"certificate_id": "scs2"})
    testing.run_due()
    failed = Request.objects.get(id=request.id)
    assert (failed.state, ran) == ("FAILED", [])
    assert "content has changed" in failed.outcome


def test_a_requester_who_left_gets_nothing_done(alice: Principal, bob: Principal, ran: list[str]) -> None:
    request = ask(alice)
    actions.decide(bob, request.id, True, "", NOW)
    User.objects.filter(id=alice.user_id).update(is_active=False)
    testing.run_due()
    assert (state_of(request), ran) == ("FAILED", [])


def test_an_executor_that_refuses_is_told(alice: Principal, bob: Principal, ran: list[str]) -> None:
    request = ask(alice, fail=True)
    actions.decide(bob, request.id, True, "", NOW)
    testing.run_due()
    assert Request.objects.get(id=request.id).outcome == "The certificate is revoked already."


def test_an_operation_without_an_executor_fails_with_a_reason(alice: Principal, bob: Principal) -> None:
    request = ask(alice)
    actions.decide(bob, request.id, True, "", NOW)
    testing.run_due()
    assert (state_of(request), OPERATION in Request.objects.get(id=request.id).outcome) == ("FAILED", True)


def test_an_operation_has_one_executor(ran: list[str]) -> None:
    with pytest.raises(ValueError, match="two executors"):
        registry.executor(OPERATION)(lambda *_: "")


@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_one_moment_one_holds(account: Account, alice: Principal) -> None:
    request = ask(alice)
    deciders = [person(account, f"decider{n}") for n in range(4)]
    start, answers = threading.Barrier(len(deciders)), []

    def decide(principal: Principal, approve: bool) -> None:
        start.wait()
        try:
            actions.decide(principal, request.id, approve, "because", NOW)
            answers.append(principal.user_id)
        except CertdeskError as refusal:
            answers.append(type(refusal).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=decide, args=(who, n % 2 == 0)) for n, who in enumerate(deciders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = Request.objects.get(id=request.id)
    assert [answer for answer in answers if answer == winner.decided_by] == [winner.decided_by]
    assert set(answers) - {winner.decided_by} <= {"Conflict", "WrongState"}
    assert Event.objects.filter(action__in=["approval.approved", "approval.rejected"]).count() == 1
