"""Proof of domain control against a real DNS server: workers, Verify, what was seen, renewal, CAA."""

from datetime import timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError, Forbidden, Kind, NotFound
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.applications.models import Contact
from certdesk.lifecycle.catalogue.queries import SHIPPED
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.validation import actions, proofs, queries
from certdesk.lifecycle.validation.models import Challenge, Check, Evidence, NameProof
from certdesk.lifecycle.validation.perspectives import Look, Sight, look_all
from tests.support.desk import Desk

HOUR = timedelta(hours=1)
OWNER = "_dnsauth.example.com"


def applied(desk: Desk, *names: str, **more: object) -> str:
    kind = "SINGLE_DOMAIN" if len(names) == 1 else "MULTI_DOMAIN"
    certificate_id = desk.buy(domain_type=kind, names=len(names), **more)
    desk.apply(certificate_id, domain=names[0], sans=";".join(names[1:]))
    return certificate_id


def statuses(desk: Desk, certificate_id: str) -> dict[str, str]:
    return {one.domain: str(one.status) for one in queries.proof_info(desk.alice, certificate_id).domains}


def test_names_with_one_authorization_domain_share_record_and_value(desk: Desk) -> None:
    certificate_id = applied(desk, "www.example.com", "example.com", "a.example.com")
    info = queries.proof_info(desk.alice, certificate_id)
    records = [(one.domain, one.record_name, one.record_value) for one in info.domains]
    assert records[0][1:] == records[1][1:]
    assert records[0][1] == OWNER
    assert records[2][1] == "_dnsauth.a.example.com"
    assert records[2][2] != records[0][2]
    assert all(len(value) == 64 for _, _, value in records)
    assert info.domains[0].commands[0] == f"nslookup -q=TXT {OWNER}"
    assert info.value_expires_at is not None
    assert set(statuses(desk, certificate_id).values()) == {"PENDING"}


def test_the_records_are_mailed_to_the_applicant(desk: Desk) -> None:
    certificate_id = applied(desk, "www.example.com")
    mail = Message.objects.get(template="dns-record")
    challenge = Challenge.objects.get(certificate_id=certificate_id)
    assert mail.recipient == "ada@example.com"
    assert challenge.value in mail.text
    assert challenge.record_name in mail.text


def test_verify_looks_at_once_and_says_what_it_saw(desk: Desk) -> None:
    certificate_id = applied(desk, "www.example.com", "b.example.com")
    desk.dns.set(OWNER, "TXT", ["an old value"])
    report = actions.check_now(desk.alice, certificate_id)
    seen = {one.domain: one for one in report.info.domains}
    assert report.status == "CHECKING"
    assert seen["www.example.com"].status == "FAILED"
    assert "an old value" in seen["www.example.com"].seen
    assert seen["www.example.com"].cause
    assert seen["b.example.com"].checks[0].answer in ("NXDOMAIN", "NO_RECORD")
    desk.publish(certificate_id, leave_out=("b.example.com",))
    report = actions.check_now(desk.alice, certificate_id)
    assert [str(one.status) for one in report.info.domains] == ["VERIFIED", "FAILED"]
    desk.publish(certificate_id)
    report = actions.check_now(desk.alice, certificate_id)
    assert report.status == "ISSUING"
    assert [str(one.status) for one in report.info.domains] == ["VERIFIED", "VERIFIED"]
    again = actions.check_now(desk.alice, certificate_id)  # the worker was quicker: told, not refused
    assert again.status == "ISSUING"
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"


def test_any_matching_value_among_many_counts(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    value = Challenge.objects.get().value
    desk.dns.set(OWNER, "TXT", ["v=spf1 -all", value, "other"])
    assert actions.check_now(desk.alice, certificate_id).status == "ISSUING"


def test_a_cname_is_followed_to_the_value(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    desk.dns.set(OWNER, "CNAME", ["proof.example.net."])
    desk.dns.set("proof.example.net", "TXT", [Challenge.objects.get().value])
    assert actions.check_now(desk.alice, certificate_id).status == "ISSUING"


@pytest.mark.parametrize("fault", ["SERVFAIL", "REFUSED"])
def test_a_server_in_trouble_is_named_and_asked_again(desk: Desk, fault: str) -> None:
    certificate_id = applied(desk, "example.com")
    desk.publish(certificate_id)
    desk.dns.misbehave(OWNER, fault)
    assert actions.check_now(desk.alice, certificate_id).info.domains[0].checks[0].answer == fault
    desk.dns.behave()
    desk.run(HOUR)
    assert desk.state(certificate_id) == "ISSUED"


def test_workers_look_again_with_growing_pauses(desk: Desk) -> None:
    applied(desk, "example.com")
    desk.run()
    first = Job.objects.get(kind="validation.check", state="READY")
    assert timedelta(seconds=20) < first.run_at - clock.real_now() <= timedelta(seconds=30)
    desk.run(timedelta(seconds=31))
    second = Job.objects.get(kind="validation.check", state="READY")
    assert timedelta(seconds=45) < second.run_at - clock.real_now() <= timedelta(seconds=60)
    challenge = Challenge.objects.get()
    assert (challenge.checks_made, Check.objects.count()) == (2, 2)


def test_each_look_is_logged_with_time_perspective_and_answer(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    actions.check_now(desk.alice, certificate_id)
    line = queries.proof_info(desk.alice, certificate_id).domains[0].checks[0]
    assert (line.perspective, line.answer) == ("local", "NXDOMAIN")
    assert clock.now() - line.at < timedelta(minutes=1)


def test_an_address_that_takes_no_mail_stops_nothing(desk: Desk) -> None:
    User.objects.update(email="not an address")
    certificate_id = applied(desk, "www.example.com")
    Contact.objects.all().delete()
    desk.publish(certificate_id)
    desk.run(HOUR)
    assert desk.state(certificate_id) == "ISSUED"
    assert not Message.objects.filter(template="issued").exists()


def test_a_value_older_than_30_days_is_renewed_and_mailed_anew(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    old = Challenge.objects.get()
    desk.publish(certificate_id)
    Challenge.objects.update(value_made_at=clock.now() - timedelta(days=30, seconds=1))
    assert actions.check_now(desk.alice, certificate_id).status == "CHECKING"
    renewed = Challenge.objects.get()
    assert renewed.value != old.value
    assert Message.objects.filter(template="dns-record").count() == 2
    desk.publish(certificate_id)
    assert actions.check_now(desk.alice, certificate_id).status == "ISSUING"


def test_a_value_of_30_days_is_still_good(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    Challenge.objects.update(value_made_at=clock.now() - timedelta(days=30, seconds=-60))
    desk.publish(certificate_id)
    assert actions.check_now(desk.alice, certificate_id).status == "ISSUING"


def test_a_match_of_a_value_that_was_renewed_meanwhile_counts_for_nothing(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    challenge = Challenge.objects.get()
    look = Look(challenge.id, challenge.record_name, challenge.record_type, "the value of before")
    sight = Sight(look, "local", "MATCH", "seen", "")
    actions.store(certificate_id, challenge.application_id, [sight], clock.now())
    assert not Evidence.objects.exists()
    assert desk.state(certificate_id) == "CHECKING"


def test_one_verify_at_a_time(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    Challenge.objects.update(busy_until=clock.real_now() + timedelta(seconds=5))
    with pytest.raises(CertdeskError) as caught:
        actions.check_now(desk.alice, certificate_id)
    assert (caught.value.kind, caught.value.retry_after) == (Kind.TOO_MANY, 3)
    Challenge.objects.update(busy_until=clock.real_now() - timedelta(seconds=1))
    actions.check_now(desk.alice, certificate_id)
    assert Challenge.objects.get().busy_until is None


def test_verify_needs_an_application_and_the_permission(desk: Desk) -> None:
    bought = desk.buy()
    with pytest.raises(CertdeskError) as caught:
        actions.check_now(desk.alice, bought)
    assert caught.value.kind is Kind.WRONG_STATE
    with pytest.raises(CertdeskError):
        queries.proof_info(desk.alice, bought)
    certificate_id = applied(desk, "example.com")
    with pytest.raises(Forbidden):
        actions.check_now(desk.someone("bob", "scm:cert:get"), certificate_id)
    with pytest.raises(NotFound):
        actions.check_now(desk.alice, "scs0000000000000")


def test_a_perspective_that_never_answers_is_cut_off() -> None:
    import asyncio

    class Silent:
        name = "silent"

        async def look(self, look: Look, now: object) -> Sight:
            await asyncio.Event().wait()
            raise AssertionError("never")

    look = Look(1, OWNER, "TXT", "v")
    sights = asyncio.run(look_all([look, look], clock.now(), deadline=0.05, perspective=Silent()))
    assert [sight.answer for sight in sights] == ["TIMEOUT", "TIMEOUT"]


def test_a_proved_name_is_reused_within_the_period_and_not_after_it(desk: Desk) -> None:
    desk.issued("www.example.com")
    evidence = Evidence.objects.get()
    now = clock.now()
    days = 398
    for seconds, reused in ((60, True), (-60, False)):
        Evidence.objects.filter(id=evidence.id).update(
            at=now - timedelta(days=days) + timedelta(seconds=seconds)
        )
        certificate_id = applied(desk, "example.com")
        assert NameProof.objects.get(application__certificate_id=certificate_id).reused is reused
    own = Evidence.objects.filter(account_id=desk.account.id)
    own.update(account_id="f" * 32, at=now)
    other = applied(desk, "example.com")
    assert not NameProof.objects.get(application__certificate_id=other).reused


def test_the_neighbours_of_a_proved_name_are_not_proved(desk: Desk) -> None:
    desk.issued("a.example.com")
    certificate_id = applied(desk, "example.com", "b.a.example.com", "a.example.com")
    assert statuses(desk, certificate_id) == {
        "example.com": "PENDING",
        "b.a.example.com": "PENDING",
        "a.example.com": "VERIFIED",
    }


@pytest.fixture
def asking_caa(desk: Desk, tmp_path: Path) -> Desk:
    """The built-in CA has a name by which CAA records permit it."""
    text = SHIPPED.read_text(encoding="utf-8")
    wanted = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    assert wanted in text
    file = tmp_path / "catalogue.toml"
    file.write_text(text.replace(wanted, wanted + 'caa_domains = ["ca.desk.example"]\n'), encoding="utf-8")
    settings.install(settings.get().model_copy(update={"catalogue": file}))
    return desk


def test_caa_that_names_another_ca_is_a_refusal_with_the_record(asking_caa: Desk) -> None:
    desk = asking_caa
    certificate_id = applied(desk, "www.example.com")
    desk.publish(certificate_id)
    desk.dns.set("example.com", "CAA", ['0 issue "other.example"'])
    desk.run(strict=False)
    certificate = desk.certificate(certificate_id)
    assert certificate.state == "UNPASSED"
    assert "other.example" in certificate.last_failure


def test_caa_that_permits_or_says_nothing_lets_it_pass(asking_caa: Desk) -> None:
    desk = asking_caa
    desk.dns.set("example.com", "CAA", ['0 issue "ca.desk.example"'])
    certificate_id = applied(desk, "www.example.com", "www.example.org")
    desk.publish(certificate_id)
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"
    said = dict(NameProof.objects.values_list("name", "caa"))
    assert "permits" in said["www.example.com"]
    assert "No CAA record" in said["www.example.org"]


@pytest.mark.parametrize(
    ("age", "state"),
    [(timedelta(hours=7, minutes=59), "ISSUED"), (timedelta(hours=8, seconds=1), "UNPASSED")],
)
def test_an_answer_of_caa_is_good_for_eight_hours(asking_caa: Desk, age: timedelta, state: str) -> None:
    # rule: DOM-12
    desk = asking_caa
    certificate_id = desk.buy()
    desk.apply(certificate_id, domain="www.example.com")
    desk.publish(certificate_id)
    testing.run_due(2)  # the look, then CAA; the issuer comes back much later
    NameProof.objects.update(caa_at=clock.now() - age)
    desk.dns.set("example.com", "CAA", ['0 issue "other.example"'])
    desk.run()
    assert desk.state(certificate_id) == state


def test_caa_that_cannot_be_read_is_asked_again(asking_caa: Desk) -> None:
    desk = asking_caa
    certificate_id = applied(desk, "www.example.com")
    desk.publish(certificate_id)
    desk.dns.misbehave("www.example.com", "SERVFAIL")
    desk.run()
    waiting = desk.certificate(certificate_id)
    assert waiting.state == "ISSUING"
    for words in ("CAA records of www.example.com cannot be read", "SERVFAIL", "asked again every minute"):
        assert words in waiting.last_failure
    assert "cannot be read" in NameProof.objects.get().caa
    assert Job.objects.filter(kind="issuance.place", state="READY", subject=certificate_id).count() == 1
    desk.dns.behave()
    desk.run(HOUR)
    issued = desk.certificate(certificate_id)
    assert (issued.state, issued.last_failure) == ("ISSUED", "")


def test_a_record_that_refuses_goes_before_a_question_that_failed(asking_caa: Desk) -> None:
    desk = asking_caa
    certificate_id = desk.buy(domain_type="MULTI_DOMAIN", names=2)
    desk.apply(certificate_id, domain="www.example.com", sans="www.example.org")
    desk.publish(certificate_id)
    desk.dns.misbehave("www.example.com", "SERVFAIL")
    desk.dns.set("example.org", "CAA", ['0 issue "other.example"'])
    desk.run()
    refused = desk.certificate(certificate_id)
    assert refused.state == "UNPASSED"
    assert "other.example" in refused.last_failure
    assert "other.example" in NameProof.objects.get(name="www.example.org").caa


def test_a_lost_job_of_the_workers_is_given_back(desk: Desk) -> None:
    from certdesk.lifecycle.issuance.reconcile import reconcile

    certificate_id = applied(desk, "example.com")
    Job.objects.all().delete()
    desk.publish(certificate_id)
    assert reconcile() == 1
    assert reconcile() == 0
    desk.run()
    assert desk.state(certificate_id) == "ISSUED"


def test_nothing_is_recorded_for_a_certificate_that_went_on(desk: Desk) -> None:
    certificate_id = applied(desk, "example.com")
    challenge = Challenge.objects.get()
    look = proofs.looks([challenge])[0]
    Certificate.objects.filter(id=certificate_id).update(state="CANCELCHECKING")
    done = actions.store(
        certificate_id, challenge.application_id, [Sight(look, "local", "MATCH", "", "")], clock.now()
    )
    assert done
    assert not Evidence.objects.exists()
