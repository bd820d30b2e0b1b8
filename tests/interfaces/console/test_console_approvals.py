"""Approvals in the console: what Bob decides, what Alice waits for, and that Charlie sees nothing."""

from collections.abc import Iterator

import pytest
from django.test import Client

from certdesk.foundation.approvals import queries
from certdesk.foundation.approvals.models import Request, Rule
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import Group
from certdesk.foundation.jobs import testing
from tests.support.office import Office, open_office
from tests.support.organization import yes

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = ("key_export", "delete", "revoke", "organization_decision", "policy_change", "approval_rules")


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as made:
        for name in ("alice", "bob"):
            iam.add_to_group(made.people[name], "admins")
        yield made


def require(office: Office, *kinds: str) -> None:
    account_id = office.people["alice"].account_id
    for kind in kinds:
        Rule.objects.create(account_id=account_id, operation=kind, approvals=1, hours=24)


def ask_to_delete(office: Office, client: Client) -> tuple[str, str]:
    """`(certificate, request)`, asked for by the page *Delete*."""
    certificate = office.desk.issued("www.two-example.com")
    answer = client.post(f"/certificates/{certificate}/delete", {"confirm_name": "www.two-example.com"})
    assert answer.status_code == 302
    return certificate, answer.headers["Location"].rpartition("/")[2]


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    return str(answer.content.decode())


def state(request_id: str) -> str:
    return Request.objects.get(id=request_id).state


def test_a_deletion_is_asked_for_decided_and_done(office: Office) -> None:
    require(office, "delete")
    alice, bob, charlie = (office.client(name) for name in ("alice", "bob", "charlie"))
    certificate, request_id = ask_to_delete(office, alice)
    path = f"/approvals/{request_id}"
    hers = text(alice, path)
    assert "Your request waits here" in hers
    assert 'data-operation="approve"' not in hers
    assert "Deletion waits for a second person" in text(alice, f"/certificates/{certificate}")

    assert path in text(bob, "/approvals")
    assert '<span class="cd-count">1' in text(bob, "/certificates")
    his = text(bob, path)
    assert certificate in his
    assert 'data-operation="approve"' in his
    assert bob.post(path, {"decision": "reject", "reason": ""}).status_code == 422
    assert bob.post(path, {"decision": "perhaps"}).status_code == 422
    assert alice.post(path, {"decision": "approve"}).status_code == 422

    assert text(charlie, path, 404)
    assert path not in text(charlie, "/approvals")
    assert charlie.post(path, {"decision": "approve"}).status_code == 404
    charlie.post(f"{path}/cancel")
    assert state(request_id) == "PENDING"

    assert bob.post(path, {"decision": "approve"}).status_code == 302
    assert "being done" in text(alice, path)
    testing.run_due()
    assert state(request_id) == "DONE"
    assert text(alice, f"/certificates/{certificate}", 404)
    over = text(alice, "/approvals?show=over")
    assert path in over
    assert path not in text(bob, "/approvals")
    assert "It is approved and done." in text(bob, path)


def test_a_rejection_tells_its_reason_and_what_was_asked_can_be_taken_back(office: Office) -> None:
    require(office, "delete")
    alice, bob = office.client("alice"), office.client("bob")
    _certificate, request_id = ask_to_delete(office, alice)
    path = f"/approvals/{request_id}"
    bob.post(path, {"decision": "reject", "reason": "It is still in use."})
    assert "It is still in use." in text(alice, path)
    again = alice.post(f"/certificates/{_certificate}/delete", {"confirm_name": "www.two-example.com"})
    second = again.headers["Location"]
    assert second != path
    alice.post(f"{second}/cancel")
    assert state(second.rpartition("/")[2]) == "CANCELLED"
    alice.post(f"{second}/cancel")
    assert "cannot be taken back" in text(alice, second)
    assert second in text(alice, "/approvals?show=mine")


def test_a_private_key_is_fetched_once_from_the_page(office: Office) -> None:
    require(office, "key_export")
    alice, bob = office.client("alice"), office.client("bob")
    certificate = office.desk.issued("www.two-example.com")
    url = f"/certificates/{certificate}/download?server=nginx"
    path = alice.get(url).headers["Location"]
    assert "Handing out the private key waits" in text(alice, f"/certificates/{certificate}")
    bob.post(path, {"decision": "approve"})
    testing.run_due()
    assert "Fetch it now, once" in text(alice, path)
    assert "the person who asked fetches it" in text(bob, path)
    assert "may be fetched once by alice" in text(bob, f"/certificates/{certificate}")
    assert alice.get(url).headers["Content-Type"] == "application/zip"
    assert alice.get(url).status_code == 302


def test_a_csrs_key_is_fetched_by_a_form_and_an_export_by_the_api(office: Office) -> None:
    from certdesk.interfaces.operations.registry import Waiting, call

    require(office, "key_export")
    alice, bob, principal = office.client("alice"), office.client("bob"), office.desk.alice
    body = {"name": "mine", "domain_name": "www.two-example.com", "private_key_algo": "EC_P256"}
    _status, made = call("csrs.create", principal, body=body)
    testing.run_due()
    csr = str(made["id"])  # type: ignore[index,call-overload]
    path = alice.post(f"/csrs/{csr}/private-key").headers["Location"]
    bob.post(path, {"decision": "approve"})
    testing.run_due()
    assert f"/csrs/{csr}/private-key" in text(alice, path)
    assert alice.post(f"/csrs/{csr}/private-key").content.startswith(b"-----BEGIN")

    certificate = office.desk.issued("www.two-example.com")
    with pytest.raises(Waiting) as waiting:
        call("certificates.export", principal, certificate_id=certificate)
    bob.post(f"/approvals/{waiting.value.approval_id}", {"decision": "approve"})
    testing.run_due()
    assert "Send the same API request once more" in text(alice, f"/approvals/{waiting.value.approval_id}")


def test_an_officers_decision_waits_too(office: Office) -> None:
    require(office, "organization_decision")
    certificate = office.desk.buy("OV_SSL_CERT")
    place = {"company_province": "Guizhou", "company_city": "Guiyang", "country": "CN"}
    office.desk.apply(certificate, domain="www.two-example.com", company_name="Example Co", **place)
    office.desk.publish(certificate)
    office.desk.run()
    testing.run_due()
    if office.desk.state(certificate) != "CHECKING_ORG":
        office.client("alice").post(f"/certificates/{certificate}/verify")
    assert office.desk.state(certificate) == "CHECKING_ORG"
    answer = office.client("otto").post(f"/organization-verifications/{certificate}", yes())
    assert answer.headers["Location"].startswith("/approvals/")
    held = Request.objects.get(kind="organization_decision")
    assert "approval waits for a second person" in text(office.client("bob"), f"/certificates/{certificate}")
    assert office.client("alice").post(f"/approvals/{held.id}", {"decision": "approve"}).status_code == 422
    assert office.client("bob").post(f"/approvals/{held.id}", {"decision": "approve"}).status_code == 302
    testing.run_due()
    assert state(held.id) == "DONE"


def test_policies_and_members_wait_too_and_the_document_is_shown(office: Office) -> None:
    require(office, "policy_change")
    alice, bob = office.client("alice"), office.client("bob")
    document = '{"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list"]}]}'
    path = alice.post("/iam/policies/add", {"name": "looks", "policy": document}).headers["Location"]
    assert "scm:cert:list" in text(bob, path)
    admins = Group.objects.get(account=office.people["alice"].account, name="admins")
    chosen = {"chosen": office.people["nils"].id}
    member = alice.post(f"/iam/groups/{admins.id}/users/add", chosen).headers["Location"]
    assert "Put the user nils into the group admins." in text(bob, member)
    bob.post(member, {"decision": "approve"})
    testing.run_due()
    assert office.people["nils"].groups.filter(name="admins").exists()


def form(*on: str, approvals: int = 1, hours: int = 24) -> dict[str, str]:
    given = {f"{kind}.on": "on" for kind in on}
    for kind in KINDS:
        given |= {f"{kind}.approvals": str(approvals), f"{kind}.hours": str(hours)}
    return given


def test_rules_are_set_and_loosened_on_their_page(office: Office) -> None:
    alice, bob = office.client("alice"), office.client("bob")
    account_id = office.people["alice"].account_id
    assert "Who may decide" in text(alice, "/approvals/rules")
    assert alice.post("/approvals/rules", form("delete", hours=337)).status_code == 422
    assert alice.post("/approvals/rules", form("delete", approvals=2)).status_code == 422  # one other person
    assert alice.post("/approvals/rules", form("delete", "revoke")).headers["Location"] == "/approvals/rules"
    assert [one.operation for one in queries.rules_of(account_id)] == ["delete", "revoke"]
    path = alice.post("/approvals/rules", form("delete")).headers["Location"]
    assert "Deleting a certificate: 1 other person within 24 hours" in text(bob, path)
    bob.post(path, {"decision": "approve"})
    testing.run_due()
    assert [one.operation for one in queries.rules_of(account_id)] == ["delete"]
    off = alice.post("/approvals/rules", form()).headers["Location"]
    assert "No operation needs a second person any more." in text(bob, off)


def test_the_list_goes_on_page_by_page(office: Office) -> None:
    require(office, "policy_change")
    alice, bob = office.client("alice"), office.client("bob")
    document = '{"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list"]}]}'
    for number in range(32):
        alice.post("/iam/policies/add", {"name": f"looks {number}", "policy": document})
    first = text(bob, "/approvals")
    assert first.count("data-approval-id") == 30
    last = queries.waiting_for(office.desk.alice).first()
    assert last is None  # what she asked for is not for her to decide
    marker = Request.objects.order_by("-created_at", "-id")[29].id
    assert f"before={marker}" in first
    assert text(bob, f"/approvals?show=decide&before={marker}").count("data-approval-id") == 2


def test_in_chinese_and_empty(office: Office) -> None:
    assert "没有等待您审批的请求" in text(office.client("bob", "zh-cn"), "/approvals")
    assert "您没有提交过" in text(office.client("bob", "zh-cn"), "/approvals?show=mine")
