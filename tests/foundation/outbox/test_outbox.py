"""Messages: rendered, queued with their job, delivered to a real SMTP server, every answer kept."""

import asyncio
import re
import smtplib
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import transaction

from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox import actions, queries, render, rules, smtp
from certdesk.foundation.outbox.models import Attempt, Message, State
from certdesk.lab.background import LoopThread
from certdesk.lab.smtp_server import Fault, LabSmtp

LINK = "https://desk.example.com/certificates/scs1"
RECORD = {"domain": "example.com", "host": "_dnsauth.example.com", "type": "TXT", "value": "a1b2"}
CONTEXTS: dict[str, dict[str, object]] = {
    "dns-record": {"records": [RECORD]},
    "organization-request": {
        "company": "Müller & Söhne",
        "page": f"{LINK}/organization",
        "choose_link": LINK,
    },
    "issued": {"not_after": datetime(2027, 3, 1, 12, tzinfo=UTC)},
    "refused": {"reason": "The licence has <ended>.", "addition": False},
    "withdrawn": {"addition": True},
    "reissue-confirmation": {
        "new_domain": "example.org",
        "until": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "confirm_link": LINK,
    },
    "revocation-confirmation": {
        "company": "Müller & Söhne",
        "until": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "confirm_link": LINK,
    },
    "revoked": {"at": datetime(2027, 3, 1, 12, tzinfo=UTC)},
    "proof-file": {"files": [{"domain": "example.com", "url": "http://example.com/f", "value": "a1b2"}]},
    "domain-confirmation": {
        "names": ["example.com"],
        "company": "Müller & Söhne",
        "applicant": "ada",
        "until": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "confirm_link": LINK,
        "by_reply": True,
    },
    "expiring": {
        "name": "shop",
        "not_after": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "days": 7,
        "acknowledge_link": f"{LINK}/a",
        "successor": "shop-next",
        "successor_link": f"{LINK}/next",
    },
    "expired": {
        "name": "shop",
        "not_after": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "acknowledge_link": f"{LINK}/a",
        "successor": "",
        "successor_link": "",
    },
    "expiring-digest": {
        "count": 2,
        "lines": [
            {
                "domain": "example.com",
                "name": "shop",
                "certificate_id": "scs1",
                "not_after": datetime(2027, 3, 1, 12, tzinfo=UTC),
                "days": days,
                "link": LINK,
            }
            for days in (0, 7)
        ],
        "acknowledge_link": f"{LINK}/a",
    },
    "approval-asked": {
        "summary": "Delete the certificate shop (scs1) <for good>.",
        "requester": "ada",
        "until": datetime(2027, 3, 1, 12, tzinfo=UTC),
    },
    "approval-ended": {
        "summary": "Delete the certificate shop (scs1).",
        "requester": "ada",
        "end": "It was rejected.",
        "reason": "Not <now>.",
    },
    "weekly": {
        "name": "ada",
        "needs": [{"domain": "example.com", "state": "Issued", "not_after": None, "link": LINK}],
        "more": 0,
        "figures": [{"count": "1", "text": "needs you", "link": LINK}],
        "week": [{"count": "2", "served": True, "link": LINK}],
        "settings": LINK,
    },
    "campaign-started": {
        "name": "ada",
        "campaign": "key of last week",
        "action": "REVOKE",
        "reason": "The key is known.",
        "count": 1,
        "clients": 1,
        "domains": ["example.com"],
        "more": 0,
    },
    "campaign-ended": {
        "name": "ada",
        "campaign": "key of last week",
        "action": "REVOKE",
        "count": 1,
        "done": 1,
        "domains": ["example.com"],
        "more": 0,
    },
    "campaign-attention": {
        "name": "ada",
        "campaign": "key of last week",
        "cause": "STOPPED",
        "reason": "Whoever started it <may not> any more.",
    },
    "host-silent": {
        "name": "ada",
        "host": "web1",
        "seen_at": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "places": ["shop: example.com"],
    },
    "scan-found": {
        "name": "ada",
        "scan": "office",
        "count": 2,
        "lines": [
            {"place": "10.0.0.1:443", "verdict": verdict, "subject": "CN=a", "not_after": None}
            for verdict in ("UNKNOWN", "EXPIRED")
        ],
        "more": 1,
    },
    "renewal-attention": {
        "name": "shop",
        "not_after": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "cause": "BALANCE",
        "reason": "It costs 1,000.",
    },
    "deployment-drift": {"place": "front: example.com", "drift": "PREVIOUS", "mending": True},
    "issuer-health": {
        "name": "Public CA",
        "down": True,
        "reason": "No connection to ca.example.test.",
        "next_step": "Try again later.",
        "products": 2,
    },
    "mail-test": {"sender": "ada"},
    "channel-test": {"sender": "ada"},
    "invitation": {"name": "ada", "login": "ada", "until": datetime(2027, 3, 1, 12, tzinfo=UTC)},
    "second-factor-reset": {
        "name": "ada",
        "login": "ada",
        "by": "bob",
        "at": datetime(2027, 3, 1, 12, tzinfo=UTC),
    },
    "password-reset": {"name": "ada", "login": "ada", "until": datetime(2027, 3, 1, 12, tzinfo=UTC)},
}


WITHOUT_DOMAIN = (
    *("channel-test", "organization-request", "mail-test", "invitation", "password-reset"),
    *("second-factor-reset", "approval-asked", "approval-ended", "weekly"),
    *(
        "campaign-started",
        "campaign-ended",
        "campaign-attention",
        "host-silent",
        "scan-found",
        "issuer-health",
    ),
)


def context(template: str) -> dict[str, object]:
    return {"domain": "example.com", "certificate_id": "scs1", "link": LINK, **CONTEXTS[template]}


@pytest.fixture
def mail() -> Iterator[LabSmtp]:
    before = settings.get()
    with LabSmtp() as server:
        settings.install(before.model_copy(update={"smtp_url": server.url + "?from=desk@example.org"}))
        yield server
    settings.install(before)


def send(key: str = "k", recipient: str = "anna@example.com") -> Message:
    return actions.send(
        "a" * 32,
        "issued",
        recipient,
        context("issued"),
        certificate_id="scs1",
        dedupe_key=key,
    )


@pytest.mark.parametrize("template", sorted(rules.TEMPLATES))
@pytest.mark.parametrize("locale", rules.LOCALES)
def test_every_template_says_the_same_in_text_and_html(template: str, locale: str) -> None:
    rendered = render.render(template, locale, context(template))
    assert LINK in rendered.text
    assert f'href="{LINK}"' in rendered.html
    assert "example.com" in rendered.subject or template in WITHOUT_DOMAIN
    assert "{{" not in rendered.subject + rendered.text + rendered.html
    assert bool(re.search("[\u4e00-\u9fff]{2}", rendered.text)) == (locale == "zh-hans")


def test_the_record_is_in_the_mail() -> None:
    # rule: DOM-2
    rendered = render.render("dns-record", "en", context("dns-record"))
    for value in RECORD.values():
        assert value in rendered.text
        assert value in rendered.html


def test_the_link_to_choose_a_method_is_in_the_mail() -> None:
    # rule: ORG-1
    rendered = render.render("organization-request", "zh-Hant", context("organization-request"))
    assert LINK in rendered.text
    assert "Müller & Söhne" in rendered.text
    assert "Müller &amp; Söhne" in rendered.html


def test_moments_are_written_with_their_zone() -> None:
    assert "2027-03-01 12:00:00 UTC" in render.render("issued", "en", context("issued")).text


def test_html_in_a_value_stays_text() -> None:
    rendered = render.render("refused", "en", context("refused"))
    assert "<ended>" in rendered.text
    assert "&lt;ended&gt;" in rendered.html


def test_a_value_cannot_start_a_header_or_a_line() -> None:
    hostile = context("issued") | {"domain": "a.com\r\nBcc: eve@example.net\u202e\x00"}
    rendered = render.render("issued", "en", hostile)
    assert rendered.subject == "The certificate for a.com Bcc: eve@example.net is issued"
    assert "\nBcc" not in rendered.text


def test_a_missing_name_or_an_unknown_template_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs link, not_after"):
        render.render("issued", "en", {"domain": "x", "certificate_id": "y"})
    with pytest.raises(ValueError, match="unknown template"):
        render.render("nothing", "en", {})


@pytest.mark.parametrize(
    "recipient",
    ["", "a", "a@b,c@d", "a@b\r\nBcc: c@d", "<a@b>", "a b@c", "a@b;c@d", "x" * 65 + "@b", "a@b\u202e"],
)
@pytest.mark.django_db
def test_a_recipient_is_one_address(recipient: str) -> None:
    with pytest.raises(BadParameter):
        send(recipient=recipient)
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_without_a_mail_server_the_message_is_kept() -> None:
    message = send()
    assert message.state == State.KEPT
    assert testing.run_due() == 0
    assert list(queries.of_certificate("scs1")) == list(queries.of_account("a" * 32)) == [message]


@pytest.mark.django_db
def test_a_message_goes_out_once_and_its_answer_is_kept(mail: LabSmtp) -> None:
    # rule: NTF-3
    message = send()
    assert send().id == message.id
    testing.run_due()
    message.refresh_from_db()
    assert message.state == State.SENT
    assert message.sent_at is not None
    (attempt,) = Attempt.objects.all()
    assert (attempt.delivered, attempt.answer) == (True, "250 OK: kept")
    (received,) = mail.messages
    assert (received.sender, received.recipients) == ("desk@example.org", ("anna@example.com",))
    assert received.subject == "The certificate for example.com is issued"
    assert received.message["Message-ID"] == message.message_id
    assert LINK in received.text
    assert received.message.get_body(("html",)) is not None


@pytest.mark.django_db
def test_message_and_job_share_the_callers_transaction(mail: LabSmtp) -> None:
    with transaction.atomic():
        send()
        transaction.set_rollback(True)
    assert not Message.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("fault", [Fault.GREYLIST, Fault.BUSY])
@pytest.mark.django_db
def test_a_temporary_answer_is_tried_again(mail: LabSmtp, fault: Fault) -> None:
    # rule: NTF-3
    mail.misbehave(fault)
    message = send()
    assert testing.run_due() == 1
    message.refresh_from_db()
    assert message.state == State.QUEUED
    mail.behave()
    assert testing.run_all(timedelta(minutes=1)) == 1
    message.refresh_from_db()
    assert message.state == State.SENT
    assert [attempt.delivered for attempt in message.attempts.order_by("id")] == [False, True]
    assert message.attempts.order_by("id")[0].answer.startswith("45")


@pytest.mark.parametrize("fault", [Fault.REJECT_SENDER, Fault.REJECT_RECIPIENT, Fault.REJECT_DATA])
@pytest.mark.django_db
def test_a_permanent_answer_ends_it(mail: LabSmtp, fault: Fault) -> None:
    mail.misbehave(fault)
    message = send()
    testing.run_all(timedelta(days=2))
    message.refresh_from_db()
    assert message.state == State.FAILED
    (attempt,) = message.attempts.all()
    assert attempt.answer.startswith("55")
    mail.behave()
    actions.resend(message)
    testing.run_due()
    message.refresh_from_db()
    assert message.state == State.SENT


@pytest.mark.django_db
def test_a_server_that_is_down_is_tried_for_long_but_not_for_ever(mail: LabSmtp) -> None:
    settings.install(settings.get().model_copy(update={"smtp_url": "smtp://127.0.0.1:1"}))
    message = send()
    testing.run_all(timedelta(days=2))
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert message.attempts.count() == rules.MAX_ATTEMPTS
    assert "ConnectionRefusedError" in message.attempts.all()[0].answer


@pytest.mark.django_db
def test_a_mail_server_taken_away_keeps_what_was_queued(mail: LabSmtp) -> None:
    message = send()
    settings.install(settings.get().model_copy(update={"smtp_url": ""}))
    testing.run_due()
    message.refresh_from_db()
    assert message.state == State.KEPT


@pytest.mark.django_db
def test_an_address_in_another_script_needs_and_gets_smtputf8(mail: LabSmtp) -> None:
    message = send(recipient="用户@example.com")
    testing.run_due()
    message.refresh_from_db()
    assert message.state == State.SENT
    assert mail.messages[0].recipients == ("用户@example.com",)


@pytest.mark.django_db
def test_a_sender_that_is_none_fails_with_a_reason(mail: LabSmtp) -> None:
    settings.install(settings.get().model_copy(update={"smtp_url": mail.url + "?from=nobody"}))
    message = send()
    testing.run_due()
    message.refresh_from_db()
    assert message.state == State.FAILED
    assert "not valid" in message.attempts.get().answer


def test_the_url_of_a_mail_server() -> None:
    server = smtp.parse("smtps://joe:p%40ss@mail.example.com?from=a@b.c")
    assert (server.host, server.port, server.tls, server.starttls) == ("mail.example.com", 465, True, False)
    assert (server.user, server.password, server.sender) == ("joe", "p@ss", "a@b.c")
    assert "p@ss" not in repr(server)
    plain = smtp.parse("smtp://mail:2525?starttls=1")
    assert (plain.port, plain.tls, plain.starttls, plain.user) == (2525, False, True, "")


ENVELOPE = smtp.Envelope("a@b.c", "d@e.f", b"Subject: x\r\n\r\nhello\r\n", False)


def test_starttls_is_not_left_out_when_the_server_has_none() -> None:
    with LabSmtp() as server:
        answer = smtp.deliver(smtp.parse(server.url + "?starttls=1"), ENVELOPE)
        assert (answer.delivered, answer.permanent) == (False, False)
        assert "STARTTLS" in answer.text
        assert server.messages == []


def test_a_server_that_never_answers_is_left_after_the_time_out() -> None:
    with LabSmtp() as server:
        server.misbehave(Fault.SLOW, 5)
        answer = smtp.deliver(smtp.parse(server.url), ENVELOPE, timeout=0.3)
        assert not answer.delivered
        assert "timed out" in answer.text


class Guarded:
    """An SMTP server of aiosmtpd that wants a password, and TLS if a certificate is given."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.background = LoopThread("guarded-smtp").start()

    def session(self) -> SMTP:
        with warnings.catch_warnings():  # it warns of passwords without TLS; here all is loopback
            warnings.simplefilter("ignore")
            return SMTP(
                Sink(),
                auth_required=self.tls is None,
                auth_require_tls=False,
                authenticator=lambda *args: AuthResult(success=args[-1].password == b"right", handled=False),
                tls_context=self.tls,
            )

    async def listen(self) -> int:
        self.server = await asyncio.get_running_loop().create_server(self.session, "127.0.0.1", 0)
        return int(self.server.sockets[0].getsockname()[1])

    def __enter__(self) -> int:
        return self.background.call(self.listen())

    def __exit__(self, *_: object) -> None:
        self.background.loop.call_soon_threadsafe(self.server.close)
        self.background.stop()


def test_a_password_is_used_and_a_wrong_one_can_be_mended() -> None:
    with Guarded() as port:
        good = smtp.deliver(smtp.parse(f"smtp://joe:right@127.0.0.1:{port}"), ENVELOPE)
        bad = smtp.deliver(smtp.parse(f"smtp://joe:wrong@127.0.0.1:{port}"), ENVELOPE)
        none = smtp.deliver(smtp.parse(f"smtp://127.0.0.1:{port}"), ENVELOPE)
    assert good.delivered
    assert (bad.delivered, bad.permanent, bad.text[:3]) == (False, False, "535")
    assert (none.permanent, none.text[:3]) == (True, "530")


def test_a_password_never_goes_over_an_open_line() -> None:
    away = smtp.Server("mail.example.com", 25, False, False, "joe", "secret")
    with LabSmtp() as server:
        session = smtplib.SMTP(server.address, server.port)
        with pytest.raises(smtplib.SMTPException, match="not encrypted"):
            smtp._prepare(session, away)
        session.close()


def test_a_server_whose_certificate_is_not_trusted_gets_nothing(tmp_path: Path) -> None:
    with Guarded(self_signed(tmp_path)) as port:
        for url in (f"smtp://127.0.0.1:{port}?starttls=1", f"smtps://127.0.0.1:{port}"):
            answer = smtp.deliver(smtp.parse(url), ENVELOPE, timeout=5)
            assert (answer.delivered, answer.permanent) == (False, False)
            assert "SSL" in answer.text


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_values_of_other_kinds_stay_what_they_are() -> None:
    assert rules.clean({"a": [1, ("b\n", True)]}) == {"a": [1, ["b", True]]}


def test_a_secret_stands_in_the_mail_alone_and_can_be_forgotten(db: None, mail: LabSmtp) -> None:
    secret = "https://desk.example.com/confirm/d-1&2"
    message = actions.send(
        "a" * 32,
        "domain-confirmation",
        "admin@example.com",
        context("domain-confirmation"),
        dedupe_key="secret",
        secrets={"confirm_link": secret},
    )
    assert secret not in message.text + message.html
    assert "[[confirm_link]]" in message.text
    testing.run_all(timedelta(0))
    got = mail.wait_for(lambda one: "admin@example.com" in one.recipients)
    assert secret in got.text
    actions.send_again(message.id)
    actions.forget_secret(message.id)  # while the second mail still waits
    testing.run_all(timedelta(0))
    message.refresh_from_db()
    assert (message.state, len(mail.messages)) == (State.KEPT, 1)
