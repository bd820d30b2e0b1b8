"""Purchases, versions and names in the inventory."""

import re
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event as AuditEvent
from certdesk.foundation.common import ids, sql
from certdesk.lifecycle.certificates import actions, queries
from certdesk.lifecycle.certificates.actions import Issued, New
from certdesk.lifecycle.certificates.errors import NoCertificate, StateChanged
from certdesk.lifecycle.certificates.models import Certificate, CertificateName, Version
from certdesk.lifecycle.certificates.states import Event, State, Via
from tests.support.inventory import DV, NOW, bought, facts_of, issued, new_account, person, placed

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)
PROVED = ((Event.APPLY, Via.ANY), (Event.DOMAINS_PROVED, Via.DOMAIN_ONLY))


@pytest.fixture
def alice():
    return person(new_account())


def names_of(certificate_id):
    found = CertificateName.objects.filter(certificate_id=certificate_id)
    return sorted(found.values_list("name", flat=True))


def test_a_purchase_of_three_is_three_pending_applications_with_names_of_their_own(alice):
    made = bought(alice, 3)
    rows = list(Certificate.objects.order_by("id"))
    assert [row.id for row in rows] == sorted(made)
    for row in rows:
        assert re.fullmatch(r"scs\d{13}", row.id)
        assert re.fullmatch(r"scm-[0-9a-f]{6}", row.name)
        assert (row.state, row.state_since, row.created_at, row.source) == ("PAID", NOW, NOW, "BOUGHT")
        assert (row.account_id, row.owner_id) == (alice.account_id, alice.user_id)
        assert (row.current_version, row.not_after, row.last_failure) == (0, None, "")


def test_an_id_that_another_process_took_is_made_anew(alice, monkeypatch):
    (taken,) = bought(alice)
    numbers = iter([taken, "scs0000000000002", "scs0000000000003", "scs0000000000003", "scs0000000000004"])
    monkeypatch.setattr(ids, "certificate_id", lambda: next(numbers))
    assert bought(alice, 2, order="CS2") == ["scs0000000000002", "scs0000000000003"]
    assert bought(alice, 1, order="CS3") == ["scs0000000000004"]
    assert Certificate.objects.get(id=taken).order_id == "CS1"


def test_the_first_version_gives_the_certificate_its_dates_and_names(alice):
    (certificate_id,) = bought(alice)
    facts = facts_of(("www.example.com", "example.com"))
    assert actions.add_version(certificate_id, facts, LATER) == 1
    row = Certificate.objects.get()
    assert (row.domain, row.sans) == ("www.example.com", "www.example.com;example.com")
    assert (row.not_before, row.not_after, row.current_version) == (facts.not_before, facts.not_after, 1)
    assert row.state == "PAID"
    assert names_of(certificate_id) == ["example.com", "www.example.com"]
    version = queries.current_version(row)
    assert (version.serial, bytes(version.der), bytes(version.chain)) == (
        facts.serial,
        facts.der,
        facts.chain,
    )


def test_a_new_version_supersedes_the_one_before(alice):
    certificate_id = issued(alice)
    assert actions.add_version(certificate_id, facts_of(("new.example.com",), not_before=LATER), LATER) == 2
    row = Certificate.objects.get()
    new, old = queries.versions(row)
    assert (new.number, new.superseded_at, old.number, old.superseded_at) == (2, None, 1, LATER)
    assert old.revoked_at is None
    assert names_of(certificate_id) == ["new.example.com"] == [row.domain]


def test_a_version_or_names_for_a_missing_certificate_are_refused(alice):
    with pytest.raises(NoCertificate):
        actions.add_version("scs0000000000000", facts_of(), NOW)
    with pytest.raises(NoCertificate):
        actions.set_names("scs0000000000000", ("a.example.com",), NOW)


def test_names_are_replaced_as_a_whole(alice):
    (certificate_id,) = bought(alice)
    actions.set_names(certificate_id, ("a.example.com", "b.example.com"), NOW)
    actions.set_names(certificate_id, ("b.example.com", "c.example.com"), LATER)
    assert names_of(certificate_id) == ["b.example.com", "c.example.com"]
    row = Certificate.objects.get()
    assert (row.domain, row.sans, row.updated_at) == ("b.example.com", "b.example.com;c.example.com", LATER)
    actions.set_names(certificate_id, (), LATER)
    assert (names_of(certificate_id), Certificate.objects.get().domain) == ([], "")


def test_purchases_for_proved_names_go_in_at_the_state_they_reach(alice, django_assert_num_queries):
    orders = [
        New(f"CS{number}", DV, 1, (f"{number}.example.com",), PROVED) for number in range(5)
    ] + [New("CS-plain", DV, 2)]  # fmt: skip
    with django_assert_num_queries(3):  # certificates, names, audit rows
        made = actions.create_many(alice, orders, NOW)
    assert [len(made[one.order_id]) for one in orders] == [1, 1, 1, 1, 1, 2]
    row = Certificate.objects.get(order_id="CS3")
    assert (row.state, row.domain, names_of(row.id)) == ("ISSUING", "3.example.com", ["3.example.com"])
    assert '"to":"ISSUING"' in AuditEvent.objects.get(resource=f"cert:{row.id}").details
    assert set(Certificate.objects.filter(order_id="CS-plain").values_list("state", flat=True)) == {"PAID"}


def test_many_are_issued_together_or_not_at_all(alice):
    made = actions.create_many(alice, [New("CS1", DV, 3, ("www.example.com",), PROVED)], NOW)["CS1"]
    placed(made[1], State.CANCELCHECKING)
    batch = [Issued(one, facts_of()) for one in made]
    with pytest.raises(StateChanged), sql.short_transaction():
        actions.issue_first(alice, batch, LATER)
    assert not Certificate.objects.filter(state="ISSUED").exists()
    assert Version.objects.count() == 0
    placed(made[1], State.ISSUING)
    actions.issue_first(alice, batch, LATER)
    rows = Certificate.objects.all()
    assert {(row.state, row.current_version, row.not_after) for row in rows} == {
        ("ISSUED", 1, batch[0].facts.not_after)
    }
    assert Version.objects.count() == 3
    assert AuditEvent.objects.filter(action="certificate.issue").count() == 3
    with pytest.raises(StateChanged):
        actions.issue_first(alice, batch[:1], LATER)


def test_events_of_a_certificate_are_its_own_newest_first(alice):
    first, second = bought(alice, 2)
    for certificate_id in (first, second):
        actions.move(certificate_id, Event.APPLY, LATER, principal=alice)
    actions.move(first, Event.WITHDRAW, LATER, principal=alice)
    row = Certificate.objects.get(id=first)
    assert [event.action for event in queries.events(row)] == [
        "certificate.withdraw",
        "certificate.apply",
        "certificate.bought",
    ]
