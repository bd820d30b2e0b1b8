"""What is offered in which state, and the sentence for what is not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from certdesk.lifecycle.certificates import docs, endings, rules, states
from certdesk.lifecycle.certificates.errors import NotExportable
from certdesk.lifecycle.certificates.rules import Operation
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
    source: str = "BOUGHT"
    free: bool = False
    created_at: datetime = NOW
    personal_data: bool = True
    not_before: datetime | None = None
    paid_until: datetime | None = None
    domain_type: str = "SINGLE_DOMAIN"
    sans: str = "www.example.com"
    single_quota: int = 0
    wildcard_quota: int = 0
    first_issued_at: datetime | None = None
    reissue_days: int = 25


def test_every_operation_of_the_table_has_a_name_here():
    named = {name for row in states.ROWS.values() for name in row.operations}
    assert named <= {operation.value for operation in Operation}


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXPIRED])
def test_offered_is_what_the_table_lists(state):
    expected = list(states.ROWS[state].operations)
    if state is State.PAID:  # a paid one is unsubscribed from, a free one deleted (DEL-1)
        assert sorted(rules.offered(Thing(state, free=True), NOW)) == ["apply", "delete", "privacy"]
        expected.remove("delete")
    if state is State.ISSUED:  # ADD-1: one name alone takes no further ones
        several = Thing(state, domain_type="MULTI_DOMAIN", single_quota=1)
        assert sorted(rules.offered(several, NOW)) == sorted(set(expected) - {"reissue"})
        expected.remove("add-domains")
    assert sorted(rules.offered(Thing(state), NOW)) == sorted(expected)


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXPIRED])
def test_what_is_not_offered_says_why(state):
    for offer in rules.offers(Thing(state), NOW):
        assert offer.offered is (offer.why_not == "")
        if not offer.offered and not offer.special:
            assert offer.why_not.startswith("Possible only while the certificate is: ")


def test_an_expired_certificate_offers_what_expired_ones_do():
    past = Thing(State.ISSUED, NOW - timedelta(seconds=1))
    assert rules.state_of(past, NOW) is State.EXPIRED
    assert rules.offered(past, NOW) == (Operation.DOWNLOAD, Operation.DELETE, Operation.PRIVACY)
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


# rule: DEL-1
# rule: FRE-4
def test_a_free_one_in_force_is_deleted_by_the_api_alone() -> None:
    free = Thing(State.ISSUED, NOW + timedelta(days=1), free=True)
    assert Operation.DELETE in rules.offered(free, NOW)
    assert Operation.DELETE not in rules.offered(free, NOW, in_console=True)
    why = next(one for one in rules.offers(free, NOW, in_console=True) if one.operation is Operation.DELETE)
    assert (why.special, why.why_not) == (True, endings.FREE_BY_API)
    for operation in ("reissue", "renew"):
        assert endings.bar(operation, free, State.ISSUED, NOW, in_console=False) == endings.FREE_NOT_RENEWED
        assert endings.bar(operation, Thing(State.ISSUED), State.ISSUED, NOW, in_console=False) == ""


# rule: UNS-1
def test_unsubscribing_is_offered_for_seven_days() -> None:
    paid, week = Thing(State.PAID), timedelta(days=7)
    assert Operation.UNSUBSCRIBE in rules.offered(paid, NOW + week - timedelta(seconds=1))
    assert Operation.UNSUBSCRIBE not in rules.offered(paid, NOW + week)
    for other in (Thing(State.PAID, free=True), Thing(State.REVOKED, source="UPLOADED")):
        assert Operation.UNSUBSCRIBE not in rules.offered(other, NOW)


# rule: REV-1
# rule: REV-6
def test_revoking_is_offered_until_a_month_before_the_end() -> None:
    begin, year = NOW, timedelta(days=365)
    one = Thing(State.ISSUED, begin + year, not_before=begin)
    last = begin + year - timedelta(days=30)
    assert Operation.REVOKE in rules.offered(one, last - timedelta(seconds=1))
    assert Operation.REVOKE not in rules.offered(one, last)
    short = Thing(State.ISSUED, begin + timedelta(days=100), not_before=begin)
    assert Operation.REVOKE in rules.offered(short, begin + timedelta(days=99))
    assert endings.bar(
        "revoke", Thing(State.UPLOAD, source="UPLOADED"), State.UPLOAD, NOW, in_console=True
    ) == (endings.NOT_ISSUED_HERE)
