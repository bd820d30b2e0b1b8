"""Deploying, pushing, targets and deployments in the console."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from certdesk.lab.elb_small import Fault
from certdesk.lifecycle.deployment.models import Binding, Deployment, PushRecord, Target
from certdesk.pki.x509 import csr_making, keys
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.balancer import REGION, Balancer, open_balancer
from tests.support.office import Office, open_office

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
WWW, SHOP = "www.example.com", "shop.example.com"


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def elb(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Balancer]:
    with open_balancer(office, tmp_path, monkeypatch) as made:
        yield made


def text(client: Client, path: str, data: object = None, status: int = 200) -> str:
    answer = client.get(path) if data is None else client.post(path, data, follow=True)
    assert answer.status_code == status, answer.content[-2000:]
    return re.sub(r"\s+", " ", answer.content.decode())


# rule: DEP-2
# rule: DEP-4
# rule: DEP-9
def test_deploy_asks_names_what_is_overwritten_and_shows_progress(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    alice, path = elb.office.client(), f"/certificates/{certificate_id}/deploy"
    shown = text(alice, path)
    assert shown.count('data-status="NOT_DEPLOYED"') == 2
    assert "Update Certificate" in shown
    assert "Batch Update" in shown
    form = {"service": "ELB", "region": REGION, "binding": [elb.binding(WWW)["id"], elb.binding(SHOP)["id"]]}
    asked = re.sub(r"<[^>]+>", "", text(alice, path, form))
    assert "Replace certificate and key at 2 places?" in asked
    assert "Overwritten: the new certificate does not cover example.com" in asked
    assert f"does not cover {SHOP}" in asked
    assert not Deployment.objects.exists()
    begun = text(alice, path, {**form, "confirmed": "1"})
    assert 'data-code="deployment.begun"' in begun
    assert begun.count('data-status="DEPLOYING"') == 2
    (status,) = re.findall(r'hx-get="([^"]+deploy/status[^"]+)"', begun)
    status = status.replace("&amp;", "&")
    assert alice.get(status).headers.get("HX-Refresh") is None
    elb.office.desk.run()
    assert alice.get(status).headers["HX-Refresh"] == "true"
    assert text(alice, path).count('data-status="DEPLOYED"') == 2
    nothing = text(alice, path, {"service": "ELB", "region": REGION})
    assert "Nothing was chosen." in nothing


def test_other_services_say_what_to_do(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    shown = text(elb.office.client(), f"/certificates/{certificate_id}/deploy?service=WAF")
    assert "Nothing is connected here" in shown
    Target.objects.update(service="WAF")
    shown = text(elb.office.client(), f"/certificates/{certificate_id}/deploy?service=XX&region=YY")
    assert ">Deploy<span" in shown
    assert "Update Certificate" not in shown


# rule: DEP-1
# rule: DEP-7
# rule: PSH-1
def test_reasons_instead_of_buttons(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    alice = elb.office.client()
    Binding.objects.filter(id=elb.binding(WWW)["id"]).update(names=[])
    shown = text(alice, f"/certificates/{certificate_id}/deploy")
    assert "No domain name is associated with this certificate" in shown
    assert shown.count('data-operation="deploy-one"') == 1
    csr = csr_making.make_csr(keys.generate(KeyAlgorithm.EC_P256), [WWW], {})
    own = elb.office.desk.issued(WWW, csr=csr)
    for page in ("deploy", "push"):
        refused = alice.get(f"/certificates/{own}/{page}", follow=True).content.decode()
        assert "Download the certificate" in refused
    busy = {"service": "ELB", "region": REGION, "binding": [elb.binding(SHOP)["id"]], "confirmed": "1"}
    text(alice, f"/certificates/{certificate_id}/deploy", busy)
    assert "Another deployment to it is under way." in text(
        alice, f"/certificates/{certificate_id}/deploy", busy
    )


# rule: DEP-5
# rule: DEP-6
def test_a_failed_deployment_is_told_tried_again_and_rolled_back(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    alice = elb.office.client()
    elb.elb.small.faults.add(Fault.DEAF)
    elb.deploy(certificate_id, SHOP)
    deployment = Deployment.objects.get().id
    shown = text(alice, f"/deployments/{deployment}")
    assert "Failed at 1 of 1 places." in shown
    assert "was put back and is served" in shown
    assert "was put back and is served" in text(alice, f"/certificates/{certificate_id}/deploy")
    elb.elb.small.faults.clear()
    again = text(alice, f"/deployments/{deployment}/retry", {})
    assert "The deployment is under way." in again
    (status,) = re.findall(r'hx-get="([^"]+/status[^"]+)"', again)
    assert alice.get(status).headers.get("HX-Refresh") is None
    elb.office.desk.run()
    assert alice.get(status).headers["HX-Refresh"] == "true"
    assert "served everywhere" in text(alice, f"/deployments/{deployment}")
    assert "Nothing of this deployment" in text(alice, f"/deployments/{deployment}/retry", {})
    assert "site2.pem" in text(alice, f"/deployments/{deployment}/rollback")
    assert "is being put back" in text(alice, f"/deployments/{deployment}/rollback", {})
    elb.office.desk.run()
    assert "What was served before is served again." in text(alice, f"/deployments/{deployment}")
    assert "nothing to go back to" in text(alice, f"/deployments/{deployment}/rollback", {})
    assert "there is nothing to go back to" in text(alice, f"/deployments/{deployment}/rollback")
    assert deployment in text(alice, "/deployments")


def test_deployments_page_by_page(elb: Balancer) -> None:
    alice = elb.office.client()
    assert "Nothing was deployed yet" in text(alice, "/deployments")
    certificate_id = elb.office.desk.issued(SHOP)
    elb.deploy(certificate_id, SHOP)
    first = Deployment.objects.get()
    for number in range(20):
        first.id = f"{number:032x}"
        first.save(force_insert=True)
    shown = text(alice, "/deployments")
    (after,) = re.findall(r'rel="next" href="([^"]+)"', shown)
    assert 'rel="prev"' in text(alice, f"/deployments{after}")


# rule: PSH-2
# rule: PSH-4
def test_push_and_its_records(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    alice, path = elb.office.client(), f"/certificates/{certificate_id}/push"
    assert "Nothing was pushed yet." in text(alice, path)
    done = text(alice, path, {"place": f"ELB:{REGION}"})
    assert 'data-code="certificate.pushed"' in done
    assert f'href="/targets/{elb.target}"' in done
    again = text(alice, path, {"place": f"ELB:{REGION}"}, 422)
    assert "pushed there already" in again
    at = PushRecord.objects.get(ok=True).pushed_at
    for number in range(12):
        PushRecord.objects.create(
            account_id="a", certificate_id=certificate_id, version=1, service="ELB", project=f"mars{number}",
            ok=False, message="Invalid region id.", pushed_by="x", pushed_at=at,
        )  # fmt: skip
    shown = text(alice, path)
    assert shown.count("Invalid region id.") == 10
    assert "mars1<" not in shown
    Target.objects.update(service="CDN")
    assert 'value="CDN:"' in text(alice, path)
    Target.objects.all().delete()
    assert "Connect a target" in text(alice, path)


def test_targets_from_first_to_last(elb: Balancer) -> None:
    alice = elb.office.client()
    Target.objects.all().delete()
    assert "No target connected" in text(alice, "/targets")
    assert 'href="/targets/add?kind=haproxy"' in text(alice, "/targets/add")
    assert "CERTDESK_TARGET_FOLDERS" in text(alice, "/targets/add?kind=haproxy")
    form = {
        "label": "edge",
        "service": "ELB",
        "region": "office",
        "o_socket": elb.elb.options["socket"],
        "o_listeners": elb.elb.server,
    }
    assert "socket" in text(alice, "/targets/add?kind=haproxy", {**form, "o_socket": "relative"}, 422)
    made = text(alice, "/targets/add?kind=haproxy", form)
    assert "The target was looked through: 2 certificates." in made
    assert "Nothing can be pushed here" in made
    target = Target.objects.get()
    assert WWW in made
    assert "edge" in text(alice, "/targets")
    changed = {**form, "label": "", "o_folder": elb.elb.options["folder"]}
    assert "edge" in text(alice, f"/targets/{target.id}/edit", changed)
    wrong = text(alice, f"/targets/{target.id}/edit", {**changed, "o_socket": "/run/other.sock"})
    assert "could not be looked through" in wrong
    assert "Does not work" in text(alice, "/targets")
    bad = text(alice, f"/targets/{target.id}/edit", {**changed, "o_listeners": "nowhere"}, 422)
    assert "listeners" in bad
    assert elb.elb.server in text(alice, f"/targets/{target.id}/edit")
    text(alice, f"/targets/{target.id}/edit", changed)
    assert "looked through: 2" in text(alice, f"/targets/{target.id}/discover", {})
    certificate_id = elb.office.desk.issued(SHOP)
    elb.target = target.id
    wanted = {"service": "ELB", "region": "office", "binding": [elb.binding(SHOP)["id"]], "confirmed": "1"}
    text(alice, f"/certificates/{certificate_id}/deploy", wanted)
    assert "Remove edge?" in text(alice, f"/targets/{target.id}/remove")
    assert "under way" in text(alice, f"/targets/{target.id}/remove", {})
    elb.office.desk.run()
    assert f'href="/certificates/{certificate_id}"' in text(alice, f"/targets/{target.id}")
    assert "The target is removed." in text(alice, f"/targets/{target.id}/remove", {})


# rule: IAM-5
def test_what_the_right_does_not_allow_is_not_there(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.deploy(certificate_id, SHOP)
    deployment = Deployment.objects.get().id
    rita, charlie, nils = (elb.office.client(name) for name in ("rita", "charlie", "nils"))
    shown = text(rita, "/targets")
    assert "front" in shown
    assert 'data-operation="target-add"' not in shown
    assert 'data-operation="deploy"' not in text(rita, f"/certificates/{certificate_id}")
    assert 'data-operation="deploy"' in text(elb.office.client(), f"/certificates/{certificate_id}")
    for path in (f"/certificates/{certificate_id}/deploy", f"/certificates/{certificate_id}/push"):
        text(rita, path, status=403)
        text(charlie, path, status=404)
    for path in (f"/targets/{elb.target}", f"/deployments/{deployment}", f"/targets/{elb.target}/remove"):
        text(charlie, path, status=404)
    for path in ("/targets", "/deployments"):
        text(nils, path, status=403)


# rule: DEL-4
def test_deleting_what_is_served_needs_a_tick(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.deploy(certificate_id, SHOP)
    alice, path = elb.office.client(), f"/certificates/{certificate_id}/delete"
    shown = text(alice, path)
    assert f"front: {SHOP}" in shown
    refused = text(alice, path, {"confirm_name": SHOP}, 422)
    assert "still served" in refused
    assert elb.office.desk.state(certificate_id) == "ISSUED"
    text(alice, path, {"confirm_name": SHOP, "force": "on"})
    assert elb.office.desk.state(certificate_id) == "DELETED"


# rule: REV-10
def test_where_it_is_served_stands_in_the_list_and_beside_a_revocation(elb: Balancer) -> None:
    one, other = elb.office.desk.issued(SHOP), elb.office.desk.issued(WWW)
    elb.deploy(one, SHOP)
    alice = elb.office.client()
    assert "1 place" in re.sub(r"<[^>]+>", "", text(alice, "/certificates"))
    assert "1 place" not in re.sub(
        r"<[^>]+>", "", text(elb.office.client("nils"), "/certificates", status=403)
    )
    elb.elb.small.faults.add(Fault.DEAF)
    elb.deploy(other, WWW)
    assert re.search(r">\s*failed\s*<", text(alice, "/certificates"))
    assert f"front: {SHOP}" in text(alice, f"/certificates/{one}/revoke")
    elb.alice("certificates.revoke", one, {})
    elb.office.desk.run()
    shown = re.sub(r"<[^>]+>", " ", text(alice, f"/certificates/{one}"))
    assert "Still served at" in shown
    assert f"front: {SHOP}" in shown


def test_the_pages_speak_chinese(elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    elb.elb.small.faults.add(Fault.DEAF)
    elb.deploy(certificate_id, SHOP)
    deployment = Deployment.objects.get().id
    alice = elb.office.client(language="zh-hans")
    for path in (f"/certificates/{certificate_id}/deploy", f"/deployments/{deployment}"):
        shown = text(alice, path)
        assert "之前的证书已恢复并正在使用。" in shown
        assert "仍是之前的证书。" in shown
    assert "推送证书" in text(alice, f"/certificates/{certificate_id}/push")
