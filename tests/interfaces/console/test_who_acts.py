"""Who must act, as the reader is told: whoever only checks or reads is not told to act."""

from datetime import UTC, datetime, timedelta

import pytest

from certdesk.interfaces.console import next_steps
from certdesk.interfaces.console.standing import Standing
from certdesk.lifecycle.certificates.states import ROWS, State
from tests.support.office import Office

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def office(db: None) -> object:
    from tests.support.office import open_office

    with open_office() as made:
        yield made


def test_officer_and_reader_are_told_to_wait_for_the_applicant(office: Office) -> None:
    # rule: IAM-5
    certificate_id = office.desk.buy()
    office.desk.apply(certificate_id, domain="www.store.example.org")
    alice, bob = (office.client(name).get("/certificates").content.decode() for name in ("alice", "bob"))
    for shown in (alice, bob):
        assert "Needs you" in shown
        assert "add the DNS record, then verify" in shown
    for name in ("otto", "rita"):
        shown = office.client(name).get("/certificates").content.decode()
        assert certificate_id in shown
        assert "Needs you" not in shown
        assert "Needs the applicant" in shown
        assert "add the DNS record" not in shown
        assert "The applicant:" in shown
        page = office.client(name).get(f"/certificates/{certificate_id}").content.decode()
        assert "The applicant, or whoever manages" in page
        assert "You, or whoever" not in page
    assert certificate_id not in office.client("charlie").get("/certificates").content.decode()


@pytest.mark.parametrize("state", sorted(set(State) & set(ROWS)))
def test_no_state_tells_a_reader_to_act(state: State) -> None:
    standing = Standing(state, NOW, "DV", "", not_after=NOW + timedelta(days=3))
    who, _text = next_steps.hint(standing, NOW, may_act=False)
    assert "You" not in who
    assert "You" not in next_steps.callout(standing, NOW, may_act=False).who
    mine = next_steps.hint(standing, NOW)
    assert mine[0] == "You" or mine == next_steps.hint(standing, NOW, may_act=False)


def test_a_zone_that_is_not_there_leads_to_the_zones(office: Office) -> None:
    response = office.client().get("/zones/nowhere.example")
    assert response.status_code == 404
    assert 'href="/dns">Go to the zones' in response.content.decode()
    assert "Go to the zones" not in office.client().get("/certificates/scs0000000000000").content.decode()
