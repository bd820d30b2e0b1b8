"""Each place keeps what it should serve: newer versions follow, changes by others are told or mended."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.models import Policy, User
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.lab.elb_site import self_signed
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.deployment import (
    actions,
    bindings,
    dialing,
    jobs,
    looking,
    queries,
    reconcile_jobs,
    reconciling,
    rules,
    stepping,
    work,
)
from certdesk.lifecycle.deployment.models import Binding, Deployment, Step, Target
from certdesk.lifecycle.issuance import followup
from certdesk.lifecycle.renewal import succeeding
from certdesk.lifecycle.renewal.models import Renewal
from tests.support.farm import Field, name_of, open_field
from tests.support.office import Office

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
P0, P1, P2 = (name_of(number) for number in range(3))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def field(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    with open_field(office, monkeypatch) as made:
        yield made


def placed(field: Field, *names: str) -> str:
    """A certificate that is served at these places, by Alice."""
    certificate_id = field.wildcard()
    started = actions.deploy_to(
        field.office.desk.alice, certificate_id, [field.places[name] for name in names]
    )
    assert started.refused == ()
    field.office.desk.run()
    assert all(field.binding(name)["deployment"] == "DEPLOYED" for name in names)
    return certificate_id


def sha1(certificate_id: str) -> str:
    return Version.objects.filter(certificate_id=certificate_id).latest("number").fingerprint_sha1


def look(field: Field, horizon: timedelta = timedelta(0)) -> None:
    """Everything is looked at now."""
    Binding.objects.update(look_at=None)
    enqueue(reconcile_jobs.RECONCILE)
    testing.run_all(horizon, 100)


def reissued(field: Field, certificate_id: str) -> None:
    """A further version in force, by a reissue that was confirmed."""
    alice, desk = field.alice, field.office.desk
    Certificate.objects.filter(id=certificate_id).update(first_issued_at=clock.now())
    alice("certificates.reissue", certificate_id, {"agree_privacy_protection": True})
    desk.run()
    alice("certificates.confirm_reissue", certificate_id)
    desk.run()
    desk.publish(certificate_id)
    desk.run(MINUTE, strict=False)
    assert Certificate.objects.get(id=certificate_id).current_version == 2


# rule: REI-8
# rule: DEP-6
def test_a_reissued_version_goes_where_the_old_one_is_served(field: Field) -> None:
    certificate_id = placed(field, P0, P1)
    reissued(field, certificate_id)
    field.office.desk.run(MINUTE, strict=False)
    new = sha1(certificate_id)
    assert {field.farm.sha1(name) for name in (P0, P1)} == {new}
    assert field.farm.sha1(P2) != new
    (followed,) = Deployment.objects.filter(cause="FOLLOW")
    assert (followed.state, followed.version) == ("COMMITTED", 2)
    assert followed.created_by == field.office.desk.alice.user_id


def held(field: Field, certificate_id: str) -> str:
    """A deployment to the first place that somebody holds before it has begun."""
    started = actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P0]])
    assert started.deployment is not None
    field.alice("deployments.pause", id=started.deployment.id)
    return started.deployment.id


# rule: REI-8
@pytest.mark.parametrize("verb", ["cancel", "resume"])
def test_a_version_that_comes_while_a_place_is_busy_follows_afterwards(field: Field, verb: str) -> None:
    certificate_id = placed(field, P0)
    deployment = held(field, certificate_id)
    reissued(field, certificate_id)
    assert field.farm.sha1(P0) != sha1(certificate_id)
    field.alice(f"deployments.{verb}", id=deployment)
    testing.run_due(100)
    assert field.farm.sha1(P0) == sha1(certificate_id)
    assert field.binding(P0)["deployment"] == "DEPLOYED"


# rule: REN-3
def test_a_successor_waits_for_the_place_that_is_busy(field: Field) -> None:
    old = placed(field, P0)
    field.alice("bindings.update", id=field.places[P0], body={"policy": "MEND"})
    deployment, new = held(field, old), field.wildcard()
    Certificate.objects.filter(id=new).update(renews_id=old)
    enqueue("renewal.succeed", {"subject": new}, subject=new)
    testing.run_due(100, strict=True)
    field.alice("deployments.cancel", id=deployment)
    testing.run_due(100, strict=True)
    assert field.farm.sha1(P0) == sha1(old)
    testing.run_all(MINUTE * 6, 100)
    assert field.farm.sha1(P0) == sha1(new)


def test_a_look_finds_what_was_left_on_an_older_version(field: Field) -> None:
    certificate_id = placed(field, P0, P1)
    Binding.objects.update(gone=True)
    reissued(field, certificate_id)
    Binding.objects.update(gone=False, deployment="FAILED", reason="Nobody may.")
    look(field)
    assert field.binding(P0)["reason"] == "Nobody may."  # that it serves the old one is not all well
    assert field.farm.sha1(P0) != sha1(certificate_id)
    Binding.objects.update(deployment="NOT_DEPLOYED")
    look(field)
    assert {field.farm.sha1(name) for name in (P0, P1)} == {sha1(certificate_id)}


def test_who_lost_the_right_is_not_acted_for(field: Field) -> None:
    certificate_id = placed(field, P0)
    old = field.farm.sha1(P0)
    User.objects.filter(id=field.office.desk.alice.user_id).update(is_active=False)
    Certificate.objects.filter(id=certificate_id).update(current_version=2)
    new = Version.objects.get(certificate_id=certificate_id)
    new.pk, new.number, new.fingerprint_sha1, new.fingerprint_sha256 = None, 2, "1" * 40, "1" * 64
    new.serial = "77"
    new.save(force_insert=True)
    enqueue("deployment.follow", {"subject": certificate_id}, subject=certificate_id)
    testing.run_all(MINUTE, 100)
    bound = field.binding(P0)
    assert bound["deployment"] == "FAILED"
    assert "gone or switched off" in bound["reason"]
    assert field.farm.sha1(P0) == old
    assert Event.objects.filter(action="deployment.not_begun").count() == 1


def test_places_that_are_refused_for_one_reason_are_told_together(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate_id, alice = placed(field, P0, P1), field.office.desk.alice
    ids = [field.places[name] for name in (P0, P1)]
    started = actions.Started(None, tuple((one, rules.NO_RESOURCE) for one in ids))
    monkeypatch.setattr(reconcile_jobs.actions, "deploy_to", lambda *_, **__: started)
    Binding.objects.filter(id__in=ids).update(deployment="FAILED", policy="MEND")
    payload = {"certificate": certificate_id, "bindings": ids, "cause": "MEND"}
    enqueue("deployment.redeploy", payload | {"user_id": alice.user_id, "account_id": alice.account_id})
    testing.run_due(100, strict=True)
    assert [field.binding(name)["reason"] for name in (P0, P1)] == [rules.NO_RESOURCE] * 2
    told = Event.objects.get(action="deployment.not_begun").details
    assert all(one in told for one in ids)


# rule: IAM-5
def test_a_place_that_somebody_may_not_list_is_not_deployed_to(field: Field) -> None:
    certificate_id, alice = placed(field, P1), field.office.desk.alice
    old, shut = field.farm.sha1(P0), f"scm:*:{alice.account_id}:binding:{field.places[P0]}"
    statement = {"Effect": "Deny", "Action": ["scm:binding:list"], "Resource": [shut]}
    policy = Policy.objects.create(
        account_id=alice.account_id,
        name="all places but one",
        document={"Version": "1.1", "Statement": [statement]},
    )
    user = User.objects.get(id=alice.user_id)
    user.groups.get().grants.create(policy=policy)
    less = principal_of(user, Via.API)
    started = actions.deploy_to(less, certificate_id, [field.places[P0], "nothing"])
    assert started == actions.Started(
        None, ((field.places[P0], rules.NO_RESOURCE), ("nothing", rules.NO_RESOURCE))
    )
    Binding.objects.filter(id=field.places[P0]).update(
        certificate_id=certificate_id, version=1, wanted_by=alice.user_id, policy="MEND"
    )
    look(field)  # the machine has no more than the right of whoever deployed there
    assert (field.binding(P0)["reason"], field.farm.sha1(P0)) == (rules.NO_RESOURCE, old)


def test_a_key_that_is_not_ours_is_told_where_it_is_served(field: Field) -> None:
    certificate_id = placed(field, P0)
    Version.objects.filter(certificate_id=certificate_id).update(key_id="")
    Certificate.objects.filter(id=certificate_id).update(current_version=2)
    new = Version.objects.get(certificate_id=certificate_id)
    new.pk, new.number, new.serial = None, 2, "78"
    new.fingerprint_sha1, new.fingerprint_sha256 = "2" * 40, "2" * 64
    new.save(force_insert=True)
    enqueue("deployment.follow", {"subject": certificate_id}, subject=certificate_id)
    testing.run_due(100, strict=True)
    assert "key was made by you" in field.binding(P0)["reason"]
    assert not Deployment.objects.filter(cause="FOLLOW").exists()


# rule: DEP-6
def test_what_somebody_put_back_is_told_once(field: Field) -> None:
    User.objects.filter(id=field.office.desk.alice.user_id).update(email="alice@example.net")
    first = field.farm.held[P0]
    certificate_id = placed(field, P0)
    look(field)
    assert (field.binding(P0)["deployment"], field.binding(P0)["drift"]) == ("DEPLOYED", "")
    field.farm.add(P0, first)
    look(field)
    bound = field.binding(P0)
    assert (bound["deployment"], bound["drift"], bound["verdict"]) == (
        "NOT_DEPLOYED",
        "PREVIOUS",
        "PREVIOUS",
    )
    assert bound["served"]["certificate_id"] == ""
    look(field)
    (message,) = Message.objects.filter(template="deployment-drift")
    assert message.recipient == "alice@example.net"
    assert "put it back" in message.text
    assert Event.objects.filter(action="binding.drifted").count() == 1
    assert not Deployment.objects.filter(cause="MEND").exists()
    assert field.alice("overview.show")["figures"]
    started = actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P0]])
    assert started.deployment is not None
    field.office.desk.run()
    assert field.binding(P0)["drift"] == ""


@pytest.mark.parametrize(
    ("change", "drift"),
    [("foreign", "UNKNOWN"), ("no_chain", "WRONG_CHAIN"), ("shut", "REFUSED"), ("gone", "GONE")],
)
def test_every_kind_of_change_has_its_name(field: Field, change: str, drift: str) -> None:
    placed(field, P0, P1)
    if change == "foreign":
        field.farm.add(P0, self_signed([P0]))
    elif change == "gone":
        del field.farm.held[P0]
    else:
        field.farm.faults[P0] = change
        field.farm.take(P0, field.farm.held[P0])
    look(field)
    assert field.binding(P0)["drift"] == drift
    assert field.binding(P1)["drift"] == ""
    if change == "gone":
        field.farm.held[P0] = field.farm.held[P1]
        look(field)
        assert (field.binding(P0)["deployment"], field.binding(P0)["drift"]) == ("DEPLOYED", "")


# rule: DEP-6
def test_by_its_policy_it_is_mended_with_the_same_transaction(field: Field) -> None:
    certificate_id = placed(field, P0, P1)
    new = sha1(certificate_id)
    field.alice("bindings.update", id=field.places[P0], body={"policy": "MEND"})
    for number in range(2):
        for name in (P0, P1):
            field.farm.add(name, self_signed([name]))
        look(field, MINUTE * number * 2)
        assert field.farm.sha1(P0) == new
        assert field.binding(P0)["deployment"] == "DEPLOYED"
        assert field.farm.sha1(P1) != new
    assert Deployment.objects.filter(cause="MEND", state="COMMITTED").count() == 2
    assert Binding.objects.get(id=field.places[P0]).mends == 2
    field.farm.add(P0, self_signed([P0]))
    look(field)  # the third time in a row waits for its pause
    assert field.farm.sha1(P0) != new
    look(field, MINUTE * 3)
    assert field.farm.sha1(P0) == new
    Binding.objects.filter(id=field.places[P0]).update(drift_since=clock.real_now() - timedelta(hours=2))
    look(field)
    assert Binding.objects.get(id=field.places[P0]).mends == 0


def test_what_was_mended_by_hand_counts_as_deployed(field: Field) -> None:
    certificate_id = field.wildcard()
    field.farm.faults[P0] = "refuses"
    actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P0]])
    field.office.desk.run()
    assert field.binding(P0)["deployment"] == "FAILED"
    look(field)
    assert field.binding(P0)["deployment"] == "FAILED"
    placed(field, P1)
    actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P1]])
    field.office.desk.run()
    field.farm.add(P0, field.farm.held[P1])
    look(field)
    assert field.binding(P0)["deployment"] == "DEPLOYED"


# rule: DEP-5
@pytest.mark.parametrize("fault", ["refuses", "frozen", "deaf", "no_chain"])
def test_a_fault_that_ends_is_followed_by_the_next_try(field: Field, fault: str) -> None:
    before = field.farm.sha1(P0)
    certificate_id = field.wildcard()
    field.farm.faults[P0] = fault
    started = actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P0]])
    field.office.desk.run()
    step = Step.objects.get(deployment=started.deployment)
    assert (step.state, step.attempts) == ("FAILED", 1)
    assert step.retry_at is not None
    assert field.farm.sha1(P0) == before
    testing.run_all(MINUTE, 100)
    step.refresh_from_db()
    assert (step.state, step.attempts) == ("FAILED", 2)
    field.farm.faults.clear()
    testing.run_all(MINUTE * 3, 100)
    step.refresh_from_db()
    assert (step.state, field.farm.sha1(P0)) == ("DEPLOYED", sha1(certificate_id))


def test_what_only_a_person_can_change_waits_for_a_person(field: Field) -> None:
    certificate_id = field.wildcard()
    started = actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P0]])
    User.objects.filter(id=field.office.desk.alice.user_id).update(is_active=False)
    field.office.desk.run(strict=False)
    step = Step.objects.get(deployment=started.deployment)
    assert (step.state, step.retry_at) == ("FAILED", None)


def test_a_later_wish_ends_the_tries(field: Field) -> None:
    field.farm.faults[P0] = "refuses"
    one, other = field.wildcard(), field.wildcard()
    actions.deploy_to(field.office.desk.alice, one, [field.places[P0]])
    field.office.desk.run()
    field.farm.faults.clear()
    actions.deploy_to(field.office.desk.alice, other, [field.places[P0]])
    field.office.desk.run()
    testing.run_all(MINUTE * 3, 100)
    assert field.farm.sha1(P0) == sha1(other)


@pytest.mark.parametrize("kill", ["snapshot", "stored", "install", "keep", "wrote"])
def test_a_worker_that_dies_at_any_step_is_settled(
    field: Field, monkeypatch: pytest.MonkeyPatch, kill: str
) -> None:
    # rule: DEP-5
    before, certificate_id = field.farm.sha1(P0), field.wildcard()
    started = actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[P0]])
    if kill != "snapshot":
        assert testing.run_due(1, strict=True) == 1
    if kill in ("install", "keep", "wrote"):
        with short_transaction():
            loaded = jobs.Install().load(Job.objects.get(kind=stepping.INSTALL, state="READY"))
        assert loaded is not None
        asyncio.run(_until(kill, loaded))
    assert field.farm.sha1(P0) in (before, sha1(certificate_id))  # old or new, never none
    Job.objects.filter(kind__startswith="deployment.").delete()  # whoever ran it is gone, with its jobs
    enqueue(stepping.SETTLE)
    field.office.desk.run()
    assert Deployment.objects.get(id=started.deployment.id).state == "COMMITTED"  # type: ignore[union-attr]
    assert field.farm.sha1(P0) == sha1(certificate_id)


async def _until(kill: str, loaded: work.ToInstall) -> None:
    target = dialing.connector(loaded.place.kind, loaded.place.options)
    await target.install(loaded.place.resource, loaded.bundle)
    if kill != "install":
        await target.keep(loaded.place.resource, loaded.bundle)
    if kill == "wrote":
        assert (await work.install(loaded)).ok  # everything but the store


def test_places_have_their_turns_spread_over_the_period(field: Field) -> None:
    placed(field, P0, P1, P2)
    now = clock.real_now()
    Binding.objects.update(look_at=None)
    assert reconciling.send_due(now) == 3
    assert reconciling.send_due(now) == 0
    turns = set(Binding.objects.values_list("look_at", flat=True))
    assert len(turns) == 3
    assert all(now < turn <= now + timedelta(seconds=900) for turn in turns)


def test_a_look_is_not_written_over_what_changed_meanwhile(field: Field) -> None:
    placed(field, P0)
    Binding.objects.update(look_at=None)
    target = Binding.objects.get(id=field.places[P0]).target
    loaded = reconciling.work_of(target, [field.places[P0]])
    assert loaded is not None
    field.farm.add(P0, self_signed([P0]))
    (found,) = asyncio.run(looking.look(loaded))
    Binding.objects.filter(id=field.places[P0]).update(seen_at=clock.real_now())
    with short_transaction():
        reconciling.keep(found, clock.real_now())
    assert field.binding(P0)["drift"] == ""


# rule: DEP-6
@pytest.mark.parametrize("asked", [True, False])
def test_where_nobody_can_look_nothing_counts_as_deployed(
    field: Field, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    placed(field, P0)
    Binding.objects.filter(id=field.places[P0]).update(deployment="NOT_DEPLOYED", listeners=[])
    if not asked:
        monkeypatch.setattr(looking, "_held", _silent)
    look(field)
    bound = field.binding(P0)
    assert (bound["deployment"], bound["drift"]) == ("NOT_DEPLOYED", "UNREACHABLE")
    assert bound["reason"] == rules.NO_LISTENER


async def _silent(_work: looking.ToLook) -> tuple[dict[str, str], bool]:
    return {}, False


# rule: DEP-6
def test_nothing_is_wanted_of_a_place_that_nobody_can_see(field: Field) -> None:
    certificate_id = field.wildcard()
    wish = {"certificate_id": certificate_id}
    Binding.objects.filter(id=field.places[P0]).update(listeners=[])
    assert field.alice.refused("bindings.update", id=field.places[P0], body=wish).message == rules.NO_LISTENER
    hosted = Target.objects.get(id=field.targets[0])
    hosted.kind = queries.HOSTED
    hosted.save()
    refused = field.alice.refused("bindings.update", id=field.places[P1], body=wish)
    assert refused.message == bindings.HOST_CHOOSES
    assert not Binding.objects.exclude(certificate_id="").exists()


# rule: REN-3
def test_a_bought_successor_takes_the_place_where_the_policy_says_so(field: Field) -> None:
    old = placed(field, P0, P1)
    field.alice("bindings.update", id=field.places[P0], body={"policy": "MEND"})
    new = field.wildcard()
    assert succeeding.begin(new) == 0  # it renews nothing
    Certificate.objects.filter(id=new).update(renews_id=old)
    now = clock.now()
    renewal = Renewal.objects.create(
        certificate_id=old,
        account_id=field.office.desk.account.id,
        kind="BUY",
        version=1,
        new_id=new,
        next_at=now + timedelta(days=9),
        begun_at=now,
    )
    assert succeeding.begin(new) == 0  # the machine bought it, and deploys it as its switch says
    renewal.delete()
    enqueue("renewal.succeed", {"subject": new}, subject=new)
    testing.run_due(100, strict=True)
    assert field.farm.sha1(P0) == sha1(new)
    assert field.farm.sha1(P1) == sha1(old)  # REPORT: both are independent
    assert succeeding.begin("nothing") == 0


def test_topic_of_replacement_is_not_that_of_a_first_issue(field: Field) -> None:
    placed(field, P0)
    assert not Job.objects.filter(kind="deployment.follow").exists()
    assert followup.REPLACED == "certificate.replaced"
