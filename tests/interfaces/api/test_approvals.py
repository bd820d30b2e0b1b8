"""Two-person rule over the API: Alice asks, Bob decides, Charlie of another account sees nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from certdesk.foundation.approvals.models import Request
from certdesk.foundation.audit.models import Event
from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import Account, Group, Policy, User
from certdesk.foundation.jobs import testing
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.operations import two_person
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.lifecycle.certificates.models import Certificate
from tests.support.office import Office, open_office
from tests.support.organization import yes as checklist
from tests.support.rulebook import COMPANY
from tests.support.signed import Answer, Person, account, person

pytestmark = pytest.mark.django_db(transaction=True)
C, APPROVALS, RULES = "/v3/scm/certificates", "/v3/scm/approvals", "/v3/scm/approval-rules"
V2 = "/v2"


@dataclass
class Team:
    alice: Person
    bob: Person
    dora: Person
    charlie: Person

    @property
    def account(self) -> Account:
        return self.alice.account

    def require(self, *kinds: str, approvals: int = 1, hours: int = 24) -> None:
        items = [{"operation": one, "approvals": approvals, "hours": hours} for one in kinds]
        assert self.alice.send("PUT", RULES, {"items": items}).status == 200

    def approve(self, asked: Answer, who: Person | None = None) -> None:
        assert asked.status == 202, asked.json
        decided = decide(who or self.bob, asked.json["approval_id"])
        assert decided.status == 200, decided.json
        testing.run_due()

    def group(self, name: str) -> str:
        return str(Group.objects.get(account=self.account, name=name).id)


def decide(who: Person, request_id: str, decision: str = "approve", reason: str = "") -> Answer:
    return who.post(f"{APPROVALS}/{request_id}/decision", {"decision": decision, "reason": reason})


@pytest.fixture
def team() -> Team:
    home = account()
    return Team(
        person(home, "alice", "admins"),
        person(home, "bob", "admins"),
        person(home, "dora", "admins"),
        person(account(), "charlie", "admins"),
    )


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as made:
        yield made


@pytest.fixture
def staff(office: Office) -> Team:
    """The same with a CA, DNS and money."""
    for name in ("alice", "bob"):
        iam.add_to_group(office.people[name], "admins")
    dora = iam.create_user(office.people["alice"].account, "dora", None, ["admins"])
    found = [office.people["alice"], office.people["bob"], dora, office.people["charlie"]]
    return Team(*(Person(user, *iam.create_access_key(user)) for user in found))


def state(request_id: str) -> str:
    return Request.objects.get(id=request_id).state


# --- certificates --------------------------------------------------------------------------------


# rule: DEL-3
def test_a_deletion_waits_for_a_second_person_and_is_done_by_him(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("delete")
    User.objects.filter(account=staff.account, name="bob").update(email="bob@example.com")
    User.objects.filter(account=staff.account, name="alice").update(email="alice@example.com")
    asked = staff.alice.send("DELETE", f"{C}/{certificate}")
    assert (asked.status, set(asked.json)) == (202, {"approval_id"})
    again = staff.alice.send("DELETE", f"{C}/{certificate}")
    assert again.json == asked.json
    request_id = asked.json["approval_id"]
    testing.run_due()
    mail = Message.objects.get(template="approval-asked")
    assert (mail.recipient, request_id in mail.text) == ("bob@example.com", True)

    listed = staff.bob.get(f"{APPROVALS}?whose=decide").json["items"]
    assert [one["id"] for one in listed] == [request_id]
    shown = listed[0]
    assert shown["operation"] == "certificates.delete"
    assert shown["requester"] == "alice"
    assert (shown["state"], shown["may_decide"], len(shown["request_hash"])) == ("PENDING", True, 64)
    assert certificate in shown["summary"]
    assert staff.alice.get(f"{APPROVALS}?whose=decide").json["items"] == []
    hers = staff.alice.get(f"{APPROVALS}/{request_id}").json
    assert (hers["may_decide"], hers["request"]) == (
        False,
        {"parameters": {"certificate_id": certificate}, "query": {"force": False}},
    )
    refused = decide(staff.alice, request_id)
    assert (refused.status, refused.code) == (403, "SCM.9403")

    staff.approve(asked)
    assert staff.alice.get(f"{C}/{certificate}").status == 404
    done = staff.alice.get(f"{APPROVALS}/{request_id}").json
    assert (done["state"], done["decisions"][0]["approver"]) == ("DONE", "bob")
    event = Event.objects.filter(resource=f"cert:{certificate}", request_id=request_id).first()
    assert event is not None
    assert event.actor == f"user:{staff.alice.user.id}"
    told = Message.objects.get(template="approval-ended")
    assert (told.recipient, "approved and done" in told.text) == ("alice@example.com", True)


def test_charlie_sees_nothing_and_decides_nothing(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("delete")
    request_id = staff.alice.send("DELETE", f"{C}/{certificate}").json["approval_id"]
    charlie = staff.charlie
    assert charlie.get(APPROVALS).json["items"] == []
    assert charlie.get(f"{APPROVALS}/{request_id}").status == 404
    assert decide(charlie, request_id).status in (403, 404)
    assert charlie.post(f"{APPROVALS}/{request_id}/cancel").status == 404
    assert charlie.send("DELETE", f"{C}/{certificate}").status == 404  # and his asking makes no request
    assert Request.objects.count() == 1
    assert state(request_id) == "PENDING"


def test_by_the_older_api_it_is_the_same_and_what_cannot_be_deleted_waits_for_nobody(
    office: Office, staff: Team
) -> None:
    staff.require("delete")
    paid = office.desk.buy()
    refused = staff.alice.send("DELETE", f"{C}/{paid}")
    assert (refused.status, refused.code) == (400, "SCM.0010")
    certificate = office.desk.issued("www.two-example.com")
    asked = staff.alice.send("DELETE", f"{V2}/{staff.account.id}/scm/cert/{certificate}")
    staff.approve(asked)
    assert Certificate.objects.get(id=certificate).state == "DELETED"


def test_a_certificate_that_changed_meanwhile_is_not_deleted(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("delete")
    asked = staff.alice.send("DELETE", f"{C}/{certificate}")
    assert staff.alice.send("PATCH", f"{C}/{certificate}", {"name": "another"}).status == 200
    refused = decide(staff.bob, asked.json["approval_id"])
    assert (refused.status, refused.code) == (400, "SCM.0010")
    assert state(asked.json["approval_id"]) == "VOID"
    assert staff.alice.get(f"{C}/{certificate}").status == 200


# rule: REV-1
def test_a_revocation_waits_too(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("revoke")
    asked = staff.alice.post(f"{C}/{certificate}/revoke", {})
    assert (
        "Revoke the certificate" in staff.bob.get(f"{APPROVALS}/{asked.json['approval_id']}").json["summary"]
    )
    assert office.desk.state(certificate) == "ISSUED"
    staff.approve(asked)
    assert state(asked.json["approval_id"]) == "DONE"
    assert office.desk.state(certificate) in ("REVOKING", "REVOKED")


# rule: ISS-3
def test_a_private_key_is_handed_out_once_to_the_one_who_asked(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("key_export")
    url = f"{C}/{certificate}/export"
    asked = staff.alice.post(url)
    staff.approve(asked)
    ready = staff.alice.get(f"{APPROVALS}/{asked.json['approval_id']}").json
    assert (ready["state"], ready["fetch_until"] > ready["created_at"]) == ("READY", True)
    his = staff.bob.post(url)
    assert his.status == 202  # the approval is hers
    given = staff.alice.post(url)
    assert given.status == 200
    assert given.json["private_key"].startswith("-----BEGIN")
    assert state(asked.json["approval_id"]) == "DONE"
    next_time = staff.alice.post(url)
    assert next_time.status == 202
    assert next_time.json["approval_id"] != asked.json["approval_id"]
    assert "PRIVATE KEY" not in str(list(Request.objects.values_list()))


def test_what_was_not_fetched_in_time_is_gone(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("key_export")
    asked = staff.alice.get(f"{C}/{certificate}/download?server=nginx")
    staff.approve(asked)
    other = staff.alice.get(f"{C}/{certificate}/download?server=iis")
    assert other.status == 202  # exactly what was approved, nothing like it
    Request.objects.filter(id=asked.json["approval_id"]).update(fetch_until=clock.now())
    assert staff.alice.get(f"{C}/{certificate}/download?server=nginx").status == 202


def test_an_approver_who_was_switched_off_opens_nothing(office: Office, staff: Team) -> None:
    certificate = office.desk.issued("www.two-example.com")
    staff.require("key_export")
    asked = staff.alice.post(f"{C}/{certificate}/export")
    staff.approve(asked)
    User.objects.filter(id=staff.bob.user.id).update(is_active=False)
    assert staff.alice.post(f"{C}/{certificate}/export").status == 403
    assert state(asked.json["approval_id"]) == "READY"


def test_a_csrs_private_key_waits_too_and_what_has_no_key_does_not(office: Office, staff: Team) -> None:
    made = staff.alice.post(
        "/v3/scm/csr",
        {
            "name": "mine",
            "domain_name": "www.two-example.com",
            "private_key_algo": "EC_P256",
            "usage": "PERSONAL",
        },
    )
    testing.run_due()
    assert made.status == 200, made.json
    staff.require("key_export")
    url = f"/v3/scm/csr/{made.json['id']}/private-key"
    asked = staff.alice.get(url)
    staff.approve(asked)
    assert staff.alice.get(url).json["private_key"].startswith("-----BEGIN")


# --- organizations ---------------------------------------------------------------------------------


# rule: ORG-2
def test_an_officers_approval_waits_for_a_second_person_who_is_not_the_applicant(
    office: Office, staff: Team
) -> None:
    certificate = office.desk.buy("OV_SSL_CERT")
    office.desk.apply(
        certificate, domain="www.two-example.com", company_name="Example Trading Co.,Ltd", **PLACE
    )
    office.desk.publish(certificate)
    testing.run_all(timedelta(hours=1))
    staff.require("organization_decision")
    otto = Person(office.people["otto"], *iam.create_access_key(office.people["otto"]))
    url = f"/v3/scm/organization-verifications/{certificate}/decision"
    asked = otto.post(url, checklist())
    assert asked.status == 202, asked.json
    request_id = asked.json["approval_id"]
    applicant = decide(staff.alice, request_id)
    assert applicant.status == 403
    staff.approve(asked, staff.dora)
    assert state(request_id) == "DONE"
    assert office.desk.state(certificate) != "CHECKING_ORG"


def test_a_rejection_of_an_organization_needs_nobody_else(office: Office, staff: Team) -> None:
    certificate = office.desk.buy("OV_SSL_CERT")
    office.desk.apply(
        certificate, domain="www.two-example.com", company_name="Example Trading Co.,Ltd", **PLACE
    )
    office.desk.publish(certificate)
    testing.run_all(timedelta(hours=1))
    staff.require("organization_decision")
    otto = Person(office.people["otto"], *iam.create_access_key(office.people["otto"]))
    url = f"/v3/scm/organization-verifications/{certificate}/decision"
    body = {"decision": "reject", "reason": "The register does not know it."}
    assert otto.post(url, body).status == 200
    assert otto.post(url, body).status == 400  # settled: refused as ever, nothing waits
    assert Request.objects.count() == 0


PLACE = {name: value for name, value in COMPANY.items() if name.startswith("company_") or name == "country"}
PLACE.pop("company_name", None)


# --- policies and groups ----------------------------------------------------------------------------


def document(*actions: str) -> dict[str, Any]:
    return {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": list(actions)}]}


# rule: IAM-3
def test_policies_change_with_a_second_person(team: Team) -> None:
    team.require("policy_change")
    roles = "/v3.0/OS-ROLE/roles"
    new = {"role": {"display_name": "Looks", "policy": document("scm:cert:list")}}
    team.approve(team.alice.post(roles, new))
    policy = Policy.objects.get(account=team.account, name="Looks")
    assert policy.document == document("scm:cert:list")
    change = {"role": {"policy": document("scm:cert:get")}}
    first = team.alice.send("PUT", f"{roles}/{policy.id}", change)
    second = team.alice.send("PUT", f"{roles}/{policy.id}", {"role": {"description": "other"}})
    team.approve(first)
    policy.refresh_from_db()
    assert policy.document == document("scm:cert:get")
    assert decide(team.bob, second.json["approval_id"]).status == 400  # the policy is another now
    refused = team.alice.post(roles, {"role": {"display_name": "Bad", "policy": {"Version": "9"}}})
    assert refused.status == 400

    group = team.alice.post("/v3/groups", {"group": {"name": "looks"}}).json["id"]
    place = f"/v3/groups/{group}/policies/{policy.id}"
    team.approve(team.alice.send("PUT", place))
    assert policy.grants.count() == 1
    team.approve(team.alice.send("DELETE", place))
    assert policy.grants.count() == 0
    team.approve(team.alice.send("DELETE", f"{roles}/{policy.id}"))
    assert not Policy.objects.filter(id=policy.id).exists()
    system = Policy.objects.get(account=None, name="SCM FullAccess")
    assert team.alice.send("DELETE", f"{roles}/{system.id}").status == 400


# rule: IAM-1
def test_members_of_groups_with_rights_over_people_change_with_a_second_person(team: Team) -> None:
    team.require("policy_change")
    nils = person(team.account, "nils").user.id
    readers, admins = team.group("readers"), team.group("admins")
    assert team.alice.send("PUT", f"/v3/groups/{readers}/users/{nils}").status == 204
    team.approve(team.alice.send("PUT", f"/v3/groups/{admins}/users/{nils}"))
    inside = set(User.objects.get(id=nils).groups.values_list("name", flat=True))
    assert inside == {"readers", "admins"}
    assert team.alice.send("PUT", f"/v3/groups/{admins}/users/{'0' * 32}").status == 404
    assert team.alice.send("DELETE", f"/v3/groups/{readers}/users/{nils}").status == 204
    team.approve(team.alice.send("DELETE", f"/v3/groups/{admins}/users/{nils}"))
    assert not User.objects.get(id=nils).groups.exists()
    assert team.alice.send("DELETE", f"/v3/groups/{readers}").status == 204
    asked = team.alice.send("DELETE", f"/v3/groups/{admins}")
    assert asked.status == 202


def test_nobody_comes_past_the_rule_by_making_a_user_in_such_a_group(team: Team) -> None:
    team.require("policy_change")
    body = {"user": {"name": "eve", "groups": [team.group("admins")], "password": "correct horse battery 1"}}
    refused = team.alice.post("/v3/users", body)
    assert (refused.status, refused.code) == (400, "SCM.0010")
    assert not User.objects.filter(account=team.account, name="eve").exists()
    body["user"]["groups"] = [team.group("readers")]
    assert team.alice.post("/v3/users", body).status == 201


def test_one_who_may_not_do_it_may_not_ask_for_it(team: Team) -> None:
    team.require("policy_change", "delete")
    reader = person(team.account, "reader", "readers")
    for method, path, body in (
        ("POST", "/v3.0/OS-ROLE/roles", {"role": {"display_name": "x", "policy": document("scm:cert:get")}}),
        ("PUT", f"/v3/groups/{team.group('admins')}/users/{reader.user.id}", None),
    ):
        assert reader.send(method, path, body).status == 403
    assert Request.objects.count() == 0


# --- rules -----------------------------------------------------------------------------------------


def test_rules_are_strengthened_at_once_and_weakened_by_two(team: Team) -> None:
    shown = team.alice.get(RULES).json["items"]
    assert [one["operation"] for one in shown if one["required"]] == []
    assert {one["operation"] for one in shown} == set(two_person.registry.kinds)
    team.require("delete")
    team.require("delete", "revoke", approvals=2)
    weaker = [{"operation": "revoke", "approvals": 2, "hours": 24}]
    asked = team.alice.send("PUT", RULES, {"items": weaker})
    assert asked.status == 202
    decide(team.bob, asked.json["approval_id"])
    testing.run_due()
    assert state(asked.json["approval_id"]) == "PENDING"  # the old rule wants two
    team.approve(asked, team.dora)
    on = [one["operation"] for one in team.bob.get(RULES).json["items"] if one["required"]]
    assert on == ["revoke"]


def test_the_rule_for_rules_holds_back_every_change(team: Team) -> None:
    team.require("approval_rules")
    asked = team.alice.send(
        "PUT", RULES, {"items": [{"operation": "approval_rules"}, {"operation": "delete"}]}
    )
    assert asked.status == 202
    same = team.alice.send("PUT", RULES, {"items": [{"operation": "approval_rules", "hours": 24}]})
    assert same.status == 200  # nothing changes


def test_rules_that_changed_meanwhile_are_not_weakened(team: Team) -> None:
    team.require("delete")
    asked = team.alice.send("PUT", RULES, {"items": []})
    team.require("delete", "revoke")
    assert decide(team.bob, asked.json["approval_id"]).status == 400
    assert state(asked.json["approval_id"]) == "VOID"


@pytest.mark.parametrize(
    "items",
    [
        [{"operation": "unheard"}],
        [{"operation": "delete", "approvals": 4}],
        [{"operation": "delete", "hours": 337}],
        [{"operation": "delete"}, {"operation": "delete"}],
    ],
)
def test_rules_that_cannot_be_are_refused(team: Team, items: list[dict[str, object]]) -> None:
    refused = team.alice.send("PUT", RULES, {"items": items})
    assert (refused.status, refused.code) == (400, "SCM.0005")


# --- the list --------------------------------------------------------------------------------------


def test_the_list_is_filtered_and_paged(team: Team) -> None:
    team.require("policy_change")
    roles = "/v3.0/OS-ROLE/roles"
    ids = []
    for number in range(12):
        body = {"role": {"display_name": f"P{number}", "policy": document("scm:cert:get")}}
        ids.append(team.alice.post(roles, body).json["approval_id"])
    first = team.bob.get(f"{APPROVALS}?limit=10").json
    rest = team.bob.get(f"{APPROVALS}?limit=10&marker={first['next_marker']}").json
    found = [one["id"] for one in first["items"] + rest["items"]]
    assert found == ids[::-1]
    assert rest["next_marker"] is None
    assert decide(team.bob, ids[0], "reject", "no").json["state"] == "REJECTED"
    assert [one["id"] for one in team.bob.get(f"{APPROVALS}?state=REJECTED").json["items"]] == [ids[0]]
    assert len(team.alice.get(f"{APPROVALS}?whose=mine&limit=50&operation=policy_change").json["items"]) == 12
    assert team.bob.get(f"{APPROVALS}?whose=mine").json["items"] == []
    for wrong in ("state=HALF", "whose=theirs", "marker=none", "limit=7"):
        assert team.bob.get(f"{APPROVALS}?{wrong}").status == 400
    assert decide(team.bob, ids[1], "maybe").status == 400
    nils = person(team.account, "nils")
    assert nils.get(APPROVALS).json["items"] == []


def test_the_one_who_asked_takes_it_back(team: Team) -> None:
    team.require("policy_change")
    body = {"role": {"display_name": "P", "policy": document("scm:cert:get")}}
    request_id = team.alice.post("/v3.0/OS-ROLE/roles", body).json["approval_id"]
    assert team.bob.post(f"{APPROVALS}/{request_id}/cancel").status == 404
    assert team.alice.post(f"{APPROVALS}/{request_id}/cancel").json["state"] == "CANCELLED"
    assert decide(team.bob, request_id).status == 400


def test_in_chinese(team: Team) -> None:
    team.require("policy_change")
    body = {"role": {"display_name": "P", "policy": document("scm:cert:get")}}
    request_id = team.alice.post("/v3.0/OS-ROLE/roles", body).json["approval_id"]
    answer = team.bob.send("GET", f"{APPROVALS}/{request_id}", **{"X-Language": "zh-cn"})
    assert answer.json["summary"] == "创建策略 P。"


# --- the table -------------------------------------------------------------------------------------


def test_every_operation_of_the_table_is_there_and_none_holds_a_secret() -> None:
    assert set(two_person.CASES) <= set(OPERATIONS)
    for name, case in two_person.CASES.items():
        assert OPERATIONS[name].two_person == case.kind
        model = OPERATIONS[name].request
        secrets = (
            [] if model is None else [key for key, one in model.model_fields.items() if "Secret" in str(one)]
        )
        assert bool(secrets) is (name in two_person.WITH_A_SECRET), name
    assert {case.kind for case in two_person.CASES.values()} == set(two_person.registry.kinds)


def test_a_secret_is_never_frozen() -> None:
    body = OPERATIONS["users.create"].request
    assert body is not None
    with pytest.raises(ValueError, match="secret"):
        two_person.frozen({"body": body.model_validate({"name": "a", "password": "b" * 12})})
