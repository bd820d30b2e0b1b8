"""Every method of the official SDK, unchanged, on a real server: its success, and how refusals arrive.

One table: what each is called with, what must come, and what it refuses beside the refusals that all share
(a wrong key, no right, and who it is that asks).
"""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import huaweicloudsdkscm.v3 as sdk
import pytest
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServiceResponseException
from huaweicloudsdkscm.v3 import ScmClient
from pytest_django.live_server_helper import LiveServer

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal, Via, system_principal
from certdesk.foundation.iam.queries import principal_of
from certdesk.foundation.jobs import testing as jobs
from certdesk.interfaces.api.router import Router
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.lab.elb import LabElb
from certdesk.lifecycle.orders import actions as orders
from tests.support.authority import start_ca
from tests.support.balancer import REGION, connection, open_elb
from tests.support.requests_of import request_for
from tests.support.rulebook import Caller
from tests.support.signed import Person, account, person
from tests.support.uploads import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]
MISSING, NO_CSR = "scs0000000000000", "0" * 32
PAID = "<paid>"
"""Stands for the certificate of the place that is not issued yet."""
BUY = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "effective_time": 1,
    "domain_numbers": 1,
    "order_number": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}
APPLY = {
    "domain": "www.sdk-example.com",
    "applicant_name": "Alice Example",
    "applicant_phone": "13800138000",
    "applicant_email": "alice@example.com",
    "agree_privacy_protection": True,
}
CSR = {"name": "front", "domain_name": "www.sdk-example.com", "private_key_algo": "EC_P256"}
TAG = [{"key": "env", "value": "prod"}]
Arguments = dict[str, Any]
Wrong = tuple[Arguments, int, str]
"""What replaces the right arguments, and the status and code that come."""


@dataclass
class Place:
    """What stands in the account before each call."""

    scm: ScmClient
    paid: str
    hosted: str
    csr: str
    world: World
    elb: LabElb
    owner: Principal

    def binding(self) -> str:
        """The load balancer, connected; answers the id of what it serves for the name of `hosted`."""
        caller = Caller(self.owner)
        target = caller("targets.create", body=connection(self.elb))["id"]
        found = caller("targets.discover", id=target)["bindings"]
        return str(next(one["id"] for one in found if "www.example.com" in one["names"]))


@dataclass(frozen=True)
class Row:
    """One method. `right` are its arguments; `came` looks at the answer; `wrong` are its own refusals."""

    right: Callable[[Place], Arguments]
    came: Callable[[Place, Any], bool]
    wrong: tuple[Wrong, ...] = ()


def done(place: Place, answer: Any) -> bool:
    return answer.desc == "success"


def nothing(place: Place, answer: Any) -> bool:
    """204: the SDK makes an empty answer of it."""
    return not [value for value in (answer.to_json_object() or {}).values() if value is not None]


def applied(place: Place) -> Arguments:
    call(place.scm, "apply_certificate", {"certificate_id": place.paid, "body": APPLY})
    return {"certificate_id": place.paid}


def noted(place: Place) -> Arguments:
    return {"body": [{"resource_id": place.paid, "notice_type": ["CERT_EXPIRING", "CERT_EXPIRED"]}]}


def reachable(place: Place) -> str:
    """Hosted, and somewhere to push it to."""
    place.binding()
    return place.hosted


def pushed(project: str, service: str = "ELB") -> Arguments:
    return {"target_project": project, "target_service": service}


def all_pushed(*projects: str, service: str = "ELB") -> Arguments:
    return {"target_projects": list(projects), "target_service": service}


def deployment(*resources: Arguments) -> Arguments:
    return {"service_name": "ELB", "project_name": REGION, "resources": list(resources)}


def asked(*ids: str, service: str = "ALL") -> Arguments:
    return {"certificate_ids": list(ids), "service_names": [service]}


def deployed(place: Place) -> Arguments:
    """Hosted is served by the load balancer first."""
    body = deployment({"id": place.binding()})
    answer = call(place.scm, "deploy_certificate", {"certificate_id": place.hosted, "body": body})
    assert answer.failure_list == []
    return {"body": asked(place.hosted)}


NOTICES: tuple[Wrong, ...] = (
    ({"body": [{"resource_id": MISSING, "notice_type": ["CERT_EXPIRED"]}]}, 404, "SCM.0020"),
    ({"body": []}, 400, "SCM.0005"),
    ({"body": [{"resource_id": MISSING, "notice_type": ["OTHER"]}]}, 400, "SCM.0005"),
)
NO_CERTIFICATE: Wrong = ({"certificate_id": MISSING}, 404, "SCM.0020")
NO_RESOURCE: Wrong = ({"resource_id": MISSING}, 404, "SCM.0020")
NO_SUCH_CSR: Wrong = ({"id": NO_CSR}, 400, "SCM.0707")

TABLE: dict[str, Row] = {
    "list_certificates": Row(
        lambda place: {"limit": 50, "offset": 1, "sort_key": "certExpiredTime", "owned_by_self": True},
        lambda place, answer: answer.total_count == 2 and len(answer.certificates) == 1,
        (({"limit": 11}, 400, "SCM.0005"), ({"status": "NONE"}, 400, "SCM.0005")),
    ),
    "show_certificate": Row(
        lambda place: {"certificate_id": place.paid},
        lambda place, answer: (answer.id, answer.status) == (place.paid, "PAID"),
        (NO_CERTIFICATE,),
    ),
    "import_certificate": Row(
        lambda place: {"body": place.world.body()},
        lambda place, answer: re.fullmatch("scs[0-9]{13}", answer.certificate_id) is not None,
        (
            ({"body": {"name": "ab", "private_key": "x"}}, 400, "SCM.0005"),
            ({"body": {"name": "abc", "certificate": "x", "private_key": "x"}}, 400, "SCM.0053"),
        ),
    ),
    "export_certificate": Row(
        lambda place: {"certificate_id": place.hosted},
        lambda place, answer: "PRIVATE KEY" in answer.private_key and bool(answer.certificate_chain),
        (NO_CERTIFICATE,),
    ),
    "delete_certificate": Row(lambda place: {"certificate_id": place.hosted}, nothing, (NO_CERTIFICATE,)),
    "subscribe_certificate": Row(
        lambda place: {"body": BUY},
        lambda place, answer: bool(answer.order_id) and len(answer.cert) == 1,
        (
            ({"body": {**BUY, "cert_brand": "NONE"}}, 400, "SCM.0005"),
            ({"body": {**BUY, "agree_privacy_protection": False}}, 400, "SCM.0005"),
        ),
    ),
    "unsubscribe_certificate": Row(
        lambda place: {"cert_id": place.paid},
        lambda place, answer: answer.unsubscribe_results == "SUCCESS",
        (({"cert_id": MISSING}, 404, "SCM.0020"),),
    ),
    "apply_certificate": Row(
        lambda place: {"certificate_id": place.paid, "body": APPLY},
        lambda place, answer: answer.request_info == "success",
        (
            NO_CERTIFICATE,
            ({"body": {**APPLY, "domain": "*.sdk-example.com"}}, 400, "SCM.0015"),
            ({"body": {**APPLY, "applicant_email": "x"}}, 400, "SCM.0005"),
        ),
    ),
    "cancel_certificate_request": Row(
        applied,
        lambda place, answer: (answer.cert_id, answer.message) == (place.paid, "success"),
        (NO_CERTIFICATE,),
    ),
    "enable_notification": Row(noted, nothing, NOTICES),
    "disable_notification": Row(noted, nothing, NOTICES),
    "create_certificate_tag": Row(
        lambda place: {"resource_id": place.paid, "body": {"tag": TAG[0]}},
        done,
        (NO_RESOURCE, ({"body": {"tag": {"key": "", "value": ""}}}, 400, "SCM.0311")),
    ),
    "batch_create_or_delete_tags": Row(
        lambda place: {"resource_id": place.paid, "body": {"action": "create", "tags": TAG}},
        done,
        (NO_RESOURCE, ({"body": {"action": "other", "tags": TAG}}, 400, "SCM.0005")),
    ),
    "list_tags_by_certificate": Row(
        lambda place: {"resource_id": place.paid}, lambda place, answer: answer.tags == [], (NO_RESOURCE,)
    ),
    "list_all_tags": Row(lambda place: {}, lambda place, answer: answer.tags == []),
    "list_certificates_by_tag": Row(
        lambda place: {"resource_instances": "resource_instances", "body": {"action": "count"}},
        lambda place, answer: answer.total_count == 2,
        (
            ({"body": {"action": "other"}}, 400, "SCM.0005"),
            ({"body": {"action": "filter", "limit": 11}}, 400, "SCM.0005"),
        ),
    ),
    "create_csr": Row(
        lambda place: {"body": CSR},
        lambda place, answer: re.fullmatch("[0-9a-f]{32}", answer.id) is not None,
        (
            ({"body": {**CSR, "private_key_algo": "SM2"}}, 400, "SCM.0005"),
            ({"body": {**CSR, "domain_name": "no name"}}, 400, "SCM.0015"),
        ),
    ),
    "upload_csr": Row(
        lambda place: {"body": {"name": "mine", "csr": request_for("www.sdk-example.com").pem}},
        lambda place, answer: answer.name == "mine" and answer.create_time > 1_600_000_000_000,
        (
            ({"body": {"name": "mine", "csr": "x"}}, 400, "SCM.9002"),
            ({"body": {"name": "", "csr": "x"}}, 400, "SCM.0005"),
        ),
    ),
    "list_csr": Row(
        lambda place: {"limit": 10, "offset": 0, "name": "fro", "private_key_algo": "EC_P256"},
        lambda place, answer: answer.total == 1 and answer.csr_list[0].id == place.csr,
        (({"limit": 9}, 400, "SCM.0005"), ({"private_key_algo": "X"}, 400, "SCM.0005")),
    ),
    "show_csr": Row(
        lambda place: {"id": place.csr},
        lambda place, answer: answer.csr.startswith("-----BEGIN CERTIFICATE REQUEST-----"),
        (NO_SUCH_CSR,),
    ),
    "update_csr": Row(
        lambda place: {"id": place.csr, "body": {"name": "back"}},
        lambda place, answer: answer.name == "back",
        (NO_SUCH_CSR, ({"body": {"name": ""}}, 400, "SCM.0005")),
    ),
    "delete_csr": Row(lambda place: {"id": place.csr}, nothing, (NO_SUCH_CSR,)),
    "show_csr_private_key": Row(
        lambda place: {"id": place.csr},
        lambda place, answer: "PRIVATE KEY" in answer.private_key,
        (NO_SUCH_CSR,),
    ),
    "push_certificate": Row(
        lambda place: {"certificate_id": reachable(place), "body": pushed(REGION)},
        nothing,
        (
            NO_CERTIFICATE,
            ({"body": pushed("mars")}, 400, "SCM.0028"),
            ({"body": pushed("", "CDN")}, 400, "SCM.0030"),
            ({"body": pushed(REGION, "VOD")}, 400, "SCM.0030"),
            ({"body": pushed("")}, 400, "SCM.0005"),
            ({"certificate_id": PAID}, 400, "SCM.0010"),
        ),
    ),
    "batch_push_certificate": Row(
        lambda place: {"certificate_id": reachable(place), "body": all_pushed(REGION, "mars")},
        lambda place, answer: (
            [(one.project_name, len(one.cert_id), one.message) for one in answer.results]
            == [(REGION, 32, "success"), ("mars", 0, "Invalid region id.")]
        ),
        (
            NO_CERTIFICATE,
            ({"body": all_pushed()}, 400, "SCM.0005"),
            ({"body": all_pushed(*map(str, range(11)))}, 400, "SCM.0005"),
            ({"body": all_pushed(REGION, service="VOD")}, 400, "SCM.0030"),
            ({"certificate_id": PAID}, 400, "SCM.0010"),
        ),
    ),
    "deploy_certificate": Row(
        lambda place: {"certificate_id": place.hosted, "body": deployment({"id": place.binding()})},
        lambda place, answer: answer.failure_list == [],
        (
            NO_CERTIFICATE,
            ({"body": deployment()}, 400, "SCM.0005"),
            ({"body": deployment(*[{"id": "x"}] * 501)}, 400, "SCM.0005"),
            ({"body": {**deployment({"id": "x"}), "service_name": "VOD"}}, 400, "SCM.0005"),
            ({"certificate_id": PAID}, 400, "SCM.0010"),
        ),
    ),
    "list_deployed_resources": Row(
        deployed,
        lambda place, answer: (
            [(one.certificate_id, one.total_num) for one in answer.results] == [(place.hosted, 1)]
        ),
        (
            ({"body": asked(MISSING)}, 404, "SCM.0020"),
            ({"body": asked()}, 400, "SCM.0005"),
            ({"body": asked(*[MISSING] * 51)}, 400, "SCM.0005"),
            ({"body": asked(MISSING, service="VOD")}, 400, "SCM.0005"),
        ),
    ),
}


def call(scm: ScmClient, method: str, arguments: Arguments) -> Any:
    """The method with its request and body as the SDK's own classes."""
    (name,) = re.findall(
        r":class:`huaweicloudsdkscm\.v3\.(\w+)`\s+:rtype", inspect.getdoc(getattr(scm, method)) or ""
    )
    request = getattr(sdk, name)
    given = dict(arguments)
    kind = request.openapi_types.get("body")
    if kind and isinstance(given.get("body"), dict):
        given["body"] = getattr(sdk, kind)(**given["body"])
    return getattr(scm, method)(request(**given))


def client(url: str, someone: Person, secret: str = "", language: str = "") -> ScmClient:
    credentials = GlobalCredentials(someone.access_key, secret or someone.secret_key)
    scm = ScmClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
    if language:
        scm.preset_headers = {"X-Language": language}
    return scm


@pytest.fixture
def alice() -> Person:
    start_ca(clock.now())
    owner = account()
    orders.credit(owner.id, "CNY", 100_000_00, "top-up", clock.now(), system_principal(owner.id))
    return person(owner, "alice", "users")


@pytest.fixture
def elb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabElb]:
    with open_elb(tmp_path, monkeypatch, lambda: jobs.run_all(timedelta(0))) as made:
        yield made


@pytest.fixture
def place(alice: Person, live_server: LiveServer, elb: LabElb) -> Place:
    scm, world = client(live_server.url, alice), World(clock.now())
    paid = call(scm, "subscribe_certificate", {"body": BUY}).cert[0].cert_id
    hosted = call(scm, "import_certificate", {"body": world.body()}).certificate_id
    csr = call(scm, "create_csr", {"body": CSR}).id
    return Place(scm, paid, hosted, csr, world, elb, principal_of(alice.user, Via.API))


def refusal(scm: ScmClient, method: str, arguments: Arguments) -> ServiceResponseException:
    with pytest.raises(ServiceResponseException) as refused:
        call(scm, method, arguments)
    assert re.fullmatch("[0-9a-f]{32}", refused.value.request_id), method
    return refused.value


def replaced(place: Place, right: Arguments, wrong: Arguments) -> Arguments:
    given = {**right, **wrong}
    return {name: place.paid if value == PAID else value for name, value in given.items()}


def test_the_table_has_every_method() -> None:
    found = re.findall(r"def _(\w+)_http_info", inspect.getsource(ScmClient))
    assert len(found) == 27
    assert set(found) == TABLE.keys()


@pytest.mark.parametrize("method", sorted(TABLE))
def test_what_comes_and_what_is_refused(
    method: str, place: Place, alice: Person, live_server: LiveServer
) -> None:
    row = TABLE[method]
    right = row.right(place)
    for wrong, status, code in row.wrong:
        error = refusal(place.scm, method, replaced(place, right, wrong))
        assert (error.status_code, error.error_code) == (status, code), wrong
        assert isinstance(error, ClientRequestException)
    chinese = client(live_server.url, alice, language="zh-cn")
    for wrong, _, code in row.wrong[:1]:
        error = refusal(chinese, method, replaced(place, right, wrong))
        assert error.error_code == code
        assert re.search("[一-鿿]", error.error_msg), error.error_msg
    nils = client(live_server.url, person(alice.account, "nils"))
    error = refusal(nils, method, right)
    assert (error.status_code, error.error_code) == (403, "SCM.9403")
    thief = client(live_server.url, alice, secret="x" * 40)
    error = refusal(thief, method, right)
    assert (error.status_code, error.error_code) == (401, "APIGW.0301")
    charlie = client(live_server.url, person(account(), "charlie", "admins"))
    own = {"certificate_id", "resource_id", "cert_id", "id"} & right.keys()
    if own or method == "list_deployed_resources":  # another account's id reads as one that is not there
        error = refusal(charlie, method, right)
        missing = (400, "SCM.0707") if "id" in own else (404, "SCM.0020")
        assert (error.status_code, error.error_code) == missing
    off = person(alice.account, "off", "users")
    type(off.user).objects.filter(id=off.user.id).update(is_active=False)
    error = refusal(client(live_server.url, off), method, right)
    assert error.status_code == 401
    assert row.came(place, call(place.scm, method, right))


def test_the_paths_that_collide_lead_where_they_should() -> None:
    """A variable stands in the second segment of tag routes: every fixed path goes before it (API §1)."""
    router = Router(OPERATIONS.values())
    for method, path, name in (
        ("GET", "/v3/scm/tags", "tags.list"),
        ("GET", "/v3/scm/tags/tags", "tags.of_certificate"),
        ("GET", "/v3/scm/certificates/tags", "certificates.show"),
        ("POST", "/v3/scm/certificates/tags", ""),
        ("POST", "/v3/scm/csr/tags", ""),
        ("GET", "/v3/scm/csr/tags", "csrs.show"),
        ("POST", "/v3/scm/csr", "csrs.create"),
        ("POST", "/v3/scm/csr/upload", "csrs.upload"),
        ("GET", "/v3/scm/csr/upload", ""),
        ("POST", "/v3/scm/csr/tags/action", "tags.batch"),
        ("POST", "/v3/scm/resource_instances/action", "tags.search"),
        ("POST", "/v3/scm/resource_instances/tags", "tags.create"),
        ("POST", "/v3/scm/other/action", ""),
        ("POST", "/v3/scm/notification/enable", "notices.enable"),
        ("POST", "/v3/scm/notification/disable", "notices.disable"),
        ("POST", "/v3/scm/notification/tags", "tags.create"),
        ("POST", "/v3/scm/certificates/buy", "orders.buy"),
        ("POST", "/v3/scm/certificates/import", "certificates.import"),
        ("GET", "/v3/scm/certificates/buy", ""),
        ("DELETE", "/v3/scm/certificates/import", ""),
        ("GET", "/v3/scm/certificates/search", "certificates.search"),
        ("POST", "/v3/scm/certificates/issue", "certificates.issue"),
        ("POST", "/v3/scm/certificates/buy/export", "certificates.export"),
        ("GET", "/v3/scm/csr/abc/private-key", "csrs.private_key"),
    ):
        found = router.find(path)
        operation = found.operations.get(method) if found else None
        assert (operation.name if operation else "") == name, (method, path)
