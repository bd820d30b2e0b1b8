"""Who may apply, and the book of contacts and companies."""

from dataclasses import replace

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common.errors import BadParameter, Forbidden, NotFound
from certdesk.foundation.iam import actions as iam
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import book
from certdesk.lifecycle.applications.models import Application, BookCompany, BookContact, Contact
from tests.support.desk import Desk
from tests.support.rulebook import COMPANY, Caller


def test_without_real_name_no_application(desk: Desk, alice: Caller) -> None:
    # rule: APP-14
    certificate_id = alice.buy()
    assert desk.account.real_name_verified  # set unless the operator takes it away
    iam.set_account_flags(desk.account, real_name_verified=False)
    fault = alice.not_applied(certificate_id)
    assert isinstance(fault, Forbidden)
    assert "real-name" in fault.message
    assert "account flags" in fault.next_step
    assert Event.objects.filter(action="iam:accounts:update").exists()
    iam.set_account_flags(desk.account, real_name_verified=True)
    alice.apply(certificate_id)


def test_the_company_is_asked_for_ov_and_ev_only(desk: Desk, alice: Caller) -> None:
    # rule: APP-9
    alice.apply(alice.buy())
    for kind in ("OV_SSL_CERT", "EV_SSL_CERT"):
        certificate_id = alice.buy(cert_type=kind)
        for missing in COMPANY:
            fault = alice.not_applied(certificate_id, **{**COMPANY, missing: " "})
            assert fault.field == missing
        alice.apply(certificate_id, **COMPANY)


TECHNICAL = {
    "contact_name": "Tech Nician",
    "contact_phone": "+86 10 12345678",
    "contact_email": "t@example.com",
}


def test_people_and_companies_are_kept_once_and_fill_in_the_next_application(
    desk: Desk, alice: Caller
) -> None:
    # rule: APP-11
    # rule: APP-10
    for _ in range(2):
        alice.apply(alice.buy(cert_type="OV_SSL_CERT"), **COMPANY, **TECHNICAL)
    people = alice("contacts.list")["items"]
    assert {one["name"] for one in people} == {"Ada Lovelace", "Tech Nician"}
    assert len(people) == 2
    (company,) = alice("companies.list")["items"]
    assert company["company_name"] == COMPANY["company_name"]
    refused = alice.buy()
    alice.refused("certificates.apply", refused, {"domain": "x.example.com", "applicant_name": "Eve Nobody"})
    assert len(alice("contacts.list")["items"]) == 2  # nothing is kept without the authorisation
    bob = Caller(desk.someone("bob"))
    tech = next(one for one in bob("contacts.list")["items"] if one["name"] == "Tech Nician")
    filled = book.prefill(bob.principal, contact=tech["id"], technical=tech["id"], company_id=company["id"])
    assert filled["applicant_email"] == filled["contact_email"] == "t@example.com"
    assert filled["company_city"] == "Guiyang"
    good = {"name": "Tech Nician", "phone": "+86 10 1234567", "email": "tech@example.com"}
    assert bob("contacts.update", body=good, id=str(tech["id"]))["email"] == "tech@example.com"
    for wrong in ({**good, "email": "no"}, {**good, "phone": "x"}, {**good, "name": "a"}):
        assert isinstance(bob.refused("contacts.update", body=wrong, id=str(tech["id"])), BadParameter)
    ada = {"name": "Ada Lovelace", "phone": "+44 20 7946 0000", "email": "ada@example.com"}
    assert "already" in bob.refused("contacts.update", body=ada, id=str(tech["id"])).message
    assert (
        bob("companies.update", body={**COMPANY, "company_city": "Zunyi"}, id=str(company["id"]))[
            "company_city"
        ]
        == "Zunyi"
    )
    bob.refused("companies.update", body={**COMPANY, "country": "XX"}, id=str(company["id"]))
    alice.apply(alice.buy(cert_type="OV_SSL_CERT"), **COMPANY)
    assert "already" in bob.refused("companies.update", body=COMPANY, id=str(company["id"])).message
    trail = Event.objects.filter(action__startswith="scm:co")
    assert trail.exists()
    assert not any("example.com" in one.details for one in trail)
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    assert charlie("contacts.list")["items"] == charlie("companies.list")["items"] == []
    for name, key in (("contacts", tech["id"]), ("companies", company["id"])):
        assert isinstance(charlie.refused(f"{name}.delete", id=str(key)), NotFound)
        assert isinstance(Caller(desk.someone("rita", "scm:cert:*")).refused(f"{name}.list"), Forbidden)
        alice(f"{name}.delete", id=str(key))
        assert isinstance(alice.refused(f"{name}.delete", id=str(key)), NotFound)


def test_the_book_forgets_with_the_authorisation(desk: Desk, alice: Caller) -> None:
    # rule: APP-11
    first, second = alice.buy(cert_type="OV_SSL_CERT"), alice.buy(cert_type="OV_SSL_CERT")
    alice.apply(first, **COMPANY, **TECHNICAL)
    alice.apply(second, **COMPANY)
    one = Application.objects.get(certificate_id=first)
    book.forget(one)
    assert [person.name for person in BookContact.objects.all()] == [
        "Ada Lovelace"
    ]  # the other still has her
    assert BookCompany.objects.count() == 1
    Contact.objects.filter(application=one).delete()
    Application.objects.filter(id=one.id).update(company={})
    book.forget(Application.objects.get(certificate_id=second))
    assert not BookContact.objects.exists()
    assert not BookCompany.objects.exists()
    assert applications
