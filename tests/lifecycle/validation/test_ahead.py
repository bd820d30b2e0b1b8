"""Proving a name ahead of any order: challenges, workers, expiry, limits, reuse by what is ordered later."""

from datetime import timedelta
from pathlib import Path

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError, Forbidden, Kind, NotFound
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import Account, User
from certdesk.foundation.iam.principal import PolicyGrant, Principal, Via
from certdesk.foundation.iam.rules import allow
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.catalogue.queries import SHIPPED, catalogue
from certdesk.lifecycle.issuance import actions as issuance
from certdesk.lifecycle.issuance.actions import IssueRequest
from certdesk.lifecycle.validation import ahead, confirming, domains, rules
from certdesk.lifecycle.validation.ahead import Ahead
from certdesk.lifecycle.validation.confirming import Standing
from certdesk.lifecycle.validation.models import Challenge, ConfirmationMail, Evidence
from certdesk.pki.x509.errors import BadName
from tests.support.desk import Desk

from .test_methods import Place, mail, settings_with, token_for, web

FORM = ApplicationForm(domain="www.example.com", key_algorithm="EC_P256", agree_privacy_protection=True)
DAY = timedelta(days=1)


@pytest.fixture
def granted(desk: Desk) -> None:
    """Alice has in the database what she may by her principal."""
    iam.ensure_system_policies()
    iam.ensure_groups(desk.account)
    iam.add_to_group(User.objects.get(id=desk.alice.user_id), "users")


def publish(desk: Desk, asked: Ahead) -> None:
    assert asked.info is not None
    desk.dns.set(asked.info.record_name, asked.info.record_type, [asked.info.record_value])


def charlie(name: str = "other") -> Principal:
    owner = Account.objects.create(name=name, created_at=clock.now())
    return Principal(owner.id, "c" * 32, "charlie", Via.API, grants=(PolicyGrant("test", allow("*")),))


def issue(desk: Desk, name: str = "www.example.com") -> issuance.IssueResult:
    form = ApplicationForm(domain=name, key_algorithm="EC_P256", agree_privacy_protection=True)
    return issuance.issue_batch(desk.alice, [IssueRequest("GEOTRUST", "DV_SSL_CERT", form)], clock.now())[0]


def age(delta: timedelta) -> None:
    """The value was made so long ago."""
    Challenge.objects.update(value_made_at=clock.now() - delta)


# rule: DOM-13
def test_a_name_proved_ahead_is_issued_at_once(desk: Desk) -> None:
    asked = ahead.prove(desk.alice, "www.example.com")
    assert (asked.status, asked.info and asked.info.record_name) == ("PENDING", "_dnsauth.example.com")
    assert asked.info is not None
    assert len(asked.info.record_value) == 64
    assert asked.proof is None
    assert issue(desk, "slow.example.org").status == "CHECKING"
    publish(desk, asked)
    assert ahead.prove(desk.alice, "www.example.com").status == "VERIFIED"
    assert [issue(desk, name).issued for name in ("www.example.com", "example.com")] == [True, True]
    assert not issue(desk, "a.example.com").issued
    kept = Evidence.objects.get()
    assert (kept.application_id, kept.br_method, kept.perspective) == (0, "3.2.2.4.7", "local")


def test_a_repeated_call_changes_nothing_and_says_what_is_seen(desk: Desk) -> None:
    first = ahead.prove(desk.alice, "example.com")
    second = ahead.prove(desk.alice, "EXAMPLE.com ", "dns")
    assert first.info is not None
    assert second.info is not None
    assert second.info.record_value == first.info.record_value
    assert (second.status, second.info.checks[0].answer) == ("FAILED", "NXDOMAIN")
    desk.dns.set("_dnsauth.example.com", "TXT", ["an old value"])
    third = ahead.prove(desk.someone("bob"), "example.com")  # Bob is of the same account
    assert third.info is not None
    assert "an old value" in third.info.seen
    publish(desk, first)
    assert ahead.prove(desk.alice, "example.com").status == "VERIFIED"
    again = ahead.prove(desk.alice, "www.example.com")  # the same domain: there is nothing to ask
    assert again.status == "VERIFIED"
    assert (Challenge.objects.count(), Evidence.objects.count()) == (1, 1)
    assert [one.action for one in Event.objects.filter(resource__startswith="domain:").order_by("id")] == [
        "scm:domain:prove",
        "domain.proved",
    ]


@pytest.mark.usefixtures("granted")
def test_the_workers_look_by_themselves_until_it_is_seen(desk: Desk) -> None:
    asked = ahead.prove(desk.alice, "example.com")
    desk.run(timedelta(minutes=1))
    assert Job.objects.filter(kind=ahead.JOB, state="READY").count() == 1
    publish(desk, asked)
    desk.run(timedelta(minutes=5))
    assert not Job.objects.filter(kind=ahead.JOB, state="READY").exists()
    found = ahead.show(desk.alice, "example.com")
    assert found is not None
    assert (found.status, found.proof and found.proof.method) == ("VERIFIED", "DNS")


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize(("beyond", "status"), [(-1, "VERIFIED"), (1, "EXPIRED")])
def test_a_value_expires_after_30_days_and_is_renewed_on_request(
    desk: Desk, beyond: int, status: str
) -> None:
    asked = ahead.prove(desk.alice, "example.com")
    publish(desk, asked)
    age(rules.VALUE_LIFE + timedelta(minutes=beyond))
    desk.run(timedelta(minutes=1))
    found = ahead.show(desk.alice, "example.com")
    assert found is not None
    assert found.status == status
    if status == "EXPIRED":
        assert not Job.objects.filter(kind=ahead.JOB, state="READY").exists()
        again = ahead.prove(desk.alice, "example.com")
        assert again.status == "PENDING"
        assert again.info is not None
        assert asked.info is not None
        assert again.info.record_value != asked.info.record_value
        assert Challenge.objects.count() == 1


def test_a_new_proof_is_asked_for_before_the_old_one_ends(desk: Desk) -> None:
    publish(desk, ahead.prove(desk.alice, "example.com"))
    ahead.prove(desk.alice, "example.com")
    assert ahead.prove(desk.alice, "example.com", renew=True).status == "VERIFIED"  # of the last 24 hours
    Evidence.objects.update(at=clock.now() - DAY - timedelta(minutes=1))
    asked = ahead.prove(desk.alice, "example.com", renew=True)
    assert (asked.status, asked.proof is not None) == ("PENDING", True)
    shown = ahead.show(desk.alice, "example.com")
    assert shown is not None
    assert shown.status == "PENDING"
    assert ahead.prove(desk.alice, "example.com").status == "VERIFIED"  # the old one counts on
    publish(desk, asked)
    assert ahead.prove(desk.alice, "example.com", renew=True).status == "VERIFIED"
    assert Evidence.objects.count() == 2


def test_a_proof_that_counts_no_more_is_asked_for_again(desk: Desk) -> None:
    publish(desk, ahead.prove(desk.alice, "example.com"))
    ahead.prove(desk.alice, "example.com")
    Evidence.objects.update(at=clock.now() - timedelta(days=1000))
    shown = ahead.show(desk.alice, "example.com")
    assert shown is not None
    assert shown.status == "EXPIRED"
    assert ahead.prove(desk.alice, "example.com").status == "PENDING"


# rule: DOM-8
def test_a_file_proves_its_exact_name(desk: Desk, tmp_path: Path) -> None:
    with web(desk, tmp_path, "www.example.com", "example.com") as server:
        asked = ahead.prove(desk.alice, "www.example.com", "FILE")
        assert asked.info is not None
        assert asked.info.file_url == "http://www.example.com/.well-known/pki-validation/fileauth.txt"
        assert ahead.file_of(desk.alice, "www.example.com") == asked.info.file_content
        assert ahead.prove(desk.alice, "www.example.com", "FILE").status == "FAILED"
        server.put("www.example.com", rules.FILE_PATH, asked.info.file_content)
        assert ahead.prove(desk.alice, "www.example.com", "FILE").status == "VERIFIED"
    assert issue(desk).issued
    assert not issue(desk, "example.com").issued
    with pytest.raises(NotFound):
        ahead.file_of(desk.alice, "example.com")
    with pytest.raises(BadParameter, match="wildcard"):
        ahead.prove(desk.alice, "*.example.com", "FILE")
    assert ahead.methods("*.example.com") == ("DNS", "EMAIL")


# rule: DOM-9
def test_a_mailbox_confirms_by_the_button(desk: Desk) -> None:
    with mail() as server:
        asked = ahead.prove(desk.alice, "shop.example.com", "EMAIL")
        assert asked.info is not None
        assert len(asked.info.mails) == 10
        desk.run()
        token = token_for(server, "admin@example.com")
        text = next(one.text for one in server.messages if "admin@example.com" in one.recipients)
        assert "Somebody wants to be allowed to order SSL certificates for:" in text
        shown = confirming.inspect(token, clock.now())
        assert (shown.standing, shown.names, shown.certificate_id) == (
            Standing.GOOD,
            ("shop.example.com",),
            "",
        )
        assert ahead.prove(desk.alice, "shop.example.com", "EMAIL").status == "PENDING"
        assert confirming.confirm(token, clock.now()).standing is Standing.GOOD
        assert confirming.confirm(token, clock.now()).standing is Standing.USED
        assert ahead.prove(desk.alice, "shop.example.com", "EMAIL").status == "VERIFIED"
    assert Evidence.objects.get().perspective == "admin@example.com"


def test_mails_go_out_again_within_the_limits(desk: Desk) -> None:
    with mail():
        ahead.prove(desk.alice, "example.com", "EMAIL")
        ahead.prove(desk.alice, "example.com", "EMAIL", address="admin@example.com")
        assert ConfirmationMail.objects.get(address="admin@example.com").times_sent == 2
        with pytest.raises(CertdeskError) as refused:
            ahead.prove(desk.alice, "example.com", "EMAIL", address="admin@example.com")
        assert refused.value.kind is Kind.TOO_MANY
        with pytest.raises(BadParameter, match="may not confirm"):
            ahead.prove(desk.alice, "example.com", "EMAIL", address="ada@example.net")
        ahead.prove(desk.alice, "example.com", "DNS")
        with pytest.raises(BadParameter, match="mailboxes"):
            ahead.prove(desk.alice, "example.com", "DNS", address="admin@example.com")


def test_an_old_link_and_an_ended_method_confirm_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with mail() as server:
        ahead.prove(desk.alice, "example.com", "EMAIL")
        desk.run()
        token = token_for(server, "admin@example.com")
    last = ConfirmationMail.objects.get(token_hash=rules.token_hash(token)).made_at + rules.VALUE_LIFE
    assert confirming.inspect(token, last).standing is Standing.GOOD
    assert confirming.confirm(token, last + timedelta(seconds=1)).standing is Standing.OLD
    monkeypatch.setattr(type(catalogue()), "ended_methods", lambda *_: ("EMAIL",))
    with pytest.raises(BadParameter, match="has ended"):
        ahead.prove(desk.alice, "example.org", "EMAIL")
    assert confirming.confirm(token, clock.now()).standing is Standing.ENDED
    assert not Evidence.objects.exists()


@pytest.mark.parametrize("seen", ["MN", "NN"])
def test_the_quorum_is_that_of_applications(desk: Desk, monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    answers = {"M": "MATCH", "N": "NO_RECORD"}
    places = tuple(Place(f"p{index}", answers[one]) for index, one in enumerate(seen))
    monkeypatch.setattr("certdesk.lifecycle.validation.perspectives.remotes", lambda: places)
    ahead.prove(desk.alice, "example.com")
    found = ahead.prove(desk.alice, "example.com", perspective=Place("local", "MATCH"))
    assert found.status == ("VERIFIED" if "M" in seen else "FAILED")
    assert found.info is not None
    assert {one.perspective for one in found.info.checks} == {"local", "p0", "p1", "quorum"}


# rule: DOM-12
def test_caa_is_asked_when_it_is_issued_on(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    wanted = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    file.write_text(SHIPPED.read_text().replace(wanted, wanted + 'caa_domains = ["ca.desk.example"]\n'))
    publish(desk, ahead.prove(desk.alice, "example.com"))
    assert ahead.prove(desk.alice, "example.com").status == "VERIFIED"
    desk.dns.set("example.com", "CAA", ['0 issue "other.test"'])
    with settings_with(catalogue=file):
        result = issue(desk, "example.com")
        desk.run(timedelta(minutes=1), strict=False)
    assert not result.issued
    assert desk.state(result.certificate_id) == "UNPASSED"


def test_charlie_and_who_has_no_right_get_nowhere(desk: Desk) -> None:
    asked = ahead.prove(desk.alice, "example.com")
    stranger = charlie()
    own = ahead.prove(stranger, "example.com")
    assert own.info is not None
    assert asked.info is not None
    assert own.info.record_value != asked.info.record_value
    publish(desk, asked)
    assert ahead.prove(desk.alice, "example.com").status == "VERIFIED"
    assert ahead.prove(stranger, "example.com").status == "FAILED"
    assert not domains.listed(stranger, 10)[0][0].proved_at
    with pytest.raises(Forbidden):
        ahead.prove(desk.someone("bob", "scm:domain:list"), "example.com")
    with pytest.raises(Forbidden):
        ahead.show(desk.someone("bob", "scm:domain:list"), "example.com")


def test_what_no_certificate_may_hold_is_refused(desk: Desk) -> None:
    for name in ("co.uk", "exa_mple.com", "localhost", "192.0.2.1"):
        with pytest.raises(BadName):
            ahead.prove(desk.alice, name)
    with pytest.raises(BadParameter, match="not known"):
        ahead.prove(desk.alice, "example.com", "PHONE")


def test_the_list_shows_what_is_being_proved(desk: Desk) -> None:
    asked = ahead.prove(desk.alice, "www.example.com")
    found = domains.listed(desk.alice, 10)[0]
    assert [(one.name, one.proving, one.status(clock.now())) for one in found] == [
        ("example.com", "DNS", "PROVING")
    ]
    assert domains.show(desk.alice, "www.example.com").proving == "DNS"
    publish(desk, asked)
    ahead.prove(desk.alice, "www.example.com")
    assert domains.listed(desk.alice, 10)[0][0].status(clock.now()) == "PROVED"


def test_an_account_waits_for_so_many_names_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST_OPEN", 2)
    monkeypatch.setattr(ahead, "MOST_MAILED", 1)
    ahead.prove(desk.alice, "a.example.com", "EMAIL")
    with pytest.raises(CertdeskError) as refused:
        ahead.prove(desk.alice, "b.example.com", "EMAIL")
    assert refused.value.kind is Kind.QUOTA
    ahead.prove(desk.alice, "b.example.com")
    with pytest.raises(CertdeskError, match="2 names"):
        ahead.prove(desk.alice, "c.example.com")
    ahead.prove(charlie(), "c.example.com")


def test_one_look_at_a_time(desk: Desk) -> None:
    ahead.prove(desk.alice, "example.com")
    Challenge.objects.update(busy_until=clock.real_now() + timedelta(seconds=5))
    found = ahead.prove(desk.alice, "example.com")
    assert (found.status, found.info and found.info.checks) == ("PENDING", ())


@pytest.mark.usefixtures("granted")
def test_the_workers_stop_when_who_asked_has_lost_the_right(desk: Desk) -> None:
    publish(desk, ahead.prove(desk.alice, "example.com"))
    User.objects.update(is_active=False)
    desk.run(timedelta(minutes=1), strict=False)
    assert not Evidence.objects.exists()
    assert not Job.objects.filter(kind=ahead.JOB, state="READY").exists()
    assert ahead.prove(desk.someone("bob"), "example.com").status == "VERIFIED"  # Bob asks by himself


def test_a_look_that_ends_after_the_proof_changes_nothing(desk: Desk) -> None:
    publish(desk, ahead.prove(desk.alice, "example.com"))
    ahead.prove(desk.alice, "example.com")
    assert ahead.store(Challenge.objects.get().id, [], clock.now()) is None
    assert ahead.store(0, [], clock.now()) is None
