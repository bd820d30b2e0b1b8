"""A CA outside is asked when its certificates should be replaced, and the machine follows (RFC 9773)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509

from certdesk.connectors.issuers.protocol import Advice as Told
from certdesk.connectors.issuers.protocol import Capabilities, IssuerCheck, IssuerError, Reason
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.applications.models import Application, CsrMode
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.enrolment import advice as enrolment
from certdesk.lifecycle.enrolment.models import Account, Credential, Order
from certdesk.lifecycle.issuance import advice, advice_jobs, outside_info, revoking
from certdesk.lifecycle.issuance.models import Advice, OutsideOrder
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.lifecycle.issuers import actions, dialing
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.lifecycle.renewal import facts, planning, switch
from certdesk.lifecycle.renewal.models import Renewal
from tests.interfaces.acme.test_protocol import cert_id
from tests.support.desk import Desk
from tests.support.outside_ca import Front, OutsideCa, front

NAME = "www.example.com"
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def ca(desk: Desk) -> OutsideCa:
    return OutsideCa(abilities=Capabilities(advises=True))


@pytest.fixture(autouse=True)
def issuers(desk: Desk, ca: OutsideCa) -> Iterator[Front]:
    with front(away=ca) as made:
        yield made


@pytest.fixture
def held(desk: Desk) -> str:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain=NAME)
    desk.publish(certificate_id)
    desk.run(HOUR)
    assert desk.state(certificate_id) == "ISSUED"
    return certificate_id


def usual(certificate_id: str) -> Told:
    end = Version.objects.get(certificate_id=certificate_id).not_after
    return Told(end - 31 * DAY, end - 29 * DAY, retry_after=21_600)


def asked(desk: Desk, *, strict: bool = True) -> Advice:
    """Everything that is due is asked for."""
    Advice.objects.filter(next_at__isnull=False).update(next_at=clock.real_now())
    with short_transaction():
        advice.send_due(clock.real_now())
    desk.run(strict=strict)
    return Advice.objects.get(version=1)


def begun(now: datetime) -> list[str]:
    with short_transaction():
        planning.begin(now)
    return list(
        Renewal.objects.filter(kind="ROLLOVER", state="OPEN").values_list("certificate_id", flat=True)
    )


# rule: REN-8
def test_the_window_decides_when_it_is_replaced_and_the_order_says_what_it_replaces(
    desk: Desk, ca: OutsideCa, held: str
) -> None:
    told = usual(held)
    ca.advises = [told]
    assert Advice.objects.get().asked_at is None
    row = asked(desk)
    assert (row.starts_at, row.ends_at, row.hurried) == (told.start, told.end, False)
    wait = row.next_at - clock.real_now() if row.next_at else None
    assert wait is not None
    assert 5 * HOUR < wait <= 6 * HOUR
    certificate = desk.certificate(held)
    coming = switch.next_of(facts.of([certificate]), certificate, clock.now())
    assert coming.action == "ROLLOVER"
    assert coming.at is not None
    assert told.start <= coming.at < told.end
    assert begun(told.start) == []
    assert begun(told.end) == [held]
    desk.run(DAY)
    replaced = [one.wanted for one in ca.orders.values() if one.wanted.replaces]
    assert [(one.replaces, one.predecessor) for one in replaced] == [
        (bytes(Version.objects.get(certificate_id=held, number=1).der), "order-1")
    ]
    assert desk.certificate(held).current_version == 2
    assert Advice.objects.get(version=2).first_start is None
    assert asked(desk).next_at is None  # what is replaced is asked for no more


# rule: REN-8
def test_a_window_that_moves_forward_is_followed_at_once_also_in_the_last_version(
    desk: Desk, ca: OutsideCa, held: str
) -> None:
    now = clock.now()
    page = "https://ca.example.test/incident"
    ca.advises = [usual(held), Told(now - 2 * DAY, now - DAY, page), Told(now - DAY, now, page)]
    asked(desk)
    certificate = desk.certificate(held)
    Certificate.objects.filter(id=held).update(paid_until=certificate.not_after)
    assert begun(now) == []
    assert asked(desk).hurried
    asked(desk)  # its window slides: noted once
    (event,) = Event.objects.filter(action=advice.HURRIED)
    assert (event.resource, json.loads(event.details)["page"]) == (
        f"cert:{held}",
        "https://ca.example.test/incident",
    )
    certificate = desk.certificate(held)
    assert switch.next_of(facts.of([certificate]), certificate, now).action == "ROLLOVER"
    info = outside_info.order_info(certificate)
    assert info is not None
    assert info.advice is not None
    assert (info.advice.hurried, info.advice.page) == (True, "https://ca.example.test/incident")
    assert begun(now) == []  # it is an hour old
    assert begun(now + 12 * HOUR) == [held]
    desk.run(DAY)
    assert desk.certificate(held).current_version == 2
    begun(now + 12 * HOUR)
    assert Renewal.objects.filter(kind="ROLLOVER").count() == 1
    assert not asked(desk).hurried  # what is replaced is looked at no more


def client_of(desk: Desk, certificate_id: str) -> None:
    """An ACME client asked for it, with a key of its own."""
    Application.objects.filter(certificate_id=certificate_id).update(csr_mode=CsrMode.UPLOAD)
    now, account_id, user_id = clock.now(), desk.account.id, desk.alice.user_id
    moments = {"created_at": now, "updated_at": now}
    binding = Credential(id="kid", account_id=account_id, user_id=user_id, created_by=user_id, **moments)
    binding.save()
    account = Account.objects.create(id="client", credential=binding, jwk={}, created_at=now)
    Order.objects.create(
        id="order",
        account=account,
        names=[NAME],
        certificate_id=certificate_id,
        created_at=now,
        expires_at=now + DAY,
    )


def next_action(desk: Desk, certificate_id: str, now: datetime) -> str:
    certificate = desk.certificate(certificate_id)
    return switch.next_of(facts.of([certificate]), certificate, now).action


# rule: REN-8
@pytest.mark.parametrize("last", [True, False], ids=["the last version", "paid beyond it"])
def test_an_acme_client_is_told_that_the_ca_hurries_and_renews_by_itself(
    desk: Desk, ca: OutsideCa, held: str, last: bool
) -> None:
    now = clock.now()
    told = Told(now - 2 * DAY, now - DAY)
    ca.advises = [told]
    client_of(desk, held)
    assert asked(desk).hurried
    end = desk.certificate(held).not_after
    assert end is not None
    Certificate.objects.filter(id=held).update(paid_until=end if last else end + 90 * DAY)
    assert begun(now + DAY) == []
    assert begun(end - DAY) == []
    assert next_action(desk, held, now) == ""
    der = bytes(Version.objects.get().der)
    found = enrolment.window(cert_id(x509.load_der_x509_certificate(der)), now, lambda *_: False)
    assert (found.start, found.end) == (told.start, told.end)


# rule: REN-8
def test_what_an_acme_client_asked_for_is_rolled_over_in_the_usual_course(
    desk: Desk, ca: OutsideCa, held: str
) -> None:
    told = usual(held)
    ca.advises = [told]
    client_of(desk, held)
    asked(desk)
    assert next_action(desk, held, clock.now()) == "ROLLOVER"
    assert begun(told.end) == [held]


# rule: REN-8
def test_what_was_reissued_with_a_key_of_the_service_is_no_clients_any_more(
    desk: Desk, ca: OutsideCa, held: str
) -> None:
    now = clock.now()
    ca.advises = [Told(now - 2 * DAY, now - DAY)]
    client_of(desk, held)
    Application.objects.filter(certificate_id=held).update(csr_mode=CsrMode.SYSTEM)  # of the reissue
    assert asked(desk).hurried
    Certificate.objects.filter(id=held).update(paid_until=desk.certificate(held).not_after)
    assert next_action(desk, held, now) == "ROLLOVER"
    assert begun(now + DAY) == [held]


def test_a_failure_leaves_the_window_that_was_told(desk: Desk, ca: OutsideCa, held: str) -> None:
    told = usual(held)
    ca.advises = [told]
    asked(desk)
    ca.faults = [("advice", "before", IssuerError(Reason.BUSY, "It answered 503.", retry_after=7200))]
    row = asked(desk)
    assert (row.starts_at, row.failures, row.problem) == (told.start, 1, "It answered 503.")
    assert row.next_at is not None
    assert row.next_at > clock.real_now() + HOUR
    ca.faults = [("advice", "before", TimeoutError())]  # type: ignore[list-item]
    assert asked(desk).failures == 2
    assert asked(desk).problem == ""
    assert Issuer.objects.get(slug="away").failures == 0  # it says nothing of how it issues


def another(desk: Desk, name: str) -> str:
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain=name)
    desk.publish(certificate_id)
    desk.run(HOUR)
    return certificate_id


def test_a_ca_that_gives_no_advice_gets_no_questions_until_it_says_that_it_does(
    desk: Desk, ca: OutsideCa, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "BATCH", 1)
    issuer = Issuer.objects.get(slug="away")
    able = dialing.read(issuer.capabilities)
    silent = replace(able, advises=False)

    def tested(now_able: Capabilities) -> None:
        with short_transaction():
            actions.note_test(
                "away", IssuerCheck(True), now_able, clock.real_now(), secret_id=issuer.secret_id
            )

    tested(silent)
    Advice.objects.update(hurried=True)
    last = asked(desk)
    assert last.next_at is None  # of before: once more, and never again
    assert last.hurried  # what it said last holds: it may only be that its options were changed
    another(desk, "other.example.com")
    assert list(Advice.objects.values_list("next_at", flat=True)) == [None, None]
    ca.advises = [usual(held)]
    tested(able)
    desk.run()
    assert Advice.objects.exclude(asked_at=None).count() == 0
    with short_transaction():
        advice.send_due(clock.real_now())
        advice.send_due(clock.real_now())
    desk.run()
    assert Advice.objects.exclude(asked_at=None).count() == 2
    Job.objects.all().delete()
    tested(able)
    assert not Job.objects.exists()  # nothing new


def test_whose_options_cannot_be_used_is_asked_later_and_who_is_gone_no_more(
    desk: Desk, ca: OutsideCa, issuers: Front, held: str
) -> None:
    Issuer.objects.update(kind="none of these")
    row = asked(desk)
    assert (row.asked_at, row.next_at is not None) == (None, True)
    issuers.remove("away")
    row = asked(desk)
    assert (row.asked_at, row.next_at, "advice" in ca.calls) == (None, None, False)


def test_what_is_revoked_or_gone_is_asked_for_no_more(desk: Desk, ca: OutsideCa, held: str) -> None:
    ca.advises = [usual(held)]
    revoking.request(desk.alice, held, Wish("SUPERSEDED"), clock.now())
    desk.run(HOUR)
    assert asked(desk).next_at is None
    assert "advice" not in ca.calls
    work = advice_jobs.ToAsk(OutsideOrder.objects.get().placement_id, ca, b"")
    Advice.objects.all().delete()
    job = Job(kind=advice.ASK, payload={"reference": work.reference}, subject=held)
    assert advice_jobs.AskAdvice().load(job) is None
    advice_jobs.AskAdvice().store(job, work, usual(held))  # deleted while it was asked
    assert not Advice.objects.exists()


def test_the_clock_sends_what_is_due_and_looks_again_when_there_is_more(
    desk: Desk, held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "BATCH", 1)
    second = another(desk, NAME)
    Advice.objects.update(next_at=clock.real_now() - SECOND)
    Job.objects.all().delete()
    for more in (True, True, False):
        advice_jobs.Look().load(Job(kind=advice_jobs.LOOK))
        assert Job.objects.filter(kind=advice_jobs.LOOK).exists() is more
        Job.objects.filter(kind=advice_jobs.LOOK).delete()
        Job.objects.filter(kind=advice.ASK).update(state="RUNNING")  # a twin of it may wait
    asked_for = Job.objects.filter(kind=advice.ASK).values_list("subject", flat=True)
    assert sorted(asked_for) == sorted([held, second])
