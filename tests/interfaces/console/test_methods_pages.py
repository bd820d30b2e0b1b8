"""The pages of file and email proofs, and of the mail server, as the test client sees them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client

from certdesk.foundation.common import settings
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.outbox.models import Message
from certdesk.lab.smtp_server import LabSmtp
from certdesk.lifecycle.validation import actions
from certdesk.lifecycle.validation.models import ConfirmationMail
from tests.support.desk import COMPANY
from tests.support.office import PASSWORD, Office


@contextmanager
def mail() -> Iterator[LabSmtp]:
    before = settings.get()
    with LabSmtp() as server:
        settings.install(before.model_copy(update={"smtp_url": server.url}))
        try:
            yield server
        finally:
            settings.install(before)


def asked(office: Office, method: str, domain: str = "www.example.com") -> str:
    certificate_id = office.desk.buy("OV_SSL_CERT")
    office.desk.apply(certificate_id, domain=domain, domain_method=method, **COMPANY)
    office.desk.run()
    return certificate_id


# rule: APP-13
@pytest.mark.parametrize(
    ("cert_type", "domain_type", "offered", "why"),
    [
        ("DV_SSL_CERT", "SINGLE_DOMAIN", {"DNS", "FILE"}, "DV certificates cannot be verified by email"),
        ("OV_SSL_CERT", "SINGLE_DOMAIN", {"DNS", "FILE", "EMAIL"}, "2028"),
        ("OV_SSL_CERT", "WILDCARD", {"DNS", "EMAIL"}, "cannot prove a wildcard name"),
        ("DV_SSL_CERT", "WILDCARD", {"DNS"}, "cannot prove a wildcard name"),
    ],
)
def test_the_form_offers_what_the_rule_allows_and_says_why_not_the_rest(
    office: Office, cert_type: str, domain_type: str, offered: set[str], why: str
) -> None:
    certificate_id = office.desk.buy(cert_type, domain_type)
    text = office.client().get(f"/certificates/{certificate_id}/apply").content.decode()
    shown = {one for one in ("DNS", "FILE", "EMAIL") if f'name="domain_method" value="{one}"' in text}
    assert shown == offered
    assert why in text


# rule: DOM-8
def test_the_file_page_shows_address_and_value_and_gives_the_file(office: Office) -> None:
    certificate_id = asked(office, "FILE")
    client = office.client()
    text = client.get(f"/certificates/{certificate_id}/verify").content.decode()
    assert "http://www.example.com/.well-known/pki-validation/fileauth.txt" in text
    assert 'data-operation="verify"' in text
    got = client.get(f"/certificates/{certificate_id}/verify/fileauth.txt?name=www.example.com")
    assert (got.status_code, got["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert 'filename="fileauth.txt"' in got["Content-Disposition"]
    assert got.content.decode() in text
    assert len(got.content) == 64
    for path in ("?name=example.com", "", "?name=*.example.com"):
        assert client.get(f"/certificates/{certificate_id}/verify/fileauth.txt{path}").status_code == 404
    charlie = office.client("charlie")
    assert (
        charlie.get(f"/certificates/{certificate_id}/verify/fileauth.txt?name=www.example.com").status_code
        == 404
    )


# rule: DOM-9
def test_the_email_page_lists_mailboxes_and_sends_again_within_limits(office: Office) -> None:
    with mail():
        certificate_id = asked(office, "EMAIL", "shop.example.com")
        client, path = office.client(), f"/certificates/{certificate_id}/verify"
        text = client.get(path).content.decode()
        assert 'data-address="hostmaster@example.com"' in text
        assert 'data-operation="verify"' not in text
        assert "2028" in text
        given = {"domain": "shop.example.com", "address": "admin@example.com"}
        assert 'data-code="mail.sent"' in client.post(path, given, follow=True).content.decode()
        assert ConfirmationMail.objects.get(address="admin@example.com").times_sent == 2
        again = client.post(path, given, follow=True).content.decode()
        assert "The mail was sent again a short while ago" in again
        assert office.client("rita").post(path, given).status_code == 403
        assert office.client("charlie").post(path, given).status_code == 404
        zh = office.client(language="zh-hans").get(path).content.decode()
        assert "重新发送" in zh


def test_no_page_shows_the_link_of_the_mail(office: Office) -> None:
    with mail() as server:
        certificate_id = asked(office, "EMAIL")
        token = server.messages[0].text.partition("/confirm/")[2].split()[0]
        client = office.client()
        pages = [f"/certificates/{certificate_id}/verify", "/outbox"]
        pages += [f"/outbox/{one.id}" for one in Message.objects.all()]
        for path in pages:
            answer = client.get(path)
            assert answer.status_code == 200
            assert token not in answer.content.decode()


# rule: DOM-13
@pytest.mark.parametrize(
    ("method", "number", "words"),
    [
        ("DNS", "3.2.2.4.7", "By a record at _dnsauth.example.com"),
        ("FILE", "3.2.2.4.18", "By a file at http://www.example.com/.well-known/pki-validation/fileauth.txt"),
        ("EMAIL", "3.2.2.4.4", "By a mail to the administrator of www.example.com"),
    ],
)
def test_the_domain_page_says_how_it_is_proved(office: Office, method: str, number: str, words: str) -> None:
    asked(office, method)
    text = office.client().get("/domains/www.example.com").content.decode()
    assert f'data-way="{method}"' in text
    assert text.count("data-way=") == 1
    assert words in text
    assert number in text
    assert "chosen by the application that waits" in text
    assert ("the record is set by hand" in text) == (method == "DNS")


# rule: DOM-11
def test_the_next_check_is_told_until_all_is_proved(office: Office) -> None:
    certificate_id = asked(office, "DNS")
    client = office.client()
    for path in (f"/certificates/{certificate_id}", f"/certificates/{certificate_id}/verify"):
        text = client.get(path).content.decode()
        assert "Next automatic check:" in text
        assert "data-clock" in text
    office.desk.publish(certificate_id)
    actions.check_now(office.desk.alice, certificate_id)
    assert "Next automatic check:" not in client.get(f"/certificates/{certificate_id}").content.decode()
    assert (
        "Next automatic check:" not in client.get(f"/certificates/{asked(office, 'EMAIL')}").content.decode()
    )


def admin(office: Office) -> Client:
    user = iam.create_user(office.desk.account, "ada", PASSWORD, ["admins"])
    client = Client(headers={"accept-language": "en"})
    client.force_login(user, backend="certdesk.interfaces.console.accounts.Backend")
    return client


def test_the_mail_server_page_tests_for_admins_only(office: Office) -> None:
    client = admin(office)
    assert "CERTDESK_SMTP_URL" in client.get("/mail").content.decode()
    refused = client.post("/mail", {"address": "ops@example.com"})
    assert (refused.status_code, "No mail server is set up" in refused.content.decode()) == (422, True)
    with mail() as server:
        assert str(server.port) in client.get("/mail").content.decode()
        assert client.post("/mail", {"address": "not an address"}).status_code == 422
        sent = client.post("/mail", {"address": "ops@example.com"}, follow=True)
        assert 'data-code="mail.test"' in sent.content.decode()
        office.desk.run()
        assert (
            server.wait_for(lambda one: "ops@example.com" in one.recipients).subject
            == "Test message of Certdesk"
        )
        assert "ops@example.com" in client.get("/mail").content.decode()
    for name in ("alice", "rita", "otto"):
        assert office.client(name).get("/mail").status_code == 403
        assert office.client(name).post("/mail", {"address": "a@example.com"}).status_code == 403
    assert Message.objects.filter(template="mail-test").count() == 1
