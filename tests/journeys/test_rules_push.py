"""Pushing by the operations that every face serves, against the lab's load balancer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certdesk.foundation.common.errors import Kind
from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.deployment import dialing, pushing
from certdesk.lifecycle.deployment.models import PushRecord, Target
from certdesk.pki.x509 import csr_making, keys
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.balancer import REGION, Balancer, open_balancer
from tests.support.office import Office

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
WWW = "www.example.com"
BODY = {"target_service": "ELB", "target_project": REGION}


@pytest.fixture
def elb(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Balancer]:
    with open_balancer(office, tmp_path, monkeypatch) as made:
        yield made


# rule: PSH-2
# rule: PSH-3
def test_pushed_once_and_to_be_found_there(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    assert elb.alice("certificates.push", certificate_id, BODY) is None
    found = {Path(path).stem: one for path, one in elb.discover().items()}
    pushed = found[f"{certificate_id}-v1"]
    assert (pushed["names"], pushed["served"]["fingerprint"] != "") == ([], True)
    again = elb.alice.refused("certificates.push", certificate_id, BODY)
    assert (again.code, "pushed there already" in again.message) == ("SCM.0028", True)
    PushRecord.objects.all().delete()  # somebody else put it there
    again = elb.alice.refused("certificates.push", certificate_id, BODY)
    assert (again.code, "is there already" in again.message) == ("SCM.0028", True)
    assert [one["ok"] for one in elb.alice("certificates.push_records", certificate_id)["items"]] == [False]


# rule: PSH-1
def test_only_issued_or_hosted_with_a_key_of_ours(elb: Balancer) -> None:
    bought = elb.alice.buy()
    assert elb.alice.refused("certificates.push", bought, BODY).kind is Kind.WRONG_STATE
    csr = csr_making.make_csr(keys.generate(KeyAlgorithm.EC_P256), [WWW], {})
    own = elb.office.desk.issued(WWW, csr=csr)
    assert "Download the certificate" in elb.alice.refused("certificates.push", own, BODY).next_step
    issued = elb.office.desk.issued(WWW)
    Certificate.objects.filter(id=issued).update(state="UPLOAD")
    assert elb.alice("certificates.push", issued, BODY) is None


# rule: PSH-2
def test_services_and_regions_that_are_not_there(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    for service, code in (("OBS", "SCM.0030"), ("WAF", "SCM.0030"), ("CDN", "SCM.0030")):
        refused = elb.alice.refused("certificates.push", certificate_id, {**BODY, "target_service": service})
        assert refused.code == code
    nowhere = elb.alice.refused("certificates.push", certificate_id, {**BODY, "target_project": "mars"})
    assert (nowhere.code, nowhere.message) == ("SCM.0028", "Invalid region id.")
    missing = elb.alice.refused("certificates.push", certificate_id, {"target_service": "ELB"})
    assert missing.field == "target_project"


def test_a_batch_tells_each_project_its_own_result(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    body = {"target_service": "ELB", "target_projects": [REGION, "mars", REGION]}
    first, second = elb.alice("certificates.batch_push", certificate_id, body)["results"]
    assert (first["project_name"], first["message"], len(first["cert_id"])) == (REGION, "success", 32)
    assert second == {"project_name": "mars", "cert_id": "", "message": "Invalid region id."}


# rule: PSH-3
def test_cdn_has_no_project(elb: Balancer) -> None:
    Target.objects.update(service="CDN")
    certificate_id = elb.office.desk.issued(WWW)
    elb.alice("certificates.push", certificate_id, {"target_service": "CDN", "target_project": ""})
    (record,) = elb.alice("certificates.push_records", certificate_id)["items"]
    assert (record["service"], record["project"], record["message"]) == ("CDN", "", "success")
    again = elb.alice.refused("certificates.push", certificate_id, {"target_service": "CDN"})
    assert again.code == "SCM.0028"
    account = elb.office.desk.account.name
    history = elb.alice("v2.push_history", project_id=account, cert_id=certificate_id)["push_history_list"]
    assert [(one["push_remote_project"], one["push_service"]) for one in history] == [(None, "CDN")]


# rule: PSH-4
def test_the_latest_ten_records_are_kept_in_sight(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    for number in range(11):
        project = f"mars-{number}"
        elb.alice.refused("certificates.push", certificate_id, {**BODY, "target_project": project})
    elb.alice(
        "v2.push",
        project_id=elb.office.desk.account.id,
        cert_id=certificate_id,
        body={"service_type": "ELB", "remote_project": REGION},
    )
    items = elb.alice("certificates.push_records", certificate_id)["items"]
    assert [one["project"] for one in items] == [REGION, *(f"mars-{number}" for number in range(10, 1, -1))]
    history = elb.alice("v2.push_history", project_id=elb.office.desk.account.id, cert_id=certificate_id)
    (one,) = history["push_history_list"]
    assert (one["push_remote_project"], one["push_service"], one["push_time"].isdigit()) == (
        REGION,
        "ELB",
        True,
    )


def test_failures_outside_are_told_and_recorded(elb: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    elb.alice("targets.update", id=elb.target, body={"options": {**elb.elb.options, "folder": None}})
    refused = elb.alice.refused("certificates.push", certificate_id, BODY)
    assert "no folder for pushed certificates" in refused.message
    elb.alice("targets.update", id=elb.target, body={"options": elb.elb.options})
    elb.elb.small.faults.add(Fault.SILENT)
    monkeypatch.setattr(dialing, "SECONDS", 0.2)
    refused = elb.alice.refused("certificates.push", certificate_id, BODY)
    assert "was not over after" in refused.message
    elb.elb.small.faults.clear()
    elb.elb.stop()
    assert "cannot be used" in elb.alice.refused("certificates.push", certificate_id, BODY).message
    items = elb.alice("certificates.push_records", certificate_id)["items"]
    assert [one["ok"] for one in items] == [False, False, False]
    Target.objects.update(kind="none")
    assert "no kind of target" in elb.alice.refused("certificates.push", certificate_id, BODY).message


def test_two_equal_pushes_have_one_success(elb: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate_id = elb.office.desk.issued(WWW)

    def meanwhile(*given: object) -> str:
        monkeypatch.undo()
        elb.alice("certificates.push", certificate_id, BODY)
        return "0" * 32

    monkeypatch.setattr(pushing, "_everywhere", meanwhile)
    refused = elb.alice.refused("certificates.push", certificate_id, BODY)
    assert "pushed there already" in refused.message


# rule: IAM-5
def test_bob_may_push_rita_and_charlie_may_not(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    rita, charlie, bob = (elb.someone(name) for name in ("rita", "charlie", "bob"))
    assert rita.refused("certificates.push", certificate_id, BODY).kind is Kind.FORBIDDEN
    assert charlie.refused("certificates.push", certificate_id, BODY).kind is Kind.NOT_FOUND
    assert charlie.refused("certificates.push_records", certificate_id).kind is Kind.NOT_FOUND
    assert bob("certificates.push", certificate_id, BODY) is None
    assert len(rita("certificates.push_records", certificate_id)["items"]) == 1
