"""The page that cancels the privacy authorisation: it says what goes for ever, and wants the name typed."""

import pytest

from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Contact
from certdesk.lifecycle.certificates.states import State
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.organization import waiting
from tests.support.rulebook import Caller


@pytest.fixture
def office(db: None) -> object:
    from tests.support.office import open_office

    with open_office() as made:
        yield made


def test_it_says_what_goes_and_deletes_it_once_the_name_is_typed(office: Office) -> None:
    # rule: PRV-2
    # rule: PRV-3
    client = office.client()
    certificate_id = office.desk.issued("www.example.com")
    one = f"/certificates/{certificate_id}"
    assert 'data-operation="privacy"' in client.get(one).content.decode()
    page = client.get(f"{one}/privacy").content.decode()
    for words in (
        "cannot be undone",
        "email addresses of the applicant",
        'data-confirm-name="www.example.com"',
    ):
        assert words in page
    assert "organization&#x27;s name" not in page
    for wrong in ("", "example.com"):
        refused = client.post(f"{one}/privacy", {"confirm_name": wrong})
        assert (refused.status_code, Contact.objects.count()) == (422, 1)
    done = client.post(f"{one}/privacy", {"confirm_name": "WWW.example.com"}, follow=True).content.decode()
    assert 'data-code="privacy.canceled"' in done
    assert 'data-operation="privacy"' not in done
    assert "No personal data is kept for this certificate" in done
    assert "ada@example.com" not in done
    assert not Contact.objects.exists()
    shown = client.get("/outbox").content.decode()
    assert "ada@example.com" not in shown
    message = Message.objects.filter(certificate_id=certificate_id, recipient="").first()
    assert message is not None
    assert "deleted" in client.get(f"/outbox/{message.id}").content.decode()
    chinese = office.client(language="zh-hans").get(one).content.decode()
    assert "取消隐私授权" in chinese


def test_an_organisation_is_named_too(office: Office) -> None:
    certificate_id = waiting(office.desk, Caller(office.desk.alice))
    placed(certificate_id, State.ISSUED, None)
    page = office.client().get(f"/certificates/{certificate_id}/privacy").content.decode()
    assert "documents that were shown" in page


def test_while_it_is_approved_and_for_who_may_not(office: Office) -> None:
    # rule: PRV-1
    certificate_id = waiting(office.desk, Caller(office.desk.alice))
    one = f"/certificates/{certificate_id}"
    page = office.client().get(f"{one}/privacy", follow=True).content.decode()
    assert "cannot be canceled while the certificate is" in page
    posted = office.client().post(f"{one}/privacy", {"confirm_name": "www.example.com"}, follow=True)
    assert "cannot be canceled while the certificate is" in posted.content.decode()
    assert office.client("rita").get(f"{one}/privacy").status_code == 403
    assert office.client("charlie").get(f"{one}/privacy").status_code == 404
    assert Contact.objects.count() == 1
