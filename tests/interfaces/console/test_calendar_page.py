"""The calendar over API and console: order, who does it, what stands in the way, pages, rights."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Via
from certdesk.lifecycle.certificates.models import Certificate
from tests.support.inventory import issued
from tests.support.office import Office
from tests.support.rulebook import Caller

pytestmark = pytest.mark.django_db
CALENDAR = "renewals.calendar"


def caller(office: Office, name: str = "alice") -> Caller:
    return Caller(queries.principal_of(office.people[name], Via.API))


def test_what_is_replaced_when_and_by_whom(office: Office) -> None:
    # rule: REN-7
    # rule: REN-8
    now, alice = clock.now(), caller(office)
    certificate_id = office.desk.issued("www.example.com")
    by_hand = issued(office.desk.alice, ("late.example.com",), now=now, lasts=timedelta(days=200))
    rolls = issued(office.desk.alice, ("short.example.com",), now=now, lasts=timedelta(days=47))
    Certificate.objects.filter(id=rolls).update(paid_until=now + timedelta(days=365))
    alice("certificates.set_auto_renewal", certificate_id, {"enabled": True})
    items = alice(CALENDAR)["items"]
    shown = [(one["cert_id"], one["action"], one["by"]) for one in items]
    assert shown == [
        (rolls, "ROLLOVER", "MACHINE"),
        (by_hand, "BUY", "PERSON"),
        (certificate_id, "BUY", "MACHINE"),
    ]
    assert {one["code"] for one in items[0]["blockers"]} == {"PRIVACY", "INSTALL"}
    assert [one["cert_id"] for one in alice(CALENDAR, query={"by": "PERSON"})["items"]] == [by_hand]
    machine = alice(CALENDAR, query={"by": "MACHINE"})["items"]
    assert [one["cert_id"] for one in machine] == [rolls, certificate_id]
    assert alice.refused(CALENDAR, query={"by": "NOBODY"}).field == "by"
    assert caller(office, "charlie")(CALENDAR)["items"] == []
    page = office.client().get("/calendar").content.decode()
    for words in ("short.example.com", "replaces it by a newer version", "renew it by hand", "The machine"):
        assert words in page
    assert "late.example.com" not in office.client().get("/calendar?by=MACHINE").content.decode()
    assert "Nothing in force ends here." in office.client("charlie").get("/calendar").content.decode()


def test_pages_go_on_where_the_last_one_ended(office: Office) -> None:
    now, alice = clock.now(), caller(office)
    made = [
        issued(
            office.desk.alice, (f"n{number}.example.com",), now=now, lasts=timedelta(days=50 + number // 2)
        )
        for number in range(12)
    ]
    first = alice(CALENDAR, query={"limit": 10})
    second = alice(CALENDAR, query={"limit": 10, "marker": first["next_marker"]})
    found = [one["cert_id"] for one in (*first["items"], *second["items"])]
    assert (sorted(found), second["next_marker"]) == (sorted(made), None)


def test_statements_are_as_many_for_one_row_as_for_ten(office: Office) -> None:
    now, alice = clock.now(), caller(office)

    def machine(number: int) -> None:
        made = issued(office.desk.alice, (f"m{number}.example.com",), now=now, lasts=timedelta(days=47))
        Certificate.objects.filter(id=made).update(paid_until=now + timedelta(days=365))
        own = office.desk.issued(f"b{number}.example.com")
        alice("certificates.set_auto_renewal", own, {"enabled": True})

    machine(0)
    with CaptureQueriesContext(connection) as few:
        assert len(alice(CALENDAR)["items"]) == 2
    for number in range(1, 5):
        machine(number)
    with CaptureQueriesContext(connection) as many:
        assert len(alice(CALENDAR)["items"]) == 10
    assert len(many) == len(few) <= 20
