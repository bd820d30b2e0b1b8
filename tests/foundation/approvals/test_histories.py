"""Whatever people do in whatever order: nothing happens without as many different people as are needed."""

import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certdesk.foundation.approvals import actions, registry
from certdesk.foundation.approvals.actions import Wanted
from certdesk.foundation.approvals.models import Request, State
from certdesk.foundation.approvals.registry import Executor, Outcome
from certdesk.foundation.approvals.rules import RuleLine, Target
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import people
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import testing

pytestmark = pytest.mark.django_db
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple 7"
PEOPLE, REQUESTS = 5, 2
who, which = st.integers(0, PEOPLE - 1), st.integers(0, REQUESTS - 1)
asks = st.tuples(st.just("ask"), who, st.integers(1, 3))
approves = st.tuples(st.just("approve"), who, which)
others = st.one_of(
    asks,
    *(st.tuples(st.just(one), who, which) for one in ("reject", "cancel")),
    *(st.tuples(st.just(one), who, who) for one in ("reset", "switch_off", "take_right", "change", "run")),
    st.tuples(st.just("hours"), st.integers(1, 40), who),
)
"""One of these after a few approvals: most histories come to an effect, or nearly."""
rounds = st.tuples(st.lists(approves, min_size=1, max_size=4), others)
scripts = st.tuples(asks, st.lists(rounds, min_size=1, max_size=5)).map(
    lambda found: [found[0], *(step for approved, other in found[1] for step in (*approved, other))]
)


class History:
    """People of one account, what they do, and an oracle of its own of who has whom in hand."""

    def __init__(self) -> None:
        self.account = iam.create_account(f"history-{secrets.token_hex(4)}")
        self.users = [iam.create_user(self.account, f"user{n}", None, ["admins"]) for n in range(PEOPLE - 1)]
        self.hands: set[tuple[str, str]] = set()
        User.objects.filter(id=self.users[1].id).update(email="ada@example.com")
        User.objects.filter(id=self.users[2].id).update(email="Ada+second@example.com")
        group = str(self.account.groups.get(name="admins").id)
        made = people.create(self.principal(0), "puppet", groups=[group])
        self.users.append(made)
        self.hands.add((self.users[0].id, made.id))
        self.requests: list[Request] = []
        self.version, self.now = 0, NOW
        self.effects: list[str] = []
        self.faults: list[str] = []

    def principal(self, number: int) -> Principal:
        return principal_of(self.users[number].id, Via.API)

    def target(self, request: Request | None, principal: Principal) -> Target:
        principal.require("scm:cert:revoke")  # as every operation asks for its right
        return Target("thing", "1", str(self.version), f"Do it, says {principal.name}.")

    def run(self, request: Request, principal: Principal, now: datetime) -> Outcome:
        self.effects.append(request.id)
        try:
            self.check(request)
        except AssertionError as fault:  # a job keeps its errors: the history tells them at its end
            self.faults.append(repr(fault))
        return Outcome("Done.")

    def reaches(self, one: str, other: str) -> bool:
        ahead, seen = [one], set[str]()
        while ahead:
            here = ahead.pop()
            seen.add(here)
            ahead += [to for start, to in self.hands if start == here and to not in seen]
        return other in seen

    def one_person(self, one: str, other: str) -> bool:
        pair = {self.users[1].id, self.users[2].id}
        return {one, other} <= pair or self.reaches(one, other) or self.reaches(other, one)

    def check(self, request: Request) -> None:
        """The property, asked in the very moment of the effect."""
        approved = [one.person_id for one in request.decisions.all() if one.approved]
        assert not [one for one in request.decisions.all() if not one.approved]
        everybody = [request.requester_id, *approved]
        assert len(approved) >= request.needed
        for place, one in enumerate(everybody):
            assert not [other for other in everybody[place + 1 :] if self.one_person(one, other)]
        active = User.objects.filter(id__in=everybody, is_active=True, groups__name="admins").distinct()
        assert active.count() == len(everybody)
        assert request.target_version == str(self.version)
        assert request.state == State.APPROVED

    def act(self, step: str, first: int, second: int) -> None:
        getattr(self, f"do_{step}")(first, second)

    def do_ask(self, person: int, approvals: int) -> None:
        wanted = Wanted("kind", "history.do", {}, self.target(None, self.principal(person)))
        rule = RuleLine("kind", approvals, 24)
        self.requests.append(actions.ask(self.principal(person), wanted, rule, self.now))

    def _request(self, number: int) -> str:
        return self.requests[-1 - number % len(self.requests)].id if self.requests else "none"

    def do_approve(self, person: int, number: int) -> None:
        actions.decide(self.principal(person), self._request(number), True, "", self.now)

    def do_reject(self, person: int, number: int) -> None:
        actions.decide(self.principal(person), self._request(number), False, "no", self.now)

    def do_cancel(self, person: int, number: int) -> None:
        actions.cancel(self.principal(person), self._request(number), self.now)

    def do_reset(self, person: int, other: int) -> None:
        if person != other:
            people.update(self.principal(person), self.users[other].id, password=PASSWORD)
            self.hands.add((self.users[person].id, self.users[other].id))

    def do_switch_off(self, person: int, _other: int) -> None:
        if person >= PEOPLE - 2:
            User.objects.filter(id=self.users[person].id).update(is_active=False)

    def do_take_right(self, person: int, _other: int) -> None:
        if person >= PEOPLE - 2:
            self.users[person].groups.clear()

    def do_change(self, _person: int, _other: int) -> None:
        self.version += 1

    def do_hours(self, hours: int, _other: int) -> None:
        self.now += timedelta(hours=hours)
        actions.expire(self.now)

    def do_run(self, _person: int, _other: int) -> None:
        testing.run_due()


def played(script: list[tuple[str, int, int]]) -> History:
    """One history, and nothing of it left behind."""
    made = History()
    registry.declare("history.do", Executor(made.target, made.run))
    try:
        for step in script:
            with suppress(CertdeskError):  # refused: a history goes on
                made.act(*step)
        testing.run_due()
    finally:
        del registry.executors["history.do"]
    assert made.faults == []
    assert len(made.effects) == len(set(made.effects))
    for request_id in made.effects:
        assert Request.objects.get(id=request_id).state == State.DONE
    return made


@given(script=scripts)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_history_does_anything_without_the_needed_people(script: list[tuple[str, int, int]]) -> None:
    with transaction.atomic():
        played(script)
        transaction.set_rollback(True)


def test_the_histories_can_come_to_an_effect() -> None:
    """Else the property would hold of nothing: three people who are three people."""
    script: list[Any] = [("ask", 0, 2), ("approve", 1, 0), ("approve", 2, 0), ("approve", 4, 0)]
    assert played([*script, ("approve", 3, 0), ("run", 0, 0)]).effects
