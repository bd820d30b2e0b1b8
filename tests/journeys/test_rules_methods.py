"""APP-13, DOM-8, DOM-9, DOM-13 by the operations of the API."""

import json

import pytest

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter, Kind, WrongState
from certdesk.foundation.outbox.models import Message
from certdesk.lab.smtp_server import LabSmtp
from certdesk.lifecycle.validation.models import ConfirmationMail
from tests.support.desk import Desk
from tests.support.office import Office
from tests.support.rulebook import COMPANY, Caller
from tests.support.signed import person

MULTI = {"domain_type": "MULTI_DOMAIN"}
OV = {"cert_type": "OV_SSL_CERT"}


@pytest.mark.parametrize(
    ("bought", "domain", "method", "taken"),
    [
        ({}, "www.example.com", "DNS", True),
        ({}, "www.example.com", "FILE", True),
        ({}, "www.example.com", "EMAIL", False),
        ({"domain_type": "WILDCARD"}, "*.example.com", "FILE", False),
        ({"domain_type": "WILDCARD"}, "*.example.com", "DNS", True),
        (OV, "www.example.com", "FILE", True),
        (OV, "www.example.com", "EMAIL", True),
        ({**OV, "domain_type": "WILDCARD"}, "*.example.com", "EMAIL", True),
        ({**OV, "domain_type": "WILDCARD"}, "*.example.com", "FILE", False),
        (OV, "www.example.com", "PIGEON", False),
    ],
)
def test_which_methods_may_be_chosen(
    desk: Desk, alice: Caller, bought: dict[str, str], domain: str, method: str, taken: bool
) -> None:
    # rule: APP-13
    certificate_id = alice.buy(**bought)
    company = COMPANY if "cert_type" in bought else {}
    if taken:
        alice.apply(certificate_id, domain, domain_method=method, **company)
        assert alice.show(certificate_id)["validation_method"] == method
    else:
        with pytest.raises(BadParameter) as caught:
            alice.apply(certificate_id, domain, domain_method=method, **company)
        assert caught.value.field == "domain_method"


def test_the_file_stands_in_the_answer(desk: Desk, alice: Caller) -> None:
    # rule: DOM-8
    certificate_id = alice.buy()
    alice.apply(certificate_id, domain_method="FILE")
    one = alice.proof(certificate_id)[0]
    assert one["file_url"] == "http://www.example.com/.well-known/pki-validation/fileauth.txt"
    assert len(one["file_content"]) == 64
    assert (one["record_name"], one["record_value"], one["emails"]) == ("", "", [])


def test_mails_are_listed_and_sent_again_by_api(desk: Desk, alice: Caller) -> None:
    # rule: DOM-9
    before = settings.get()
    with LabSmtp() as server:
        settings.install(before.model_copy(update={"smtp_url": server.url}))
        try:
            certificate_id = alice.buy(**OV)
            alice.apply(certificate_id, domain_method="EMAIL", **COMPANY)
            one = alice.proof(certificate_id)[0]
            assert set(one["emails"]) == {
                f"{who}@example.com"
                for who in ("admin", "administrator", "webmaster", "hostmaster", "postmaster")
            }
            assert "/confirm/" not in json.dumps(alice.proof(certificate_id))
            body = {"domain": "www.example.com"}
            assert alice("certificates.resend_proof_mail", certificate_id, body) is None
            refused = alice.refused("certificates.resend_proof_mail", certificate_id, body)
            assert refused.kind is Kind.TOO_MANY
            assert refused.retry_after
            assert set(ConfirmationMail.objects.values_list("times_sent", flat=True)) == {2}
            wrong = {"domain": "www.example.com", "address": "ceo@example.com"}
            assert isinstance(
                alice.refused("certificates.resend_proof_mail", certificate_id, wrong), BadParameter
            )
        finally:
            settings.install(before)


def test_the_answer_over_the_wire_is_204_then_429(office: Office) -> None:
    # rule: DOM-9
    alice = person(office.desk.account, "wired", "users")
    caller = Caller(office.desk.alice)
    certificate_id = caller.buy(**OV)
    caller.apply(certificate_id, domain_method="EMAIL", **COMPANY)
    path = f"/v3/scm/certificates/{certificate_id}/domain-verification/resend"
    assert alice.send("POST", path, {"domain": "www.example.com"}).status == 204
    second = alice.send("POST", path, {"domain": "www.example.com"})
    assert second.status == 429
    plain = caller.buy()
    assert isinstance(
        caller.refused("certificates.resend_proof_mail", plain, {"domain": "b.example.com"}), WrongState
    )


@pytest.mark.parametrize(("method", "template"), [("DNS", "dns-record"), ("FILE", "proof-file")])
def test_the_copy_of_records_and_files_is_mailed_again_within_limits(
    desk: Desk, alice: Caller, method: str, template: str
) -> None:
    # rule: DOM-2
    before = settings.get()
    with LabSmtp() as server:
        settings.install(before.model_copy(update={"smtp_url": server.url}))
        try:
            certificate_id = alice.buy(**OV)
            alice.apply(certificate_id, domain_method=method, **COMPANY)
            again = "certificates.resend_proof_mail", certificate_id, {"domain": "www.example.com"}
            desk.run()
            assert alice(*again) is None  # the first one is free
            desk.run()
            copies = [one for one in server.messages if "ada@example.com" in one.recipients]
            assert len(copies) == 2
            refused = alice.refused(*again)
            assert refused.kind is Kind.TOO_MANY
            assert 0 < (refused.retry_after or 0) <= 600
            other = {"domain": "www.example.com", "address": "admin@example.com"}
            assert alice.refused("certificates.resend_proof_mail", certificate_id, other).field == "address"
            Message.objects.filter(template=template).delete()
            assert isinstance(alice.refused(*again), WrongState)
        finally:
            settings.install(before)
