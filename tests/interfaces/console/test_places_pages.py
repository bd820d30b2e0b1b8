"""Places, waves and what holds a deployment, in the console."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client

from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.lab.elb_site import self_signed
from certdesk.lifecycle.deployment import actions, reconcile_jobs
from certdesk.lifecycle.deployment.models import Binding, Deployment
from tests.support.farm import REGION, Field, name_of, open_field
from tests.support.office import Office, open_office

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def field(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    with open_field(office, monkeypatch, 4) as made:
        yield made


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


# rule: DEP-2
def test_several_places_in_waves_held_and_let_go(field: Field) -> None:
    certificate_id, alice = field.wildcard(), field.office.client()
    field.farm.faults[name_of(0)] = "refuses"
    path = f"/certificates/{certificate_id}/deploy"
    chosen = [field.places[name_of(number)] for number in range(4)]
    form = {"service": "OTHER", "region": REGION, "binding": chosen}
    asked = text(alice, path, form)
    assert 'name="canary" value="1"' in asked
    assert "tried again by itself" in asked
    wrong = text(alice, path, {**form, "confirmed": "1", "canary": "-3"})
    assert "Confirm the deployment" in wrong
    assert not Deployment.objects.exists()
    begun = text(alice, path, {**form, "confirmed": "1", "canary": "1", "wave_size": "2"})
    deployment = Deployment.objects.get().id
    assert f'data-deployment-id="{deployment}"' in begun
    assert "First wave: the trial" in begun
    assert "Wave 3" in begun
    assert 'data-operation="pause"' in begun
    field.office.desk.run()
    held = text(alice, f"/deployments/{deployment}")
    assert "It is held: 3 places have not begun." in held
    assert "A place of the first wave failed" in held
    assert "It is tried again by itself:" not in held
    hold = f"/deployments/{deployment}/hold"
    on = text(alice, hold, {"verb": "resume"})
    assert "It goes on." in on
    assert "It is tried again by itself:" in on
    assert "No further place is begun" in text(alice, hold, {"verb": "pause"})
    assert "is paused already" in text(alice, hold, {"verb": "nonsense"})
    given_up = text(alice, hold, {"verb": "cancel"})
    assert "is given up" in given_up
    assert given_up.count('data-status="CANCELLED"') == 3
    assert "Paused" not in text(alice, "/deployments")


def test_one_place_alone_needs_no_plan(field: Field) -> None:
    certificate_id, alice = field.wildcard(), field.office.client()
    form = {"service": "OTHER", "region": REGION, "binding": [field.places[name_of(0)]]}
    path = f"/certificates/{certificate_id}/deploy"
    assert 'name="canary"' not in text(alice, path, form)
    assert 'data-code="deployment.begun"' in text(alice, path, {**form, "confirmed": "1"})


def test_a_window_in_one_line_of_the_target(field: Field) -> None:
    alice, path = field.office.client(), f"/targets/{field.targets[0]}/edit"
    form = {"label": "farm", "region": REGION, "o_first": "0", "o_last": "4"}
    assert "weekdays, hours and a time zone" in text(alice, path, {**form, "window": "at night"}, 422)
    saved = text(alice, path, {**form, "window": "MON-SUN 00:00-00:01 Asia/Shanghai"})
    assert "MON,TUE,WED,THU,FRI,SAT,SUN 00:00-00:01 Asia/Shanghai" in saved
    assert "00:00-00:01" in text(alice, path)


def test_places_with_what_differs_and_their_policy(field: Field) -> None:
    certificate_id, alice = field.wildcard(), field.office.client()
    assert "Every place serves what it should" in text(alice, "/bindings?drift=yes")
    actions.deploy_to(field.office.desk.alice, certificate_id, [field.places[name_of(0)]])
    field.office.desk.run()
    field.farm.add(name_of(0), self_signed([name_of(0)]))
    enqueue(reconcile_jobs.RECONCILE)
    testing.run_due(100, strict=True)
    listed = text(alice, "/bindings?drift=yes")
    assert listed.count("data-binding-id") == 1
    assert "A foreign one is served" in listed
    assert text(alice, "/bindings").count("data-binding-id") == 4
    assert "place serves something else than it should" in text(alice, "/overview")
    place = f"/bindings/{field.places[name_of(0)]}"
    shown = text(alice, place)
    assert "A foreign one is served" in shown
    assert "set its policy to MEND" in shown
    assert "somebody asked for it" in shown
    assert "Saved." in text(alice, place, {"policy": "MEND"})
    assert Binding.objects.get(id=field.places[name_of(0)]).policy == "MEND"
    text(alice, place, {"policy": "NEVER"}, 422)
    assert "A foreign one is served" in text(alice, f"/targets/{field.targets[0]}")
    chinese = field.office.client(language="zh-hans")
    assert "使用了外来证书" in text(chinese, place)


def test_what_need_not_be_served_is_chosen_from_what_there_is(field: Field) -> None:
    alice, bound = field.office.client(), Binding.objects.get(id=field.places[name_of(0)])
    Binding.objects.filter(id=bound.id).update(listeners=[*bound.listeners, "127.0.0.1:1"])
    place = f"/bindings/{bound.id}"
    assert "Saved." in text(alice, place, {"policy": "REPORT", "exempt": ["127.0.0.1:1"]})
    assert Binding.objects.get(id=bound.id).exempt == ["127.0.0.1:1"]
    every = {"policy": "REPORT", "exempt": [*bound.listeners, "127.0.0.1:1"]}
    assert "must remain" in text(alice, place, every, 422)


# rule: IAM-5
def test_charlie_sees_no_place_and_rita_changes_none(field: Field) -> None:
    charlie, rita, nils = (field.office.client(name) for name in ("charlie", "rita", "nils"))
    place = f"/bindings/{field.places[name_of(0)]}"
    text(charlie, place, status=404)
    assert "No place is known yet" in text(charlie, "/bindings")
    assert 'data-operation="binding-save"' not in text(rita, place)
    text(rita, place, {"policy": "MEND"}, 403)
    text(nils, "/bindings", status=403)
