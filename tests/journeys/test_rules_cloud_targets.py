"""Deploying and pushing to services that give no private keys out: the way back is the account's own."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from certdesk.connectors.targets.command.target import Command
from certdesk.connectors.targets.told import INSTALL, Message, Told
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.lifecycle.certificates.models import Version
from certdesk.lifecycle.deployment import dialing, waiting, work
from certdesk.lifecycle.deployment.models import PushRecord, Target
from certdesk.pki.keystore import queries as keystore
from tests.support import clouds, tls
from tests.support.clouds import LOOPBACK, huawei, pem
from tests.support.front import Front, serving
from tests.support.huawei_cloud import PROJECT, CdnStub, ElbStub
from tests.support.office import Office
from tests.support.rulebook import Caller
from tests.support.stub_http import running

pytestmark = [pytest.mark.django_db(transaction=True)]
NAME, REGION = "www.example.com", "cn-north-4"


@dataclass
class Cloud:
    """An account with the stand-in's CDN and ELB connected, and what clients meet."""

    office: Office
    cdn: CdnStub
    elb: ElbStub
    front: Front
    alice: Caller

    def connect(self, service: str, kind: str, **more: Any) -> str:
        stub = self.cdn if kind == "huawei-cdn" else self.elb
        options = huawei(stub, listeners=[f"127.0.0.1:{self.front.port}"], **more)
        return self.add(service, kind, options)

    def add(self, service: str, kind: str, options: dict[str, Any]) -> str:
        body = {"service": service, "kind": kind, "region": REGION, "options": options}
        made: str = self.alice("targets.create", body=body)["id"]
        self.alice("targets.discover", id=made)
        return made

    def binding(self, target: str) -> dict[str, Any]:
        (found,) = self.alice("bindings.list", query={"target": target, "limit": 10})["items"]
        return dict(found)

    def deploy(self, target: str, certificate_id: str) -> dict[str, Any]:
        """The binding, after a deployment to it."""
        service = Target.objects.get(id=target).service
        bound = self.binding(target)
        key = {"domain_name": NAME} if service == "CDN" else {"id": bound["id"]}
        body = {"service_name": service, "project_name": REGION, "resources": [key]}
        self.alice("certificates.deploy", certificate_id, body)
        return self.binding(target)


@pytest.fixture
def cloud(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    first, before = tls.make(NAME), settings.get()
    monkeypatch.setattr(waiting, "pause", office.desk.run)
    monkeypatch.setattr(work, "PATIENCE", 0.0)
    monkeypatch.setattr(dialing, "patience", lambda _: 0.0)
    with ExitStack() as stack:
        front = stack.enter_context(serving(tmp_path, pem(first), first.bundle.key))
        cdn = stack.enter_context(running(CdnStub(served=front.use)))
        elb = stack.enter_context(running(ElbStub(served=front.use)))
        cdn.add(NAME, pem(first), first.bundle.key)
        one = elb.add(pem(first), first.bundle.key, NAME)
        row = {"id": "l1", "protocol": "HTTPS", "protocol_port": 443, "loadbalancers": []}
        elb.listeners = [{**row, "default_tls_container_ref": one, "sni_container_refs": []}]
        opened = {"allow_networks": LOOPBACK, "target_programs": (Path("/usr/bin/true"),)}
        settings.install(before.model_copy(update=opened))
        stack.callback(settings.install, before)
        yield Cloud(office, cdn, elb, front, Caller(office.desk.alice))


def sha1(certificate_id: str) -> str:
    return Version.objects.get(certificate_id=certificate_id, superseded_at=None).fingerprint_sha1


# rule: DEP-6
def test_what_cannot_be_put_back_is_left_alone_until_that_is_allowed(cloud: Cloud) -> None:
    first, second = (cloud.office.desk.issued(NAME) for _ in range(2))
    target = cloud.connect("CDN", "huawei-cdn")
    bound = cloud.deploy(target, first)
    assert (bound["deployment"], cloud.cdn.changes) == ("FAILED", [])
    assert "could not be put back" in bound["reason"]
    cloud.alice(
        "targets.update", id=target, body={"options": {**shown(cloud, target), "without_way_back": True}}
    )
    assert cloud.deploy(target, first)["deployment"] == "DEPLOYED"
    cloud.alice(
        "targets.update", id=target, body={"options": {**shown(cloud, target), "without_way_back": False}}
    )
    bound = cloud.deploy(target, second)
    assert (bound["deployment"], bound["served"]["fingerprint"]) == ("DEPLOYED", sha1(second))


def shown(cloud: Cloud, target: str) -> dict[str, Any]:
    return dict(cloud.alice("targets.show", id=target)["options"])


# rule: DEP-6
def test_the_previous_one_comes_back_from_the_account(cloud: Cloud) -> None:
    """CDN gives no key out; ELB here neither: both get the account's own certificate again."""
    first, second = (cloud.office.desk.issued(NAME) for _ in range(2))
    cloud.elb.echo = False
    for service, kind, more in (("CDN", "huawei-cdn", {}), ("ELB", "huawei-elb", {"project_id": PROJECT})):
        target = cloud.connect(service, kind, without_way_back=True, **more)
        assert cloud.deploy(target, first)["deployment"] == "DEPLOYED"
        cloud.front.deaf = True
        bound = cloud.deploy(target, second)
        cloud.front.deaf = False
        assert (bound["deployment"], bound["served"]["fingerprint"]) == ("FAILED", sha1(first))
        assert "The previous certificate was put back and is served." in bound["reason"]


# rule: DEP-6
def test_a_receiver_that_is_only_told_goes_back_to_the_accounts_own(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the stand-in's server shows is changed by the message alone; the first one is foreign."""

    async def deliver(_: Told, event: str, message: Message) -> None:
        if event == INSTALL:
            cloud.front.use(f"{message['certificate']}{message['chain']}", message["key"])

    monkeypatch.setattr(Command, "deliver", deliver)
    first, second = (cloud.office.desk.issued(NAME) for _ in range(2))
    options = {"command": ["/usr/bin/true"], "listeners": [f"127.0.0.1:{cloud.front.port}"]}
    target = cloud.add("OTHER", "command", {**options, "without_way_back": True})
    assert cloud.deploy(target, first)["deployment"] == "DEPLOYED"
    cloud.alice("targets.update", id=target, body={"options": {**options, "without_way_back": False}})
    cloud.front.deaf = True
    bound = cloud.deploy(target, second)
    assert "The previous certificate was put back and is served." in bound["reason"]
    cloud.front.deaf = False
    assert cloud.deploy(target, second)["deployment"] == "DEPLOYED"


# rule: DEP-6
def test_a_key_that_is_gone_is_no_way_back(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (cloud.office.desk.issued(NAME) for _ in range(2))
    target = cloud.connect("CDN", "huawei-cdn", without_way_back=True)
    cloud.deploy(target, first)
    cloud.alice(
        "targets.update", id=target, body={"options": {**shown(cloud, target), "without_way_back": False}}
    )
    gone, real = Version.objects.get(certificate_id=first).key_id, keystore.secret_of
    monkeypatch.setattr(
        keystore, "secret_of", lambda key, account: None if key == gone else real(key, account)
    )
    bound = cloud.deploy(target, second)
    assert (bound["deployment"], bound["served"]["fingerprint"]) == ("FAILED", sha1(first))


# rule: PSH-3
def test_an_identical_certificate_there_is_not_pushed_again(cloud: Cloud) -> None:
    certificate_id = cloud.office.desk.issued(NAME)
    cloud.connect("ELB", "huawei-elb", project_id=PROJECT)
    body = {"target_service": "ELB", "target_project": REGION}
    cloud.alice("certificates.push", certificate_id, body)
    assert len(cloud.elb.certificates) == 2
    PushRecord.objects.all().delete()  # as if somebody had uploaded it there
    with pytest.raises(CertdeskError, match="The same certificate is there already"):
        cloud.alice("certificates.push", certificate_id, body)
    assert len(cloud.elb.certificates) == 2


def test_a_stored_secret_goes_to_no_other_server(cloud: Cloud) -> None:
    target = cloud.connect("CDN", "huawei-cdn")
    options = shown(cloud, target)
    assert options["secret_key"] == "***"
    cloud.alice("targets.update", id=target, body={"options": {**options, "listeners": []}})
    assert cloud.alice("targets.test", id=target)["ok"]
    elsewhere = {**options, "service_url": "https://203.0.113.9"}
    with pytest.raises(CertdeskError, match="must be given again"):
        cloud.alice("targets.update", id=target, body={"options": elsewhere})
    moved = {**options, **huawei(cloud.elb)}
    cloud.alice("targets.update", id=target, body={"options": moved})


def test_patience_is_the_kinds() -> None:
    assert (dialing.patience("huawei-cdn"), dialing.patience("haproxy"), dialing.patience("gone")) == (
        600,
        0,
        0,
    )


def test_forms_of_every_cloud_kind_draw_themselves(cloud: Cloud) -> None:
    client = cloud.office.client()
    kinds = client.get("/targets/add").content.decode()
    for kind in clouds.CASES:
        assert f"/targets/add?kind={kind}" in kinds
        assert client.get(f"/targets/add?kind={kind}").status_code == 200
    cdn = client.get("/targets/add?kind=huawei-cdn").content.decode()
    assert '<option value="CDN" selected>' in cdn
    form = {
        "label": "edge", "service": "CDN", "region": REGION, "o_region": REGION, "o_access_key": "AK",
        "o_secret_key": "s3cret", "o_service_url": cloud.cdn.url, "o_listeners": "",
    }  # fmt: skip
    made = client.post("/targets/add?kind=huawei-cdn", form, follow=True).content.decode()
    assert "could not be looked through" in made  # the key is wrong
    target = Target.objects.get()
    form = {**form, **{f"o_{name}": value for name, value in huawei(cloud.cdn).items()}}
    changed = client.post(f"/targets/{target.id}/edit", form, follow=True).content.decode()
    assert "looked through: 1" in changed
    kept = client.post(
        f"/targets/{target.id}/edit", {**form, "o_secret_key": ""}, follow=True
    ).content.decode()
    assert "looked through: 1" in kept
    assert "s3cret" not in made + changed + kept
    assert "the0" not in kept
