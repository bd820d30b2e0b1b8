"""The official SDK, unchanged, deploys and pushes to a load balancer (API §1 #6 to #9)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkscm.v3 import (
    BatchPushCertificateRequest,
    BatchPushCertificateRequestBody,
    DeployCertificateRequest,
    DeployCertificateRequestBody,
    DeployedResource,
    ListDeployedResourcesRequest,
    ListDeployedResourcesRequestBody,
    PushCertificateRequest,
    PushCertificateRequestBody,
    ScmClient,
)
from pytest_django.live_server_helper import LiveServer

from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.lab.elb_small import Fault
from tests.support.balancer import REGION, Balancer, open_balancer
from tests.support.office import Office
from tests.support.signed import Person, account, person
from tests.support.uploads import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
WWW, SHOP = "www.example.com", "shop.example.com"


@pytest.fixture
def elb(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Balancer]:
    with open_balancer(office, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def office(db: None) -> Iterator[Office]:
    from tests.support.office import open_office

    with open_office() as made:
        yield made


def client(live_server: LiveServer, someone: Person) -> ScmClient:
    credentials = GlobalCredentials(someone.access_key, someone.secret_key)
    return ScmClient.new_builder().with_credentials(credentials).with_endpoint(live_server.url).build()


@pytest.fixture
def scm(live_server: LiveServer, elb: Balancer) -> ScmClient:
    alice = elb.office.people["alice"]
    return client(live_server, Person(alice, *iam.create_access_key(alice)))


def deploy(scm: ScmClient, certificate_id: str, *ids: str, **more: object) -> list[tuple[str, str]]:
    resources = [DeployedResource(id=one) for one in ids]
    body = DeployCertificateRequestBody(
        **{"service_name": "ELB", "project_name": REGION, "resources": resources, **more}
    )
    answer = scm.deploy_certificate(DeployCertificateRequest(certificate_id=certificate_id, body=body))
    return [(one.resource, one.failure_info) for one in answer.failure_list]


def places(scm: ScmClient, certificate_id: str) -> list[object]:
    """Services in which it is deployed."""
    body = ListDeployedResourcesRequestBody(certificate_ids=[certificate_id], service_names=["ALL"])
    (result,) = scm.list_deployed_resources(ListDeployedResourcesRequest(body=body)).results
    return list(result.deployed_resources)


def refused(call: object) -> tuple[int, str]:
    with pytest.raises(ClientRequestException) as caught:
        call()  # type: ignore[operator]
    return caught.value.status_code, caught.value.error_code


# rule: DEP-5
# rule: DEP-6
def test_deploy_and_what_is_deployed(scm: ScmClient, elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    bound = elb.binding(SHOP)["id"]
    assert deploy(scm, certificate_id, bound) == []
    body = ListDeployedResourcesRequestBody(certificate_ids=[certificate_id], service_names=["ELB", "WAF"])
    (result,) = scm.list_deployed_resources(ListDeployedResourcesRequest(body=body)).results
    assert (result.certificate_id, result.total_num) == (certificate_id, 1)
    (service,) = result.deployed_resources
    assert (service.service, service.resource_num, service.resource_location) == ("ELB", 1, "region-level")
    (region,) = service.region_resources
    assert (region.region_id, region.is_error) == (REGION, False)
    assert [(one.resource_id, one.resource_name) for one in region.resources] == [(bound, SHOP)]
    none = ListDeployedResourcesRequestBody(certificate_ids=[certificate_id], service_names=["WAF", "CDN"])
    (result,) = scm.list_deployed_resources(ListDeployedResourcesRequest(body=none)).results
    assert (result.total_num, result.deployed_resources) == (0, [])


# rule: DEP-1
# rule: DEP-5
# rule: DEP-8
def test_deployments_that_fail(scm: ScmClient, elb: Balancer, live_server: LiveServer) -> None:
    certificate_id = elb.office.desk.issued(SHOP)
    bound = elb.binding(SHOP)["id"]
    unknown = "0" * 32
    assert deploy(scm, certificate_id, unknown, bound) == [(unknown, "There is no such resource there.")]
    waf = DeployedResource(id="w", type="cloud", enterprise_project_id="7")
    ((resource, why),) = deploy(scm, certificate_id, service_name="WAF", resources=[waf])
    assert (resource, "upload it to WAF" in why) == ("w", True)
    cdn = DeployedResource(domain_name=SHOP)
    assert deploy(scm, certificate_id, service_name="CDN", project_name=None, resources=[cdn]) == [
        (SHOP, "No target of the service CDN is connected.")
    ]
    elb.elb.small.faults.add(Fault.DEAF)
    again = elb.office.desk.issued(SHOP)
    ((resource, why),) = deploy(scm, again, bound)
    assert (resource, "was put back and is served" in why) == (bound, True)
    assert [len(places(scm, one)) for one in (certificate_id, again)] == [1, 0]  # as it was
    bought = elb.alice.buy()
    assert refused(lambda: deploy(scm, bought, bound)) == (400, "SCM.0010")
    assert refused(lambda: deploy(scm, certificate_id)) == (400, "SCM.0005")
    charlie = client(live_server, person(account(), "charlie", "admins"))
    assert refused(lambda: deploy(charlie, certificate_id, bound)) == (404, "SCM.0020")


def push(scm: ScmClient, certificate_id: str, service: str = "ELB", project: str = REGION) -> object:
    body = PushCertificateRequestBody(target_project=project, target_service=service)
    return scm.push_certificate(PushCertificateRequest(certificate_id=certificate_id, body=body))


# rule: PSH-1
# rule: PSH-3
def test_push_once(scm: ScmClient, elb: Balancer, live_server: LiveServer) -> None:
    world = World(clock.now())
    hosted = elb.alice("certificates.import", body=world.body())["certificate_id"]
    assert push(scm, hosted) is not None
    assert refused(lambda: push(scm, hosted)) == (400, "SCM.0028")
    assert refused(lambda: push(scm, hosted, project="mars")) == (400, "SCM.0028")
    assert refused(lambda: push(scm, hosted, "CDN", "")) == (400, "SCM.0030")
    bought = elb.alice.buy()
    assert refused(lambda: push(scm, bought)) == (400, "SCM.0010")
    charlie = client(live_server, person(account(), "charlie", "admins"))
    assert refused(lambda: push(charlie, hosted)) == (404, "SCM.0020")


# rule: PSH-2
def test_batch_push(scm: ScmClient, elb: Balancer) -> None:
    certificate_id = elb.office.desk.issued(WWW)
    body = BatchPushCertificateRequestBody(target_projects=[REGION, "mars"], target_service="ELB")
    request = BatchPushCertificateRequest(certificate_id=certificate_id, body=body)
    first, second = scm.batch_push_certificate(request).results
    assert (first.project_name, first.message, len(first.cert_id)) == (REGION, "success", 32)
    assert (second.project_name, second.cert_id, second.message) == ("mars", "", "Invalid region id.")
    (first, _) = scm.batch_push_certificate(request).results
    assert (first.cert_id, "already" in first.message) == ("", True)
    for projects, service in (([], "ELB"), (["x"] * 11, "ELB"), ([""], "ELB")):
        wrong = BatchPushCertificateRequestBody(target_projects=projects, target_service=service)
        asked = BatchPushCertificateRequest(certificate_id=certificate_id, body=wrong)
        assert refused(lambda asked=asked: scm.batch_push_certificate(asked)) == (400, "SCM.0005")
