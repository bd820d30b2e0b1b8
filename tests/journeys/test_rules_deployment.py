"""Deployment by the operations that every face serves, against the lab's load balancer."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Kind
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.jobs import testing
from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.lab.elb import haproxy
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.deployment import (
    actions,
    dialing,
    jobs,
    material,
    stepping,
    targets,
    waiting,
    windows,
    work,
)
from certdesk.lifecycle.deployment.models import Binding, Deployment, PushRecord, Step, Target
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import csr_making, keys
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.balancer import REGION, Balancer, open_balancer
from tests.support.needs import need
from tests.support.office import Office

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
WWW, SHOP = "www.example.com", "shop.example.com"


@pytest.fixture
def elb(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Balancer]:
    with open_balancer(office, tmp_path, monkeypatch) as made:
        yield made


def sha1(certificate_id: str) -> str:
    return Version.objects.get(certificate_id=certificate_id, superseded_at=None).fingerprint_sha1


def with_own_csr(elb: Balancer, name: str) -> str:
    csr = csr_making.make_csr(keys.generate(KeyAlgorithm.EC_P256), [name], {})
    return elb.office.desk.issued(name, csr=csr)


# rule: DEP-2
# rule: DEP-5
# rule: DEP-6
@pytest.mark.parametrize("real", [True, False])
def test_deployed_means_that_the_new_one_is_served(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    if real:
        need(haproxy() is not None, "haproxy is not installed")
    with open_balancer(office, tmp_path, monkeypatch, real=real) as elb:
        certificate_id = office.desk.issued(WWW, "example.com")
        assert elb.binding(WWW)["deployment"] == "NOT_DEPLOYED"
        answer = elb.deploy(certificate_id, WWW)
        assert answer["failure_list"] == []
        bound = elb.binding(WWW)
        assert (bound["deployment"], bound["verdict"]) == ("DEPLOYED", "NEW")
        assert bound["served"] == {"certificate_id": certificate_id, "fingerprint": sha1(certificate_id)}
        assert elb.binding(SHOP)["deployment"] == "NOT_DEPLOYED"
        shown = elb.alice("deployments.show", id=answer["deployment_id"])
        assert shown["state"] == "COMMITTED"
        assert {look["verdict"] for look in shown["bindings"][0]["looks"]} == {"NEW"}
        assert [look["name"] for look in shown["bindings"][0]["looks"]] == [WWW, "example.com"]
        elb.elb.stop()
        elb.elb.start()
        assert elb.discover()[WWW]["served"]["certificate_id"] == certificate_id


# rule: DEP-6
@pytest.mark.parametrize(
    ("fault", "verdict", "told"),
    [(Fault.DEAF, "PREVIOUS", "still the previous"), (Fault.NO_CHAIN, "WRONG_CHAIN", "are not sent")],
)
def test_what_is_not_served_is_put_back(elb: Balancer, fault: Fault, verdict: str, told: str) -> None:
    before = elb.binding(SHOP)["served"]
    certificate_id = elb.office.desk.issued(SHOP)
    elb.elb.small.faults.add(fault)
    (failure,) = elb.deploy(certificate_id, SHOP)["failure_list"]
    assert told in failure["failure_info"]
    assert "was put back and is served" in failure["failure_info"]
    bound = elb.binding(SHOP)
    assert (bound["deployment"], bound["verdict"]) == ("FAILED", verdict)
    assert failure["resource"] == bound["id"]
    assert bound["served"] == before
    elb.elb.small.faults.clear()
    assert elb.discover()[SHOP]["served"] == before


# rule: DEP-5
def test_one_failing_binding_blocks_no_other_and_a_retry_is_idempotent(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW, SHOP)
    file = Path(elb.binding(SHOP)["resource"])
    text = file.read_text(encoding="ascii")
    file.write_text("", encoding="ascii")
    answer = elb.deploy(certificate_id, WWW, SHOP)
    (failure,) = answer["failure_list"]
    assert "could not be put back" in failure["failure_info"]
    assert (elb.binding(WWW)["deployment"], elb.binding(SHOP)["deployment"]) == ("DEPLOYED", "FAILED")
    assert elb.alice("deployments.show", id=answer["deployment_id"])["state"] == "FAILED"
    file.write_text(text, encoding="ascii")
    again = elb.alice("deployments.retry", id=answer["deployment_id"])
    assert again["state"] == "RUNNING"
    assert {one["title"]: one["state"] for one in again["bindings"]}[f"front: {file}"] == "PLANNED"
    elb.office.desk.run()
    assert elb.alice("deployments.show", id=answer["deployment_id"])["state"] == "COMMITTED"
    assert elb.binding(SHOP)["deployment"] == "DEPLOYED"
    refused = elb.alice.refused("deployments.retry", id=answer["deployment_id"])
    assert "Nothing of this deployment" in refused.message
    assert elb.deploy(certificate_id, WWW, SHOP)["failure_list"] == []


# rule: DEP-4
def test_names_of_the_new_certificate_take_the_place_of_the_old_ones(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP, "new.example.com")
    assert elb.deploy(certificate_id, SHOP)["failure_list"] == []
    assert elb.discover()[SHOP]["names"] == [SHOP, "new.example.com"]


# rule: DEP-1
def test_only_issued_or_hosted_and_with_a_key_of_ours(elb: Balancer) -> None:
    bought = elb.alice.buy()
    body = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": elb.binding(WWW)["id"]}]}
    refused = elb.alice.refused("certificates.deploy", bought, body)
    assert (refused.kind, "Pending application" in refused.message) == (Kind.WRONG_STATE, True)
    own = with_own_csr(elb, WWW)
    refused = elb.alice.refused("certificates.deploy", own, body)
    assert "Download the certificate" in refused.next_step
    issued = elb.office.desk.issued(WWW)
    keystore.destroy(Version.objects.get(certificate_id=issued).key_id)
    assert "does not have it" in elb.alice.refused("certificates.deploy", issued, body).message
    Certificate.objects.filter(id=issued).update(state="REVOKED")
    assert "Revoked" in elb.alice.refused("certificates.deploy", issued, body).message


# rule: DEP-3
# rule: DEP-7
# rule: DEP-8
def test_what_cannot_be_deployed_to_is_named_with_the_reason(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    alone = Binding.objects.get(id=elb.binding(WWW)["id"])
    hidden = Binding.objects.get(id=elb.binding(SHOP)["id"])
    Binding.objects.filter(id=alone.id).update(names=[])
    Binding.objects.filter(id=hidden.id).update(listeners=[])

    def infos(**body: object) -> list[str]:
        whole = {"service_name": "ELB", "project_name": REGION, **body}
        answer = elb.alice("certificates.deploy", certificate_id, whole)
        assert answer["deployment_id"] == ""
        return [one["failure_info"] for one in answer["failure_list"]]

    both = infos(resources=[{"id": alone.id}, {"id": hidden.id}, {"id": "0" * 32}])
    assert both == [
        "No domain name is associated with this certificate on the load balancer.",
        "No listener is known for it, so nobody could check what is served.",
        "There is no such resource there.",
    ]
    assert infos(project_name="elsewhere", resources=[{"id": alone.id}]) == [
        "No target of the service ELB is connected in elsewhere."
    ]
    waf = infos(service_name="WAF", resources=[{"id": "a"}, {"id": "b", "enterprise_project_id": "7"}])
    assert waf[0] == f"No target of the service WAF is connected in {REGION}."
    assert "default enterprise project only" in waf[1]
    assert "upload it to WAF" in waf[1]
    assert infos(service_name="CDN", resources=[{"domain_name": WWW}]) == [
        "No target of the service CDN is connected."
    ]
    assert (
        elb.alice.refused(
            "certificates.deploy", certificate_id, {"service_name": "DNS", "resources": [{"id": "a"}]}
        ).field
        == "service_name"
    )
    assert (
        elb.alice.refused(
            "certificates.deploy", certificate_id, {"service_name": "ELB", "resources": []}
        ).field
        == "resources"
    )


def test_a_cdn_resource_is_a_domain_name(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.alice("targets.update", id=elb.target, body={"label": "edge"})
    target = Binding.objects.get(id=elb.binding(SHOP)["id"]).target
    target.service = "CDN"
    target.save()
    wanted = {"service_name": "CDN", "resources": [{"domain_name": SHOP}, {"domain_name": "no.example.com"}]}
    answer = elb.alice("certificates.deploy", certificate_id, wanted)
    assert [one["resource"] for one in answer["failure_list"]] == ["no.example.com"]
    found = elb.alice(
        "certificates.deployed_resources",
        body={"certificate_ids": [certificate_id], "service_names": ["ALL"]},
    )
    (part,) = found["results"][0]["deployed_resources"]
    assert part["resource_location"] == "global"
    assert part["region_resources"][0]["region_id"] == "global"
    elb.elb.small.faults.add(Fault.DEAF)
    again = elb.office.desk.issued(SHOP)
    (failed,) = elb.alice("certificates.deploy", again, {**wanted, "resources": [{"domain_name": SHOP}]})[
        "failure_list"
    ]
    assert failed["resource"] == SHOP


# rule: IAM-5
def test_alice_owns_bob_may_charlie_must_not(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    bob, charlie, rita, nils = (elb.someone(name) for name in ("bob", "charlie", "rita", "nils"))
    body = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": elb.binding(WWW)["id"]}]}
    assert bob("certificates.deploy", certificate_id, body)["failure_list"] == []
    deployment = elb.alice("deployments.list", query={})["items"][0]["id"]
    assert rita.refused("certificates.deploy", certificate_id, body).kind is Kind.FORBIDDEN
    assert len(rita("bindings.list", query={})["items"]) == 2
    for name in ("targets.list", "bindings.list", "deployments.list"):
        assert nils.refused(name, query={}).kind is Kind.FORBIDDEN
        assert charlie(name, query={})["items"] == []
    assert charlie.refused("certificates.deploy", certificate_id, body).kind is Kind.NOT_FOUND
    for name in ("show", "retry", "roll_back"):
        assert charlie.refused(f"deployments.{name}", id=deployment).kind is Kind.NOT_FOUND
    for name, more in (
        ("show", {}),
        ("update", {"body": {}}),
        ("delete", {}),
        ("test", {}),
        ("discover", {}),
    ):
        assert charlie.refused(f"targets.{name}", id=elb.target, **more).kind is Kind.NOT_FOUND
    bound = elb.binding(WWW)["id"]
    assert charlie.refused("bindings.update", id=bound, body={"policy": "MEND"}).kind is Kind.NOT_FOUND
    # a certificate of his own does not reach her bindings
    asked = {"certificate_ids": [certificate_id], "service_names": ["ELB"]}
    assert charlie.refused("certificates.deployed_resources", body=asked).kind is Kind.NOT_FOUND


# rule: DEP-5
def test_a_crash_after_the_install_is_settled_by_the_next_worker(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    before = elb.binding(SHOP)["served"]["fingerprint"]
    body = [actions.Wanted(elb.binding(SHOP)["id"])]
    started = actions.deploy(elb.alice.principal, certificate_id, "ELB", REGION, body).deployment
    assert started is not None
    step = Step.objects.get(deployment=started)
    assert step.before == before
    _run_one()  # the snapshot is stored, nothing is touched
    assert elb.discover()[SHOP]["served"]["fingerprint"] == before
    # dies after the target has taken the certificate, before anything is written
    with short_transaction():
        loaded = jobs.Install().load(_waiting())
    assert loaded is not None
    asyncio.run(_only_install(loaded))
    assert elb.discover()[SHOP]["served"]["fingerprint"] == sha1(certificate_id)
    assert elb.binding(SHOP)["deployment"] == "DEPLOYING"
    elb.office.desk.run()
    assert elb.binding(SHOP)["deployment"] == "DEPLOYED"
    again = elb.alice("deployments.roll_back", id=started.id)
    assert again["state"] == "RUNNING"
    elb.office.desk.run()
    assert elb.alice("deployments.show", id=started.id)["state"] == "ROLLED_BACK"
    assert elb.discover()[SHOP]["served"]["fingerprint"] == before


async def _only_install(loaded: work.ToInstall) -> None:
    target = dialing.connector(loaded.place.kind, loaded.place.options)
    await target.install(loaded.place.resource, loaded.bundle)


def _waiting() -> Job:
    return Job.objects.filter(kind=stepping.INSTALL, state="READY").get()


def _run_one() -> None:
    assert testing.run_due(1, strict=True) == 1


def test_open_steps_without_a_job_get_one_again(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW, SHOP)
    body = [actions.Wanted(elb.binding(name)["id"]) for name in (WWW, SHOP)]
    started = actions.deploy(elb.alice.principal, certificate_id, "ELB", REGION, body).deployment
    assert started is not None
    _run_one()
    Job.objects.filter(kind__startswith="deployment.").delete()
    enqueue(jobs.SETTLE)
    elb.office.desk.run()
    assert Deployment.objects.get(id=started.id).state == "COMMITTED"
    enqueue(jobs.SETTLE)
    elb.office.desk.run()
    assert elb.alice("deployments.roll_back", id=started.id)["state"] == "RUNNING"
    Job.objects.filter(kind__startswith="deployment.").delete()
    enqueue(jobs.SETTLE)
    elb.office.desk.run()
    assert Deployment.objects.get(id=started.id).state == "ROLLED_BACK"


def test_the_right_is_asked_again_when_the_worker_comes(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    before = elb.binding(SHOP)["served"]
    body = [actions.Wanted(elb.binding(SHOP)["id"])]
    actions.deploy(elb.alice.principal, certificate_id, "ELB", REGION, body)
    alice = elb.office.people["alice"]
    alice.is_active = False
    alice.save()
    elb.office.desk.run(strict=False)
    bound = elb.binding(SHOP)
    assert bound["deployment"] == "FAILED"
    assert "gone or switched off" in bound["reason"]
    assert bound["served"] == before


def test_a_busy_binding_is_refused_and_busy_targets_stay(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    bound = elb.binding(SHOP)["id"]
    wanted = [actions.Wanted(bound)]
    first = actions.deploy(elb.alice.principal, certificate_id, "ELB", REGION, wanted)
    assert first.refused == ()
    second = actions.deploy(elb.alice.principal, certificate_id, "ELB", REGION, wanted)
    assert (second.deployment, second.refused) == (None, ((bound, actions.BUSY),))
    assert elb.alice.refused("targets.delete", id=elb.target).kind is Kind.WRONG_STATE
    assert elb.alice.refused("targets.update", id=elb.target, body={"label": "x"}).kind is Kind.WRONG_STATE
    assert elb.alice.refused("bindings.update", id=bound, body={"policy": "MEND"}).kind is Kind.WRONG_STATE
    assert first.deployment is not None
    assert "Nothing" in elb.alice.refused("deployments.retry", id=first.deployment.id).message
    elb.office.desk.run()
    assert elb.binding(SHOP)["deployment"] == "DEPLOYED"


def test_only_the_latest_deployment_can_be_taken_back(elb: Balancer) -> None:
    first, second = elb.office.desk.issued(SHOP), elb.office.desk.issued(SHOP)
    one = elb.deploy(first, SHOP)["deployment_id"]
    two = elb.deploy(second, SHOP)["deployment_id"]
    assert "later deployment" in elb.alice.refused("deployments.roll_back", id=one).message
    elb.alice("deployments.roll_back", id=two)
    elb.office.desk.run()
    bound = elb.discover()[SHOP]
    assert bound["served"]["certificate_id"] == first
    asked = {"certificate_ids": [first, second], "service_names": ["ELB"]}
    found = elb.alice("certificates.deployed_resources", body=asked)["results"]
    assert [one["total_num"] for one in found] == [1, 0]  # what was put back counts as what stands there
    assert elb.alice.refused("deployments.roll_back", id=two).kind is Kind.WRONG_STATE


def test_a_rollback_that_fails_can_be_asked_again(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    deployment = elb.deploy(certificate_id, SHOP)["deployment_id"]
    elb.elb.stop()
    elb.alice("deployments.roll_back", id=deployment)
    elb.office.desk.run()
    shown = elb.alice("deployments.show", id=deployment)
    assert shown["state"] == "FAILED"
    assert "cannot be used" in shown["bindings"][0]["reason"]
    elb.elb.start()
    Binding.objects.update(listeners=[elb.elb.server])
    elb.alice("deployments.roll_back", id=deployment)
    elb.office.desk.run()
    assert elb.alice("deployments.show", id=deployment)["state"] == "ROLLED_BACK"


def test_an_unreachable_target_fails_in_words(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.elb.stop()
    (failure,) = elb.deploy(certificate_id, SHOP)["failure_list"]
    assert "cannot be used" in failure["failure_info"]
    assert elb.alice.refused("targets.discover", id=elb.target).kind is Kind.UNAVAILABLE
    shown = elb.alice("targets.show", id=elb.target)
    assert "cannot be used" in shown["problem"]


def test_a_version_that_is_no_longer_current_is_not_tried_again(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.elb.stop()
    deployment = elb.deploy(certificate_id, SHOP)["deployment_id"]
    Version.objects.filter(certificate_id=certificate_id).update(number=2)
    Certificate.objects.filter(id=certificate_id).update(current_version=2)
    assert "newer version" in elb.alice.refused("deployments.retry", id=deployment).message


# rule: DEL-4
def test_what_is_served_is_deleted_only_when_forced(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.deploy(certificate_id, SHOP)
    refused = elb.alice.refused("certificates.delete", certificate_id, query={})
    assert refused.kind is Kind.WRONG_STATE
    assert f"front: {SHOP}" in refused.message
    assert elb.office.desk.state(certificate_id) == "ISSUED"
    other = elb.office.desk.issued(WWW)
    elb.alice("certificates.delete", other, query={})
    elb.alice("certificates.delete", certificate_id, query={"force": True})
    assert elb.office.desk.state(certificate_id) == "DELETED"


def test_bindings_take_a_wish_and_a_policy(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    bound = elb.binding(SHOP)["id"]
    wish = {"certificate_id": certificate_id, "policy": "MEND"}
    changed = elb.alice("bindings.update", id=bound, body=wish)
    assert (changed["desired"]["certificate_id"], changed["policy"]) == (certificate_id, "MEND")
    assert changed["deployment"] == "NOT_DEPLOYED"
    assert elb.alice.refused("bindings.update", id=bound, body={"policy": "X"}).field == "policy"
    assert elb.alice.refused("bindings.update", id="0" * 32, body={}).kind is Kind.NOT_FOUND
    elb.deploy(certificate_id, SHOP)
    other = elb.office.desk.issued(SHOP)
    assert (
        elb.alice("bindings.update", id=bound, body={"certificate_id": other})["deployment"] == "NOT_DEPLOYED"
    )


def test_discovery_notices_what_others_did(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.deploy(certificate_id, SHOP)
    file = Path(elb.binding(SHOP)["resource"])
    other = elb.office.desk.issued(SHOP)
    principal = elb.alice.principal
    certificate, version = material.checked(principal, "scm:cert:deploy", other)
    whole = material.of(principal, certificate, version, "scm:cert:deploy").bundle.whole
    elb.elb.stop()
    file.write_text(whole, encoding="ascii")
    elb.elb.start()
    elb.alice("targets.update", id=elb.target, body={"options": elb.elb.options})
    bound = elb.discover()[SHOP]
    assert (bound["deployment"], bound["served"]["certificate_id"]) == ("NOT_DEPLOYED", other)
    assert "another certificate now" in bound["reason"]
    elb.elb.stop()
    listed = elb.elb.folder / "crt-list.txt"
    listed.write_text(listed.read_text(encoding="ascii").splitlines()[0] + "\n", encoding="ascii")
    elb.elb.start()
    assert SHOP not in elb.discover()
    assert len(elb.alice("bindings.list", query={})["items"]) == 1


def test_targets_by_their_life(elb: Balancer) -> None:
    tested = elb.alice("targets.test", id=elb.target)
    assert (tested["ok"], tested["resources"], tested["notes"]) == (True, 2, [])
    closed = {**elb.elb.options, "listeners": ["127.0.0.1:1"]}
    elb.alice("targets.update", id=elb.target, body={"options": closed})
    (note,) = elb.alice("targets.test", id=elb.target)["notes"]
    assert note.startswith("What a deployment does at 127.0.0.1:1 could not be seen from here: ")
    closed["listeners"] = [f"127.0.0.1:{port}" for port in range(1, 14)]
    elb.alice("targets.update", id=elb.target, body={"options": closed})
    notes = elb.alice("targets.test", id=elb.target)["notes"]
    assert notes[-1] == "It has more listeners: 3 of them were not looked at from here."
    assert len([one for one in notes if "could not be seen from here" in one]) == 10
    elb.alice("targets.update", id=elb.target, body={"options": elb.elb.options})
    shown = elb.alice("targets.show", id=elb.target)
    assert (shown["label"], shown["options"]["socket"]) == ("front", elb.elb.options["socket"])
    new = {"service": "ELB", "kind": "haproxy", "region": "r", "options": elb.elb.options}
    for field, value in (("service", "DNS"), ("kind", "f5"), ("region", " "), ("label", "x" * 65)):
        assert elb.alice.refused("targets.create", body={**new, field: value}).field == field
    assert elb.alice.refused("targets.create", body={**new, "options": {}}).field == "options"
    second = elb.alice(
        "targets.create", body={**new, "options": {**elb.elb.options, "socket": "/run/x.sock"}}
    )
    assert "CERTDESK_TARGET_FOLDERS" in elb.alice("targets.test", id=second["id"])["next_step"]
    listed = elb.alice("targets.list", query={"limit": 10})["items"]
    assert [one["id"] for one in listed] == [elb.target, second["id"]]
    after = elb.alice("targets.list", query={"limit": 10, "marker": elb.target})
    assert [one["id"] for one in after["items"]] == [second["id"]]
    assert elb.alice.refused("targets.list", query={"marker": "x"}).field == "marker"
    elb.alice("targets.delete", id=second["id"])
    certificate_id = elb.office.desk.issued(SHOP)
    deployment = elb.deploy(certificate_id, SHOP)["deployment_id"]
    elb.alice("targets.delete", id=elb.target)
    assert elb.alice("bindings.list", query={})["items"] == []
    kept = elb.alice("deployments.show", id=deployment)
    assert kept["bindings"][0]["title"].startswith("front: ")
    assert elb.alice.refused("targets.show", id=elb.target).kind is Kind.NOT_FOUND


def test_lists_page_by_marker(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW, SHOP)
    made = [elb.deploy(certificate_id, name)["deployment_id"] for name in (WWW, SHOP) * 6]
    first = elb.alice("deployments.list", query={"certificate": certificate_id})
    rest = elb.alice("deployments.list", query={"marker": first["next_marker"]})
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_marker"] is None
    both = elb.alice("bindings.list", query={"certificate": certificate_id})["items"]
    assert [one["id"] for one in elb.alice("bindings.list", query={"marker": both[0]["id"]})["items"]] == [
        both[1]["id"]
    ]
    assert elb.alice.refused("deployments.list", query={"marker": "0"}).kind is Kind.NOT_FOUND
    asked = {"certificate_ids": [certificate_id], "service_names": ["XYZ"]}
    assert elb.alice.refused("certificates.deployed_resources", body=asked).field == "service_names"


def test_jobs_of_steps_that_are_over_do_nothing(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    deployment = elb.deploy(certificate_id, SHOP)["deployment_id"]
    step = Step.objects.get(deployment_id=deployment)
    for kind in (stepping.PREPARE, stepping.INSTALL, stepping.RESTORE):
        stepping.send(kind, step, elb.alice.principal.user_id)
    elb.office.desk.run()
    late = Job(payload={"step": step.id})
    place = work.Place("haproxy", "r", (), (), {})
    for handler in (jobs.Prepare(), jobs.Install(), jobs.Restore()):
        with short_transaction():
            handler.store(late, place, work.Outcome(False, reason="late"))  # type: ignore[arg-type]
            handler.failed(late, ValueError("late"))
    assert elb.binding(SHOP)["deployment"] == "DEPLOYED"
    assert Deployment.objects.get(id=deployment).state == "COMMITTED"


@pytest.mark.parametrize("kind", [stepping.PREPARE, stepping.INSTALL, stepping.RESTORE])
def test_a_step_whose_binding_has_gone_ends(elb: Balancer, kind: str) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    deployment = elb.deploy(certificate_id, SHOP)["deployment_id"]
    state = "PLANNED" if kind == stepping.PREPARE else "RUNNING"
    Step.objects.update(binding=None, state=state, back=kind == stepping.RESTORE)
    stepping.send(kind, Step.objects.get(deployment_id=deployment), elb.alice.principal.user_id)
    elb.office.desk.run()
    shown = elb.alice("deployments.show", id=deployment)
    assert (shown["state"], shown["bindings"][0]["reason"]) == ("FAILED", "The target was removed.")


def test_a_worker_that_cannot_go_on_says_so(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    wanted = [actions.Wanted(elb.binding(SHOP)["id"])]
    actions.deploy(elb.alice.principal, certificate_id, "ELB", REGION, wanted)
    step = Step.objects.get()
    with short_transaction():
        jobs.Prepare().failed(Job(payload={"step": step.id}), ValueError("secret detail"))
    bound = elb.binding(SHOP)
    assert (bound["deployment"], bound["reason"]) == ("FAILED", "The worker could not finish it.")


def test_a_deploy_that_takes_long_says_where_to_look(elb: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    monkeypatch.setattr(waiting, "SECONDS", 0.0)
    monkeypatch.setattr(waiting, "pause", waiting._sleep)
    answer = elb.deploy(certificate_id, SHOP)
    assert answer["failure_list"] == [
        {
            "resource": elb.binding(SHOP)["id"],
            "failure_info": f"It is not over yet; look at deployment {answer['deployment_id']}.",
        }
    ]
    elb.office.desk.run()
    assert elb.binding(SHOP)["deployment"] == "DEPLOYED"
    assert elb.deploy(certificate_id, WWW)["failure_list"] != []


def test_a_deploy_that_waits_for_a_window_or_is_held_says_why(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    in_two_days = windows.DAYS[(clock.real_now() + timedelta(days=2)).weekday()]
    window = {"days": [in_two_days], "from": "12:00", "until": "13:00", "zone": "UTC"}
    elb.alice("targets.update", id=elb.target, body={"window": window})
    (told,) = elb.deploy(certificate_id, SHOP)["failure_list"]
    at = Step.objects.get().waits_until
    assert at is not None
    opens = f"which opens {at:%Y-%m-%d} 12:00 UTC. It is not over yet; look at deployment "
    assert told["failure_info"].startswith(f"It waits for the target's maintenance window, {opens}")
    elb.alice("deployments.cancel", id=Deployment.objects.get().id)
    elb.alice("targets.update", id=elb.target, body={"window": {}})
    Path(elb.binding(WWW)["resource"]).write_text("", encoding="ascii")
    both = elb.office.desk.issued(WWW, SHOP)
    _, told = elb.deploy(both, WWW, SHOP, rollout={"canary": 1})["failure_list"]
    assert told["failure_info"].startswith("A place of the first wave failed, so no other was begun. It is")


def test_an_account_has_two_hundred_targets_at_most(elb: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MOST", 1)
    new = {"service": "ELB", "kind": "haproxy", "region": "r", "options": elb.elb.options}
    assert elb.alice.refused("targets.create", body=new).kind is Kind.QUOTA
    Target.objects.update(kind="none")
    assert "no kind of target" in elb.alice("targets.test", id=elb.target)["problem"]


def test_the_words_of_rows(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.deploy(certificate_id, SHOP)
    target, bound = Target.objects.get(), Binding.objects.get(id=elb.binding(SHOP)["id"])
    assert str(target) == "front (ELB, cn-north-4)"
    assert str(bound).endswith(f"site2.pem of {target.id}")
    assert str(Deployment.objects.get()) == f"{certificate_id} v1 COMMITTED"
    assert str(Step.objects.get()).endswith("site2.pem DEPLOYED")
    record = PushRecord(certificate_id=certificate_id, service="ELB", project=REGION)
    assert str(record) == f"{certificate_id} to ELB cn-north-4"


def test_a_binding_of_another_account_is_as_if_it_were_not(elb: Balancer) -> None:
    certificate_id, foreign = elb.office.desk.issued(WWW), elb.binding(WWW)["id"]
    other = elb.office.people["charlie"].account_id
    Binding.objects.filter(id=foreign).update(account_id=other)
    for resource in (foreign, "0" * 32):
        body = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": resource}]}
        (failure,) = elb.alice("certificates.deploy", certificate_id, body)["failure_list"]
        assert resource in str(failure)
        assert "There is no such resource there." in str(failure)
    Target.objects.update(account_id=other)
    body = {"service_name": "ELB", "project_name": REGION, "resources": [{"id": foreign}]}
    (failure,) = elb.alice("certificates.deploy", certificate_id, body)["failure_list"]
    assert "No target of the service ELB is connected" in str(failure)
    assert not Step.objects.exists()
