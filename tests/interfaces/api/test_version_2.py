"""The older API (§1.12): thin words over the same operations, and its own codes."""

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.iam.models import EnterpriseProject
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.applications.models import Draft
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.validation.models import OrganizationDocument
from tests.support.authority import start_ca
from tests.support.organization import JPEG, PDF, PNG
from tests.support.requests_of import request_for
from tests.support.rulebook import BUY, COMPANY
from tests.support.signed import Person, account, person
from tests.support.uploads import World

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "www.older-example.com"
FORM = {
    "domain": NAME,
    "applicant_name": "Alice Example",
    "applicant_phone": "13800138000",
    "applicant_email": "alice@example.com",
    "agree_privacy_protection": True,
    "domain_method": "dns",
    "key_algorithm": "EC_P256",
}
PROJECTS = ("name", "id", "project")


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
    orders.credit(owner.id, "CNY", 1_000_000_00, "top-up", clock.now(), system_principal(owner.id))
    return person(owner, "alice", "users")


def v2(someone: Person, path: str) -> str:
    return f"/v2/{someone.account.name}/scm{path}"


def bought(someone: Person, **more: object) -> str:
    return str(someone.post("/v3/scm/certificates/buy", {**BUY, **more}).json["cert"][0]["cert_id"])


def prove(someone: Person, dns: LabDns, certificate_id: str) -> None:
    for one in someone.get(f"/v3/scm/certificates/{certificate_id}/domain-verification").json["domains"]:
        dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])
    jobs.run_all(timedelta(minutes=1))


# rule: APP-1
# rule: WDR-2
# rule: ISS-3
# rule: DLD-2
def test_save_read_complete_verify_cancel_and_the_archive(alice: Person, dns: LabDns) -> None:
    certificate_id = bought(alice)
    one = v2(alice, f"/cert/{certificate_id}")
    empty = alice.post(f"{one}/read")
    assert (empty.status, empty.json["domain"], empty.json["applicant_name"]) == (200, "", "")
    refused = alice.post(f"{one}/save", {**FORM, "agree_privacy_protection": False})
    assert (refused.status, refused.code, Draft.objects.count()) == (400, "SCM.0005", 0)
    nowhere = alice.post(f"{one}/save", {**FORM, "csr_id": "0" * 32})
    assert (nowhere.status, nowhere.code, Draft.objects.count()) == (400, "SCM.0707", 0)
    assert alice.post(f"{one}/save", {"domain": "half", "agree_privacy_protection": True}).status == 200
    assert alice.post(f"{one}/save", FORM).json == {"request_info": "success"}
    assert alice.get(f"/v3/scm/certificates/{certificate_id}").json["status"] == "PAID"
    read = alice.post(f"{one}/read").json
    kept = {name: value for name, value in FORM.items() if name != "agree_privacy_protection"}
    assert {name: read[name] for name in kept} == {**kept, "domain_method": "DNS"}
    early = alice.get(f"{one}/domain-verify")
    assert (early.status, early.code) == (400, "SCM.0010")
    nothing = alice.get(f"{one}/cert_file")
    assert (nothing.status, nothing.code) == (404, "SCM.0010")

    assert alice.post(f"{one}/complete", FORM).json == {"request_info": "success"}
    assert Draft.objects.count() == 0
    late = alice.post(f"{one}/save", FORM)
    assert (late.status, late.code) == (400, "SCM.0010")
    assert alice.post(f"{one}/cancel-cert").json == {"cert_id": certificate_id, "message": "success"}
    jobs.run_due()
    assert alice.post(f"{one}/read").json["applicant_email"] == "alice@example.com"
    assert alice.get(f"{one}/domain-verify").status == 400  # withdrawn: those values count no more

    assert alice.post(f"{one}/complete", FORM).status == 200
    asked = alice.get(f"{one}/domain-verify").json
    assert len(asked.pop("record_value")) >= 32
    assert asked == {
        "domain_name": NAME,
        "domain_email": None,
        "record_name": "_dnsauth.older-example.com",
        "record_type": "TXT",
        "domain_method": "DNS",
        "applicant_email": "alice@example.com",
        "auto_dns_auth": False,
    }
    shown = alice.get(one).json
    assert shown["auth"][0]["host_record"] == "_dnsauth.older-example.com"
    assert (shown["auth"][0]["method"], shown["auth"][0]["status"]) == ("DNS", "PENDING")
    prove(alice, dns, certificate_id)
    file = alice.get(f"{one}/cert_file").response
    assert file.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert {"nginx", "apache", "tomcat", "iis"} <= {
            part.lower() for name in archive.namelist() for part in name.split("/")
        }


def test_what_was_saved_goes_with_the_certificate(alice: Person) -> None:
    certificate_id = bought(alice)
    assert alice.post(v2(alice, f"/cert/{certificate_id}/save"), FORM).status == 200
    assert alice.send("DELETE", f"/v3/scm/certificates/{certificate_id}/unsubscribe").status == 200
    jobs.run_due()
    assert Draft.objects.count() == 0


def test_the_list_and_the_details_in_the_older_words(alice: Person, dns: LabDns) -> None:
    certificate_id = bought(alice)
    bought(alice)
    page = alice.get(v2(alice, "/certlist?order_status=PAID&content=&sort_key=&sort_dir=&limit=10&offset=1"))
    assert (page.status, page.json["total"], page.json["free_remain"]) == (200, 2, 20)
    (line,) = page.json["order_list"]
    assert line == {
        "cert_id": certificate_id,
        "cert_name": line["cert_name"],
        "domain": "",
        "cert_type": "DV_SSL_CERT",
        "cert_brand": "GEOTRUST",
        "domain_type": "SINGLE_DOMAIN",
        "purchase_period": 1,
        "expired_time": "",
        "order_status": "PAID",
        "domain_num": 1,
        "wildcard_number": 0,
        "cert_des": "",
    }
    assert alice.get(v2(alice, "/certlist")).json["total"] == 2
    assert alice.get(v2(alice, "/certlist?order_status=ISSUED")).json["order_list"] == []
    for query in ("limit=11", "order_status=NONE", "sort_key=x", "offset=-1"):
        answer = alice.get(v2(alice, f"/certlist?{query}"))
        assert (answer.status, answer.code) == (400, "SCM.0005"), query
    shown = alice.get(v2(alice, f"/cert/{certificate_id}")).json
    assert shown == {
        "cert_id": certificate_id,
        "order_id": shown["order_id"],
        "cert_name": line["cert_name"],
        "cert_type": "DV",
        "cert_brand": "GEOTRUST",
        "domain_type": "SINGLE_DOMAIN",
        "domain_name": "",
        "domain_number": 1,
        "cert_describe": "",
        "push_support": "OFF",
        "revoke_reason": "",
        "company_name": "",
        "company_province": "",
        "company_city": "",
        "country": "",
        "organization_unit": "",
        "applicant_name": "",
        "applicant_phone": "",
        "applicant_email": "",
        "contact_name": "",
        "contact_phone": "",
        "contact_email": "",
        "status": "PAID",
        "encrypt_type": "",
        "DNS_push_status": "NONE",
        "auth": [],
    }
    uploaded = alice.post("/v3/scm/certificates/import", World(clock.now()).body()).json["certificate_id"]
    hosted = alice.get(v2(alice, f"/cert/{uploaded}")).json
    assert (hosted["status"], hosted["domain_name"], hosted["push_support"]) == (
        "UPLOAD",
        "www.example.com",
        "ON",
    )


# rule: LST-4
def test_edit_by_key_and_value(alice: Person) -> None:
    certificate_id = bought(alice)
    one = v2(alice, f"/cert/{certificate_id}")
    for key, value in (("CERT_NAME", "abc"), ("CERT_NAME", "n" * 63), ("DESCRIPTION", "d" * 255)):
        assert alice.send("PUT", one, {"modify_key": key, "modify_value": value}).json == {
            "response_info": "success"
        }
    shown = alice.get(one).json
    assert (shown["cert_name"], shown["cert_describe"]) == ("n" * 63, "d" * 255)
    assert alice.send("PUT", one, {"modify_key": "DESCRIPTION"}).status == 200
    assert alice.get(one).json["cert_describe"] == ""
    for body, code in (
        ({"modify_key": "OWNER", "modify_value": "bob"}, "SCM.0023"),
        ({"modify_value": "bob"}, "SCM.0023"),
        ({"modify_key": "CERT_NAME"}, "SCM.0024"),
        ({"modify_key": "CERT_NAME", "modify_value": "ab"}, "SCM.0024"),
        ({"modify_key": "CERT_NAME", "modify_value": "n" * 64}, "SCM.0024"),
        ({"modify_key": "CERT_NAME", "modify_value": "a b c"}, "SCM.0024"),
        ({"modify_key": "DESCRIPTION", "modify_value": "d" * 256}, "SCM.0024"),
        ({"modify_key": "DESCRIPTION", "modify_value": "d" * 5000}, "SCM.0005"),
    ):
        answer = alice.send("PUT", one, body)
        assert (answer.status, answer.code) == (400, code), body
    assert alice.get(one).json["cert_name"] == "n" * 63


# rule: APP-12
def test_a_csr_is_checked_and_read(alice: Person) -> None:
    path = v2(alice, "/check-csr")
    answer = alice.post(path, {"csr": request_for("www.example.com", "example.com").pem})
    assert answer.json == {
        "domain_name": "www.example.com",
        "domain": "www.example.com",
        "sans": "example.com",
        "key_algorithm": "EC_P256",
    }
    for csr in ("", "x", request_for("www.example.com").pem.replace("M", "N", 1)):
        answer = alice.post(path, {"csr": csr})
        assert (answer.status, answer.code) == (400, "SCM.9002")


def upload(someone: Person, path: str, content: bytes, kind: str) -> int:
    signed = someone.headers("POST", path, content, clock.real_now(), **{"Content-Type": kind})
    return someone.send("POST", path, content, headers=signed).status


# rule: ORG-1
def test_proofs_of_an_organisation(alice: Person, dns: LabDns) -> None:
    certificate_id = bought(alice, cert_type="OV_SSL_CERT", cert_brand="SYMANTEC")
    one = v2(alice, f"/cert/{certificate_id}")
    path = f"{one}/info/TL/upload_authentication"
    assert upload(alice, path, PDF, "application/pdf") == 404  # nothing waits for a decision yet
    form = {**FORM, **COMPANY, "domain_method": "DNS", "key_algorithm": ""}
    assert alice.post(f"{one}/complete", form).status == 200
    prove(alice, dns, certificate_id)
    assert upload(alice, path, PDF, "application/pdf") == 200
    assert upload(alice, f"{one}/info/BL/upload_authentication", PNG, "image/png") == 200
    head = b'--frontier\r\nContent-Disposition: form-data; name="document"; filename="a.jpg"\r\n\r\n'
    body = head + JPEG + b"\r\n--frontier--\r\n"
    assert upload(alice, path, body, "multipart/form-data; boundary=frontier") == 200
    assert [*OrganizationDocument.objects.order_by("id").values_list("name", flat=True)] == [
        "business-license.pdf",
        "bank-account-permit.png",
        "business-license-a.jpg",
    ]
    assert upload(alice, path, b"<html>", "image/png") == 400
    assert upload(alice, f"{one}/info/XX/upload_authentication", PDF, "application/pdf") == 400
    assert alice.get(one).json["company_name"] == COMPANY["company_name"]


# rule: PRV-2
# rule: PRV-4
def test_the_privacy_authorisation_is_canceled_by_both_generations(alice: Person) -> None:
    older, newer = bought(alice), bought(alice)
    for certificate_id in (older, newer):
        assert alice.post(v2(alice, f"/cert/{certificate_id}/save"), FORM).status == 200
    answer = alice.send("DELETE", v2(alice, f"/privacy-protection/{older}"))
    assert answer.json == {"cert_id": older, "message": "success"}
    gone = alice.send("DELETE", f"/v3/scm/certificates/{newer}/privacy-authorization")
    assert (gone.status, gone.response.content) == (204, b"")
    assert Draft.objects.count() == 0
    again = alice.send("DELETE", v2(alice, f"/privacy-protection/{older}"))
    assert (again.status, again.code) == (400, "SCM.0010")


@pytest.mark.parametrize("by", PROJECTS)
def test_the_project_is_the_accounts_name_its_id_or_one_of_its_projects(alice: Person, by: str) -> None:
    project = EnterpriseProject.objects.create(
        id="0d1f7ba2-6f3c-4b52-9a55-3f6a3f5c9d01",
        account=alice.account,
        name="shop",
    )
    known = {"name": alice.account.name, "id": alice.account.id, "project": project.id}[by]
    certificate_id = bought(alice)
    assert alice.get(f"/v2/{known}/scm/cert/{certificate_id}").status == 200
    charlie = person(account(), "charlie", "admins")
    for method, path in (
        ("GET", "/certlist"),
        ("GET", f"/cert/{certificate_id}"),
        ("PUT", f"/cert/{certificate_id}"),
        ("POST", f"/cert/{certificate_id}/complete"),
        ("POST", f"/cert/{certificate_id}/save"),
        ("POST", f"/cert/{certificate_id}/read"),
        ("POST", f"/cert/{certificate_id}/cancel-cert"),
        ("GET", f"/cert/{certificate_id}/cert_file"),
        ("GET", f"/cert/{certificate_id}/domain-verify"),
        ("POST", "/check-csr"),
        ("DELETE", f"/privacy-protection/{certificate_id}"),
    ):
        foreign = charlie.send(method, f"/v2/{known}/scm{path}", {} if method in ("POST", "PUT") else None)
        assert foreign.status == 404, path
        if "cert/" in path or "protection" in path:
            own = charlie.send(
                method,
                f"/v2/{charlie.account.id}/scm{path}",
                {"modify_key": "CERT_NAME", "modify_value": "mine", "agree_privacy_protection": True}
                if method in ("POST", "PUT")
                else None,
            )
            assert (own.status, own.code) == (404, "SCM.0020"), path
    rita = person(alice.account, "rita", "readers")
    for method, path in (
        ("PUT", f"/cert/{certificate_id}"),
        ("POST", f"/cert/{certificate_id}/complete"),
        ("POST", f"/cert/{certificate_id}/read"),
        ("DELETE", f"/privacy-protection/{certificate_id}"),
    ):
        answer = rita.send(method, f"/v2/{known}/scm{path}", {} if method != "DELETE" else None)
        assert (answer.status, answer.code) == (403, "SCM.9403"), path
