"""The state table, walked whole through its only writer."""

import itertools
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event as AuditEvent
from certdesk.foundation.common.errors import WrongState
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.certificates import actions, states
from certdesk.lifecycle.certificates.errors import NoCertificate, StateChanged
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import TABLE, Event, State, Via
from tests.support.inventory import NOW, bought, new_account, person, placed

pytestmark = pytest.mark.django_db
STORED = [state for state in State if state is not State.EXPIRED]
LATER = NOW + timedelta(days=1)


@pytest.fixture
def alice():
    return person(new_account())


@pytest.fixture
def certificate_id(alice):
    return bought(alice)[0]


def written():
    return AuditEvent.objects.count(), Job.objects.count()


@pytest.mark.parametrize("state", STORED)
def test_every_event_in_every_state_leads_where_the_table_says_or_nowhere(alice, certificate_id, state):
    for event, via in itertools.product(Event, Via):
        placed(certificate_id, state)
        before = written()
        expected = TABLE.get((state, event, via))
        if expected is None:
            with pytest.raises(WrongState) as refused:
                actions.move(certificate_id, event, LATER, via=via, principal=alice)
            assert states.ROWS[state].title in refused.value.message
            assert written() == before
            assert Certificate.objects.get().state == state
        else:
            assert actions.move(certificate_id, event, LATER, via=via, principal=alice) is expected
            assert Certificate.objects.get().state == expected
            assert written()[0] == before[0] + 1


def test_every_stored_state_can_be_left_or_is_an_end():
    left = {state for state, _, _ in TABLE}
    assert set(STORED) - left == {State.DELETED}


def test_no_event_needs_to_guess_between_two_ways():
    for state, event in {(state, event) for state, event, _ in TABLE}:
        ways = [via for via in Via if (state, event, via) in TABLE]
        assert len(ways) == 1 or Via.ANY not in ways


def test_progress_is_that_of_the_guide():
    progress = {state: row.progress for state, row in states.ROWS.items() if row.progress is not None}
    assert progress == {
        State.PAID: 0,
        State.CHECKING: 40,
        State.CHECKING_ORG: 70,
        State.ISSUING: 90,
        State.ISSUED: 100,
    }


def test_a_move_is_audited_with_who_what_and_why(alice, certificate_id):
    placed(certificate_id, State.CHECKING_ORG)
    actions.move(
        certificate_id,
        Event.ORGANIZATION_REJECTED,
        LATER,
        principal=alice,
        note="The licence is not readable.",
    )
    row = Certificate.objects.get()
    assert (row.state, row.last_failure) == ("UNPASSED", "The licence is not readable.")
    assert row.state_since == row.updated_at == LATER
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.resource) == ("certificate.organization_rejected", f"cert:{certificate_id}")
    assert event.actor == alice.actor
    assert '"from":"CHECKING_ORG"' in event.details
    assert "The licence is not readable." in event.details


def test_reopening_keeps_the_refusal_and_applying_again_clears_it(alice, certificate_id):
    placed(certificate_id, State.ISSUING)
    actions.move(certificate_id, Event.ISSUER_REFUSED, LATER, principal=alice, note="CAA forbids it.")
    actions.move(certificate_id, Event.REOPEN, LATER, principal=alice)
    assert Certificate.objects.get().last_failure == "CAA forbids it."
    actions.move(certificate_id, Event.APPLY, LATER, principal=alice)
    assert Certificate.objects.get().last_failure == ""


def test_several_steps_are_one_update_and_one_audit_row(alice, certificate_id, django_assert_num_queries):
    before = AuditEvent.objects.count()
    steps = [(Event.APPLY, Via.ANY), (Event.DOMAINS_PROVED, Via.DOMAIN_ONLY)]
    with django_assert_num_queries(5):  # savepoint, SELECT, UPDATE, INSERT, release
        after = actions.move_through(certificate_id, steps, LATER, principal=alice)
    assert after is State.ISSUING
    assert AuditEvent.objects.count() == before + 1
    assert "domains proved (domain only)" in AuditEvent.objects.latest("id").details


def test_one_impossible_step_among_several_writes_nothing(alice, certificate_id):
    before = written()
    steps = [(Event.APPLY, Via.ANY), (Event.ISSUE, Via.ANY)]
    with pytest.raises(WrongState):
        actions.move_through(certificate_id, steps, LATER, principal=alice)
    assert (Certificate.objects.get().state, written()) == ("PAID", before)


def test_who_comes_second_is_told_that_the_state_changed(alice, certificate_id):
    stale = actions.Known(alice.account_id, State.PAID)
    actions.move(certificate_id, Event.APPLY, LATER, principal=alice)
    before = written()
    with pytest.raises(StateChanged):
        actions.move(certificate_id, Event.UNSUBSCRIBE, LATER, principal=alice, known=stale)
    assert (Certificate.objects.get().state, written()) == ("CHECKING", before)


def test_a_missing_certificate_cannot_be_moved(alice):
    with pytest.raises(NoCertificate):
        actions.move("scs0000000000000", Event.APPLY, LATER, principal=alice)


def test_only_named_columns_change_with_a_state(alice, certificate_id):
    with pytest.raises(ValueError, match="not settable"):
        actions.move(certificate_id, Event.APPLY, LATER, principal=alice, set={"account_id": "x"})


def test_deleting_keeps_the_row_and_its_moment(alice, certificate_id):
    placed(certificate_id, State.REVOKED)
    actions.move(certificate_id, Event.DELETE, LATER, principal=alice)
    assert Certificate.objects.get().deleted_at == LATER


@pytest.mark.parametrize("state", sorted(states.EXPIRING))
def test_an_expired_certificate_allows_only_its_end(alice, certificate_id, state):
    not_after = NOW + timedelta(days=10)
    allowed = {event for before, event, _ in TABLE if before is state}
    for event in allowed:
        ways = [via for via in Via if (state, event, via) in TABLE]
        placed(certificate_id, state, not_after)
        over = not_after + timedelta(seconds=1)
        if event in (Event.LAPSE, Event.DELETE):
            actions.move(certificate_id, event, over, via=ways[0], principal=alice)
        else:
            with pytest.raises(WrongState, match="Expired"):
                actions.move(certificate_id, event, over, via=ways[0], principal=alice)
            actions.move(certificate_id, event, not_after, via=ways[0], principal=alice)


def test_expired_from_the_second_after_not_after():
    for state in State:
        seen = states.effective(state, NOW, NOW + timedelta(seconds=1))
        assert seen is (State.EXPIRED if state in {*states.EXPIRING, State.EXPIRED} else state)
        assert states.effective(state, NOW, NOW) is state
        assert states.effective(state, None, NOW) is state
