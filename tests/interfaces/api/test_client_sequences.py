"""What real clients ask, in their order, each answer read as they read it (API §1.1, §4.1, §7).

Terraform's provider and Certimate are Go programs that are not here: their requests are replayed, with the
status codes that they take, the fields that they need, and what they do again.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkscm.v3 import ListCertificatesRequest, ScmClient
from huaweicloudsdkscm.v3.region.scm_region import ScmRegion
from pytest_django.live_server_helper import LiveServer

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.certificates.errors import StateChanged
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders import unsubscribing
from tests.support.authority import start_ca
from tests.support.signed import PASSWORD, Answer, Person, account, person
from tests.support.uploads import World

pytestmark = pytest.mark.django_db(transaction=True)
C = "/v3/scm/certificates"
PURCHASE = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "domain_type": "SINGLE_DOMAIN",
    "effective_time": 1,
    "domain_numbers": 1,
    "order_number": 1,
    "agree_privacy_protection": True,
    "is_auto_pay": True,
}
APPLICANT = {
    "applicant_name": "Alice Example",
    "applicant_phone": "13800138000",
    "applicant_email": "alice@example.com",
    "agree_privacy_protection": True,
}
TAKEN = {"GET": (200,), "POST": (200, 201, 202, 204), "PUT": (200, 201, 202), "DELETE": (200, 202, 204)}


class Gone(Exception):
    """404: the client takes the thing for deleted."""


class Refused(Exception):
    """Any other status than the client takes; holds what it looks at."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, answer.json)
        self.status, self.code = answer.status, answer.json["error_code"]


class Terraform:
    """The provider's client: JSON both ways, English, only the codes of its resource taken."""

    def __init__(self, someone: Person) -> None:
        self._someone = someone

    def send(self, method: str, path: str, body: object = None, *, taken: tuple[int, ...] = ()) -> Any:
        answer = self._someone.send(method, path, body, **{"X-Language": "en-us"})
        if answer.status == 404:
            raise Gone
        if answer.status not in (taken or TAKEN[method]):
            raise Refused(answer)
        return answer.json


@pytest.fixture
def dns() -> Iterator[LabDns]:
    start_ca(clock.now())
    before = house.get()
    with LabDns() as server:
        house.install(before.model_copy(update={"dns_resolvers": (server.server,)}))
        yield server
    house.install(before)


@pytest.fixture
def alice(dns: LabDns) -> Person:
    owner = account()
    orders.credit(owner.id, "CNY", 100_000_00, "top-up", clock.now(), system_principal(owner.id))
    return person(owner, "alice", "users", "admins")


@pytest.fixture
def terraform(alice: Person) -> Terraform:
    return Terraform(alice)


def test_the_provider_finds_account_and_project(terraform: Terraform, alice: Person) -> None:
    (domain,) = terraform.send("GET", "/v3/auth/domains")["domains"]
    assert (domain["id"], domain["enabled"]) == (alice.account.id, True)
    (project,) = terraform.send("GET", "/v3/projects?name=cn-north-4")["projects"]
    assert (project["name"], project["domain_id"]) == ("cn-north-4", domain["id"])


# rule: ORD-4
# rule: UNS-5
def test_ccm_certificate_is_bought_tagged_moved_and_unsubscribed(
    terraform: Terraform, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = [{"key": "env", "value": "prod"}, {"key": "team", "value": ""}]
    made = terraform.send("POST", f"{C}/buy", {**PURCHASE, "tags": tags})
    certificate_id = made["cert"][0]["cert_id"]
    assert terraform.send("GET", f"{C}/{certificate_id}")["status"] == "PAID"  # polled for 10 min at most

    read = terraform.send("GET", f"{C}/{certificate_id}")
    for field in ("brand", "type", "domain_type", "validity_period", "domain_count", "enterprise_project_id"):
        assert read[field] not in (None, ""), field
    assert terraform.send("GET", f"/v3/scm/{certificate_id}/tags")["tags"] == tags

    action = f"/v3/scm/{certificate_id}/tags/action"
    terraform.send("POST", action, {"action": "delete", "tags": tags}, taken=(200,))
    new = [{"key": "env", "value": "test"}]
    terraform.send("POST", action, {"action": "create", "tags": new}, taken=(200,))
    assert terraform.send("GET", f"/v3/scm/{certificate_id}/tags")["tags"] == new

    project = terraform.send("POST", "/v1.0/enterprise-projects", {"name": "shop"})["enterprise_project"]
    body = {"resource_type": "scm", "resource_id": certificate_id, "project_id": "", "associated": False}
    terraform.send("POST", f"/v1.0/enterprise-projects/{project['id']}/resources-migrate", body, taken=(204,))
    assert terraform.send("GET", f"{C}/{certificate_id}")["enterprise_project_id"] == project["id"]

    busy, really = iter((True, True, False)), unsubscribing.unsubscribe  # two other requests are quicker

    def once_in_a_while(*arguments: Any) -> None:
        if next(busy):
            raise StateChanged(certificate_id)
        really(*arguments)

    monkeypatch.setattr(unsubscribing, "unsubscribe", once_in_a_while)
    assert delete_certificate(terraform, certificate_id) == 3
    jobs.run_due()
    with pytest.raises(Gone):
        terraform.send("GET", f"{C}/{certificate_id}")


def delete_certificate(terraform: Terraform, certificate_id: str) -> int:
    """Asks until it is done; the provider asks again on 500 with SCM.0016 and on nothing else."""
    for asked in range(1, 10):
        try:
            answer = terraform.send("DELETE", f"{C}/{certificate_id}/unsubscribe")
        except Refused as refused:
            if (refused.status, refused.code) != (500, "SCM.0016"):
                raise
            continue
        assert answer["unsubscribe_results"] == "SUCCESS"
        return asked
    raise AssertionError("never done")


def test_what_cannot_be_unsubscribed_ends_the_provider_at_once(terraform: Terraform) -> None:
    hosted = terraform.send("POST", f"{C}/import", imported())["certificate_id"]
    with pytest.raises(Refused) as refused:
        terraform.send("DELETE", f"{C}/{hosted}/unsubscribe")
    assert (refused.value.status, refused.value.code) == (400, "SCM.0010")
    with pytest.raises(Gone):
        terraform.send("DELETE", f"{C}/scs0000000000000/unsubscribe")


def prove(terraform: Terraform, dns: LabDns, certificate_id: str) -> None:
    for one in terraform.send("GET", f"{C}/{certificate_id}")["authentification"]:
        dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])
    jobs.run_all(timedelta(minutes=1))


# rule: APP-1
def test_ccm_certificate_apply_and_export(terraform: Terraform, dns: LabDns) -> None:
    certificate_id = terraform.send("POST", f"{C}/buy", PURCHASE)["cert"][0]["cert_id"]
    body = {
        **APPLICANT,
        "domain": "www.terraform-example.com",
        "domain_method": "DNS",
        "auto_dns_auth": False,
        "key_algorithm": "EC_P256",
        "ca_hash_algorithm": "DEFAULT",
    }
    answer = terraform.send("POST", f"{C}/{certificate_id}/apply", body, taken=(200,))
    assert answer["request_info"] == "success"
    with pytest.raises(Refused) as refused:  # one-shot: it never applies twice
        terraform.send("POST", f"{C}/{certificate_id}/apply", body)
    assert refused.value.code == "SCM.0010"
    prove(terraform, dns, certificate_id)
    assert terraform.send("GET", f"{C}/{certificate_id}")["status"] == "ISSUED"
    exported = terraform.send("POST", f"{C}/{certificate_id}/export", {}, taken=(200,))
    assert exported["entire_certificate"] == exported["certificate"] + exported["certificate_chain"]
    assert {"private_key", "enc_certificate", "enc_private_key"} <= exported.keys()


def imported(**more: object) -> dict[str, object]:
    """As the provider sends it: PEM without the outer line ends, and no duplicate_check."""
    body = World(clock.now()).body(**more)
    return {name: value.strip() if isinstance(value, str) else value for name, value in body.items()}


# rule: UPL-7
# rule: DEL-1
def test_ccm_certificate_import(terraform: Terraform) -> None:
    made = terraform.send("POST", f"{C}/import", imported(name="tf-host"), taken=(200, 201))
    one = f"{C}/{made['certificate_id']}"
    read = terraform.send("GET", one, taken=(200,))
    assert (read["domain"], read["domain_count"], read["status"]) == ("www.example.com", 1, "UPLOAD")
    assert read["push_support"] == "ON"
    assert read["not_before"] < read["not_after"]
    assert read["authentification"] == []
    assert terraform.send("DELETE", one, taken=(202, 204)) is None
    with pytest.raises(Gone):
        terraform.send("GET", one)


def test_ccm_csr_is_gone_by_its_code(terraform: Terraform) -> None:
    body = {
        "name": "tf",
        "domain_name": "www.example.com",
        "private_key_algo": "EC_P256",
        "usage": "PERSONAL",
    }
    made = terraform.send("POST", "/v3/scm/csr", body)
    one = f"/v3/scm/csr/{made['id']}"
    assert terraform.send("GET", one)["csr"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert terraform.send("PUT", one, {"name": "tf2"}, taken=(200,))["name"] == "tf2"
    assert terraform.send("GET", f"{one}/private-key")["private_key"]
    listed = terraform.send("GET", "/v3/scm/csr?limit=50&offset=0")
    assert [entry["id"] for entry in listed["csr_list"]] == [made["id"]]
    assert terraform.send("GET", "/v3/scm/csr?limit=50&offset=1")["csr_list"] == []
    assert terraform.send("DELETE", one, taken=(204,)) is None
    with pytest.raises(Refused) as refused:
        terraform.send("GET", one)
    assert (refused.value.status, refused.value.code) == (400, "SCM.0707")


# rule: LST-2
def test_data_sources_page_until_a_page_is_empty(terraform: Terraform) -> None:
    bought = terraform.send(
        "POST", f"{C}/buy", {**PURCHASE, "order_number": 23, "tags": [{"key": "k", "value": "v"}]}
    )
    wanted = {one["cert_id"] for one in bought["cert"]}
    seen: list[str] = []
    while page := terraform.send("GET", f"{C}?offset={len(seen)}")["certificates"]:  # no limit: 10 rows
        seen += [one["id"] for one in page]
    assert (len(seen), set(seen)) == (23, wanted)
    for query in ("status=PAID", "enterprise_project_id=0", "deploy_support=false"):
        assert terraform.send("GET", f"{C}?{query}&offset=0")["total_count"] == 23, query
    tagged: list[str] = []
    search = "/v3/scm/resource_instances/action"
    while page := terraform.send(
        "POST",
        search,
        {"action": "filter", "limit": 50, "offset": len(tagged), "tags": [{"key": "k", "values": ["v"]}]},
    )["resources"]:
        tagged += [one["resource_id"] for one in page]
        assert all(one["tags"] == [{"key": "k", "value": "v"}] for one in page)
    assert set(tagged) == wanted
    assert terraform.send("POST", search, {"action": "count"})["total_count"] == 23
    assert terraform.send("GET", "/v3/scm/tags")["tags"] == [{"key": "k", "values": ["v"]}]


class Aborted(Exception):
    """Certimate gives up the whole upload."""


def certimate_upload(someone: Person, body: dict[str, object]) -> tuple[str, int]:
    """Looks at each certificate for the same one, else uploads it; answers id and how many it looked at."""
    offset = exported = 0
    while True:
        query = f"limit=50&offset={offset}&sort_key=certExpiredTime&sort_dir=DESC"
        page = someone.get(f"{C}?{query}").json["certificates"]
        for one in page:
            answer = someone.post(f"{C}/{one['id']}/export")
            exported += 1
            if answer.status == 404:
                continue
            if answer.status != 200:
                raise Aborted(answer.json)
            if answer.json["certificate"].strip() == body["certificate"]:
                return one["id"], exported
        if len(page) < 50:
            break
        offset += 50
    return someone.post(f"{C}/import", body).json["certificate_id"], exported


# rule: DLD-2
# rule: UPL-1
def test_certimate_uploads_once_whatever_lies_in_the_account(alice: Person) -> None:
    for number in (30, 25):  # paid, never applied for: nothing to export
        assert alice.post(f"{C}/buy", {**PURCHASE, "order_number": number}).status == 200
    body = imported(name="certimate-1764100000")
    first, looked = certimate_upload(alice, body)
    assert looked == 55
    assert alice.get(f"{C}/{first}").json["status"] == "UPLOAD"
    again, _ = certimate_upload(alice, {**body, "name": "certimate-1764100001"})
    assert again == first  # found among the others, not uploaded twice
    assert alice.get(f"{C}?status=UPLOAD").json["total_count"] == 1


@pytest.mark.server
def test_a_token_in_place_of_the_signature(live_server: LiveServer, alice: Person) -> None:
    """The one way to use a token with the SDK: preset headers, an empty Authorization among them."""
    iam.create_user(alice.account, "pat", PASSWORD, ["users"])
    user = {"name": "pat", "password": PASSWORD, "domain": {"name": alice.account.name}}
    identity = {"methods": ["password"], "password": {"user": user}}
    made = alice.post("/v3/auth/tokens?nocatalog=true", {"auth": {"identity": identity, "scope": {}}})
    assert made.status == 201
    credentials = GlobalCredentials("unused", "unused")
    scm = ScmClient.new_builder().with_credentials(credentials).with_endpoint(live_server.url).build()
    scm.preset_headers = {"X-Auth-Token": made.response["X-Subject-Token"], "Authorization": ""}
    assert scm.list_certificates(ListCertificatesRequest()).total_count == 0


@pytest.mark.server
def test_an_unmodified_program_is_pointed_here_by_its_environment(
    live_server: LiveServer, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_SCM_CN_NORTH_4", live_server.url)
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", live_server.url)
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", alice.access_key)
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", alice.secret_key)
    scm = ScmClient.new_builder().with_region(ScmRegion.value_of("cn-north-4")).build()
    assert scm.list_certificates(ListCertificatesRequest()).total_count == 0
