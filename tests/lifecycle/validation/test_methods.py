"""File and email proofs with a real nginx and a real SMTP server; several places that look."""

import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import (
    BadParameter,
    CertdeskError,
    Forbidden,
    Kind,
    NotFound,
    WrongState,
)
from certdesk.foundation.outbox.models import Message
from certdesk.foundation.sealing.models import Secret
from certdesk.lab.smtp_server import Fault, LabSmtp, Received
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.issuance import actions as issuance
from certdesk.lifecycle.validation import actions, confirmations, confirming, proofs, queries, rules
from certdesk.lifecycle.validation.confirming import Standing
from certdesk.lifecycle.validation.models import Check, ConfirmationMail, Evidence
from certdesk.lifecycle.validation.perspectives import Look, Sight
from tests.lifecycle.issuance.test_main_path import approve
from tests.support import nginx
from tests.support.desk import COMPANY, Desk

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
LINK = re.compile(r"/confirm/(\S+)")


@contextmanager
def settings_with(**changes: object) -> Iterator[None]:
    before = settings.get()
    settings.install(before.model_copy(update=changes))
    try:
        yield
    finally:
        settings.install(before)


@contextmanager
def web(desk: Desk, folder: Path, *names: str, more: str = "") -> Iterator[nginx.Nginx]:
    """nginx behind the names of the lab's DNS."""
    with nginx.serving(folder, more) as server:
        for name in names:
            desk.dns.set(name, "A", ["127.0.0.1"])
        with settings_with(validation_http_ports=(server.port,), allow_networks=LOOPBACK):
            yield server


@contextmanager
def mail(**changes: object) -> Iterator[LabSmtp]:
    with LabSmtp() as server, settings_with(smtp_url=server.url, **changes):
        yield server


def by_file(desk: Desk, *names: str) -> str:
    kind = "SINGLE_DOMAIN" if len(names) == 1 else "MULTI_DOMAIN"
    certificate_id = desk.buy(domain_type=kind, names=len(names))
    desk.apply(certificate_id, domain=names[0], sans=";".join(names[1:]), domain_method="FILE")
    return certificate_id


def by_email(desk: Desk, name: str = "shop.example.com", **more: object) -> str:
    certificate_id = desk.buy("OV_SSL_CERT")
    desk.apply(certificate_id, domain=name, domain_method="EMAIL", **COMPANY, **more)
    return certificate_id


def token_for(server: LabSmtp, address: str) -> str:
    got = server.wait_for(lambda one: address in one.recipients)
    found = LINK.search(got.text)
    assert found
    return found[1]


def answers(desk: Desk, certificate_id: str) -> list[str]:
    report = actions.check_now(desk.alice, certificate_id)
    return [one.checks[0].answer for one in report.info.domains if one.checks]


# rule: DOM-8
def test_a_file_on_a_real_web_server_proves_its_exact_name(desk: Desk, tmp_path: Path) -> None:
    with web(desk, tmp_path, "www.example.com", "example.com") as server:
        certificate_id = by_file(desk, "www.example.com", "example.com")
        info = queries.proof_info(desk.alice, certificate_id)
        assert [one.file_url for one in info.domains] == [
            f"http://{name}/.well-known/pki-validation/fileauth.txt"
            for name in ("www.example.com", "example.com")
        ]
        assert len({one.file_content for one in info.domains}) == 2
        assert not any(one.record_name or one.record_value for one in info.domains)
        server.put("www.example.com", rules.FILE_PATH, f"  {info.domains[0].file_content}\r\n")
        report = actions.check_now(desk.alice, certificate_id)
        assert [str(one.status) for one in report.info.domains] == ["VERIFIED", "FAILED"]
        missing = report.info.domains[1].checks[0]
        assert (missing.answer, "status 404" in missing.seen, "web root" in missing.cause) == (
            "NO_FILE",
            True,
            True,
        )
        server.put("example.com", rules.FILE_PATH, "an old value")
        assert (
            'beginning "an old value"' in actions.check_now(desk.alice, certificate_id).info.domains[1].seen
        )
        server.put("example.com", rules.FILE_PATH, info.domains[1].file_content)
        desk.run(timedelta(hours=1))
    assert desk.state(certificate_id) == "ISSUED"
    kept = {one.name: one for one in Evidence.objects.all()}
    assert set(kept) == {"www.example.com", "example.com"}
    assert {(one.method, one.br_method, one.perspective) for one in kept.values()} == {
        ("FILE", "3.2.2.4.18", "local")
    }


# rule: DOM-8
@pytest.mark.parametrize(
    ("more", "answer", "told"),
    [
        ("location / { return 302 http://other.example.net:$server_port$request_uri; }", "MATCH", "redirect"),
        ("location / { return 303 http://other.example.net:$server_port$request_uri; }", "NO_FILE", "303"),
        ("location / { return 302 http://10.0.0.1:$server_port/; }", "REFUSED", "10.0.0.1"),
        ("location / { return 302 http://other.example.net:1/x; }", "REFUSED", "Port 1"),
        ("location / { return 302 ftp://other.example.net/x; }", "REFUSED", "neither http nor https"),
        ("location / { return 302 $request_uri; }", "REFUSED", "more than 5 times"),
        ("location / { return 201 'VALUE'; }", "MATCH", ""),
        ("location / { return 500; }", "NO_FILE", "status 500"),
        ("location / { return 200 '<html>hello</html>'; }", "WRONG_VALUE", "<html>"),
        ("location / { return 200 'VALUE and more'; }", "WRONG_VALUE", "and more"),
    ],
)
def test_status_redirects_and_content_decide(
    desk: Desk, tmp_path: Path, more: str, answer: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "0123456789abcdef" * 4
    monkeypatch.setattr(proofs, "fresh_value", lambda _: value)
    text = "if ($host = other.example.net) { return 200 '" + value + "'; } " + more.replace("VALUE", value)
    with web(desk, tmp_path, "www.example.com", "other.example.net", more=text):
        certificate_id = by_file(desk, "www.example.com")
        report = actions.check_now(desk.alice, certificate_id)
    check = Check.objects.order_by("id").first()
    assert check is not None
    assert check.answer == answer, check.seen
    assert told in check.seen or answer == "WRONG_VALUE"
    assert bool(check.cause) is (answer != "MATCH")
    assert (report.status == "ISSUING") is (answer == "MATCH")


# rule: DOM-8 DOM-13
def test_a_file_serves_no_other_name_and_a_record_serves_a_file_too(desk: Desk, tmp_path: Path) -> None:
    with web(desk, tmp_path, "www.example.com") as server:
        certificate_id = by_file(desk, "www.example.com")
        value = queries.proof_info(desk.alice, certificate_id).domains[0].file_content
        server.put("www.example.com", rules.FILE_PATH, value)
        assert actions.check_now(desk.alice, certificate_id).status == "ISSUING"
    again = desk.buy(domain_type="MULTI_DOMAIN", names=4)
    names = ("www.example.com", "example.com", "a.www.example.com")
    desk.apply(again, domain=names[0], sans=";".join(names[1:]))
    reused = {one.domain: one.reused for one in queries.proof_info(desk.alice, again).domains}
    assert reused == {"www.example.com": True, "example.com": False, "a.www.example.com": False}
    wild = desk.buy(domain_type="WILDCARD")
    desk.apply(wild, domain="*.www.example.com")
    assert not queries.proof_info(desk.alice, wild).domains[0].reused
    desk.publish(again)
    desk.run(timedelta(hours=1))
    third = by_file(desk, "www.example.com", "example.com")  # the record at example.com serves both
    assert [one.reused for one in queries.proof_info(desk.alice, third).domains] == [True, True]


# rule: APP-13
def test_a_wildcard_anywhere_removes_the_file(desk: Desk) -> None:
    certificate_id = desk.buy("OV_SSL_CERT", "MULTI_DOMAIN", names=2, wildcards=1)
    with pytest.raises(BadParameter, match="wildcard"):
        desk.apply(
            certificate_id, domain="example.com", sans="*.example.com", domain_method="FILE", **COMPANY
        )


# rule: DOM-9 DOM-10
def test_a_mailbox_confirms_by_the_button_once(desk: Desk) -> None:
    with mail() as server:
        certificate_id = by_email(desk)
        desk.run()
        asked = {one.recipients[0] for one in server.messages}
        assert asked >= {
            f"{who}@{at}" for who in rules.MAILBOXES for at in ("shop.example.com", "example.com")
        }
        token = token_for(server, "hostmaster@example.com")
        assert len(token) >= 2 + 22  # 128 bits in base 64
        seen = confirming.inspect(token, clock.now())
        assert (seen.standing, seen.domain, seen.address) == (
            Standing.GOOD,
            "shop.example.com",
            "hostmaster@example.com",
        )
        assert desk.state(certificate_id) == "CHECKING"
        assert confirming.confirm(token, clock.now(), source="192.0.2.7").standing is Standing.GOOD
        assert desk.state(certificate_id) == "CHECKING_ORG"
        assert confirming.confirm(token, clock.now()).standing is Standing.USED
        other = token_for(server, "admin@example.com")
        assert confirming.confirm(other, clock.now()).standing is Standing.USED
    evidence = Evidence.objects.get()
    assert (evidence.method, evidence.br_method, evidence.perspective, evidence.name) == (
        "EMAIL",
        "3.2.2.4.4",
        "hostmaster@example.com",
        "",
    )
    assert "hostmaster@example.com" in evidence.seen
    assert "192.0.2.7" in evidence.seen
    asked = Message.objects.filter(template="domain-confirmation").values_list("secret_id")
    assert asked.count() > 1
    assert not Secret.objects.filter(id__in=asked).exists()
    second = by_email(desk)
    assert desk.state(second) in ("CHECKING", "CHECKING_ORG")
    assert queries.proof_info(desk.alice, second).domains[0].reused


def test_each_mail_has_its_own_value_and_nobody_reads_it_in_the_outbox(desk: Desk) -> None:
    with mail() as server:
        by_email(desk)
        desk.run()
        tokens = {token_for(server, address) for address in queries.mailboxes("shop.example.com")[:5]}
        assert len(tokens) == 5
        kept = "".join(one.text + one.html + one.subject for one in Message.objects.all())
        assert "[[confirm_link]]" in kept
        assert not any(token in kept for token in tokens)
        html = server.messages[0].message.get_body(("html",))
        assert html is not None
        assert "/confirm/d-" in str(html.get_content())
        assert not ConfirmationMail.objects.filter(token_hash__in=tokens).exists()


# rule: DOM-9
def test_a_link_is_good_for_30_days_and_then_replaced(desk: Desk) -> None:
    with mail() as server:
        certificate_id = by_email(desk)
        desk.run()
        token = token_for(server, "admin@example.com")
        made = ConfirmationMail.objects.get(token_hash=rules.token_hash(token)).made_at
        last = made + timedelta(days=30)
        assert confirming.inspect(token, last).standing is Standing.GOOD
        late = last + timedelta(microseconds=1)
        assert confirming.confirm(token, late).standing is Standing.OLD
        assert (
            confirmations.resend(desk.alice, certificate_id, "shop.example.com", "admin@example.com", late)
            == 1
        )
        server.clear()
        desk.run()
        newer = token_for(server, "admin@example.com")
        assert newer != token
        assert confirming.confirm(newer, late).standing is Standing.GOOD
    assert confirming.inspect("d-nothing", late).standing is Standing.UNKNOWN
    assert confirming.confirm("d-nothing", late).standing is Standing.UNKNOWN


def test_a_resend_is_the_same_mail_and_limited(desk: Desk) -> None:
    with mail() as server:
        certificate_id = by_email(desk)
        desk.run()
        first = server.wait_for(lambda one: "admin@example.com" in one.recipients)
        server.clear()
        now = clock.now()

        def resend() -> int:
            return confirmations.resend(
                desk.alice, certificate_id, "shop.example.com", "admin@example.com", now
            )

        assert resend() == 1
        desk.run()
        again = server.wait_for(lambda one: "admin@example.com" in one.recipients)
        assert again.text == first.text
        assert again.message["Message-ID"] == first.message["Message-ID"]
        with pytest.raises(CertdeskError) as caught:
            resend()
        assert caught.value.kind is Kind.TOO_MANY
        assert 0 < (caught.value.retry_after or 0) <= 600
        earlier = clock.real_now() - timedelta(minutes=10)
        ConfirmationMail.objects.filter(address="admin@example.com").update(last_sent_at=earlier)
        assert resend() == 1
        ConfirmationMail.objects.filter(address="admin@example.com").update(
            times_sent=10, last_sent_at=earlier
        )
        with pytest.raises(CertdeskError):
            resend()


def test_who_may_be_asked_and_who_may_ask(desk: Desk) -> None:
    with mail():
        certificate_id = by_email(desk, "a.b.example.com")
        now = clock.now()
        assert (
            confirmations.resend(desk.alice, certificate_id, "a.b.example.com", "admin@b.example.com", now)
            == 1
        )
        for address in ("admin@com", "root@example.com", "admin@example.org", "admin@c.example.com"):
            with pytest.raises(BadParameter):
                confirmations.resend(desk.alice, certificate_id, "a.b.example.com", address, now)
        with pytest.raises(BadParameter):
            confirmations.resend(desk.alice, certificate_id, "example.org", "", now)
        with pytest.raises(Forbidden):
            confirmations.resend(
                desk.someone("rita", "scm:cert:get"), certificate_id, "a.b.example.com", "", now
            )
        charlie = replace(desk.alice, account_id="0" * 32)
        with pytest.raises(NotFound):
            confirmations.resend(charlie, certificate_id, "a.b.example.com", "", now)
        plain = desk.buy()
        with pytest.raises(WrongState):
            confirmations.resend(desk.alice, plain, "www.example.com", "", now)
        desk.apply(plain, domain="www.example.com")
        with pytest.raises(BadParameter, match="address is chosen only"):
            confirmations.resend(desk.alice, plain, "www.example.com", "admin@example.com", now)
        assert confirmations.resend(desk.alice, plain, "www.example.com", "", now) == 1


def test_a_withdrawn_application_is_not_confirmed(desk: Desk) -> None:
    with mail() as server:
        certificate_id = by_email(desk)
        desk.run()
        token = token_for(server, "admin@example.com")
        issuance.withdraw(desk.alice, certificate_id, clock.now())
        assert confirming.confirm(token, clock.now()).standing is Standing.OVER
    assert not Evidence.objects.exists()


def test_a_refused_mailbox_is_recorded(desk: Desk) -> None:
    with mail() as server:
        server.misbehave(Fault.REJECT_RECIPIENT)
        certificate_id = by_email(desk)
        desk.run()
        lines = queries.proof_info(desk.alice, certificate_id).domains[0].mails
        assert {one.state for one in lines} == {"FAILED"}
        assert all("No such mailbox" in one.answer for one in lines)


def test_email_ends_for_public_certificates(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    book = catalogue()
    product = book.product("GEOTRUST", "OV_SSL_CERT", "SINGLE_DOMAIN")
    public = replace(product, profile="public")
    day = datetime(2028, 3, 15, tzinfo=UTC).date()
    assert book.ended_methods(public, day) == {"EMAIL": day}
    assert book.ended_methods(public, day - timedelta(days=1)) == {}
    assert book.ended_methods(product, day) == {}
    with mail() as server:
        by_email(desk)
        desk.run()
        token = token_for(server, "admin@example.com")
        monkeypatch.setattr(type(book), "ended_methods", lambda *_: {"EMAIL": day})
        assert confirming.confirm(token, clock.now()).standing is Standing.ENDED
        certificate_id = desk.buy("OV_SSL_CERT")
        with pytest.raises(BadParameter, match="ended"):
            desk.apply(certificate_id, domain="x.example.com", domain_method="EMAIL", **COMPANY)


# rule: DOM-9
@pytest.mark.parametrize("ended", [False, True])
def test_a_proof_by_email_counts_no_more_once_the_method_has_ended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Confirmed in time, but the officer approves when the day has come."""
    with mail() as server:
        certificate_id = by_email(desk)
        desk.run()
        confirming.confirm(token_for(server, "admin@example.com"), clock.now())
        desk.run()
    assert desk.state(certificate_id) == "CHECKING_ORG"
    if ended:
        monkeypatch.setattr(type(catalogue()), "ended_methods", lambda *_: ("EMAIL",))
    approve(desk, certificate_id, "olga")
    desk.run(strict=False)
    assert desk.state(certificate_id) == ("UNPASSED" if ended else "ISSUED")
    if ended:
        assert "which counts no more" in desk.certificate(certificate_id).last_failure


def reply_to(got: Received, good: str, **changes: str) -> tuple[str, str, str]:
    values = {"token": good, "in_reply_to": str(got.message["Message-ID"]), "sender": got.recipients[0]}
    values |= changes
    return values["token"], values["in_reply_to"], values["sender"]


def test_a_reply_counts_only_with_token_message_and_address(desk: Desk) -> None:
    with mail() as server:
        certificate_id = by_email(desk)
        desk.run()
        got = server.wait_for(lambda one: "admin@example.com" in one.recipients)
        token = token_for(server, "admin@example.com")
        for wrong in (
            {"token": "d-other"},
            {"in_reply_to": "<other@example.com>"},
            {"in_reply_to": ""},
            {"sender": "webmaster@example.com"},
            {"sender": "mallory@example.org"},
        ):
            assert confirming.reply(*reply_to(got, token, **wrong), clock.now()).standing is Standing.UNKNOWN
        assert desk.state(certificate_id) == "CHECKING"
        assert confirming.reply(*reply_to(got, token), clock.now()).standing is Standing.GOOD
    assert desk.state(certificate_id) == "CHECKING_ORG"


class Place:
    """A perspective that sees what the test says."""

    def __init__(self, name: str, answer: str) -> None:
        self.name, self._answer = name, answer

    async def look(self, look: Look, now: datetime) -> Sight:
        return Sight(look, self.name, self._answer, f"{self.name} saw {self._answer}.", "")


@pytest.mark.parametrize(
    ("here", "elsewhere", "proved"),
    [
        ("MATCH", "", True),
        ("MATCH", "M", True),
        ("MATCH", "N", False),
        ("MATCH", "MN", True),
        ("MATCH", "NN", False),
        ("MATCH", "MMMMN", True),
        ("MATCH", "MMMNN", False),
        ("MATCH", "MMMMNN", True),
        ("MATCH", "MMMNNN", False),
        ("NO_RECORD", "MMMMMM", False),
    ],
)
def test_a_quorum_of_places_decides(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, here: str, elsewhere: str, proved: bool
) -> None:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="example.com")
    answers = {"M": "MATCH", "N": "NO_RECORD"}
    places = tuple(Place(f"p{index}", answers[one]) for index, one in enumerate(elsewhere))
    monkeypatch.setattr("certdesk.lifecycle.validation.perspectives.remotes", lambda: places)
    actions.check_now(desk.alice, certificate_id, perspective=Place("local", here))
    assert Evidence.objects.exists() is proved
    logged = set(Check.objects.values_list("perspective", flat=True))
    assert logged >= {"local", *(place.name for place in places)}
    assert ("quorum" in logged) is bool(places and here == "MATCH")
    if proved:
        seen_by = Evidence.objects.get().perspective.split(",")
        assert seen_by == ["local", *(p.name for p, one in zip(places, elsewhere, strict=True) if one == "M")]


def test_each_name_of_a_big_application_asks_one_mailbox() -> None:
    assert rules.first_mailboxes("a.example.com", "example.com", 11) == ("admin@example.com",)
    assert len(rules.first_mailboxes("a.example.com", "example.com", 10)) == 10
    assert len(rules.first_mailboxes("intern", "", 1)) == 5
    assert rules.mail_levels("a.b.example.com", "example.com") == (
        "a.b.example.com",
        "b.example.com",
        "example.com",
    )
    assert rules.mail_levels("example.com", "example.com") == ("example.com",)
    assert rules.mail_levels("intern.example", "") == ("intern.example",)
