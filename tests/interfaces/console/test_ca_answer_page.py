"""The page on which an officer brings what a CA without an interface sent."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509

from certdesk.connectors.issuers.manual.issuer import ManualIssuer
from certdesk.connectors.issuers.manual.options import ManualOptions
from certdesk.connectors.issuers.options import Outside
from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.issuance import followup, revocation_rules, revoking
from certdesk.lifecycle.issuance.models import OutsideOrder
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.lifecycle.issuers import queries
from certdesk.lifecycle.issuers.models import Place
from certdesk.pki.x509.certificates import chain_to_pem
from tests.support.office import Office
from tests.support.outside_ca import Front, OutsideCa, front, issue

MANUAL = ManualIssuer(ManualOptions(place="https://ca.example.com/request"), Outside())


@pytest.fixture(autouse=True)
def issuers(office: Office) -> Iterator[Front]:
    with front(paper=MANUAL) as made:
        yield made


def waiting(office: Office) -> str:
    """Applied for and proved: an officer has to act."""
    certificate_id = office.desk.buy()
    office.desk.apply(certificate_id, domain="www.example.com")
    office.desk.publish(certificate_id)
    office.desk.run()
    return certificate_id


def bring(office: Office, certificate_id: str, **form: str) -> None:
    client, path = office.client("otto"), f"/certificates/{certificate_id}/ca-answer"
    assert f'value="{form["answer"]}"' in client.get(path).content.decode()
    answer = client.post(path, form, follow=True)
    assert "It is taken." in answer.content.decode()
    office.desk.run()


# rule: ISS-1
def test_the_certificate_is_uploaded_and_later_noted_as_revoked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id = waiting(office)
    csr = x509.load_der_x509_csr(bytes(OutsideOrder.objects.get().csr))
    bring(office, certificate_id, answer="certificate", certificate=chain_to_pem(issue(csr)))
    assert office.desk.state(certificate_id) == "ISSUED"
    Place.objects.all().delete()
    monkeypatch.setattr(queries, "_outside", (0.0, False))
    page = office.client("otto").get(f"/certificates/{certificate_id}").content.decode()
    assert "come from your private CA" not in page
    assert "your private CA" not in page
    revoke(office, certificate_id)
    assert office.desk.state(certificate_id) == "REVOKING"
    bring(office, certificate_id, answer="revoked")
    assert office.desk.state(certificate_id) == "REVOKED"


def revoke(office: Office, certificate_id: str) -> None:
    revoking.request(office.desk.alice, certificate_id, Wish("SUPERSEDED"), clock.now())
    office.desk.run()


# rule: ISS-4
def test_the_refusal_of_the_ca_is_uploaded(office: Office) -> None:
    certificate_id = waiting(office)
    bring(office, certificate_id, answer="refusal", refusal="The name is on our list.")
    found = office.desk.certificate(certificate_id)
    assert (found.state, found.last_failure) == ("UNPASSED", "The name is on our list.")


# rule: REV-2
def test_a_replaced_certificate_is_still_noted_when_a_later_order_went_elsewhere(
    office: Office, issuers: Front
) -> None:
    desk, certificate_id = office.desk, waiting(office)
    csr = x509.load_der_x509_csr(bytes(OutsideOrder.objects.get().csr))
    bring(office, certificate_id, answer="certificate", certificate=chain_to_pem(issue(csr)))
    issuers.add("away", OutsideCa())
    issuers.order("away")
    certificate, now = desk.certificate(certificate_id), clock.now()
    followup.roll_over(desk.alice, certificate_id, now, latest=certificate.paid_until)
    desk.run(timedelta(minutes=1))
    code = revocation_rules.Code.SUPERSEDED
    revoking.revoke_versions(desk.alice, desk.certificate(certificate_id), 1, code, now, why="replaced")
    desk.run()
    page = office.client("otto").get(f"/certificates/{certificate_id}").content.decode()
    assert "Note that it is revoked there" in page
    bring(office, certificate_id, answer="revoked")
    assert Version.objects.get(number=1).revoked_at is not None
    page = office.client("otto").get(f"/certificates/{certificate_id}").content.decode()
    assert 'data-operation="ca-answer"' not in page
