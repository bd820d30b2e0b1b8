"""Deployments of many places: waves, the trial, what holds them, windows, and what need not be looked at."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from certdesk.connectors.targets.protocol import Snapshot
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Kind
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Via
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.lifecycle.deployment import actions, jobs, stepping, windows
from certdesk.lifecycle.deployment.models import Binding, Deployment, Step
from certdesk.lifecycle.deployment.rollout import Rollout
from certdesk.lifecycle.deployment.work import Outcome
from tests.support.farm import REGION, Field, name_of, open_field
from tests.support.office import Office
from tests.support.rulebook import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
FULL = os.environ.get("CERTDESK_SIZE") == "full"
PLACES, BROKEN, WAVE = (200, 5, 20) if FULL else (20, 5, 4)
TRIAL = Rollout(canary=1, wave_size=2)


@pytest.fixture
def field(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    with open_field(office, monkeypatch, 5) as made:
        yield made


def begin(field: Field, plan: Rollout, count: int = 5) -> str:
    certificate_id = field.wildcard()
    places = [{"id": field.places[name_of(number)]} for number in range(count)]
    wanted = [actions.Wanted(one["id"]) for one in places]
    started = actions.deploy(field.office.desk.alice, certificate_id, "OTHER", REGION, wanted, plan)
    assert (started.refused, started.deployment is None) == ((), False)
    return str(started.deployment.id)  # type: ignore[union-attr]


def states_of(deployment: str) -> list[str]:
    """In the order of the places."""
    return list(Step.objects.filter(deployment_id=deployment).order_by("id").values_list("state", flat=True))


# rule: DEP-5
def test_the_broken_ones_are_named_with_their_causes_and_block_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_field(office, monkeypatch, PLACES, targets=4) as field:
        faults = ("deaf", "refuses", "no_chain", "shut", "frozen")
        broken = {name_of(number * (PLACES // BROKEN) + 2): faults[number] for number in range(BROKEN)}
        before = {name: field.farm.sha1(name) for name in broken}
        field.farm.faults.update(broken)
        deployment = begin(field, Rollout(wave_size=WAVE), PLACES)
        testing.run_all(timedelta(0), 10 * PLACES, strict=True)
        shown = field.alice("deployments.show", id=deployment)
        assert shown["state"] == "FAILED"
        assert [len(one["bindings"]) for one in shown["waves"]] == [WAVE] * (PLACES // WAVE)
        counted = Counter(one["state"] for one in shown["bindings"])
        assert counted == {"DEPLOYED": PLACES - BROKEN, "FAILED": BROKEN}
        told = {
            one["title"].rpartition(" ")[2]: (one["verdict"], one["reason"])
            for one in shown["bindings"]
            if one["state"] == "FAILED"
        }
        assert set(told) == set(broken)
        causes = {
            "deaf": ("PREVIOUS", "still the previous certificate"),
            "refuses": ("", "is read only"),
            "no_chain": ("WRONG_CHAIN", "are not sent"),
            "shut": ("REFUSED", "the handshake"),
            "frozen": ("", "did not answer"),
        }
        for name, fault in broken.items():
            verdict, words = causes[fault]
            assert told[name][0] == verdict
            assert words in told[name][1]
        assert {name: field.farm.sha1(name) for name in broken} == before  # all of them serve the old one


def test_a_wave_begins_when_the_one_before_is_over(field: Field) -> None:
    deployment = begin(field, TRIAL)
    assert Job.objects.filter(kind=stepping.PREPARE, state="READY").count() == 1
    assert testing.run_due(2, strict=True) == 2
    assert states_of(deployment) == ["DEPLOYED", *["PLANNED"] * 4]
    assert Deployment.objects.get(id=deployment).wave == 2
    assert testing.run_due(4, strict=True) == 4
    assert states_of(deployment) == ["DEPLOYED"] * 3 + ["PLANNED"] * 2
    field.office.desk.run()
    assert Deployment.objects.get(id=deployment).state == "COMMITTED"


def test_a_worker_that_died_between_two_waves_is_settled(field: Field) -> None:
    deployment = begin(field, TRIAL)
    testing.run_due(2, strict=True)
    Job.objects.filter(kind__startswith="deployment.").delete()
    Deployment.objects.filter(id=deployment).update(wave=1)
    enqueue(stepping.SETTLE)
    field.office.desk.run()
    assert Deployment.objects.get(id=deployment).state == "COMMITTED"


# rule: DEP-5
def test_a_failed_trial_holds_the_rest_until_it_works(field: Field) -> None:
    field.farm.faults[name_of(0)] = "refuses"
    deployment = begin(field, TRIAL)
    field.office.desk.run()
    shown = field.alice("deployments.show", id=deployment)
    assert (shown["state"], shown["paused"]) == ("PAUSED", True)
    assert "first wave failed" in shown["pause_reason"]
    assert states_of(deployment) == ["FAILED", *["PLANNED"] * 4]
    testing.run_all(timedelta(minutes=2), 100)  # nothing goes on by itself while it is held
    assert states_of(deployment) == ["FAILED", *["PLANNED"] * 4]
    field.farm.faults.clear()
    field.alice("deployments.retry", id=deployment)
    field.office.desk.run()
    assert field.alice("deployments.show", id=deployment)["state"] == "COMMITTED"


def test_whoever_goes_on_in_spite_of_a_failed_trial_may(field: Field) -> None:
    field.farm.faults[name_of(0)] = "refuses"
    deployment = begin(field, TRIAL)
    field.office.desk.run()
    field.alice("deployments.resume", id=deployment)
    field.office.desk.run()
    assert states_of(deployment) == ["FAILED", *["DEPLOYED"] * 4]
    field.farm.faults.clear()  # what was held back is tried again too
    testing.run_all(timedelta(minutes=2), 100)
    assert states_of(deployment) == ["DEPLOYED"] * 5


def test_so_many_failures_hold_it(field: Field) -> None:
    for number in (1, 2):
        field.farm.faults[name_of(number)] = "refuses"
    deployment = begin(field, Rollout(wave_size=3, stop_after=2))
    field.office.desk.run()
    assert states_of(deployment) == ["DEPLOYED", "FAILED", "FAILED", "PLANNED", "PLANNED"]
    assert "2 places failed" in field.alice("deployments.show", id=deployment)["pause_reason"]


def test_paused_resumed_and_cancelled_by_a_person(field: Field) -> None:
    before = field.binding(name_of(4))
    deployment = begin(field, TRIAL)
    testing.run_due(1, strict=True)  # the trial has its way back
    assert field.alice("deployments.pause", id=deployment)["state"] == "RUNNING"
    assert field.alice.refused("deployments.pause", id=deployment).kind is Kind.WRONG_STATE
    field.office.desk.run()
    shown = field.alice("deployments.show", id=deployment)
    assert (shown["state"], shown["pause_reason"]) == ("PAUSED", "Somebody paused it.")
    assert states_of(deployment) == ["DEPLOYED", *["PLANNED"] * 4]
    field.alice("deployments.resume", id=deployment)
    assert field.alice.refused("deployments.resume", id=deployment).kind is Kind.WRONG_STATE
    testing.run_due(4, strict=True)
    shown = field.alice("deployments.cancel", id=deployment)
    assert shown["state"] == "CANCELLED"
    assert states_of(deployment) == ["DEPLOYED"] * 3 + ["CANCELLED"] * 2
    assert field.binding(name_of(4)) == before  # as if it had never been planned
    for verb in ("pause", "resume", "cancel"):
        assert field.alice.refused(f"deployments.{verb}", id=deployment).kind is Kind.WRONG_STATE
    done = len(field.farm.calls)
    field.office.desk.run()  # their jobs find nothing to do
    assert len(field.farm.calls) == done


@pytest.mark.parametrize("late", ["prepared", "finished", "waits", "reopened"])
def test_whoever_comes_late_writes_nothing_over_a_cancelled_place(field: Field, late: str) -> None:
    """A worker that read the step before somebody cancelled it."""
    deployment = begin(field, TRIAL, 1)
    read = Step.objects.select_related("deployment", "binding__target").get(deployment=deployment)
    field.alice("deployments.cancel", id=deployment)
    bound, jobs_before = field.binding(name_of(0)), Job.objects.count()
    with short_transaction():
        if late == "prepared":
            stepping.prepared(read, Snapshot(b"", "0" * 64, ()), "")
        elif late == "finished":
            stepping.finished(read, Outcome(False, reason="late"))
        elif late == "waits":
            stepping.waits(read, stepping.PREPARE, "", clock.real_now())
        else:
            stepping.reopen(read, read.deployment, "", back=False)
    read.refresh_from_db()
    assert (read.state, read.snapshot_id, read.waits_until) == ("CANCELLED", "", None)
    assert (field.binding(name_of(0)), Job.objects.count()) == (bound, jobs_before)
    assert Deployment.objects.get(id=deployment).state == "CANCELLED"


def test_whoever_writes_a_step_holds_its_deployment_first(field: Field) -> None:
    begin(field, TRIAL, 1)
    job = Job.objects.get(kind=stepping.PREPARE)
    with short_transaction(), CaptureQueriesContext(connection) as asked:
        jobs.Prepare().load(job)
    told = [one["sql"] for one in asked if "deployment_" in one["sql"]]
    held = next(number for number, one in enumerate(told) if 'FROM "deployment_deployment"' in one)
    assert held < next(number for number, one in enumerate(told) if '"deployment_step"."state"' in one)


@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_place_that_was_tried_again_goes_back_to_what_it_should_serve_by_then(
    field: Field, meanwhile: bool
) -> None:
    first, place = begin(field, TRIAL, 1), field.places[name_of(0)]
    field.office.desk.run()
    field.farm.faults[name_of(0)] = "frozen"
    failed = begin(field, TRIAL, 1)
    field.office.desk.run()
    wanted = Deployment.objects.get(id=first)
    field.farm.faults.clear()
    if meanwhile:
        wanted = Deployment.objects.get(id=begin(field, TRIAL, 1))
        field.office.desk.run()
    field.alice("deployments.retry", id=failed)
    step = Step.objects.get(deployment=failed)
    assert (step.state, step.before) == ("PLANNED", wanted.fingerprint)
    field.alice("deployments.cancel", id=failed)
    now = Binding.objects.get(id=place)
    assert (now.certificate_id, now.fingerprint) == (wanted.certificate_id, wanted.fingerprint)
    assert now.deployment == "DEPLOYED"


def test_what_has_begun_cannot_be_cancelled(field: Field) -> None:
    deployment = begin(field, Rollout(), 1)
    testing.run_due(1, strict=True)
    assert "has begun" in field.alice.refused("deployments.cancel", id=deployment).message


def test_a_pause_before_anything_has_begun(field: Field) -> None:
    deployment = begin(field, TRIAL)
    field.alice("deployments.pause", id=deployment)
    field.office.desk.run()
    assert set(states_of(deployment)) == {"PLANNED"}
    assert field.alice("deployments.resume", id=deployment)["state"] == "PLANNED"
    field.office.desk.run()
    assert set(states_of(deployment)) == {"DEPLOYED"}


# rule: IAM-5
def test_charlie_holds_nothing_of_alice(field: Field) -> None:
    deployment = begin(field, TRIAL)
    charlie, rita = (Caller(principal_of(field.office.people[name], Via.API)) for name in ("charlie", "rita"))
    for verb in ("pause", "resume", "cancel"):
        assert charlie.refused(f"deployments.{verb}", id=deployment).kind is Kind.NOT_FOUND
        assert rita.refused(f"deployments.{verb}", id=deployment).kind is Kind.FORBIDDEN


def test_outside_its_window_a_target_waits(field: Field) -> None:
    now = clock.real_now()
    day = windows.DAYS[(now + timedelta(days=2)).weekday()]
    shut = {"days": [day], "from": "10:00", "until": "11:00", "zone": "UTC"}
    field.alice("targets.update", id=field.targets[0], body={"window": shut})
    assert field.alice("targets.show", id=field.targets[0])["window"] == shut
    deployment = begin(field, Rollout(), 1)
    field.office.desk.run()
    (step,) = field.alice("deployments.show", id=deployment)["bindings"]
    assert step["state"] == "PLANNED"
    assert "10:00:00" in step["waits_until"]
    enqueue(stepping.SETTLE)
    field.office.desk.run()
    assert field.farm.calls == []
    refused = field.alice.refused("targets.update", id=field.targets[0], body={"window": {}})
    assert "or cancel it while it waits" in refused.next_step
    field.alice("deployments.cancel", id=deployment)
    field.alice("targets.update", id=field.targets[0], body={"window": {}})
    assert field.alice("targets.show", id=field.targets[0])["window"] == {}
    wrong = {"window": {**shut, "zone": "Mars/Base"}}
    assert field.alice.refused("targets.update", id=field.targets[0], body=wrong).field == "window.zone"


# rule: DEP-6
def test_what_need_not_be_served_is_not_looked_at_and_noted(field: Field) -> None:
    bound = Binding.objects.get(id=field.places[name_of(0)])
    dead = "127.0.0.1:1"
    Binding.objects.filter(id=bound.id).update(listeners=[*bound.listeners, dead])
    deployment = begin(field, Rollout(), 1)
    field.office.desk.run()
    assert states_of(deployment) == ["FAILED"]
    for wrong in ([*bound.listeners, dead], ["10.0.0.9:443"], bound.names):
        refused = field.alice.refused("bindings.update", id=bound.id, body={"exempt": wrong})
        assert refused.field == "exempt"
    changed = field.alice("bindings.update", id=bound.id, body={"exempt": [dead]})
    assert changed["exempt"] == [dead]
    deployment = begin(field, Rollout(), 1)
    field.office.desk.run()
    (step,) = field.alice("deployments.show", id=deployment)["bindings"]
    assert (step["state"], step["exempt"]) == ("DEPLOYED", [dead])
    assert {look["address"] for look in step["looks"]} == set(bound.listeners)


def test_a_plan_out_of_range_is_refused(field: Field) -> None:
    certificate_id = field.wildcard()
    body = {
        "service_name": "OTHER",
        "project_name": REGION,
        "resources": [{"id": field.places[name_of(0)]}],
        "rollout": {"canary": -1},
    }
    assert field.alice.refused("certificates.deploy", certificate_id, body).field == "canary"
    beside = {**body, "rollout": {"wave_size": 1}, "canary": 1}
    assert field.alice.refused("certificates.deploy", certificate_id, beside).field == "canary"
    answer = field.alice("certificates.deploy", certificate_id, {**body, "rollout": {"canary": 1}})
    assert answer["failure_list"] == []
