"""Every step that cannot be undone names the places where the certificate is deployed."""

from collections.abc import Iterator

import pytest

from certdesk.foundation.common import clock
from certdesk.interfaces.operations.registry import call
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment.models import Binding, Target
from tests.support.office import Office, open_office

pytestmark = pytest.mark.django_db(transaction=True)
REASON = {"reason_code": "SUPERSEDED"}
PLACE = "front: www.example.com"


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


def deployed(office: Office) -> str:
    """An issued certificate that one place serves."""
    certificate_id, now = office.desk.issued("www.example.com"), clock.now()
    account_id = office.desk.account.id
    target = Target.objects.create(
        id="t" * 32, account_id=account_id, service="ELB", region="r", label="front", secret_id="",
        created_at=now, updated_at=now,
    )  # fmt: skip
    Binding.objects.create(
        id="b" * 32, account_id=account_id, target=target, resource="/front.pem", names=["www.example.com"],
        served_certificate_id=certificate_id,
    )  # fmt: skip
    return certificate_id


def test_the_dialogs_of_a_certificate_in_force(office: Office) -> None:
    certificate_id = deployed(office)
    alice = office.client()
    for page, words in (
        ("revoke", "Still served at:"),
        ("delete", "Still served at:"),
        ("privacy", "Served on, as before, at:"),
    ):
        shown = alice.get(f"/certificates/{certificate_id}/{page}").content.decode()
        assert PLACE in shown, page
        assert words in shown, page
    Binding.objects.update(served_certificate_id="")
    for page in ("revoke", "delete", "privacy"):
        assert PLACE not in alice.get(f"/certificates/{certificate_id}/{page}").content.decode()


# rule: REV-10
def test_the_dialogs_of_one_that_is_being_revoked_and_of_a_revoked_one(office: Office) -> None:
    certificate_id = deployed(office)
    alice = office.client()
    Certificate.objects.filter(id=certificate_id).update(level="OV")
    call("certificates.revoke", office.desk.alice, certificate_id=certificate_id, body=REASON)
    shown = alice.get(f"/certificates/{certificate_id}/revoke/confirm").content.decode()
    assert PLACE in shown
    Certificate.objects.filter(id=certificate_id).update(state="REVOKED")
    shown = alice.get(f"/certificates/{certificate_id}/unsubscribe").content.decode()
    assert PLACE in shown
    assert "until another certificate is put there" in shown
