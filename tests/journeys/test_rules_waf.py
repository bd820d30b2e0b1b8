"""From buying to being served by a web application firewall that goes on turning attacks away."""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from certdesk.foundation.common import settings
from certdesk.lab import waf
from certdesk.lab.nginx import LabNginx, firewall_missing
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment import waiting, work
from certdesk.pki.x509.certificates import facts
from tests.support.needs import need
from tests.support.office import Office
from tests.support.rulebook import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
WWW, SHOP, PLAIN = "www.example.com", "shop.example.com", "plain.example.com"
REGION = "cn-north-4"


@dataclass
class Firewall:
    """The lab's, connected as a target of the service WAF; `bindings` by their first name."""

    office: Office
    lab: LabNginx
    alice: Caller

    def bindings(self) -> dict[str, dict[str, Any]]:
        items = self.alice("bindings.list", query={"limit": 50})["items"]
        return {one["names"][0]: one for one in items if one["names"]}

    def deploy(self, certificate_id: str, *ids: str, **more: object) -> Any:
        resources = [{"id": one, "type": "cloud", **more} for one in ids]
        body = {"service_name": "WAF", "project_name": REGION, "resources": resources}
        return self.alice("certificates.deploy", certificate_id, body)

    def served(self) -> str:
        """SHA-1 of what a client outside is served; anything else there would be a failed handshake."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.lab.port), timeout=10)
        return facts(ssl.PEM_cert_to_DER_cert(pem)).sha1

    def guards(self) -> bool:
        return waf.answer(self.lab.port, waf.HARMLESS, WWW) == 200 and self.attack_is_blocked()

    def attack_is_blocked(self) -> bool:
        return waf.answer(self.lab.port, waf.ATTACK, WWW) == 403


@pytest.fixture
def firewall(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Firewall]:
    need(firewall_missing() == "", "nginx with ModSecurity and the core rules is not installed")
    before = settings.get()
    monkeypatch.setattr(waiting, "pause", office.desk.run)
    monkeypatch.setattr(work, "PAUSE", 0.02)
    with LabNginx(tmp_path / "waf", ((WWW,), (SHOP,)), plain=(PLAIN,), firewall=True) as lab:
        reachable = {"target_folders": (lab.folder,), "allow_networks": (ip_network("127.0.0.0/8"),)}
        settings.install(before.model_copy(update=reachable))
        try:
            alice = Caller(office.desk.alice)
            body = {"service": "WAF", "kind": "nginx", "region": REGION, "options": lab.options}
            alice("targets.discover", id=alice("targets.create", body=body)["id"])
            yield Firewall(office, lab, alice)
        finally:
            settings.install(before)


def sha1(certificate_id: str) -> str:
    return Version.objects.get(certificate_id=certificate_id, superseded_at=None).fingerprint_sha1


# rule: DEP-3
# rule: DEP-5
# rule: DEP-6
# rule: DEP-8
def test_by_the_api_to_the_firewall(firewall: Firewall) -> None:
    assert firewall.guards()
    certificate_id = firewall.office.desk.issued(WWW)
    bound = firewall.bindings()
    elsewhere = firewall.deploy(certificate_id, bound[WWW]["id"], enterprise_project_id="5" * 32)
    (failure,) = elsewhere["failure_list"]
    assert "default enterprise project only" in str(failure)
    assert "Download the certificate, upload it to WAF" in str(failure)
    (failure,) = firewall.deploy(certificate_id, bound[PLAIN]["id"])["failure_list"]
    assert "without HTTPS" in str(failure)
    (failure,) = firewall.deploy(certificate_id, "0" * 32)["failure_list"]
    assert "WAF has no such domain" in str(failure)
    assert firewall.served() != sha1(certificate_id)
    answer = firewall.deploy(certificate_id, bound[WWW]["id"], enterprise_project_id="0")
    assert answer["failure_list"] == []
    assert firewall.bindings()[WWW]["deployment"] == "DEPLOYED"
    assert firewall.served() == sha1(certificate_id)
    assert firewall.guards()
    places = {"certificate_ids": [certificate_id], "service_names": ["WAF"]}
    (found,) = firewall.alice("certificates.deployed_resources", body=places)["results"]
    assert found["total_num"] == 1
    firewall.alice("deployments.roll_back", id=answer["deployment_id"])
    firewall.office.desk.run()
    assert firewall.alice("deployments.show", id=answer["deployment_id"])["state"] == "ROLLED_BACK"
    assert firewall.served() != sha1(certificate_id)
    assert firewall.guards()


# rule: DEP-2
# rule: DEP-9
# rule: PSH-2
# rule: PSH-3
def test_by_the_console_to_the_firewall(firewall: Firewall) -> None:
    certificate_id = firewall.office.desk.issued(WWW)
    client, path = firewall.office.client(), f"/certificates/{certificate_id}/deploy"

    def text(data: object = None) -> str:
        answer = client.get(path) if data is None else client.post(path, data, follow=True)
        assert answer.status_code == 200
        return re.sub(r"\s+", " ", answer.content.decode())

    shown = text()
    assert "Web application firewalls (WAF)" in shown
    assert "Batch Update" not in shown
    assert "WAF has this domain without HTTPS" in shown
    form = {"service": "WAF", "region": REGION, "binding": [firewall.bindings()[WWW]["id"]]}
    assert "Confirm the deployment" in text(form)
    assert 'data-status="DEPLOYING"' in text({**form, "confirmed": "1"})
    firewall.office.desk.run()
    assert 'data-status="DEPLOYED"' in text()
    assert firewall.served() == sha1(certificate_id)
    assert firewall.guards()
    body = {"target_service": "WAF", "target_project": REGION}
    again = firewall.alice.refused("certificates.push", certificate_id, body)
    assert "is there already" in again.message
    assert firewall.alice("certificates.push", firewall.office.desk.issued(SHOP), body) is None
    assert list((firewall.lab.folder / "pushed").glob("*.key"))
