"""Cancelling the privacy authorisation: when, what goes for ever, what stays and works on (§5.9)."""

from dataclasses import replace
from datetime import timedelta

from django.db import connection

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import Forbidden, NotFound, WrongState
from certdesk.foundation.outbox import actions as outbox
from certdesk.foundation.outbox.models import Attempt, Message
from certdesk.lifecycle.applications.models import Application, BookCompany, BookContact, Contact
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.notifications import queries as notices
from certdesk.lifecycle.notifications import recipients
from certdesk.lifecycle.validation.models import OrganizationDocument, OrganizationLink
from tests.support.desk import Desk
from tests.support.inventory import placed
from tests.support.organization import DECIDE, DOCUMENTS, PDF, waiting, yes
from tests.support.requests_of import request_for
from tests.support.rulebook import DAY, PEOPLE, SECOND, Caller, LabClock

CANCEL = "certificates.cancel_privacy"
ADA = ("Ada Lovelace", "+44 20 7946 0000", "ada@example.com")
GRACE = {
    "contact_name": "Grace Hopper",
    "contact_phone": "+1 202 555 0100",
    "contact_email": "grace@example.org",
}
BARRED = {
    State.CHECKING,
    State.CHECKING_ORG,
    State.ISSUING,
    State.SUPPLEMENTCHECKING,
    State.CANCELSUPPLEMENTING,
}


def everything() -> str:
    """Every value of every table, as text."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            if table == "certificates_namesearch":  # keeps no text: letters in threes, in its own tables
                continue
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [f"{table}: {row!r}" for row in cursor.fetchall()]
    return "\n".join(found)


# rule: PRV-1
def test_not_while_anybody_approves_the_application(desk: Desk, alice: Caller) -> None:
    certificate_id = alice.buy()
    alice.apply(certificate_id)
    for state in State:
        if state in (State.EXPIRED, State.DELETED, State.UNSUBSCRIBING, State.UPLOAD):
            continue
        placed(certificate_id, state, clock.now() + DAY)
        offered = "privacy" in alice.show(certificate_id)["operations"]
        if state in BARRED | {State.CANCELCHECKING}:
            fault = alice.refused(CANCEL, certificate_id)
            assert isinstance(fault, WrongState)
            assert ROWS[state].title in fault.message
            assert not offered
        else:
            assert offered, state
    assert Contact.objects.count() == 1


# rule: PRV-1
def test_an_expired_one_at_the_second(lab: LabClock, desk: Desk, alice: Caller) -> None:
    certificate_id = desk.issued("www.ends.example.com")
    end = desk.certificate(certificate_id).not_after
    assert end is not None
    placed(certificate_id, State.SUPPLEMENTCHECKING, end)
    lab.at(end)
    assert isinstance(alice.refused(CANCEL, certificate_id), WrongState)
    lab.at(end + SECOND)
    alice(CANCEL, certificate_id)


# rule: PRV-2
# rule: PRV-3
def test_people_and_organisation_are_found_nowhere_any_more(desk: Desk, alice: Caller) -> None:
    certificate_id = waiting(desk, alice, **GRACE, company_unit="Analytical engines")
    alice(DOCUMENTS, certificate_id, {"name": "Licence of Example Trading.pdf", "content": PDF})
    for number in (1, 2):
        Caller(desk.someone(f"olga{number}"))(DECIDE, certificate_id, {**yes(), "reason": ""})
        if alice.status(certificate_id) != "CHECKING_ORG":
            break
    desk.run(timedelta(minutes=1))
    assert alice.status(certificate_id) == "ISSUED"
    assert Message.objects.filter(certificate_id=certificate_id, recipient=ADA[2]).exists()
    secrets = (*ADA, *GRACE.values(), "Analytical engines", "Guizhou", "Licence of Example")
    assert all(one in everything() for one in secrets)
    leaf = alice.leaf(certificate_id)

    assert alice(CANCEL, certificate_id) is None
    kept = everything()
    assert [one for one in secrets if one in kept and one != "Guizhou"] == []
    shown = alice.show(certificate_id)
    assert set(shown["application_info"].values()) == {""}
    assert "privacy" not in shown["operations"]
    assert not Contact.objects.exists()
    assert Application.objects.get().company == {}
    assert not BookContact.objects.exists()
    assert not BookCompany.objects.exists()
    assert OrganizationDocument.objects.get().name == ""
    assert alice.leaf(certificate_id) == leaf
    told = Event.objects.get(action="scm:privacyProtection:delete")
    assert (told.resource, told.details) == (f"cert:{certificate_id}", "{}")
    again = alice.refused(CANCEL, certificate_id)  # nothing brings it back, nothing is left
    assert "nothing to cancel" in again.message


# rule: PRV-2
def test_what_was_sent_stays_on_record_without_its_words(desk: Desk, alice: Caller) -> None:
    certificate_id = desk.issued("www.example.com")
    theirs = Message.objects.filter(certificate_id=certificate_id, recipient=PEOPLE["applicant_email"])
    sent = theirs.first()
    assert sent is not None
    Message.objects.filter(id=sent.id).update(state="SENT", sent_at=clock.real_now())
    Attempt.objects.create(message=sent, at=clock.real_now(), delivered=True, answer="250 ok ada@example.com")
    waiting_one = Message.objects.get(id=sent.id)
    waiting_one.pk, waiting_one.dedupe_key, waiting_one.state = None, "waits", "QUEUED"
    waiting_one.save()
    alice(CANCEL, certificate_id)
    sent.refresh_from_db()
    assert (sent.recipient, sent.text, sent.html, sent.state) == ("", "", "", "SENT")
    assert sent.sent_at is not None
    assert sent.attempts.get().answer == ""
    waiting_one.refresh_from_db()
    assert (waiting_one.recipient, waiting_one.state) == ("", "KEPT")  # it is not sent any more
    outbox.resend(waiting_one)
    outbox.send_again(waiting_one.id)
    waiting_one.refresh_from_db()
    assert waiting_one.state == "KEPT"


# rule: PRV-2
def test_an_uploaded_csr_goes_and_another_ones_details_stay(desk: Desk, alice: Caller) -> None:
    first, second = desk.issued("www.example.com"), alice.buy()
    alice.apply(second, domain="www.example.org", csr=request_for("www.example.org").pem, key_algorithm="")
    desk.publish(second)
    desk.run()
    assert Application.objects.get(certificate_id=second).csr
    alice(CANCEL, second)
    assert Application.objects.get(certificate_id=second).csr == ""
    assert Contact.objects.get().application.certificate_id == first
    assert BookContact.objects.get().email == ADA[2]  # the first one's authorisation stands


# rule: PRV-4
def test_nothing_is_canceled_where_nothing_was_applied_for(desk: Desk, alice: Caller) -> None:
    certificate_id = alice.buy()
    fault = alice.refused(CANCEL, certificate_id)
    assert isinstance(fault, WrongState)
    assert "nothing to cancel" in fault.message
    assert "privacy" not in alice.show(certificate_id)["operations"]
    alice.apply(certificate_id)
    alice("certificates.cancel", certificate_id)
    desk.run()
    assert "privacy" in alice.show(certificate_id)["operations"]  # withdrawn: its answers are kept
    alice(CANCEL, certificate_id)
    assert "nothing to cancel" in alice.refused(CANCEL, certificate_id).message
    alice.apply(certificate_id)  # a new authorisation
    assert Certificate.objects.get(id=certificate_id).personal_data


# rule: PRV-4
def test_an_uploaded_certificate_has_nothing(desk: Desk, alice: Caller) -> None:
    certificate_id = alice.buy()
    Certificate.objects.filter(id=certificate_id).update(source="UPLOADED", state="UPLOAD")
    assert "uploaded" in alice.refused(CANCEL, certificate_id).message


# rule: PRV-5
# rule: NTF-6
def test_prefill_and_auto_renewal_end_and_notices_go_to_the_account(desk: Desk, alice: Caller) -> None:
    certificate_id = desk.issued("www.example.com")
    Certificate.objects.filter(id=certificate_id).update(auto_renewal=True)
    assert alice("v2.read", project_id=desk.account.id, cert_id=certificate_id)["applicant_name"] == ADA[0]
    alice(CANCEL, certificate_id)
    assert not Certificate.objects.get(id=certificate_id).auto_renewal
    read = alice("v2.read", project_id=desk.account.id, cert_id=certificate_id)
    assert {value for name, value in read.items() if name != "cert_id"} == {""}
    end = desk.certificate(certificate_id).not_after
    assert end is not None
    (candidate,) = notices.near_their_end(desk.account.id, end, (0, ""), 10)
    told = recipients.of(candidate, recipients.audience(desk.account.id))
    assert [to.recipient for to in told] == ["alice@example.net"]


# rule: PRV-5
def test_a_link_that_was_sent_before_still_works(desk: Desk, alice: Caller) -> None:
    certificate_id = waiting(desk, alice)
    before = OrganizationLink.objects.count()
    assert before
    placed(certificate_id, State.REVOKING, clock.now() + DAY)
    alice(CANCEL, certificate_id)
    assert OrganizationLink.objects.count() == before


def test_only_who_may_and_only_ones_own(desk: Desk, alice: Caller) -> None:
    certificate_id = desk.issued("www.example.com")
    bob = Caller(desk.someone("bob", "scm:cert:*"))
    assert isinstance(bob.refused(CANCEL, certificate_id), Forbidden)
    charlie = Caller(replace(desk.alice, account_id="f" * 32))
    assert isinstance(charlie.refused(CANCEL, certificate_id), NotFound)
    assert isinstance(alice.refused(CANCEL, "scs0000000000000"), NotFound)
    assert Contact.objects.count() == 1
    Caller(desk.someone("bob", "scm:privacyProtection:*"))(CANCEL, certificate_id)
    assert not Contact.objects.exists()


# rule: PRV-2
def test_sqlite_overwrites_what_goes(desk: Desk) -> None:
    if not sql.is_sqlite():
        return  # PostgreSQL has no such switch: VACUUM lets go of what was deleted
    usual = sql.row("PRAGMA secure_delete")
    try:
        for before in ("OFF", "ON"):
            sql.execute(f"PRAGMA secure_delete={before}")
            with sql.erasing():
                assert sql.row("PRAGMA secure_delete") == (1,)
            assert sql.row("PRAGMA secure_delete") == (int(before == "ON"),)
    finally:
        sql.execute(f"PRAGMA secure_delete={usual[0] if usual else 0}")
