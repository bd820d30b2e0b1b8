"""TIM: one second on either side of each limit, and a business clock that a lab moves either way."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.jobs.models import Job
from certdesk.interfaces.operations import registry
from certdesk.lifecycle.orders import jobs as order_jobs
from tests.support.desk import Desk
from tests.support.inventory import issued
from tests.support.office import Office
from tests.support.rulebook import BUY, DAY, PEOPLE, SECOND, Caller, LabClock

if TYPE_CHECKING:
    from tests.support.signed import Person

assert order_jobs
HOUR = timedelta(hours=1)


def proved(desk: Desk, alice: Caller, certificate_id: str, domain: str = "www.example.com") -> None:
    alice.apply(certificate_id, domain)
    desk.publish(certificate_id)
    alice.verify(certificate_id)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (datetime(2027, 3, 1, 9, 30, 15, tzinfo=UTC), datetime(2028, 3, 1, 9, 30, 14, tzinfo=UTC)),
        (datetime(2027, 2, 28, 9, 0, 0, tzinfo=UTC), datetime(2028, 2, 28, 8, 59, 59, tzinfo=UTC)),
        (datetime(2028, 2, 28, 9, 0, 0, tzinfo=UTC), datetime(2029, 2, 28, 8, 59, 59, tzinfo=UTC)),
        (datetime(2028, 2, 29, 9, 0, 0, tzinfo=UTC), datetime(2029, 2, 28, 8, 59, 59, tzinfo=UTC)),
        (datetime(2028, 2, 29, 0, 0, 0, tzinfo=UTC), datetime(2029, 2, 27, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_year_is_the_date_a_year_on_minus_one_second_from_issuance(
    lab: LabClock, desk: Desk, alice: Caller, now: datetime, end: datetime
) -> None:
    # rule: TIM-1
    # rule: CAT-7
    # rule: ISS-1
    lab.at(now - 40 * DAY)
    certificate_id = alice.buy()
    lab.at(now - DAY)
    proved(desk, alice, certificate_id)
    lab.at(now)
    desk.run()
    leaf, shown = alice.leaf(certificate_id), alice.show(certificate_id)
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (now, end)
    assert (shown["status"], shown["progress"]) == ("ISSUED", 100)
    assert (shown["not_before"], shown["not_after"]) == (clock.wire(now), clock.wire(end))


def test_after_expiry_a_new_certificate_must_be_bought(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: CAT-7
    certificate_id = desk.issued("www.example.com")
    end = alice.leaf(certificate_id).not_valid_after_utc
    lab.at(end)
    assert alice.status(certificate_id) == "ISSUED"
    lab.at(end + SECOND)
    shown = alice.show(certificate_id)
    assert shown["status"] == "EXPIRED"
    assert not {"apply", "renew", "reissue", "reopen"} & set(shown["operations"])
    alice.not_applied(certificate_id)
    alice.refused("certificates.reopen", certificate_id)
    successor = alice.buy()
    assert successor != certificate_id
    assert alice.status(successor) == "PAID"


def test_the_reminder_begins_30_days_before_not_after(lab: LabClock, office: Office) -> None:
    # rule: TIM-1
    # rule: LST-3
    now = lab.real
    certificate_id = issued(office.desk.alice, ("www.example.com",), now=now, lasts=365 * DAY)
    end = now + 365 * DAY - SECOND

    def badge(moment: datetime) -> str:
        lab.at(moment)
        page = office.client().get("/certificates").content.decode()
        row = page[page.index(f'data-certificate-id="{certificate_id}"') :]
        return row[row.index("data-status=") : row.index("</span>", row.index("data-status="))]

    assert "expires in" not in badge(end - 30 * DAY - SECOND)
    assert "expires in" in badge(end - 30 * DAY)
    assert "ISSUED" in badge(end)
    assert "EXPIRED" in badge(end + SECOND)


def test_an_unpaid_order_closes_after_24_hours(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: TIM-1
    # rule: ORD-3
    body = {**BUY, "is_auto_pay": False}
    first, second = (alice("orders.buy", body=body)["order_id"] for _ in range(2))
    lab.at(lab.real + DAY - SECOND)
    assert alice("orders.show", order_id=first)["state"] == "UNPAID"
    assert alice("orders.pay", order_id=first, body={})["state"] == "PAID"
    lab.at(lab.real + DAY)
    assert alice("orders.show", order_id=second)["state"] == "CANCELLED"
    alice.refused("orders.pay", order_id=second, body={})


def test_a_random_value_serves_30_days(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: TIM-1
    # rule: DOM-11
    start = lab.real
    in_time, late = alice.buy(), alice.buy()
    alice.apply(in_time, "in-time.example.com")
    alice.apply(late, "late.example.com")
    before = alice.proof(late)[0]
    info = alice("certificates.domain_verification", late)
    assert info["value_expires_at"] == clock.wire(start + 30 * DAY)
    lab.at(start + 30 * DAY)
    desk.publish(in_time)
    assert alice.verify(in_time)["status"] == "ISSUING"
    lab.at(start + 30 * DAY + SECOND)
    desk.publish(late)
    assert alice.verify(late)["status"] == "CHECKING"
    after = alice.proof(late)[0]
    assert after["record_name"] == before["record_name"]
    assert after["record_value"] != before["record_value"]
    assert after["status"] == "FAILED"
    desk.publish(late)
    assert alice.verify(late)["status"] == "ISSUING"


@pytest.mark.parametrize(("late", "status"), [(timedelta(0), "VERIFIED"), (SECOND, "PENDING")])
def test_evidence_serves_to_the_last_second_of_its_period(
    lab: LabClock, desk: Desk, alice: Caller, late: timedelta, status: str
) -> None:
    # rule: TIM-1
    # rule: DOM-13
    start = lab.real
    desk.issued("www.example.com")
    lab.at(start + 398 * DAY + late)
    certificate_id = alice.buy()
    alice.apply(certificate_id)
    assert [one["status"] for one in alice.proof(certificate_id)] == [status]
    body = {**BUY, **PEOPLE, "domain": "www.example.com"}
    answer = registry.call("certificates.issue", alice.principal, body=body)[1]
    assert answer["status"] == ("ISSUED" if not late else "CHECKING")


@pytest.fixture
def carol(lab: LabClock) -> "Person":
    from tests.support.signed import account, person

    return person(account(), "carol", "users")


@pytest.mark.parametrize("days", [400, -400], ids=["ahead", "back"])
def test_authentication_never_looks_at_the_moved_clock(lab: LabClock, carol: "Person", days: int) -> None:
    # rule: TIM-2
    path = "/v3/scm/certificates"
    lab.move(days * DAY)
    minutes = timedelta(minutes=15)
    for shift in (timedelta(0), minutes, -minutes):
        assert carol.send("GET", path, now=lab.real + shift).status == 200
    for shift in (minutes + SECOND, -minutes - SECOND, days * DAY):
        assert carol.send("GET", path, now=lab.real + shift).status == 401


@pytest.mark.parametrize("days", [400, -400], ids=["ahead", "back"])
def test_jobs_run_on_real_time_and_certificates_are_dated_by_business_time(
    lab: LabClock, desk: Desk, alice: Caller, days: int
) -> None:
    # rule: TIM-2
    lab.move(days * DAY)
    certificate_id = alice.buy()
    alice.apply(certificate_id)
    (job,) = Job.objects.filter(kind="validation.check")
    assert job.run_at == job.created_at == lab.real
    desk.run()  # nothing is found; the next look is a retry of half a minute
    (job,) = Job.objects.filter(kind="validation.check", state="READY")
    assert timedelta(seconds=25) <= job.run_at - lab.real <= timedelta(seconds=31)
    desk.publish(certificate_id)
    desk.run(HOUR)
    assert alice.status(certificate_id) == "ISSUED"
    assert alice.leaf(certificate_id).not_valid_before_utc == lab.real + days * DAY
    assert alice.show(certificate_id)["state_since"] == clock.wire(lab.real + days * DAY)


def test_business_time_may_be_moved_back(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: TIM-2
    lab.move(100 * DAY)
    body = {**BUY, "is_auto_pay": False}
    unpaid = alice("orders.buy", body=body)["order_id"]
    early, waiting = desk.issued("www.example.com"), alice.buy()
    alice.apply(waiting, "later.example.com")
    lab.move(-100 * DAY)
    assert alice.status(early) == "ISSUED"
    assert alice("orders.show", order_id=unpaid)["state"] == "UNPAID"
    assert {one["id"] for one in alice("certificates.list")["certificates"]} == {early, waiting}
    desk.publish(waiting)
    desk.run(HOUR)
    assert alice.status(waiting) == "ISSUED"
    assert alice.leaf(waiting).not_valid_before_utc == lab.real - 100 * DAY
    again = alice.buy()
    alice.apply(again)
    assert alice.proof(again)[0]["status"] == "PENDING"  # evidence of the future proves nothing today
    lab.move(500 * DAY)
    assert alice.status(early) == "EXPIRED"
