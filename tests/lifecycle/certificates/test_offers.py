"""What is offered in which state, and the sentence for what is not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from certdesk.lifecycle.certificates import docs, rules, states
from certdesk.lifecycle.certificates.errors import NotExportable
from certdesk.lifecycle.certificates.rules import LATER, Operation
from certdesk.lifecycle.certificates.states import TABLE, State
from tests.support.inventory import NOW

DOWNLOADABLE = {
    State.ISSUED,
    State.UPLOAD,
    State.SUPPLEMENTCHECKING,
    State.CANCELSUPPLEMENTING,
    State.REISSUING,
    State.REVOKING,
    State.REVOKING_DOMAIN,
}


@dataclass
class Thing:
    state: str
    not_after: datetime | None = None
    id: str = "scs1600313391074"


def test_every_operation_of_the_table_has_a_name_here():
    named = {name for row in states.ROWS.values() for name in row.operations}
    assert named <= {operation.value for operation in Operation}


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXPIRED])
def test_offered_is_what_the_table_lists_without_what_comes_later(state):
    expected = [name for name in states.ROWS[state].operations if Operation(name) not in LATER]
    assert sorted(rules.offered(Thing(state), NOW)) == sorted(expected)


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXPIRED])
def test_what_is_not_offered_says_why(state):
    for offer in rules.offers(Thing(state), NOW):
        assert offer.offered is (offer.why_not == "")
        if offer.operation in LATER:
            assert "does not have this operation yet" in offer.why_not
        elif not offer.offered:
            assert offer.why_not.startswith("Possible only while the certificate is: ")


def test_an_expired_certificate_offers_what_expired_ones_do():
    past = Thing(State.ISSUED, NOW - timedelta(seconds=1))
    assert rules.state_of(past, NOW) is State.EXPIRED
    assert rules.offered(past, NOW) == (Operation.DOWNLOAD,)
    assert rules.offers(past, NOW)[0].operation is Operation.DOWNLOAD


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXPIRED])
def test_download_only_where_there_is_something(state):
    if state in DOWNLOADABLE:
        rules.check_downloadable(Thing(state, NOW), NOW)
        rules.check_downloadable(Thing(state, NOW), NOW + timedelta(days=1))  # Expired
    else:
        with pytest.raises(NotExportable, match=r"nothing to download"):
            rules.check_downloadable(Thing(state), NOW)


@pytest.mark.parametrize("state", [State.ISSUED, State.UPLOAD])
def test_the_reminder_begins_thirty_days_of_seconds_before_expiry(state):
    not_after = NOW + timedelta(days=30)
    assert rules.expires_soon(Thing(state, not_after), NOW)
    assert not rules.expires_soon(Thing(state, not_after), NOW - timedelta(seconds=1))
    assert rules.expires_soon(Thing(state, not_after), not_after)
    assert not rules.expires_soon(Thing(state, not_after), not_after + timedelta(seconds=1))
    assert not rules.expires_soon(Thing(state), NOW)
    assert not rules.expires_soon(Thing(State.REVOKING, not_after), NOW)


def test_the_page_of_the_table_holds_every_line():
    page = docs.states_page()
    for state in State:
        assert f"| {state.value} | {states.ROWS[state].title} |" in page
    for state, event, via in TABLE:
        way = via.value or "–"
        assert f"| {state.value} | {event.value} | {way} | {TABLE[state, event, via].value} |" in page
    assert "deploy*" in page
