"""Who may decide about an organisation, in which order, by which way."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.test import Client

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import Forbidden
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import queries as iam_queries
from certdesk.foundation.iam.models import User
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Message, State
from certdesk.foundation.sealing.models import Secret
from certdesk.lifecycle.validation import organization_queries
from certdesk.lifecycle.validation.models import (
    OrganizationDecision,
)
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.organization import DECIDE, DOCUMENTS, PDF, waiting, yes
from tests.support.rulebook import COMPANY, SECOND, Caller, LabClock

# --- never the applicant -------------------------------------------------------------------------


def officer(office: Office, name: str, *, by: str = "", email: str = "") -> Principal:
    """A new officer of Alice's account, made by another of its users or by the host."""
    maker = iam_queries.principal_of(office.people[by], Via.CONSOLE) if by else None
    user = iam.create_user(
        office.desk.account, name, "correct horse battery", ["officers"], email=email, by=maker
    )
    return iam_queries.principal_of(user, Via.CONSOLE)


def case_of_name(office: Office) -> Principal:
    return officer(office, "Alice")


def same_mailbox(office: Office) -> Principal:
    User.objects.filter(id=office.people["alice"].id).update(email="alice@example.net")
    return officer(office, "second", email="Alice+ra@Example.net")


def applicants_address(office: Office) -> Principal:
    return officer(office, "second", email="ada@example.com")


def same_phone(office: Office) -> Principal:
    User.objects.filter(id=office.people["alice"].id).update(phone="+44 20 7946 0999")
    second = officer(office, "second")
    User.objects.filter(id=second.user_id).update(phone="00442079460999".removeprefix("00"))
    return second


def made_by_her(office: Office) -> Principal:
    return officer(office, "second", by="alice")


def put_into_the_group_by_her(office: Office) -> Principal:
    user = iam.create_user(office.desk.account, "second", "correct horse battery", [])
    iam.add_to_group(user, "officers", by=iam_queries.principal_of(office.people["alice"], Via.CONSOLE))
    return iam_queries.principal_of(user, Via.CONSOLE)


def with_a_key_that_she_made(office: Office) -> Principal:
    second = officer(office, "second")
    by = iam_queries.principal_of(office.people["alice"], Via.CONSOLE)
    key, _ = iam.create_access_key(User.objects.get(id=second.user_id), by=by)
    return replace(second, access_key=key)


def herself_in_the_group(office: Office) -> Principal:
    iam.add_to_group(office.people["alice"], "officers")
    return iam_queries.principal_of(office.people["alice"], Via.CONSOLE)


def with_her_key(office: Office) -> Principal:
    return replace(officer(office, "second"), access_key="AKALICE")


def by_her_agency(office: Office) -> Principal:
    return replace(officer(office, "second"), agency="agency-1")


SECOND_USERS = (
    case_of_name,
    same_mailbox,
    applicants_address,
    same_phone,
    made_by_her,
    put_into_the_group_by_her,
    with_a_key_that_she_made,
    herself_in_the_group,
    with_her_key,
    by_her_agency,
)


@pytest.mark.parametrize("trick", SECOND_USERS, ids=lambda one: one.__name__)
def test_no_second_user_key_group_or_agency_makes_the_applicant_an_officer(
    office: Office, trick: Callable[[Office], Principal]
) -> None:
    # rule: ORG-2
    # rule: ORG-5
    desk = office.desk
    alice = Caller(replace(desk.alice, access_key="AKALICE", agency="agency-1"))
    certificate_id = waiting(desk, alice)
    second = Caller(trick(office))
    assert isinstance(second.refused(DECIDE, certificate_id, yes()), Forbidden)
    assert not OrganizationDecision.objects.exists()
    shown = second("organization.show", certificate_id)
    assert shown["may_decide"] is False
    assert shown["why_not"]
    otto = Caller(iam_queries.principal_of(office.people["otto"], Via.CONSOLE))
    assert otto(DECIDE, certificate_id, yes())["status"] == "ISSUING"


def test_the_second_officer_of_ev_is_another_person(office: Office) -> None:
    # rule: ORG-2
    # rule: ORG-5
    certificate_id = waiting(office.desk, Caller(office.desk.alice), cert_type="EV_SSL_CERT")
    olga = iam_queries.principal_of(office.people["olga"], Via.CONSOLE)
    assert Caller(olga)(DECIDE, certificate_id, yes("EV")) == {
        "status": "CHECKING_ORG",
        "decisions_needed": 1,
    }
    User.objects.filter(id=office.people["olga"].id).update(email="olga@example.net")
    twin = officer(office, "twin", email="OLGA@example.net")
    made = officer(office, "made", by="olga")
    for one in (olga, twin, made, replace(twin, user_id=office.people["otto"].id, agency="a")):
        if one.user_id != office.people["otto"].id:
            Caller(one).refused(DECIDE, certificate_id, yes("EV"))
    otto = Caller(iam_queries.principal_of(office.people["otto"], Via.CONSOLE))
    assert otto(DECIDE, certificate_id, yes("EV"))["status"] == "ISSUING"


def test_who_shows_documents_for_the_applicant_decides_nothing(desk: Desk, alice: Caller) -> None:
    # rule: ORG-2
    certificate_id = waiting(desk, alice)
    bob = Caller(desk.someone("bob"))
    bob(DOCUMENTS, certificate_id, {"name": "a.pdf", "content": PDF})
    assert isinstance(bob.refused(DECIDE, certificate_id, yes()), Forbidden)
    assert Caller(desk.someone("olga"))(DECIDE, certificate_id, yes())["status"] == "ISSUING"


# --- queue ---------------------------------------------------------------------------------------


def test_the_queue_is_filtered_and_says_how_the_promise_stands(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: ORG-2
    # rule: ISS-5
    monday = datetime.fromisoformat("2027-03-01T09:00:00+00:00")
    lab.at(monday)
    first = waiting(desk, alice)
    second = waiting(desk, alice, cert_type="EV_SSL_CERT", company_name="北京示例有限公司")
    alice("organization.method", second, {"method": "DOCUMENTS"})
    olga = Caller(desk.someone("olga"))

    def found(**query: object) -> list[str]:
        return [one["certificate_id"] for one in olga("organization.list", query=query)["items"]]

    assert found() == [first, second]
    assert found(level="EV") == [second]
    assert found(method="DOCUMENTS") == [second]
    assert found(content="示例") == [second]
    assert found(content="example TRADING") == [first]
    assert found(content="www.example") == [first, second]
    assert found(content="100%") == []
    assert found(level="OV", method="DOCUMENTS") == []
    for query in ({"level": "DV"}, {"method": "PIGEON"}, {"content": "x" * 101}):
        olga.refused("organization.list", query=query)
    lab.at(monday + timedelta(days=7))  # five working days on: not late yet
    shown = olga("organization.show", first)["promise"]
    assert shown == {"least": 3, "most": 5, "waited": 5, "due": "2027-03-08", "late": False}
    assert found(late=True) == []
    lab.at(datetime.fromisoformat("2027-03-08T23:59:59+00:00"))
    assert found(late=True) == []
    lab.at(datetime.fromisoformat("2027-03-09T00:00:00+00:00"))
    assert found(late=True) == [first]
    assert olga("organization.show", first)["promise"]["late"] is True
    assert not Caller(replace(desk.alice, account_id="f" * 32))("organization.list", query={})["items"]


def test_an_officer_who_has_decided_has_nothing_to_do_there_any_more(office: Office) -> None:
    # rule: ORG-2
    certificate_id = waiting(office.desk, Caller(office.desk.alice), cert_type="EV_SSL_CERT")
    olga, otto = (iam_queries.principal_of(office.people[one], Via.CONSOLE) for one in ("olga", "otto"))
    assert [organization_queries.pending(one) for one in (olga, otto)] == [1, 1]
    Caller(olga)(DECIDE, certificate_id, yes("EV"))
    assert [organization_queries.pending(one) for one in (olga, otto)] == [0, 1]
    assert organization_queries.show(olga, certificate_id).decided_by_me is True
    assert organization_queries.show(otto, certificate_id).decided_by_me is False
    Caller(otto)(DECIDE, certificate_id, yes("EV"))
    assert [organization_queries.pending(one) for one in (olga, otto)] == [0, 0]


# --- the mailed link -----------------------------------------------------------------------------


def test_the_mailed_link_is_sealed_and_destroyed_with_the_decision(desk: Desk, alice: Caller) -> None:
    # rule: ORG-1
    certificate_id = waiting(desk, alice)
    message = Message.objects.get(template="organization-request", certificate_id=certificate_id)
    secret = link_of(certificate_id).partition("-")[2]
    everything = repr(list(Message.objects.filter(id=message.id).values()))
    assert secret not in everything
    assert Secret.objects.filter(id=message.secret_id).exists()
    olga = Caller(desk.someone("olga"))
    olga("organization.decide", certificate_id, {"decision": "reject", "reason": "No such company."})
    assert not Secret.objects.filter(id=message.secret_id).exists()
    message.refresh_from_db()
    assert message.state == State.KEPT


def link_of(certificate_id: str) -> str:
    message = Message.objects.get(template="organization-request", certificate_id=certificate_id)
    assert "/confirm/organization-" not in message.text + message.html  # it stands in the mail alone
    text, _ = outbox.complete(message)
    return (
        next(word for word in text.split() if "/confirm/organization-" in word)
        .partition("//")[2]
        .partition("/")[2]
    )


def test_the_mailed_link_chooses_and_changes_the_method_until_the_decision(
    lab: LabClock, desk: Desk, alice: Caller
) -> None:
    # rule: ORG-1
    start = lab.real
    certificate_id = waiting(desk, alice)
    path, anybody, olga = f"/{link_of(certificate_id)}", Client(), Caller(desk.someone("olga"))
    asked = olga("organization.show", certificate_id)
    assert (asked["method"], asked["method_chosen"]) == ("PHONE", False)
    page = anybody.get(path)
    assert page.status_code == 200
    assert COMPANY["company_name"] in page.content.decode()
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "same-origin"  # "no-referrer" would send Origin: null
    assert olga("organization.show", certificate_id)["method_chosen"] is False  # a look chooses nothing
    for method in ("DOCUMENTS", "EMAIL"):
        done = anybody.post(path, {"method": method})
        assert 'data-code="organization.method_saved"' in done.content.decode()
        asked = olga("organization.show", certificate_id)
        assert (asked["method"], asked["method_chosen"]) == (method, True)
    assert anybody.post(path, {"method": "PIGEON"}).status_code == 422
    assert anybody.get(f"{path}x").status_code == 404
    assert Client(enforce_csrf_checks=True).post(path, {"method": "PHONE"}).status_code == 403
    chosen = Event.objects.filter(action="organization.method", resource=f"cert:{certificate_id}")
    assert chosen.count() == 2
    assert chosen.first().actor.startswith("link:")
    lab.at(start + timedelta(days=30))
    assert anybody.get(path).status_code == 200
    lab.at(start + timedelta(days=30) + SECOND)
    assert anybody.post(path, {"method": "PHONE"}).status_code == 422
    assert olga("organization.show", certificate_id)["method"] == "EMAIL"
    lab.at(start)
    olga(DECIDE, certificate_id, yes())
    assert anybody.post(path, {"method": "PHONE"}).status_code == 422
    assert "decided" in anybody.get(path).content.decode()
