"""The main job over the API with our own routes: orders, prices, proofs, versions, downloads, access."""

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import Policy
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.issuance.issuers import BuiltIn
from certdesk.lifecycle.orders import actions as orders
from tests.support.authority import start_ca
from tests.support.signed import Answer, Person, account, person

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "www.main-example.com"
C = "/v3/scm/certificates"
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
    "domain": NAME,
    "applicant_name": "Alice Example",
    "applicant_phone": "13800138000",
    "applicant_email": "alice@example.com",
    "agree_privacy_protection": True,
    "key_algorithm": "EC_P256",
}
LIST_FIELDS = {
    "id", "name", "domain", "sans", "signature_algorithm", "deploy_support", "type", "brand", "expire_time",
    "domain_type", "validity_period", "status", "domain_count", "wildcard_count", "description", "domain_id",
    "enterprise_project_id",
}  # fmt: skip
SHOW_FIELDS = {
    "id", "status", "order_id", "name", "type", "brand", "push_support", "revoke_reason",
    "signature_algorithm", "issue_time", "not_before", "not_after", "validity_period", "validation_method",
    "domain_type", "multi_domain_type", "domain", "sans", "domain_count", "wildcard_count", "fingerprint",
    "shared", "application_info", "description", "enterprise_project_id", "authentification",
    "progress", "next_actor", "next_step", "operations", "last_failure",
}  # fmt: skip


def credit(someone: Person, minor: int) -> None:
    owner = someone.account
    reference = f"top-up {clock.real_now().timestamp()}"
    orders.credit(owner.id, "CNY", minor, reference, clock.now(), system_principal(owner.id))


@pytest.fixture
def alice() -> Person:
    alice = person(account(), "alice", "users")
    credit(alice, 1_000_000_00)
    return alice


@pytest.fixture
def dns() -> Iterator[LabDns]:
    start_ca(clock.now())
    before = house.get()
    with LabDns() as server:
        house.install(before.model_copy(update={"dns_resolvers": (server.server,)}))
        yield server
    house.install(before)


def bought(someone: Person, **more: object) -> str:
    answer = someone.post(f"{C}/buy", {**BUY, **more})
    assert answer.status == 200, answer.json
    return str(answer.json["cert"][0]["cert_id"])


def issued(someone: Person, dns: LabDns) -> str:
    certificate_id = bought(someone)
    assert someone.post(f"{C}/{certificate_id}/apply", APPLY).json == {"request_info": "success"}
    for one in someone.get(f"{C}/{certificate_id}/domain-verification").json["domains"]:
        dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])
    jobs.run_all(timedelta(minutes=1))
    return certificate_id


def csr(name: str) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


# rule: ORD-7
# rule: ORD-3
def test_an_order_without_automatic_payment_waits_for_it(alice: Person) -> None:
    answer = alice.post(f"{C}/buy", {**BUY, "is_auto_pay": False, "order_number": 2})
    assert (answer.status, answer.json["cert"]) == (200, [])
    order = f"/v3/scm/orders/{answer.json['order_id']}"
    shown = alice.get(order).json
    assert (shown["status"], shown["state"], shown["cert_ids"]) == (6, "UNPAID", [])
    paid = alice.post(f"{order}/pay", {"payment_method": "BALANCE"}).json
    assert (paid["status"], paid["cash"], len(paid["cert_ids"])) == (5, paid["amount"], 2)
    again = alice.post(f"{order}/pay", {})
    assert (again.status, again.code) == (400, "SCM.0010")
    receipt = alice.get(f"{order}/receipt").json
    assert receipt["lines"][0]["amount"] == paid["amount"]
    assert {entry["book"] for entry in receipt["entries"]} == {"CASH", "REVENUE"}
    assert [one["order_id"] for one in alice.get("/v3/scm/orders").json["items"]] == [shown["order_id"]]


# rule: ORD-7
def test_too_small_a_balance_says_so_and_a_refused_payment_keeps_its_reason() -> None:
    poor = person(account(), "poor", "users")
    answer = poor.post(f"{C}/buy", BUY)
    assert answer.json["cert"] == []
    assert "balance" in answer.json["unpaid_reason"].lower()
    order = f"/v3/scm/orders/{answer.json['order_id']}"
    refused = poor.post(f"{order}/pay", {}, **{"Idempotency-Key": "p1"})
    assert (refused.status, refused.code) == (400, "SCM.0016")
    assert poor.get(order).json["unpaid_reason"]
    assert poor.post(f"{order}/cancel").json["status"] == 4
    assert poor.get("/v3/scm/balance").json == {
        "cash": "0.00",
        "currency": "CNY",
        "vouchers": [],
        "coupons": [],
    }


# rule: ORD-4
# rule: IAM-10
def test_a_repeated_buy_with_one_key_pays_once(alice: Person) -> None:
    before = alice.get("/v3/scm/balance").json["cash"]
    answers = [alice.post(f"{C}/buy", BUY, **{"Idempotency-Key": "k"}) for _ in range(3)]
    assert len({answer.json["order_id"] for answer in answers}) == 1
    assert len(alice.get(f"{C}").json["certificates"]) == 1
    other = alice.post(f"{C}/buy", {**BUY, "order_number": 2}, **{"Idempotency-Key": "k"})
    assert (other.status, other.code) == (400, "SCM.0005")
    assert before != alice.get("/v3/scm/balance").json["cash"]


# rule: CAT-6
# rule: CAT-8
def test_products_and_prices(alice: Person) -> None:
    first = alice.get("/v3/scm/products?limit=50").json
    more = alice.get(f"/v3/scm/products?limit=50&marker={first['next_marker']}").json
    products = first["items"] + more["items"]
    assert {one["cert_brand"] for one in products} == {
        "SYMANTEC", "GEOTRUST", "GLOBALSIGN", "CFCA", "TRUSTASIA", "VTRUS"
    }  # fmt: skip
    single = next(
        one
        for one in products
        if (one["cert_brand"], one["cert_type"], one["domain_type"], one["free"])
        == ("GEOTRUST", "DV_SSL_CERT", "SINGLE_DOMAIN", False)
    )
    price = alice.post("/v3/scm/prices", {**BUY, "order_number": 3, "agree_privacy_protection": False}).json
    assert price["available"]
    assert price["amount"] == f"{3 * float(single['unit_prices']['CNY']):.2f}"
    assert alice.post("/v3/scm/prices", {**BUY, "cert_brand": "NONE"}).code == "SCM.0005"


# rule: LST-5
# rule: DLD-2
def test_the_fields_of_list_and_show_and_what_a_fresh_certificate_refuses(alice: Person) -> None:
    certificate_id = bought(alice)
    item = alice.get(f"{C}?limit=10&status=PAID&deploy_support=false").json["certificates"][0]
    assert set(item) == LIST_FIELDS
    assert None not in item.values()
    shown = alice.get(f"{C}/{certificate_id}").json
    assert set(shown) >= SHOW_FIELDS
    assert (shown["status"], shown["progress"], shown["next_actor"]) == ("PAID", 0, "applicant")
    assert (shown["not_after"], shown["authentification"]) == ("", [])
    assert "apply" in shown["operations"]
    for path in ("export",):
        answer = alice.post(f"{C}/{certificate_id}/{path}", b"{}")
        assert (answer.status, answer.code) == (404, "SCM.0010")
        assert answer.text.startswith("Operation not allowed by the current certificate type or status")
    for answer in (
        alice.post(f"{C}/{certificate_id}/cancel-cert"),
        alice.post(f"{C}/{certificate_id}/verify"),
        alice.post(f"{C}/{certificate_id}/reopen"),
    ):
        assert (answer.status, answer.code) == (400, "SCM.0010")


@pytest.mark.parametrize("query", ["limit=11", "sort_dir=UP", "status=NONE", "offset=-1", "sort_key=x"])
def test_the_list_refuses_what_it_does_not_know(alice: Person, query: str) -> None:
    answer = alice.get(f"{C}?{query}")
    assert (answer.status, answer.code) == (400, "SCM.0005")


# rule: APP-7
def test_bad_names_have_their_code(alice: Person) -> None:
    certificate_id = bought(alice)
    answer = alice.post(f"{C}/{certificate_id}/apply", {**APPLY, "domain": "a_b.example.com"})
    assert (answer.status, answer.code) == (400, "SCM.0015")


# rule: ISS-3
# rule: VER-1
# rule: DLD-1
def test_prove_issue_download(alice: Person, dns: LabDns) -> None:
    certificate_id = issued(alice, dns)
    shown = alice.get(f"{C}/{certificate_id}").json
    assert (shown["status"], shown["progress"], shown["push_support"]) == ("ISSUED", 100, "ON")
    assert shown["application_info"]["applicant_email"] == "alice@example.com"
    verified = alice.post(f"{C}/{certificate_id}/verify").json
    assert [one["status"] for one in verified["domains"]] == ["VERIFIED"]
    info = alice.get(f"{C}/{certificate_id}/domain-verification").json
    assert info["method"] == "DNS"
    assert any("nslookup" in line for line in info["domains"][0]["commands"])
    versions = alice.get(f"{C}/{certificate_id}/versions").json["items"]
    assert [(one["version"], one["status"]) for one in versions] == [(1, "CURRENT")]
    events = alice.get(f"{C}/{certificate_id}/events?limit=50").json["items"]
    assert any(one["action"] == "certificate.issue" for one in events)
    assert all(isinstance(one["details"], dict) for one in events)
    assert (events[-1]["action"], events[-1]["details"]) == (
        "certificate.bought",
        {"order": shown["order_id"]},
    )
    assert alice.get(f"{C}/{certificate_id}/versions?limit=11").code == "SCM.0005"
    assert alice.get(f"{C}/{certificate_id}/versions?marker=1").json == {"items": [], "next_marker": None}
    first = alice.get(f"{C}/{certificate_id}/events?limit=10").json
    assert first["next_marker"] is None or len(first["items"]) == 10
    assert alice.get(f"{C}/{certificate_id}/events?marker=x").status == 400
    archive = alice.get(f"{C}/{certificate_id}/download?server=all")
    names = zipfile.ZipFile(io.BytesIO(archive.response.content)).namelist()
    assert {"nginx/server.crt", "nginx/server.key"} <= set(names)
    assert archive.response["Content-Type"] == "application/zip"
    assert alice.get(f"{C}/{certificate_id}/download?server=other").status == 200
    assert alice.get(f"{C}/{certificate_id}/download?server=iis6").code == "SCM.0005"
    found = alice.get(f"{C}/search?domain={NAME}&status=ISSUED&expires_before=2099-01-01").json
    assert [one["id"] for one in found["items"]] == [certificate_id]
    assert alice.get(f"{C}/search?expires_before=soon").status == 400
    assert alice.get(f"{C}/search?tag=x").json["items"] == []


# rule: DOM-13
def test_issue_now_for_a_name_that_is_proved(alice: Person, dns: LabDns) -> None:
    issued(alice, dns)
    wanted = {
        "cert_brand": "GEOTRUST", "cert_type": "DV_SSL_CERT", "domain": NAME, "effective_time": 1,
        "agree_privacy_protection": True, "csr": csr(NAME),
    }  # fmt: skip
    answer = alice.post(f"{C}/issue", wanted, **{"Idempotency-Key": "i"})
    assert answer.status == 200, answer.json
    assert answer.json["status"] == "ISSUED"
    leaf = x509.load_pem_x509_certificate(answer.json["certificate"].encode())
    assert f"{leaf.serial_number:032x}".endswith(answer.json["serial"].lstrip("0"))
    assert alice.post(f"{C}/issue", wanted, **{"Idempotency-Key": "i"}).json == answer.json
    exported = alice.post(f"{C}/{answer.json['cert_id']}/export").json
    assert (exported["private_key"], exported["certificate"]) == ("", answer.json["certificate"])
    other = "other.not-proved-example.org"
    slow = alice.post(f"{C}/issue", {**wanted, "domain": other, "csr": csr(other)})
    assert (slow.status, slow.json["status"]) == (202, "CHECKING")
    batch = alice.post(f"{C}/batch-issue", {"items": [wanted, {**wanted, "csr": csr(NAME)}]})
    assert (batch.status, len(batch.json["items"])) == (200, 2)
    assert alice.post(f"{C}/batch-issue", {"items": []}).code == "SCM.0005"
    assert alice.post(f"{C}/batch-issue", {"items": [wanted] * 101}).code == "SCM.0005"


# rule: IAM-10
def test_issue_now_that_broke_off_after_paying_is_not_paid_again(
    alice: Person, dns: LabDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued(alice, dns)
    wanted = {
        "cert_brand": "GEOTRUST", "cert_type": "DV_SSL_CERT", "domain": NAME, "effective_time": 1,
        "agree_privacy_protection": True, "csr": csr(NAME),
    }  # fmt: skip

    def broken(self: BuiltIn, prepared: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(BuiltIn, "collect", broken)
        assert alice.post(f"{C}/issue", wanted, **{"Idempotency-Key": "once"}).status == 500
    cash = alice.get("/v3/scm/balance").json["cash"]
    again = alice.post(f"{C}/issue", wanted, **{"Idempotency-Key": "once"})
    assert (again.status, again.json["status"]) == (202, "ISSUING")
    assert alice.get("/v3/scm/balance").json["cash"] == cash
    assert alice.get(f"{C}?status=ISSUING").json["certificates"][0]["id"] == again.json["cert_id"]


# rule: IAM-5
def test_bob_may_and_charlie_may_not(alice: Person, dns: LabDns) -> None:
    """Bob is of Alice's account and may read; Charlie is of another account and may everything there."""
    certificate_id = issued(alice, dns)
    order_id = alice.get(f"{C}/{certificate_id}").json["order_id"]
    bob = person(alice.account, "bob", "readers")
    charlie = person(account(), "charlie", "admins")

    def everywhere(someone: Person) -> dict[str, Answer]:
        return {
            "show": someone.get(f"{C}/{certificate_id}"),
            "versions": someone.get(f"{C}/{certificate_id}/versions"),
            "events": someone.get(f"{C}/{certificate_id}/events"),
            "proofs": someone.get(f"{C}/{certificate_id}/domain-verification"),
            "verify": someone.post(f"{C}/{certificate_id}/verify"),
            "export": someone.post(f"{C}/{certificate_id}/export"),
            "download": someone.get(f"{C}/{certificate_id}/download"),
            "apply": someone.post(f"{C}/{certificate_id}/apply", APPLY),
            "cancel": someone.post(f"{C}/{certificate_id}/cancel-cert"),
            "reopen": someone.post(f"{C}/{certificate_id}/reopen"),
            "order": someone.get(f"/v3/scm/orders/{order_id}"),
            "pay": someone.post(f"/v3/scm/orders/{order_id}/pay", {}),
            "cancel order": someone.post(f"/v3/scm/orders/{order_id}/cancel"),
            "receipt": someone.get(f"/v3/scm/orders/{order_id}/receipt"),
        }

    may_read = {"show", "versions", "events", "proofs"}
    for name, answer in everywhere(bob).items():
        assert answer.status == (200 if name in may_read else 403), name
        if answer.status == 403:
            assert answer.code == "SCM.9403"
    for name, answer in everywhere(charlie).items():
        assert answer.status == 404, name
    assert charlie.get(C).json == {"certificates": [], "total_count": 0}
    assert charlie.get(f"{C}/search").json["items"] == []
    assert charlie.get("/v3/scm/orders").json["items"] == []
    assert bob.get(C).json["total_count"] == 1


# rule: ORD-1
@pytest.mark.parametrize(
    ("policy", "missing"),
    [
        ("SCM FullAccess", "bss:order:pay"),
        ("SCM Administrator", "bss:order:pay"),
        ("BSS Administrator", "scm:cert:subscribe"),
    ],
)
def test_buying_takes_both_rights(alice: Person, policy: str, missing: str) -> None:
    group = iam.create_group(alice.account, "half")
    iam.grant(group, Policy.objects.get(name=policy, account=None))
    bob = person(alice.account, "bob", "half")
    answer = bob.post(f"{C}/buy", BUY)
    assert (answer.status, answer.code) == (403, "SCM.9403")
    assert missing in answer.text


# rule: LST-4
def test_name_and_description_can_be_changed(alice: Person) -> None:
    certificate_id = bought(alice)
    changed = alice.send("PATCH", f"{C}/{certificate_id}", {"name": "web-1", "description": "front door"})
    assert (changed.status, changed.json["name"], changed.json["description"]) == (200, "web-1", "front door")
    assert alice.send("PATCH", f"{C}/{certificate_id}", {"description": ""}).json["name"] == "web-1"
    for body in ({"name": "x"}, {"name": "a" * 64}, {"description": "x" * 256}):
        assert alice.send("PATCH", f"{C}/{certificate_id}", body).code == "SCM.0005"


COMPANY = {
    "company_name": "Beispiel Werke GmbH",
    "company_province": "Hessen",
    "company_city": "Kassel",
    "country": "DE",
}


def waiting_for_officer(someone: Person, dns: LabDns, **more: object) -> str:
    certificate_id = bought(someone, **more)
    applied = someone.post(f"{C}/{certificate_id}/apply", {**APPLY, **COMPANY})
    assert applied.status == 200, applied.json
    for one in someone.get(f"{C}/{certificate_id}/domain-verification").json["domains"]:
        dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])
    assert someone.post(f"{C}/{certificate_id}/verify").json["status"] == "CHECKING_ORG"
    return certificate_id


DESK = "/v3/scm/organization-verifications"


# rule: ORG-2
# rule: ORG-3
# rule: ORG-5
def test_the_officers_desk(alice: Person, dns: LabDns) -> None:
    certificate_id = waiting_for_officer(alice, dns, cert_brand="SYMANTEC", cert_type="OV_SSL_CERT")
    officer = person(alice.account, "olga", "officers")
    assert alice.send("PUT", f"{DESK}/{certificate_id}/method", {"method": "EMAIL"}).status == 200
    queue = officer.get(f"{DESK}?status=PENDING").json
    assert [(one["certificate_id"], one["method"]) for one in queue["items"]] == [(certificate_id, "EMAIL")]
    asked = officer.get(f"{DESK}/{certificate_id}").json
    assert asked["company"]["name"] == COMPANY["company_name"]
    ticks = [item["id"] for item in asked["checklist"]]
    decision = f"{DESK}/{certificate_id}/decision"
    refused = alice.post(decision, {"decision": "approve", "checked": ticks, "reason": ""})
    assert (refused.status, refused.code) == (403, "SCM.9403")
    assert "scm:organization:decide" in refused.text
    for body in (
        {"decision": "maybe"},
        {"decision": "approve", "checked": ticks[1:]},
        {"decision": "reject"},
    ):
        assert officer.post(decision, body).code == "SCM.0005"
    charlie = person(account(), "charlie", "admins")
    assert charlie.post(decision, {"decision": "reject", "reason": "x"}).status == 404
    assert charlie.get(f"{DESK}/{certificate_id}").status == 404
    assert charlie.get(DESK).json["items"] == []
    approved = officer.post(decision, {"decision": "approve", "checked": ticks, "reason": "register"})
    assert approved.json == {"status": "ISSUING", "decisions_needed": 0}
    jobs.run_all(timedelta(minutes=1))
    assert alice.get(f"{C}/{certificate_id}").json["status"] == "ISSUED"
    for query in ("limit=7", "marker=x", "status=OTHER"):
        assert officer.get(f"{DESK}?{query}").code == "SCM.0005"


# rule: ORG-2
# rule: ORG-5
def test_ones_own_application_is_decided_by_somebody_else(dns: LabDns) -> None:
    admin = person(account(), "admin", "admins")
    credit(admin, 1_000_000_00)
    certificate_id = waiting_for_officer(admin, dns, cert_brand="SYMANTEC", cert_type="OV_SSL_CERT")
    decision = f"{DESK}/{certificate_id}/decision"
    own = admin.post(decision, {"decision": "reject", "reason": "no"})
    assert (own.status, own.code) == (403, "SCM.9403")
    officer = person(admin.account, "olga", "officers")
    rejected = officer.post(decision, {"decision": "reject", "reason": "Not in the register."})
    assert rejected.json == {"status": "UNPASSED", "decisions_needed": 0}
    shown = admin.get(f"{C}/{certificate_id}").json
    assert (shown["status"], shown["last_failure"]) == ("UNPASSED", "Not in the register.")  # rule: REO-1
    assert admin.post(f"{C}/{certificate_id}/reopen").json == {"status": "PAID"}


def form(name: str, content: bytes, field: str = "document") -> tuple[bytes, str]:
    """A multipart body with one file, and its content type."""
    head = f'--frontier\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--frontier--\r\n", "multipart/form-data; boundary=frontier"


def upload(someone: Person, path: str, body: bytes, content_type: str) -> Answer:
    signed = someone.headers("POST", path, body, clock.real_now(), **{"Content-Type": content_type})
    return someone.send("POST", path, body, headers=signed)


# rule: ORG-1
def test_a_document_is_uploaded_as_a_form_and_saved_as_a_file(alice: Person, dns: LabDns) -> None:
    certificate_id = waiting_for_officer(alice, dns, cert_brand="SYMANTEC", cert_type="OV_SSL_CERT")
    path = f"{DESK}/{certificate_id}/documents"
    content = b"%PDF-1.7\n" + bytes(range(256)) * 400
    made = upload(alice, path, *form("licence.pdf", content))
    assert (made.status, made.json["name"], made.json["kind"]) == (200, "licence.pdf", "PDF")
    olga = person(alice.account, "olga", "officers")
    asked = olga.get(f"{DESK}/{certificate_id}").json["documents"]
    assert [one["id"] for one in asked] == [made.json["id"]]
    file = olga.get(f"{path}/{made.json['id']}").response
    assert file.content == content
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"] == "attachment; filename*=UTF-8''licence.pdf"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    for body, kind in (
        form("x.html", b"<html>"),
        form("x.pdf", content, field="file"),
        (b"no form", "text/plain"),
        (b"{}", "application/json"),
        (b"--frontier\r\n", "multipart/form-data; boundary=frontier"),
        form("x.pdf", b"%PDF-" + b"x" * (5 * 1024 * 1024)),
        form("x.pdf", b"%PDF-" + b"x" * (6 * 1024 * 1024)),
    ):
        assert upload(alice, path, body, kind).status == 400, kind
    charlie = person(account(), "charlie", "users")
    assert upload(charlie, path, *form("a.pdf", content)).status == 404
    assert charlie.get(f"{path}/{made.json['id']}").status == 404
    assert charlie.send("DELETE", f"{path}/{made.json['id']}").status == 404
    assert olga.send("DELETE", f"{path}/{made.json['id']}").status == 403
    assert alice.send("DELETE", f"{path}/{made.json['id']}").status == 204
    assert olga.get(f"{path}/{made.json['id']}").status == 404
