"""The two-person rule: frozen by hash, decided by other people, run once through a job."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from certdesk.foundation.approvals import actions, changing, queries, registry, rules
from certdesk.foundation.approvals.actions import Wanted
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.approvals.registry import Executor, Outcome
from certdesk.foundation.approvals.rules import RuleLine, Target
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import (
    BadParameter,
    CertdeskError,
    Conflict,
    Forbidden,
    NotFound,
    WrongState,
)
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import keys, people
from certdesk.foundation.iam.models import Account, User
from certdesk.foundation.iam.principal import Principal, Via, system_principal
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs import running, testing
from certdesk.foundation.jobs.errors import LeaseLost
from certdesk.foundation.jobs.models import Job
from tests.support.races import at_once

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
OPERATION, KIND = "test.revoke", "test_revoke"
pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    iam.ensure_system_policies()
    return iam.create_account(f"first-{secrets.token_hex(3)}")


def person(account: Account, name: str, group: str = "admins") -> Principal:
    user = iam.create_user(account, name, None, [group])
    return principal_of(user, Via.API, access_key=iam.create_access_key(user)[0])


def again(principal: Principal) -> Principal:
    """With the rights of this moment."""
    return principal_of(principal.user_id, principal.via, access_key=principal.access_key)


@pytest.fixture
def alice(account: Account) -> Principal:
    return person(account, "alice")


@pytest.fixture
def bob(account: Account) -> Principal:
    return person(account, "bob")


@pytest.fixture
def dora(account: Account) -> Principal:
    return person(account, "dora")


class World:
    """What the operation is about, and what was done to it."""

    def __init__(self) -> None:
        self.version, self.done, self.refuses, self.ready = "v1", list[str](), False, False
        self.barred: list[rules.Person] = []

    def target(self, request: Request | None, principal: Principal) -> Target:
        if self.refuses:
            raise NotFound("There is no certificate scs1.")
        return Target("cert", "scs1", self.version, "Revoke the certificate scs1.")

    def run(self, request: Request, principal: Principal, now: datetime) -> Outcome:
        if request.payload.get("fail"):
            raise WrongState("The certificate is revoked already.")
        self.done.append(f"{principal.name}/{principal.via}")
        return Outcome("Revocation of scs1 has begun.", self.ready)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    registry.declare(OPERATION, Executor(made.target, made.run, lambda _: made.barred))
    registry.kinds[KIND] = "Revoking in a test"
    yield made
    del registry.executors[OPERATION], registry.kinds[KIND]


def ask(
    principal: Principal, world: World, approvals: int = 1, hours: int = 168, **payload: object
) -> Request:
    wanted = Wanted(KIND, OPERATION, payload, world.target(None, principal))
    return actions.ask(principal, wanted, RuleLine(KIND, approvals, hours), NOW)


def yes(principal: Principal, request: Request, now: datetime = NOW) -> Request:
    return actions.decide(principal, request.id, True, "", now)


def state_of(request: Request) -> str:
    return Request.objects.get(id=request.id).state


def test_an_approved_request_runs_once_for_the_one_who_asked(
    alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    testing.run_due()
    assert world.done == []
    yes(bob, request)
    testing.run_due()
    assert world.done == ["alice/job"]
    done = Request.objects.get(id=request.id)
    assert (done.state, done.outcome) == ("DONE", "Revocation of scs1 has begun.")
    assert (done.decided_by, done.decided_at) == (bob.user_id, NOW)
    jobs.enqueue("approvals.run", {"request_id": request.id})
    testing.run_due()
    assert len(world.done) == 1
    events = list(Event.objects.filter(resource=f"approval:{request.id}").order_by("id"))
    assert [one.action for one in events] == ["approval.asked", "approval.approved", "approval.done"]
    assert all(alice.user_id in one.details for one in events)
    assert bob.user_id in events[-1].details  # the trail names both


def test_asked_twice_it_is_one_request_and_another_version_is_another(
    alice: Principal, bob: Principal, world: World
) -> None:
    first = ask(alice, world)
    assert ask(alice, world).id == first.id
    assert ask(bob, world).id != first.id
    assert ask(alice, world, server="nginx").request_hash != first.request_hash
    world.version = "v2"
    assert ask(alice, world).id != first.id


def test_nobody_decides_what_he_asked_for_by_any_path(
    account: Account, alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    other_key = replace(alice, access_key=keys.create(alice, "")[0].access_key)
    signed_with_hers = replace(bob, access_key=alice.access_key)
    made = again(person(account, "puppet"))
    keys.create(alice, made.user_id)  # she holds a key of his
    reset = person(account, "reset")
    people.update(alice, reset.user_id, password="correct horse battery staple 9")
    same_mail = person(account, "mail")
    User.objects.filter(id=alice.user_id).update(email="ada@example.com")
    User.objects.filter(id=same_mail.user_id).update(email="ADA+approve@example.com")
    created = people.create(alice, "created", groups=[str(account.groups.get(name="admins").id)])
    maker = again(person(account, "maker"))
    grandchild = people.create(
        principal_of(created, Via.API), "grand", groups=[str(account.groups.get(name="admins").id)]
    )
    assumed = replace(bob, agency="auditors of another account")
    for refused in (
        *(alice, other_key, signed_with_hers, made, reset, same_mail, assumed),
        principal_of(created, Via.CONSOLE),
        principal_of(grandchild, Via.CONSOLE),
    ):
        with pytest.raises(Forbidden):
            yes(refused, request)
    assert state_of(request) == "PENDING"
    hers = ask(principal_of(created, Via.API), world)
    with pytest.raises(Forbidden):
        yes(alice, hers)  # the other way round as well
    yes(maker, request)
    testing.run_due()
    assert world.done == ["alice/job"]


def test_an_assumed_role_and_the_house_are_no_second_person(bob: Principal, world: World) -> None:
    with pytest.raises(Forbidden):
        ask(replace(bob, agency="role"), world)
    with pytest.raises(Forbidden):
        rules.check_approver(rules.Person(""), [rules.Person("a")], [])
    request = ask(bob, world)
    with pytest.raises(Forbidden):
        yes(system_principal(bob.account_id), request)


def test_who_stands_on_the_requesters_side_decides_nothing(
    alice: Principal, bob: Principal, dora: Principal, world: World
) -> None:
    world.barred = [rules.Person(bob.user_id)]
    request = ask(alice, world)
    with pytest.raises(Forbidden):
        yes(bob, request)
    assert yes(dora, request).state == "APPROVED"


def test_without_the_right_or_from_another_account_it_cannot_be_decided(
    account: Account, alice: Principal, world: World
) -> None:
    request = ask(alice, world)
    with pytest.raises(NotFound):  # who may neither list nor decide does not learn of it
        yes(person(account, "reader", "readers"), request)
    charlie = person(iam.create_account("second"), "charlie")
    for attempt in (yes, lambda who, one: actions.cancel(who, one.id, NOW)):
        with pytest.raises(NotFound):
            attempt(charlie, request)
    assert list(queries.visible(charlie)) == []


def test_two_approvals_are_two_different_people(
    account: Account, alice: Principal, bob: Principal, dora: Principal, world: World
) -> None:
    request = ask(alice, world, approvals=2)
    assert yes(bob, request).state == "PENDING"
    with pytest.raises(Conflict):
        yes(bob, request)
    his = people.create(bob, "bobby", groups=[str(account.groups.get(name="admins").id)])
    with pytest.raises(Conflict):
        yes(principal_of(his, Via.API), request)
    testing.run_due()
    assert world.done == []
    assert yes(dora, request).state == "APPROVED"
    testing.run_due()
    assert world.done == ["alice/job"]


def test_a_rejection_needs_a_reason_and_ends_it(
    alice: Principal, bob: Principal, dora: Principal, world: World
) -> None:
    request = ask(alice, world, approvals=2)
    yes(dora, request)
    for reason in ("  ", "x" * 256):
        with pytest.raises(BadParameter):
            actions.decide(bob, request.id, False, reason, NOW)
    actions.decide(bob, request.id, False, " not  now ", NOW)
    testing.run_due()
    assert (state_of(request), Request.objects.get(id=request.id).reason) == ("REJECTED", "not now")
    with pytest.raises(WrongState):
        yes(bob, request)
    assert world.done == []


def test_the_reason_may_have_255_characters(alice: Principal, bob: Principal, world: World) -> None:
    request = ask(alice, world)
    assert actions.decide(bob, request.id, False, "x" * 255, NOW).state == "REJECTED"


def test_a_request_lives_as_long_as_the_rule_says(alice: Principal, bob: Principal, world: World) -> None:
    # rule: TIM-2
    request, other = ask(alice, world, hours=1), ask(alice, world, hours=1, n=2)
    yes(bob, other, NOW + timedelta(hours=1) - TICK)
    with pytest.raises(WrongState):
        yes(bob, request, NOW + timedelta(hours=1))
    assert (state_of(request), state_of(other)) == ("EXPIRED", "APPROVED")
    assert Event.objects.filter(action="approval.expired").count() == 1


def test_what_nobody_decides_or_fetches_is_closed_by_a_job(
    alice: Principal, bob: Principal, world: World
) -> None:
    world.ready = True
    left, fetched = ask(alice, world), ask(alice, world, n=2)
    yes(bob, fetched)
    testing.run_due()
    assert state_of(fetched) == "READY"
    Request.objects.filter(id=left.id).update(expires_at=clock.now())
    Request.objects.filter(id=fetched.id).update(fetch_until=clock.now())
    jobs.enqueue("approvals.expire")
    testing.run_due()
    assert {state_of(left), state_of(fetched)} == {"EXPIRED"}


def test_only_the_one_who_asked_takes_it_back(alice: Principal, bob: Principal, world: World) -> None:
    request = ask(alice, world)
    with pytest.raises(NotFound):
        actions.cancel(bob, request.id, NOW)
    actions.cancel(alice, request.id, NOW)
    with pytest.raises(WrongState):
        actions.cancel(alice, request.id, NOW)
    with pytest.raises(WrongState):
        yes(bob, request)
    approved = ask(alice, world, n=2)
    yes(bob, approved)
    with pytest.raises(WrongState):
        actions.cancel(alice, approved.id, NOW)


def test_a_target_that_changed_voids_the_request(alice: Principal, bob: Principal, world: World) -> None:
    before, after, gone = ask(alice, world), ask(alice, world, n=2), ask(alice, world, n=3)
    yes(bob, after)
    world.version = "v2"
    with pytest.raises(WrongState, match="has changed"):
        yes(bob, before)
    testing.run_due()
    assert {state_of(before), state_of(after)} == {"VOID"}
    world.version, world.refuses = "v1", True
    with pytest.raises(WrongState, match="no certificate"):
        yes(bob, gone)
    assert (state_of(gone), world.done) == ("VOID", [])


def test_a_target_that_is_gone_when_the_job_runs_voids_it(
    alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    yes(bob, request)
    world.refuses = True
    testing.run_due()
    assert (state_of(request), world.done) == ("VOID", [])


def test_a_request_changed_after_its_approval_does_not_run(
    alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    yes(bob, request)
    Request.objects.filter(id=request.id).update(payload={"certificate_id": "scs2"})
    testing.run_due()
    failed = Request.objects.get(id=request.id)
    assert (failed.state, world.done) == ("FAILED", [])
    assert "content has changed" in failed.outcome


@pytest.mark.parametrize("left", ["requester", "approver", "right", "key", "made", "decision"])
def test_rights_are_asked_again_when_it_runs(
    left: str, alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    yes(bob, request)
    if left in ("requester", "approver"):
        gone = alice if left == "requester" else bob
        User.objects.filter(id=gone.user_id).update(is_active=False)
    elif left == "right":
        User.objects.get(id=bob.user_id).groups.clear()
    elif left == "key":
        iam.set_access_key_enabled(bob.access_key, False)
    elif left == "made":
        people.update(alice, bob.user_id, password="correct horse battery staple 9")
    else:
        request.decisions.all().delete()
    testing.run_due()
    assert (state_of(request), world.done) == ("FAILED", [])


def test_two_approvers_who_became_one_count_no_longer(
    alice: Principal, bob: Principal, dora: Principal, world: World
) -> None:
    request = ask(alice, world, approvals=2)
    yes(bob, request)
    yes(dora, request)
    people.update(bob, dora.user_id, password="correct horse battery staple 9")
    testing.run_due()
    assert (state_of(request), world.done) == ("FAILED", [])


def test_an_operation_that_refuses_is_told(alice: Principal, bob: Principal, world: World) -> None:
    request = ask(alice, world, fail=True)
    yes(bob, request)
    testing.run_due()
    assert Request.objects.get(id=request.id).outcome == "The certificate is revoked already."


def test_an_operation_that_this_release_does_not_know_fails_with_a_reason(
    alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    yes(bob, request)
    Request.objects.filter(id=request.id).update(operation="test.gone")
    testing.run_due()
    assert (state_of(request), "test.gone" in Request.objects.get(id=request.id).outcome) == ("FAILED", True)


def test_an_operation_has_one_executor(world: World) -> None:
    with pytest.raises(ValueError, match="two executors"):
        registry.declare(OPERATION, Executor(world.target, world.run))


def test_what_is_handed_out_is_handed_out_once(alice: Principal, bob: Principal, world: World) -> None:
    world.ready = True
    request = ask(alice, world)
    yes(bob, request)
    testing.run_due()
    ready = Request.objects.get(id=request.id)
    assert (ready.state, ready.fetched) == ("READY", False)
    assert ready.fetch_until is not None
    stale = Request.objects.get(id=request.id)
    actions.hand_out(alice, ready, clock.now())
    assert Request.objects.get(id=request.id).fetched
    with pytest.raises(Conflict):
        actions.hand_out(alice, stale, clock.now())


# --- rules ---------------------------------------------------------------------------------------


def test_rules_replace_each_other_and_are_audited(
    alice: Principal, bob: Principal, dora: Principal, world: World
) -> None:
    assert queries.rule_of(alice.account_id, KIND) is None
    changing.set_rules(alice, [RuleLine(KIND, 2, 24)])
    assert queries.rule_of(alice.account_id, KIND) == RuleLine(KIND, 2, 24)
    assert queries.rule_of("other", KIND) is None
    changing.set_rules(alice, [])
    assert queries.rules_of(alice.account_id) == []
    event = Event.objects.filter(action=changing.SET).order_by("-id").first()
    assert event is not None
    assert "test_revoke: 2 within 24 h" in event.details


@pytest.mark.parametrize(
    ("line", "good"),
    [
        (RuleLine(KIND, 1, 1), True),
        (RuleLine(KIND, 3, 336), True),
        (RuleLine(KIND, 0, 1), False),
        (RuleLine(KIND, 4, 1), False),
        (RuleLine(KIND, 1, 0), False),
        (RuleLine(KIND, 1, 337), False),
        (RuleLine("unheard"), False),
    ],
)
def test_limits_of_a_rule(line: RuleLine, good: bool) -> None:
    if good:
        rules.check_rules([line], {KIND})
        return
    with pytest.raises(BadParameter):
        rules.check_rules([line], {KIND})


def test_a_rule_stands_once() -> None:
    with pytest.raises(BadParameter, match="twice"):
        rules.check_rules([RuleLine(KIND), RuleLine(KIND)], {KIND})


def test_a_rule_that_nobody_could_satisfy_is_refused(
    account: Account, alice: Principal, world: World
) -> None:
    with pytest.raises(WrongState):
        changing.set_rules(alice, [RuleLine(KIND)])
    people.create(alice, "made", groups=[str(account.groups.get(name="admins").id)])
    with pytest.raises(WrongState):
        changing.set_rules(alice, [RuleLine(KIND)])  # whom she made does not count
    person(account, "bob")
    changing.set_rules(alice, [RuleLine(KIND)])
    with pytest.raises(WrongState):
        changing.set_rules(alice, [RuleLine(KIND, 2)])


def test_rules_are_set_by_whoever_has_the_right(account: Account, world: World) -> None:
    with pytest.raises(Forbidden):
        changing.set_rules(person(account, "reader", "readers"), [])


@pytest.mark.parametrize(
    ("after", "weaker"),
    [
        ([RuleLine("a", 2, 24), RuleLine("b")], False),
        ([RuleLine("a", 3, 24)], False),
        ([RuleLine("a", 2, 23)], False),
        ([RuleLine("a", 1, 24)], True),
        ([RuleLine("a", 2, 25)], True),
        ([RuleLine("b", 2, 24)], True),
    ],
)
def test_what_weakens_the_rules(after: list[RuleLine], weaker: bool) -> None:
    assert bool(rules.weakened([RuleLine("a", 2, 24)], after)) is weaker


# --- races, and a worker that dies ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_approvers_at_one_moment_both_count_and_it_runs_once(
    account: Account, alice: Principal, world: World
) -> None:
    deciders = [person(account, f"decider{n}") for n in range(4)]
    request = ask(alice, world, approvals=2)
    answers = at_once(*(partial(yes, who, request) for who in deciders))
    assert sum(isinstance(one, Request) for one in answers) == 2, answers
    assert all(isinstance(one, Request | WrongState | Conflict) for one in answers), answers
    assert request.decisions.count() == 2
    testing.run_due()
    assert world.done == ["alice/job"]


@pytest.mark.django_db(transaction=True)
def test_approve_and_reject_at_one_moment(account: Account, alice: Principal, world: World) -> None:
    deciders = [person(account, f"decider{n}") for n in range(4)]
    request = ask(alice, world)
    calls = [
        partial(actions.decide, who, request.id, n % 2 == 0, "because", NOW) for n, who in enumerate(deciders)
    ]
    answers = at_once(*calls)
    assert sum(isinstance(one, Request) for one in answers) == 1
    testing.run_due()
    assert world.done == (["alice/job"] if state_of(request) == "DONE" else [])
    assert Event.objects.filter(action__in=["approval.approved", "approval.rejected"]).count() == 1


@pytest.mark.django_db(transaction=True)
def test_approve_and_cancel_at_one_moment(alice: Principal, bob: Principal, world: World) -> None:
    request = ask(alice, world)
    answers = at_once(partial(yes, bob, request), partial(actions.cancel, alice, request.id, NOW))
    assert sum(isinstance(one, Request) for one in answers) == 1
    testing.run_due()
    assert (state_of(request), world.done) in (("DONE", ["alice/job"]), ("CANCELLED", []))


@pytest.mark.django_db(transaction=True)
def test_approve_and_expire_at_one_moment(alice: Principal, bob: Principal, world: World) -> None:
    request = ask(alice, world, hours=1)
    last = NOW + timedelta(hours=1)
    at_once(partial(yes, bob, request, last - TICK), partial(actions.expire, last))
    testing.run_due()
    assert (state_of(request), world.done) in (("DONE", ["alice/job"]), ("EXPIRED", []))


@pytest.mark.django_db(transaction=True)
def test_fetched_twice_at_one_moment_one_gets_it(alice: Principal, bob: Principal, world: World) -> None:
    world.ready = True
    request = ask(alice, world)
    yes(bob, request)
    testing.run_due()
    held = [Request.objects.get(id=request.id) for _ in range(4)]
    answers = at_once(*(partial(actions.hand_out, alice, one, clock.now()) for one in held))
    assert sum(one is None for one in answers) == 1
    assert all(one is None or isinstance(one, Conflict) for one in answers), answers


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_between_decision_and_effect_leaves_it_to_the_next(
    alice: Principal, bob: Principal, world: World
) -> None:
    request = ask(alice, world)
    testing.run_due()
    yes(bob, request)
    dead = running.claim("dead worker", 10)  # killed with the job in its hands: nothing of it was written
    assert [one.kind for one in dead] == ["approvals.run"]
    testing.run_due()
    assert world.done == []
    Job.objects.filter(id=dead[0].id).update(lease_until=clock.real_now() - timedelta(seconds=1))
    testing.run_due()
    assert world.done == ["alice/job"]
    for late in dead:  # should it live after all, its fence is gone
        with pytest.raises(LeaseLost):
            running.start(late)
    assert (state_of(request), world.done) == ("DONE", ["alice/job"])


def test_refusals_are_refusals() -> None:
    assert issubclass(registry.NoExecutor, CertdeskError)
    assert {State.PENDING, State.APPROVED, State.READY} < set(State)


# rule: IAM-3
def test_a_right_that_wants_a_second_factor_holds_as_it_was_shown(
    account: Account, alice: Principal, world: World
) -> None:
    """Asked and approved with a factor it runs; the job itself has shown none."""
    condition = {"Bool": {"g:MFAPresent": ["true"]}}
    allowed = {"Effect": "Allow", "Action": ["scm:approval:*"], "Condition": condition}
    policy = iam.create_policy(account, "decides with a factor", {"Version": "1.1", "Statement": [allowed]})
    group = iam.create_group(account, "deciders")
    iam.grant(group, policy)
    dan = replace(person(account, "dan", "deciders"), mfa=True)
    without = replace(dan, mfa=False)
    request = ask(alice, world)
    with pytest.raises(NotFound):
        yes(without, request)
    yes(dan, request)
    testing.run_due()
    assert (state_of(request), world.done) == ("DONE", ["alice/job"])
