"""Campaigns: many certificates by one decision. What is shown before is what is done, and all is proved."""

import csv
import io
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509 import ocsp as forms
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.foundation.approvals.models import Request, Rule
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.models import Group, Policy, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.operations.registry import Waiting
from certdesk.lifecycle.campaigns import freezing, jobs, pace, queries, rules, running
from certdesk.lifecycle.campaigns.models import Campaign, Item
from certdesk.lifecycle.campaigns.pace import Room
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment.models import Binding, Target
from certdesk.lifecycle.issuance.models import RevocationRequest
from certdesk.pki.authority import ocsp
from tests.support.acme_house import House
from tests.support.desk import Desk
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.rulebook import SECOND, Caller, LabClock
from tests.support.uploads import World

from .test_rules_issuance import issue
from .test_rules_revocation import on_crl, status_of
from .test_rules_upload import upload

DAY = timedelta(days=1)
SOON = timedelta(seconds=5)
BODY = {"name": "The old key", "query": {"name": "example.com"}, "action": "REVOKE"}


@pytest.fixture
def desk(office: Office) -> Desk:
    """Its people are real: the workers ask their rights again."""
    return office.desk


@pytest.fixture
def alice(office: Office) -> Caller:
    return Caller(iam.principal_of(office.people["alice"], Via.API))


def somebody(office: Office | House, name: str, *rights: str) -> Caller:
    """A user of Alice's account with these rights alone."""
    account = office.desk.account
    user = User.objects.create(account=account, name=name, login=name, created_at=clock.now())
    document = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": list(rights)}]}
    policy = Policy.objects.create(account=account, name=name, document=document)
    group = Group.objects.create(account=account, name=name)
    group.grants.create(policy=policy)
    user.groups.add(group)
    return Caller(iam.principal_of(user, Via.API))


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocsp, "FRESH", 0)


BUDGET = rules.budget


@pytest.fixture(autouse=True)
def all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second has to pass between two certificates; the pace has tests of its own."""
    monkeypatch.setattr(rules, "budget", lambda *_: 100)


def run() -> None:
    testing.run_all(SOON, 400, strict=True)


def ready(who: Caller, **changes: object) -> str:
    """A campaign whose list is frozen."""
    made = str(who("campaigns.create", body={**BODY, **changes})["id"])
    assert who("campaigns.show", id=made)["state"] == "DRAFT"
    assert who("campaigns.preview", id=made)["state"] == "PREVIEWING"
    run()
    assert who("campaigns.show", id=made)["state"] == "READY"
    return made


def report(who: Caller, campaign: str) -> dict[str, dict[str, object]]:
    found = who("campaigns.report", id=campaign, query={"limit": 50})
    return {one["certificate_id"]: one for one in found["items"]}


def test_what_is_shown_is_revoked_and_each_has_its_proof(desk: Desk, alice: Caller) -> None:
    # rule: REV-4
    # rule: REV-6
    mine = [issue(desk, alice, name) for name in ("example.com", "a.example.com")]
    other = issue(desk, alice, "www.example.net")
    hosted = upload(alice, World().body())
    Certificate.objects.filter(id=hosted).update(domain="h.example.com")
    alice_certificates = Certificate.objects.get(id=hosted)
    alice_certificates.names.all().delete()
    alice_certificates.names.create(account_id=desk.account.id, name="*.h.example.com")
    leaves = [alice.leaf(one) for one in mine]
    campaign = ready(alice, reason_code="CESSATION_OF_OPERATION", reason="the shop is closed")
    shown = report(alice, campaign)
    assert set(shown) == {*mine, hosted}
    assert [shown[one]["state"] for one in mine] == ["WAITING", "WAITING"]
    assert "only the CA that issued it" in str(shown[hosted]["why"])
    assert [alice.status(one) for one in (*mine, other)] == ["ISSUED"] * 3
    started = alice("campaigns.start", id=campaign)
    assert (started["state"], started["total"], started["counts"]["cannot"]) == ("RUNNING", 2, 1)
    run()
    done = alice("campaigns.show", id=campaign)
    assert (done["state"], done["counts"]["done"], done["operations"]) == ("DONE", 2, [])
    assert [alice.status(one) for one in (*mine, other, hosted)] == ["REVOKED", "REVOKED", "ISSUED", "UPLOAD"]
    for certificate_id, leaf in zip(mine, leaves, strict=True):
        assert status_of(leaf).revocation_reason is x509.ReasonFlags.cessation_of_operation
        assert on_crl(leaf) is not None
        row = report(alice, campaign)[certificate_id]
        assert (row["state"], row["crl_number"] is not None, bool(row["revoked_at"])) == ("DONE", True, True)
        assert alice.show(certificate_id)["revoke_reason"] == "the shop is closed"
    assert Event.objects.filter(resource=f"campaign:{campaign}", action="scm:campaign:start").count() == 1


def test_the_report_as_a_file(desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {issue(desk, alice, f"{name}.example.com") for name in "ab"}
    campaign = ready(alice)
    monkeypatch.setattr("certdesk.interfaces.operations.campaigns.PIECE", 1)
    file = alice("campaigns.report_file", id=campaign)
    text = b"".join(file.pieces).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {one["certificate_id"] for one in rows} == made
    assert {one["state"] for one in rows} == {"WAITING"}
    assert file.name.endswith(".csv")


def test_by_key_and_by_issuer_and_all_that_is_said_must_hold(desk: Desk, alice: Caller) -> None:
    first, second = (issue(desk, alice, f"{name}.example.com") for name in "ab")
    third = issue(desk, alice, "c.example.com", cert_type="OV_SSL_CERT")
    key = Version.objects.get(certificate_id=second).spki_sha256
    wanted = [
        ({"key": key.upper()}, {second}),
        ({"key": "0" * 64}, set()),
        ({"issuer": "builtin:dv-p256"}, {first, second}),
        ({"issuer": "builtin"}, {first, second, third}),
        ({"issuer": "built"}, set()),
        ({"issuer": "builtin:ov-p256", "name": "c.example.com"}, {third}),
        ({"issuer": "builtin:ov-p256", "name": "a.example.com"}, set()),
        ({"name": "*.B.example.com."}, {second}),
        ({"name": "xample.com"}, set()),
    ]
    for query, expected in wanted:
        assert set(report(alice, ready(alice, query=query))) == expected, query


def test_a_long_list_is_frozen_in_pages(desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {issue(desk, alice, f"{name}.example.com") for name in "abcd"}
    monkeypatch.setattr(queries, "SCANNED", 2)
    monkeypatch.setattr(freezing, "AT_ONCE", 2)
    campaign = ready(alice)
    assert set(report(alice, campaign)) == made
    alice("campaigns.preview", id=campaign)
    run()
    assert set(report(alice, campaign)) == made
    assert Item.objects.filter(campaign=campaign).count() == 8  # the older list still stands
    alice("campaigns.delete", id=campaign)
    run()
    assert not Campaign.objects.exists()
    assert not Item.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"query": {}}, "query"),
        ({"query": {"issuer": "Let's"}}, "issuer"),
        ({"query": {"key": "ab"}}, "key"),
        ({"query": {"name": "com"}}, "name"),
        ({"query": {"name": "a b.com"}}, "name"),
        ({"query": {"name": "a." * 130 + "com"}}, "name"),
        ({"action": "BURN"}, "action"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"per_minute": 0}, "per_minute"),
        ({"per_minute": 3001}, "per_minute"),
        ({"issuer_per_minute": -1}, "issuer_per_minute"),
        ({"issuer_per_minute": 3001}, "issuer_per_minute"),
        ({"reason_code": "BOREDOM"}, "reason_code"),
        ({"reason": "x" * 256}, "reason"),
    ],
)
def test_what_no_campaign_can_ask_for(alice: Caller, changes: dict[str, object], field: str) -> None:
    assert alice.refused("campaigns.create", body={**BODY, **changes}).field == field


def test_the_limits_themselves_are_allowed(alice: Caller) -> None:
    for changes in (
        {"per_minute": 1},
        {"per_minute": 3000},
        {"issuer_per_minute": 3000},
        {"name": "x" * 64},
        {"reason": "x" * 255},
    ):
        made = alice("campaigns.create", body={**BODY, **changes})["id"]
        assert alice("campaigns.show", id=made)["state"] == "DRAFT"


def test_ov_waits_for_no_mail_and_the_last_month_is_no_bar(lab: LabClock, desk: Desk, alice: Caller) -> None:
    # rule: REV-6
    ov = issue(desk, alice, "ov.example.com", cert_type="OV_SSL_CERT")
    waiting = issue(desk, alice, "w.example.com", cert_type="OV_SSL_CERT", company_name="Other Ltd")
    alice("certificates.revoke", waiting, {})
    lab.at(alice.leaf(ov).not_valid_after_utc - 10 * DAY)
    assert "revoke" not in alice.show(ov)["operations"]
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    run()
    assert [alice.status(one) for one in (ov, waiting)] == ["REVOKED", "REVOKED"]
    assert not Message.objects.filter(template="revocation-confirmation", certificate_id=ov).exists()
    assert RevocationRequest.objects.get(certificate_id=ov).requested_by == "campaign"


def test_what_changed_since_the_preview_is_looked_at_again(desk: Desk, alice: Caller) -> None:
    deleted, gone, late, good = (issue(desk, alice, f"{name}.example.com") for name in "abcd")
    campaign = ready(alice)
    new = issue(desk, alice, "new.example.com")  # not on the list, so not touched
    alice("certificates.delete", deleted)
    placed(gone, State.REISSUING, clock.now() + DAY)
    placed(late, State.ISSUED, clock.now() - SECOND)
    alice("campaigns.start", id=campaign)
    run()
    found = report(alice, campaign)
    assert [found[one]["state"] for one in (deleted, gone, late, good)] == ["FAILED"] * 3 + ["DONE"]
    assert found[deleted]["why"] == rules.GONE
    assert "reissue" in str(found[gone]["why"])
    assert "Expired" in str(found[late]["why"])
    assert (alice.status(new), alice("campaigns.show", id=campaign)["state"]) == ("ISSUED", "DONE")
    told = alice("campaigns.report", id=campaign)["reasons"]
    assert sorted(one["count"] for one in told) == [1, 1, 1]


def test_what_is_lost_on_the_way_is_told(desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, third = (issue(desk, alice, f"{name}.example.com") for name in "abc")
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    testing.run_due(limit=1, strict=True)
    assert {row["state"] for row in report(alice, campaign).values()} == {"REVOKING"}
    placed(one, State.ISSUED, clock.now() + DAY)  # as a lapse leaves it
    placed(other, State.DELETED)
    Job.objects.filter(subject__in=(one, other)).delete()
    run()
    found = report(alice, campaign)
    assert (found[one]["why"], found[third]["state"]) == (rules.LAPSED, "DONE")
    assert Item.objects.get(certificate_id=other).why == rules.GONE


def test_paused_nothing_new_is_begun_and_cancelled_the_rest_is_left(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [issue(desk, alice, f"{name}.example.com") for name in "abc"]
    monkeypatch.setattr(pace, "BEGUN_AT_ONCE", 1)
    campaign = ready(alice)
    assert alice.refused("campaigns.pause", id=campaign).kind.value == "wrong_state"
    alice("campaigns.start", id=campaign)
    testing.run_due(limit=1, strict=True)
    assert alice("campaigns.pause", id=campaign)["operations"] == ["pace", "start", "cancel"]
    run()
    assert [alice.status(one) for one in mine] == ["REVOKED", "ISSUED", "ISSUED"]
    counts = alice("campaigns.show", id=campaign)["counts"]
    assert (counts["done"], counts["waiting"]) == (1, 2)
    assert alice("campaigns.show", id=campaign)["state"] == "PAUSED"
    faster = {**BODY, "name": "Another", "query": {"issuer": "builtin"}, "per_minute": 77}
    changed = alice("campaigns.update", id=campaign, body=faster)
    assert (changed["per_minute"], changed["name"], changed["state"]) == (77, "The old key", "PAUSED")
    alice("campaigns.start", id=campaign)
    testing.run_due(limit=1, strict=True)
    alice("campaigns.cancel", id=campaign)
    run()
    assert [alice.status(one) for one in mine] == ["REVOKED", "REVOKED", "ISSUED"]
    counts = alice("campaigns.show", id=campaign)["counts"]
    assert (counts["done"], counts["left"], counts["waiting"]) == (2, 1, 0)
    for verb in ("start", "pause", "cancel", "preview", "delete"):
        assert alice.refused(f"campaigns.{verb}", id=campaign).kind.value == "wrong_state"
    assert alice.refused("campaigns.update", id=campaign, body=BODY).kind.value == "wrong_state"


def test_a_change_before_the_start_needs_a_new_preview(desk: Desk, alice: Caller) -> None:
    issue(desk, alice, "a.example.com")
    campaign = ready(alice)
    assert alice("campaigns.show", id=campaign)["seconds_left"] == 1  # a part of a second is no nothing
    changed = alice("campaigns.update", id=campaign, body={**BODY, "query": {"name": "a.example.com"}})
    assert (changed["state"], changed["operations"]) == ("DRAFT", ["update", "preview", "delete"])
    assert alice.refused("campaigns.start", id=campaign).kind.value == "wrong_state"


def test_a_drill_changes_nothing_and_says_how_long_it_would_take(desk: Desk, alice: Caller) -> None:
    mine = [issue(desk, alice, f"{name}.example.com") for name in "ab"]
    events = Event.objects.filter(resource__startswith="cert:").count()
    campaign = ready(alice, action="DRILL", per_minute=1)
    alice("campaigns.start", id=campaign)
    run()
    done = alice("campaigns.show", id=campaign)
    assert (done["state"], done["counts"]["done"], done["seconds_left"]) == ("DONE", 2, 120)
    assert done["each_milliseconds"] > 0
    assert [alice.status(one) for one in mine] == ["ISSUED", "ISSUED"]
    assert Event.objects.filter(resource__startswith="cert:").count() == events
    assert not Message.objects.filter(template__startswith="campaign-").exists()
    assert not RevocationRequest.objects.exists()
    assert status_of(alice.leaf(mine[0])).certificate_status is forms.OCSPCertStatus.GOOD


def test_owners_are_told_before_and_after(
    office: Office, desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certdesk.lifecycle.campaigns.telling.OWNERS_AT_ONCE", 1)
    monkeypatch.setattr("certdesk.lifecycle.campaigns.telling.NAMED", 1)
    for name in ("alice", "rita"):
        User.objects.filter(id=office.people[name].id).update(email=f"{name}@example.net")
    rita = office.people["rita"]
    User.objects.filter(id=rita.id).update(language="zh-hans")
    mine = [issue(desk, alice, f"{name}.example.com") for name in "abc"]
    Certificate.objects.filter(id=mine[2]).update(owner_id=rita.id)
    campaign = ready(alice, reason="a leaked key")
    alice("campaigns.start", id=campaign)
    run()
    told = {
        (one.template, one.recipient): one for one in Message.objects.filter(template__startswith="campaign")
    }
    assert set(told) == {
        (template, address)
        for template in ("campaign-started", "campaign-ended")
        for address in ("alice@example.net", "rita@example.net")
    }
    first = told["campaign-started", "alice@example.net"]
    assert "a leaked key" in first.text
    assert "and 1 more" in first.text
    assert "2 of your 2 certificates were revoked" in told["campaign-ended", "alice@example.net"].text
    assert "吊销" in told["campaign-started", "rita@example.net"].text
    User.objects.update(email="")
    second = ready(alice, query={"issuer": "builtin"})
    alice("campaigns.start", id=second)
    run()
    assert Message.objects.filter(template__startswith="campaign").count() == 4


def test_the_pace_holds_in_all_and_for_each_issuer(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "budget", BUDGET)
    for name in "abc":
        issue(desk, alice, f"{name}.example.com")
    issue(desk, alice, "d.example.com", cert_type="OV_SSL_CERT")
    row = Campaign.objects.get(id=ready(alice, per_minute=3, issuer_per_minute=2))
    now = clock.real_now()
    first = running._next(row, Room(row))
    assert len(first) == 1  # a second of three a minute
    Item.objects.filter(id=first[0].id).update(begun_at=now - 2 * SECOND, state="DONE")
    second = running._next(row, Room(row))
    Item.objects.filter(id=second[0].id).update(begun_at=now - 2 * SECOND, state="DONE")
    third = running._next(row, Room(row))
    assert [one.issuer for one in (*first, *second, *third)] == ["builtin:dv-p256"] * 2 + ["builtin:ov-p256"]
    Item.objects.filter(id=third[0].id).update(begun_at=now - 2 * SECOND, state="DONE")
    assert running._next(row, Room(row)) == []
    Item.objects.filter(id=first[0].id).update(begun_at=now - timedelta(seconds=61))
    assert [one.issuer for one in running._next(row, Room(row))] == ["builtin:dv-p256"]


def test_the_budget_of_a_moment() -> None:
    for (per_minute, minute, second, under_way), free in (
        ((600, 0, 0, 0), 10),
        ((600, 599, 0, 0), 1),
        ((600, 600, 0, 0), 0),
        ((600, 0, 10, 0), 0),
        ((601, 0, 10, 0), 1),
        ((3000, 0, 0, 99), 1),
        ((3000, 0, 0, 100), 0),
        ((1, 0, 0, 0), 1),
        ((1, 5, 5, 200), 0),
    ):
        assert BUDGET(per_minute, minute, second, under_way) == free


def test_the_next_step_waits_only_where_nothing_can_begin(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        issue(desk, alice, f"{name}.example.com")
    campaign = Campaign.objects.get(id=ready(alice))
    alice("campaigns.start", id=campaign.id)
    principal = iam.principal_of(User.objects.get(name="alice"), Via.API)
    monkeypatch.setattr(pace, "BEGUN_AT_ONCE", 1)
    steps = [running.step(principal, campaign, clock.now()) for _ in "ab"]
    assert steps == [timedelta(0)] * 2
    assert running.step(principal, campaign, clock.now()) == running.PAUSE
    run()
    assert running.step(principal, campaign, clock.now()) is None


def test_who_started_it_must_still_be_there_and_may(office: Office, desk: Desk, alice: Caller) -> None:
    mine = [issue(desk, alice, f"{name}.example.com") for name in "ab"]
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    office.people["alice"].groups.clear()
    testing.run_all(SOON, 100)
    stopped = alice("campaigns.show", id=campaign)
    assert (stopped["state"], bool(stopped["note"])) == ("PAUSED", True)
    assert [alice.status(one) for one in mine] == ["ISSUED", "ISSUED"]


def test_one_that_stopped_by_itself_is_told_followed_to_its_end_and_goes_on(
    office: Office, desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BEGUN_AT_ONCE", 1)
    person = office.people["alice"]
    User.objects.filter(id=person.id).update(email="alice@example.net")
    for name in "ab":
        issue(desk, alice, f"{name}.example.com")
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    testing.run_due(limit=1, strict=True)
    groups = list(person.groups.all())
    person.groups.clear()
    testing.run_all(SOON, 100)
    stopped = alice("campaigns.show", id=campaign)
    assert (stopped["state"], stopped["counts"]["done"], stopped["counts"]["waiting"]) == ("PAUSED", 1, 1)
    mail = Message.objects.get(template="campaign-attention")
    assert (mail.recipient, stopped["note"] in mail.text) == ("alice@example.net", True)
    assert f"/campaigns/{campaign}" in mail.text
    assert not Job.objects.filter(kind="campaigns.run", state="READY").exists()
    person.groups.set(groups)
    alice("campaigns.start", id=campaign)
    run()
    done = alice("campaigns.show", id=campaign)
    assert (done["state"], done["note"], done["counts"]["done"]) == ("DONE", "", 2)


def test_a_mail_that_cannot_be_sent_stops_nothing(office: Office, desk: Desk, alice: Caller) -> None:
    User.objects.filter(id=office.people["alice"].id).update(email="nobody")
    issue(desk, alice, "a.example.com")
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    Job.objects.filter(kind="campaigns.tell").delete()
    office.people["alice"].groups.clear()
    testing.run_all(SOON, 100)
    assert alice("campaigns.show", id=campaign)["state"] == "PAUSED"


def test_a_pause_whose_job_was_lost_follows_what_is_under_way(
    desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BEGUN_AT_ONCE", 1)
    for name in "ab":
        issue(desk, alice, f"{name}.example.com")
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    testing.run_due(limit=1, strict=True)
    Job.objects.filter(kind="campaigns.run").delete()
    alice("campaigns.pause", id=campaign)
    run()
    counts = alice("campaigns.show", id=campaign)["counts"]
    assert (counts["done"], counts["waiting"]) == (1, 1)


def test_a_lost_job_is_found_again(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "a.example.com")
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    Job.objects.filter(kind="campaigns.run").delete()
    enqueue(jobs.SETTLE)
    run()
    assert (alice("campaigns.show", id=campaign)["state"], alice.status(certificate_id)) == (
        "DONE",
        "REVOKED",
    )


def served_by_a_target(account_id: str, certificate_id: str) -> Binding:
    """A place of a target of ours that serves it, as the last look found."""
    target = Target.objects.create(
        id="t" * 32,
        account_id=account_id,
        service="OTHER",
        kind="haproxy",
        label="edge",
        region="here",
        secret_id="s" * 32,
        created_by="",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    return Binding.objects.create(
        id="b" * 32,
        account_id=account_id,
        target=target,
        resource="/a.pem",
        names=["a.example.com"],
        served_certificate_id=certificate_id,
    )


def test_where_it_is_served_stands_in_the_list(desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "a.example.com")
    served_by_a_target(desk.account.id, certificate_id)
    assert report(alice, ready(alice))[certificate_id]["places"] == 1


def test_rights_of_each_certificate_count(office: Office, desk: Desk, alice: Caller) -> None:
    certificate_id = issue(desk, alice, "a.example.com")
    own = ready(alice)
    mia = somebody(office, "mia", "scm:campaign:*", "scm:cert:list", "scm:cert:get")
    row = report(mia, ready(mia))[certificate_id]
    assert (row["state"], row["why"]) == ("CANNOT", rules.NO_RIGHT)
    blind = somebody(office, "mole", "scm:campaign:*")
    assert report(blind, ready(blind)) == report(blind, own) == {}
    rob = somebody(office, "rob", "scm:cert:*")
    assert rob.refused("campaigns.create", body=BODY).kind.value == "forbidden"


def test_charlie_learns_nothing(office: Office, alice: Caller) -> None:
    campaign = ready(alice)
    charlie = Caller(iam.principal_of(office.people["charlie"], Via.API))
    for wanted in (campaign, "0" * 32):
        for verb in ("show", "preview", "start", "pause", "cancel", "delete", "report", "report_file"):
            assert charlie.refused(f"campaigns.{verb}", id=wanted).kind.value == "not_found"
        assert charlie.refused("campaigns.update", id=wanted, body=BODY).kind.value == "not_found"
    assert charlie("campaigns.list")["items"] == []


def test_the_list_and_its_pages(alice: Caller) -> None:
    made = [alice("campaigns.create", body={**BODY, "name": f"No. {one}"})["id"] for one in range(11)]
    first = alice("campaigns.list")
    second = alice("campaigns.list", query={"marker": first["next_marker"]})
    assert {one["id"] for one in first["items"] + second["items"]} == set(made)
    assert (len(first["items"]), second["next_marker"]) == (10, None)
    assert alice.refused("campaigns.report", id=made[0], query={"state": "NONE"}).field == "state"


def test_the_list_asks_as_much_for_three_campaigns_as_for_one(
    office: Office, desk: Desk, alice: Caller
) -> None:
    for name in ("www.example.com", "a.example.org", "b.example.org"):
        issue(desk, alice, name)
    console, asked = office.client(), []
    for name in ("example.com", "example.org", "none.example.net"):
        ready(alice, query={"name": name})
        for look in (lambda: console.get("/campaigns"), lambda: alice("campaigns.list")):
            look()
            with CaptureQueriesContext(connection) as seen:
                look()
            asked.append(len(seen))
    assert asked[4:] == asked[:2]
    totals = {one["query"]["name"]: one["total"] for one in alice("campaigns.list")["items"]}
    assert totals == {"example.com": 1, "example.org": 2, "none.example.net": 0}


def test_a_second_person_approves_the_start_where_the_account_asks_for_it(office: Office) -> None:

    desk = office.desk
    alice = Caller(iam.principal_of(office.people["alice"], Via.API))
    certificate_id = issue(desk, alice, "a.example.com")
    campaign, drill = ready(alice), ready(alice, action="DRILL")
    Rule.objects.create(account_id=desk.account.id, operation="revoke", approvals=1, hours=24)
    assert alice("campaigns.start", id=drill)["state"] == "RUNNING"
    replacing, only = (ready(alice, action=one) for one in ("REPLACE_AND_REVOKE", "REPLACE"))
    with pytest.raises(Waiting):
        alice("campaigns.start", id=replacing)
    assert "replace 1 certificates, then revoke" in Request.objects.get().summary
    Request.objects.all().delete()
    assert alice("campaigns.start", id=only)["state"] == "RUNNING"
    alice("campaigns.cancel", id=only)
    with pytest.raises(Waiting):
        alice("campaigns.start", id=campaign)
    request = Request.objects.get()
    assert "revoke 1 certificates" in request.summary
    assert alice("campaigns.show", id=campaign)["state"] == "READY"
    run()
    assert alice.status(certificate_id) == "ISSUED"


def test_a_campaign_that_is_cancelled_while_its_job_fails_stays_cancelled(
    office: Office, desk: Desk, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(desk, alice, "a.example.com")
    campaign = ready(alice)
    alice("campaigns.start", id=campaign)
    office.people["alice"].groups.clear()

    def cancelled_meanwhile(_: BaseException) -> str:
        Campaign.objects.update(state="CANCELLED")
        return "The right is gone."

    monkeypatch.setattr(jobs, "describe", cancelled_meanwhile)
    testing.run_all(SOON, 100)
    row = Campaign.objects.get(id=campaign)
    assert (row.state, row.note) == ("CANCELLED", "")
