"""Users, groups, policies, keys, projects and the simulator in the console."""

import json

import pytest
from django.test import Client

from certdesk.foundation.common import sql
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam.models import AccessKey, EnterpriseProject, Group, Policy, User
from certdesk.lifecycle.certificates.models import Certificate
from tests.support.office import PASSWORD, Office

PAGES = ["users", "groups", "policies", "projects", "keys", "simulator"]
ADD = ["users/add", "groups/add", "policies/add", "projects/add", "keys/add"]
DENY = {"Version": "1.1", "Statement": [{"Effect": "Deny", "Action": ["scm:cert:delete"]}]}


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def admin(office: Office) -> Client:
    account = office.people["alice"].account
    office.people["ada"] = iam.create_user(account, "ada", PASSWORD, ["admins"])
    return office.client("ada")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_pages_stand(office: Office, admin: Client, language: str) -> None:
    browser = office.client("ada", language)
    for path in PAGES + ADD:
        response = browser.get(f"/iam/{path}")
        assert response.status_code == 200, path
    assert "/iam/users" in text(response)


# rule: IAM-5
def test_whoever_has_no_right_sees_no_page_and_no_entry(office: Office, admin: Client) -> None:
    group = Group.objects.get(account=office.people["alice"].account, name="admins")
    for name in ("alice", "nils"):
        browser = office.client(name)
        for path in [*PAGES, *ADD, f"users/{office.people['bob'].id}", f"groups/{group.id}"]:
            expected = 200 if path in ("keys", "keys/add") else 403
            assert browser.get(f"/iam/{path}").status_code == expected, (name, path)
        shown = text(browser.get("/iam/keys"))
        assert "/iam/users" not in shown
        assert "/iam/keys" in shown
    for path in PAGES + ADD:
        assert Client().get(f"/iam/{path}").status_code == 302


def test_charlie_never_gets_in(office: Office, admin: Client) -> None:
    other = office.people["charlie"].account
    office.people["carla"] = iam.create_user(other, "carla", PASSWORD, ["admins"])
    browser = office.client("carla")
    account = office.people["alice"].account
    user, group = office.people["bob"], Group.objects.get(account=account, name="admins")
    policy = iam.create_policy(account, "p", DENY)
    project = EnterpriseProject.objects.create(id="p1", account=account, name="one")
    access_key, _secret = iam.create_access_key(user)
    for path in (
        f"users/{user.id}",
        f"users/{user.id}/edit",
        f"users/{user.id}/delete",
        f"groups/{group.id}",
        f"groups/{group.id}/edit",
        f"groups/{group.id}/delete",
        f"policies/{policy.id}",
        f"policies/{policy.id}/edit",
        f"policies/{policy.id}/delete",
        f"projects/{project.id}",
    ):
        assert browser.get(f"/iam/{path}").status_code == 404, path
        if path.count("/") == 2:
            assert browser.post(f"/iam/{path}", {"name": "x"}).status_code == 404, path
    before = sql.rows("SELECT COUNT(*) FROM audit_event WHERE account_id = %s", [account.id])
    for path, given in (
        (f"users/{user.id}/switch", {"on": "0"}),
        (f"keys/{access_key}/switch", {"on": "0"}),
        (f"keys/{access_key}/delete", {}),
        (f"groups/{group.id}/users/add", {"chosen": user.id}),
        (f"groups/{group.id}/users/remove", {"chosen": user.id}),
        (f"groups/{group.id}/policies/attach", {"chosen": policy.id}),
        (f"groups/{group.id}/policies/detach", {"chosen": policy.id}),
    ):
        browser.post(f"/iam/{path}", given, follow=True)  # its refusal is read here
    assert sql.rows("SELECT COUNT(*) FROM audit_event WHERE account_id = %s", [account.id]) == before
    shown = text(browser.get(f"/iam/keys?user={user.id}")) + text(browser.get("/iam/users"))
    assert access_key not in shown
    assert user.name not in shown


# rule: IAM-1
def test_a_user_is_made_put_into_a_group_switched_off_and_deleted(office: Office, admin: Client) -> None:
    account = office.people["alice"].account
    readers = Group.objects.get(account=account, name="readers")
    given = {
        "name": "dora",
        "email": "dora@example.com",
        "group": readers.id,
        "password": "first good passphrase",
    }
    made = admin.post("/iam/users/add", given)
    dora = User.objects.get(account=account, name="dora")
    assert made.headers["Location"] == f"/iam/users/{dora.id}"
    shown = text(admin.get(f"/iam/users/{dora.id}"))
    assert "First sign-in pending" in shown
    assert "readers" in shown
    assert "first good passphrase" not in shown
    wrong = admin.post("/iam/users/add", {**given, "name": "-"})
    assert wrong.status_code == 422
    assert "cannot be the name of a user" in text(wrong)
    edited = {"email": "d@example.com", "phone": "1", "description": "new", "password": ""}
    assert admin.post(f"/iam/users/{dora.id}/edit", edited).status_code == 302
    assert admin.post(f"/iam/users/{dora.id}/edit", {"email": "nobody"}).status_code == 422
    browser = office.client("ada")
    browser.force_login(User.objects.get(id=dora.id), backend="certdesk.interfaces.console.accounts.Backend")
    User.objects.filter(id=dora.id).update(must_change_password=False)
    assert browser.get("/certificates").status_code == 200
    admin.post(f"/iam/users/{dora.id}/switch", {"on": "0"})
    assert browser.get("/certificates").status_code == 302
    admin.post(f"/iam/users/{dora.id}/switch", {"on": "1"})
    assert "Delete dora?" in text(admin.get(f"/iam/users/{dora.id}/delete"))
    assert admin.post(f"/iam/users/{dora.id}/delete").status_code == 302
    assert not User.objects.filter(id=dora.id).exists()
    ada = office.people["ada"]
    assert "You cannot delete yourself" in text(admin.post(f"/iam/users/{ada.id}/delete", follow=True))


def test_groups_by_buttons(office: Office, admin: Client) -> None:
    account, nils = office.people["alice"].account, office.people["nils"]
    admin.post("/iam/groups/add", {"name": "team", "description": "a team"})
    team = Group.objects.get(account=account, name="team")
    assert admin.post("/iam/groups/add", {"name": "team"}).status_code == 422
    page = f"/iam/groups/{team.id}"
    policy = Policy.objects.get(account=None, name="SCM ReadOnlyAccess")
    admin.post(f"{page}/users/add", {"chosen": nils.id})
    shown = text(admin.post(f"{page}/policies/attach", {"chosen": policy.id, "project": "0"}, follow=True))
    assert "The policy is attached." in shown
    assert [one.enterprise_project_id for one in team.grants.all()] == ["0"]
    assert office.client("nils").get("/certificates").status_code == 200
    admin.post(f"{page}/policies/detach", {"chosen": policy.id, "project": "0"})
    admin.post(f"{page}/users/remove", {"chosen": nils.id})
    assert office.client("nils").get("/certificates").status_code == 403
    assert "There is no user" in text(admin.post(f"{page}/users/add", {"chosen": "x"}, follow=True))
    assert admin.post(f"{page}/edit", {"name": "crew"}).status_code == 302
    assert admin.get(f"{page}/delete").status_code == 200
    admin.post(f"{page}/delete")
    assert not Group.objects.filter(id=team.id).exists()
    admins = Group.objects.get(account=account, name="admins")
    shown = text(admin.post(f"/iam/groups/{admins.id}/delete", follow=True))
    assert "without an administrator" in shown
    assert 'role="alert"' in shown


# rule: IAM-3
# rule: IAM-9
def test_the_editor_explains_what_it_refuses_and_keeps_what_was_typed(office: Office, admin: Client) -> None:
    for typed, words in (
        ("{\n  nonsense", "line 2, column 3"),
        ('{"Version": "1.1", "Version": "1.1"}', "stands twice"),
        ("[" * 15_000, "nested too deeply"),
        (json.dumps({**DENY, "Statement": [{"Effect": "Deny", "Action": ["x"]}]}), "Statement[0].Action[0]"),
        ("x" * 20_001, "20000"),
    ):
        response = admin.post("/iam/policies/add", {"name": "p", "policy": typed})
        assert response.status_code == 422
        assert words in text(response), typed[:40]
        assert typed[:20].replace('"', "&quot;") in text(response)
    admin.post("/iam/policies/add", {"name": "p", "policy": json.dumps(DENY)})
    policy = Policy.objects.get(name="p")
    assert "only denies" in text(admin.get(f"/iam/policies/{policy.id}"))
    changed = {"name": "q", "policy": json.dumps(DENY).replace("delete", "revoke")}
    assert admin.post(f"/iam/policies/{policy.id}/edit", changed).status_code == 302
    policy.refresh_from_db()
    assert (policy.name, policy.document["Statement"][0]["Action"]) == ("q", ["scm:cert:revoke"])
    assert admin.get(f"/iam/policies/{policy.id}/edit").status_code == 200
    assert admin.get(f"/iam/policies/{policy.id}/delete").status_code == 200
    admin.post(f"/iam/policies/{policy.id}/delete")
    assert not Policy.objects.filter(name="q").exists()


# rule: IAM-7
def test_a_key_is_made_shown_once_and_destroyed(office: Office, admin: Client) -> None:
    browser = office.client("nils")
    response = browser.post("/iam/keys/add", {"description": "ci"})
    key = AccessKey.objects.get(user=office.people["nils"])
    assert key.access_key in text(response)
    assert "shown this once" in text(response)
    assert response.headers["Cache-Control"] == "no-store"
    listed = text(browser.get("/iam/keys"))
    assert key.access_key in listed
    assert "key-delete" not in listed  # a key that works is switched off first
    browser.post(f"/iam/keys/{key.access_key}/switch", {"on": "0"})
    assert "key-delete" in text(browser.get("/iam/keys"))
    browser.post(f"/iam/keys/{key.access_key}/switch", {"on": "1"})
    key.refresh_from_db()
    assert key.enabled
    browser.post("/iam/keys/add", {})
    assert browser.post("/iam/keys/add", {}).status_code == 422
    bob = office.people["bob"]
    assert browser.post(f"/iam/keys/add?user={bob.id}", {}).status_code == 422
    assert browser.get(f"/iam/keys?user={bob.id}").status_code == 403
    browser.post(f"/iam/keys/{key.access_key}/delete")
    assert not AccessKey.objects.filter(access_key=key.access_key).exists()


# rule: IAM-6
def test_projects(office: Office, admin: Client) -> None:
    admin.post("/iam/projects/add", {"name": "shop"})
    project = EnterpriseProject.objects.get(name="shop")
    assert admin.get(f"/iam/projects/{project.id}").status_code == 200
    admin.post(f"/iam/projects/{project.id}", {"name": "store"})
    assert "store" in text(admin.get("/iam/projects"))
    certificate_id = office.desk.issued("www.example.com")
    Certificate.objects.filter(id=certificate_id).update(enterprise_project_id=project.id)
    page = f"/iam/projects/{project.id}/delete"
    assert page in text(admin.get(f"/iam/projects/{project.id}"))
    assert "nothing lies" in text(admin.get(page))
    assert "Certificates lie in this project." in text(admin.post(page, follow=True))
    move = f"/certificates/{certificate_id}/project"
    assert move in text(admin.get(f"/certificates/{certificate_id}"))
    assert "store" in text(admin.get(move))
    assert admin.post(move, {"project": "none"}).status_code == 422
    assert "lies in the other project now" in text(admin.post(move, {"project": "0"}, follow=True))
    assert Certificate.objects.get(id=certificate_id).enterprise_project_id == "0"
    assert admin.post(f"/iam/projects/{project.id}", {"name": "store"}).status_code == 302
    assert "Deleted." in text(admin.post(page, follow=True))
    assert not EnterpriseProject.objects.filter(id=project.id).exists()
    assert office.client("rita").get(move).status_code == 403
    assert office.client("charlie").post(move, {"project": "0"}).status_code == 404


# rule: IAM-4
def test_the_simulator_answers_with_the_statement(office: Office, admin: Client) -> None:
    question = {"user": "alice", "action": "scm:cert:download", "resource": "cert:scs1"}
    shown = text(admin.get("/iam/simulator", question))
    assert 'data-decision="ALLOW"' in shown
    assert "SCM FullAccess" in shown
    shown = text(admin.get("/iam/simulator", {**question, "user": "nils"}))
    assert 'data-decision="DENY"' in shown
    assert "No policy allows scm:cert:download" in shown
    for wrong in ({"user": "nobody"}, {"action": "x"}, {"source": "home"}, {"time": "soon"}):
        assert admin.get("/iam/simulator", {**question, **wrong}).status_code == 422


# rule: IAM-7
def test_a_key_is_destroyed_after_a_second_question(office: Office) -> None:
    alice = office.people["alice"]
    access_key, _secret = iam.create_access_key(alice)
    iam.set_access_key_enabled(access_key, False)
    browser = office.client("alice")
    page = f"/iam/keys/{access_key}/delete"
    assert page in text(browser.get("/iam/keys"))
    shown = text(browser.get(page))
    assert f"Destroy the access key {access_key}?" in shown
    assert 'data-operation="key-delete-sure"' in shown
    assert AccessKey.objects.filter(access_key=access_key).exists()
    assert office.client("charlie").get(page).status_code == 404
    assert office.client("nils").get(page).status_code == 403
    assert "The key is destroyed." in text(browser.post(page, follow=True))
    assert not AccessKey.objects.filter(access_key=access_key).exists()
