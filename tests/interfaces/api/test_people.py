"""Users, groups, policies, keys, projects and tokens over the API: who may, who never gets in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import actions, factor_rules, keys, queries, second_factor, throttle_rules
from certdesk.foundation.iam.models import AccessKey, Group, Policy, User
from certdesk.foundation.iam.principal import Via
from certdesk.interfaces.operations.index import OPERATIONS
from certdesk.interfaces.operations.registry import Operation
from tests.support.signed import PASSWORD, Answer, Person, account, person, send

pytestmark = pytest.mark.django_db
USERS, GROUPS = "/v3/users", "/v3/groups"
ROLES, KEYS = "/v3.0/OS-ROLE/roles", "/v3.0/OS-CREDENTIAL/credentials"
PROJECTS, TOKENS = "/v1.0/enterprise-projects", "/v3/auth/tokens"
SIMULATE = "/v3/scm/policies/simulate"


def document(*actions_: str, effect: str = "Allow", **more: object) -> dict[str, Any]:
    return {"Version": "1.1", "Statement": [{"Effect": effect, "Action": list(actions_), **more}]}


@dataclass
class House:
    alice: Person
    bob: Person
    nils: Person
    charlie: Person
    gone: Person

    def group(self, name: str) -> str:
        return str(Group.objects.get(account=self.alice.account, name=name).id)


@pytest.fixture
def house() -> House:
    home, other = account(), account()
    gone = person(home, "gone", "admins")
    actions.set_access_key_enabled(gone.access_key, False)
    return House(
        person(home, "alice", "admins"),
        person(home, "bob", "users"),
        person(home, "nils"),
        person(other, "charlie", "admins"),
        gone,
    )


def system_policy(name: str) -> str:
    return str(Policy.objects.get(account=None, name=name).id)


# --- the whole way -------------------------------------------------------------------------------


# rule: IAM-1
def test_a_user_made_put_into_a_group_and_given_a_key_may_what_the_group_may(house: House) -> None:
    alice = house.alice
    made = alice.post(USERS, {"user": {"name": "dora", "email": "dora@example.com"}})
    assert made.status == 201
    assert made.json["id"] == made.json["user"]["id"]
    dora = made.json["id"]
    group = alice.post(GROUPS, {"name": "readers-2"}).json["id"]
    assert alice.send("PUT", f"{GROUPS}/{group}/users/{dora}").status == 204
    assert alice.send("PUT", f"{GROUPS}/{group}/policies/{system_policy('SCM ReadOnlyAccess')}").status == 204
    given = alice.post(KEYS, {"credential": {"user_id": dora, "description": "ci"}})
    assert given.status == 201
    key = given.json["credential"]
    her = Person(User.objects.get(id=dora), key["access"], key["secret"])
    assert her.get("/v3/scm/certificates").status == 200
    refused = her.post("/v3/scm/certificates/buy", {})
    assert (refused.status, refused.code) == (403, "SCM.9403")
    shown = alice.get(f"{GROUPS}/{group}").json
    assert [one["name"] for one in shown["users"]] == ["dora"]
    assert [one["name"] for one in shown["policies"]] == ["SCM ReadOnlyAccess"]
    assert alice.send("DELETE", f"{GROUPS}/{group}/users/{dora}").status == 204
    actions.queries.forget_keys()
    assert her.get("/v3/scm/certificates").status == 403
    assert alice.send("DELETE", f"{USERS}/{dora}").status == 204
    assert her.get("/v3/auth/domains").status == 401
    done = {
        row[0] for row in sql.rows("SELECT action FROM audit_event WHERE account_id = %s", [alice.account.id])
    }
    assert {
        "iam:users:create",
        "iam:groups:create",
        "iam:groups:addUser",
        "iam:groups:attachPolicy",
        "iam:credentials:create",
        "iam:groups:removeUser",
        "iam:users:delete",
    } <= done


# rule: IAM-7
def test_a_secret_is_shown_once_and_a_user_has_two_keys_at_most(house: House) -> None:
    nils = house.nils
    first = nils.post(KEYS, {})  # one's own needs no policy
    assert first.status == 201
    secret = first.json["secret"]
    assert nils.post(KEYS, {}).code == "SCM.9020"
    for path in (KEYS, f"{KEYS}/{first.json['access']}", f"{KEYS}?user_id={nils.user.id}"):
        answer = nils.get(path)
        assert answer.status == 200
        assert secret not in answer.response.content.decode()
    key = first.json["access"]
    assert (
        nils.send("PUT", f"{KEYS}/{key}", {"credential": {"status": "inactive"}}).json["status"] == "inactive"
    )
    his = Person(nils.user, key, secret)
    assert his.get("/v3/auth/domains").status == 401
    assert nils.send("PUT", f"{KEYS}/{key}", {"status": "wrong"}).status == 400
    assert nils.send("PUT", f"{KEYS}/{key}", {"status": "active", "description": "x"}).status == 200
    assert his.get("/v3/auth/domains").status == 200
    assert nils.send("DELETE", f"{KEYS}/{key}").status == 204
    assert his.get("/v3/auth/domains").status == 401


# rule: IAM-7
def test_last_use_is_told_to_the_minute(house: House) -> None:
    house.alice.get("/v3/auth/domains")
    shown = house.alice.get(f"{KEYS}/{house.alice.access_key}").json
    assert shown["last_use_time"] != ""
    now = clock.real_now()
    for later, stays in ((timedelta(seconds=59), True), (timedelta(seconds=61), False)):
        before = AccessKey.objects.get(access_key=house.alice.access_key).last_used_at
        keys.note_use(house.alice.access_key, now + later)
        after = AccessKey.objects.get(access_key=house.alice.access_key).last_used_at
        assert (before == after) is stays


# rule: IAM-7
def test_a_deny_closes_even_ones_own_keys(house: House) -> None:
    policy = actions.create_policy(
        house.nils.account, "no keys", document("iam:credentials:*", effect="Deny")
    )
    group = actions.create_group(house.nils.account, "no-keys")
    actions.grant(group, policy)
    actions.add_to_group(house.nils.user, "no-keys")
    assert house.nils.post(KEYS, {}).status == 403


# --- nobody gives or takes what he does not hold -------------------------------------------------


@pytest.fixture
def clerk(house: House) -> Person:
    """Carl manages people and reads certificates, and holds nothing else."""
    home = house.alice.account
    group = actions.create_group(home, "clerks")
    actions.grant(
        group, actions.create_policy(home, "clerk", document("iam:*", "scm:cert:get", "scm:cert:list*"))
    )
    return person(home, "carl", "clerks")


# rule: IAM-4
def test_a_clerk_cannot_raise_himself_by_any_road(house: House, clerk: Person) -> None:
    me, mine = clerk.user.id, house.group("clerks")
    full = system_policy("SCM FullAccess")
    policy = clerk.post(ROLES, {"display_name": "all", "policy": document("*")})
    assert policy.status == 201  # paper alone gives nothing
    custom = Policy.objects.get(account=clerk.account, name="clerk")
    roads: list[tuple[str, str, object]] = [
        ("PUT", f"{GROUPS}/{house.group('admins')}/users/{me}", None),
        ("PUT", f"{GROUPS}/{house.group('users')}/users/{house.nils.user.id}", None),
        ("PUT", f"{GROUPS}/{mine}/policies/{full}", {}),
        ("PUT", f"{GROUPS}/{mine}/policies/{policy.json['id']}", {}),
        ("PUT", f"{ROLES}/{custom.id}", {"policy": document("*")}),
        ("POST", USERS, {"name": "eve", "groups": [house.group("admins")]}),
        ("PUT", f"{USERS}/{house.alice.user.id}", {"password": PASSWORD}),
        ("PUT", f"{USERS}/{house.alice.user.id}", {"email": "carl@example.com"}),
        ("PUT", f"{USERS}/{house.gone.user.id}", {"enabled": True}),
        ("POST", KEYS, {"user_id": house.alice.user.id}),
        ("PUT", f"{KEYS}/{house.gone.access_key}", {"enabled": True}),
    ]
    for method, path, body in roads:
        answer = clerk.send(method, path, body)
        assert (answer.status, answer.code) == (403, "SCM.9403"), (method, path, answer.json)
    actions.queries.forget_keys()
    assert clerk.post("/v3/scm/certificates/buy", {}).status == 403
    # what he holds he may hand on
    small = clerk.post(ROLES, {"display_name": "small", "policy": document("scm:cert:listTagsByCertificate")})
    assert clerk.send("PUT", f"{GROUPS}/{mine}/policies/{small.json['id']}", {}).status == 204


# rule: IAM-4
def test_a_deny_cannot_be_shaken_off(house: House) -> None:
    home = house.alice.account
    deny = actions.create_policy(home, "no delete", document("scm:cert:delete", effect="Deny"))
    group = actions.create_group(home, "bound")
    actions.grant(group, deny)
    dave = person(home, "dave", "admins", "bound")
    roads: list[tuple[str, str, object]] = [
        ("DELETE", f"{GROUPS}/{group.id}/policies/{deny.id}", {}),
        ("DELETE", f"{GROUPS}/{group.id}/users/{dave.user.id}", None),
        ("DELETE", f"{GROUPS}/{group.id}", None),
        ("PUT", f"{ROLES}/{deny.id}", {"policy": document("scm:cert:download", effect="Deny")}),
        ("POST", USERS, {"name": "eve", "groups": [house.group("admins")]}),
        ("POST", KEYS, {"user_id": house.alice.user.id}),
    ]
    for method, path, body in roads:
        assert dave.send(method, path, body).status == 403, (method, path)
    assert house.alice.send("DELETE", f"{GROUPS}/{group.id}/policies/{deny.id}", {}).status == 204


def test_the_last_administrator_cannot_be_removed_by_any_road(house: House) -> None:
    alice, admins = house.alice, house.group("admins")
    User.objects.filter(id=house.gone.user.id).delete()
    manager = person(alice.account, "mia", "admins")
    assert alice.send("DELETE", f"{USERS}/{manager.user.id}").status == 204
    granted = alice.get(f"{GROUPS}/{admins}").json["policies"]
    administrator = next(one["id"] for one in granted if one["name"] == "SCM Administrator")
    roads: list[tuple[str, str, object]] = [
        ("DELETE", f"{GROUPS}/{admins}/users/{alice.user.id}", None),
        ("DELETE", f"{GROUPS}/{admins}", None),
        ("DELETE", f"{GROUPS}/{admins}/policies/{administrator}", {}),
        ("PUT", f"{USERS}/{alice.user.id}", {"enabled": False}),
        ("DELETE", f"{USERS}/{alice.user.id}", None),
        ("PUT", f"{KEYS}/{alice.access_key}", {"enabled": False}),
        ("DELETE", f"{KEYS}/{alice.access_key}", None),
    ]
    for method, path, body in roads:
        answer = alice.send(method, path, body)
        assert (answer.status, answer.code) == (400, "SCM.0010"), (method, path, answer.json)
    second = person(alice.account, "ann", "admins")
    assert second.send("PUT", f"{USERS}/{alice.user.id}", {"enabled": False}).status == 200


# --- policies ------------------------------------------------------------------------------------


# rule: IAM-3
def test_a_refused_policy_says_where_and_why(house: House) -> None:
    for broken, words in [
        (document("scm:cert"), "Statement[0].Action[0]"),
        (
            document("scm:cert:get", Condition={"Near": {}}),
            "Statement[0].Condition: The condition operator 'Near'",
        ),
        (document("scm:cert:get", Condition={"DateLessThan": {"g:CurrentTime": ["soon"]}}), "g:CurrentTime"),
        (document("scm:cert:get", Condition={"Bool": {"g:MFAPresent": ["yes"]}}), "g:MFAPresent"),
        ({"Version": "1.0", "Statement": []}, 'Version must be "1.1"'),
        (document(*[f"scm:cert:a{number}{'x' * 90}" for number in range(90)]), "characters"),
    ]:
        answer = house.alice.post(ROLES, {"display_name": "p", "policy": broken})
        assert (answer.status, answer.code) == (400, "SCM.0005")
        assert words in answer.text


# rule: IAM-2
# rule: IAM-9
def test_policies_are_listed_changed_and_deleted(house: House) -> None:
    alice = house.alice
    made = alice.post(ROLES, {"display_name": "p", "policy": document("scm:cert:delete", effect="Deny")}).json
    assert len(made["warnings"]) == 1
    listed = alice.get(f"{ROLES}?limit=50").json["roles"]
    assert {one["name"] for one in listed if one["catalog"] == "SYSTEM"} >= {
        "SCM Administrator",
        "SCM FullAccess",
        "SCM ReadOnlyAccess",
        "SCM RA Officer",
        "BSS Administrator",
        "DNS Administrator",
    }
    assert [one["name"] for one in listed if one["catalog"] == "CUSTOMED"] == ["p"]
    changed = alice.send("PUT", f"{ROLES}/{made['id']}", {"name": "q", "description": "d"}).json
    assert (changed["name"], changed["description"]) == ("q", "d")
    assert alice.post(ROLES, {"name": "q", "policy": document("scm:cert:get")}).status == 409
    assert alice.post(ROLES, {"name": "SCM FullAccess", "policy": document("scm:cert:get")}).status == 400
    system = system_policy("SCM FullAccess")
    assert alice.send("PUT", f"{ROLES}/{system}", {"name": "x"}).code == "SCM.0010"
    assert alice.send("DELETE", f"{ROLES}/{system}").code == "SCM.0010"
    group = house.group("readers")
    alice.send("PUT", f"{GROUPS}/{group}/policies/{made['id']}", {})
    assert alice.send("DELETE", f"{ROLES}/{made['id']}").code == "SCM.0010"
    alice.send("DELETE", f"{GROUPS}/{group}/policies/{made['id']}", {})
    assert alice.send("DELETE", f"{ROLES}/{made['id']}").status == 204


def simulate(who: Person, **question: object) -> Any:
    return who.post(SIMULATE, question).json


# rule: IAM-4
def test_the_simulator_says_which_statement_decides(house: House) -> None:
    home = house.alice.account
    document_ = document("scm:cert:get")
    document_["Statement"].append({"Effect": "Deny", "Action": ["scm:cert:download"]})
    policy = actions.create_policy(home, "no export", document_)
    asked = {"user": house.bob.user.id, "action": "scm:cert:download", "resource": "cert:scs1"}
    answer = simulate(house.alice, **asked)
    assert (answer["decision"], answer["missing"]) == ("ALLOW", "")
    assert [one["policy"] for one in answer["matched"]] == ["SCM FullAccess"]
    actions.grant(Group.objects.get(account=home, name="users"), policy)
    answer = simulate(house.alice, **asked)
    assert (answer["decision"], answer["missing"]) == ("DENY", "scm:cert:download")
    assert {"policy": "no export", "statement": 1, "effect": "Deny"} in answer["matched"]
    assert answer["reason"].startswith('Statement 2 of the policy "no export" denies it')
    assert (
        simulate(house.alice, **{**asked, "user": "nils"})["reason"] == "No policy allows scm:cert:download."
    )
    other = f"scm:*:{house.charlie.account.id}:cert:scs1"
    assert simulate(house.alice, **{**asked, "user": "alice", "resource": other})["decision"] == "DENY"


# rule: IAM-3
def test_the_simulator_reads_its_context(house: House) -> None:
    home = house.alice.account
    conditions = {
        "IpAddress": {"g:SourceIp": ["192.0.2.0/24"]},
        "Bool": {"g:MFAPresent": ["true"]},
        "DateGreaterThanEquals": {"g:CurrentTime": ["2026-11-01T00:00:00Z"]},
        "DateLessThan": {"g:CurrentTime": ["2026-12-01T00:00:00Z"]},
        "StringEquals": {"g:EnterpriseProjectId": ["p1"], "scm:Owner": ["u1"]},
    }
    group = actions.create_group(home, "g")
    actions.grant(group, actions.create_policy(home, "c", document("scm:cert:get", Condition=conditions)))
    actions.add_to_group(house.nils.user, "g")
    good = {
        "source": "192.0.2.7",
        "mfa": True,
        "time": "2026-11-30T23:59:59Z",
        "enterprise_project_id": "p1",
        "owner": "u1",
    }
    ask: Callable[[dict[str, object]], str] = lambda context: str(  # noqa: E731
        simulate(house.alice, user="nils", action="scm:cert:get", context=context)["decision"]
    )
    assert ask(good) == "ALLOW"
    for name, value in [
        ("source", "198.51.100.1"),
        ("mfa", False),
        ("time", "2026-12-01T00:00:00Z"),
        ("time", "2026-10-31T23:59:59Z"),
        ("enterprise_project_id", "0"),
        ("owner", "u2"),
    ]:
        assert ask({**good, name: value}) == "DENY", name
    for wrong in ({"source": "home"}, {"time": "soon"}, {"weather": "wet"}):
        assert (
            house.alice.post(SIMULATE, {"user": "nils", "action": "scm:cert:get", "context": wrong}).status
            == 400
        )
    for action in ("scm:cert:*", "scm"):
        assert house.alice.post(SIMULATE, {"user": "nils", "action": action}).status == 400
    assert (
        house.alice.post(SIMULATE, {"user": "nils", "action": "scm:cert:get", "resource": "x"}).status == 400
    )


# --- projects ------------------------------------------------------------------------------------


# rule: IAM-6
def test_projects(house: House) -> None:
    alice = house.alice
    made = alice.post(PROJECTS, {"name": "shop", "description": "the shop"})
    assert made.status == 201
    project = made.json["enterprise_project"]["id"]
    names = [one["name"] for one in alice.get(PROJECTS).json["enterprise_projects"]]
    assert names == ["default", "shop"]
    assert alice.post(PROJECTS, {"name": "shop"}).status == 409
    assert alice.post(PROJECTS, {"name": ""}).status == 400
    assert alice.send("PUT", f"{PROJECTS}/0", {"name": "x"}).code == "SCM.0010"
    assert alice.send("PUT", f"{PROJECTS}/{project}", {"status": 2}).json["status"] == 2
    assert alice.send("PUT", f"{PROJECTS}/{project}", {"status": 3}).status == 400
    assert alice.get(f"{PROJECTS}/{project}").json["name"] == "shop"
    group = house.group("readers")
    path = f"{GROUPS}/{group}/policies/{system_policy('SCM ReadOnlyAccess')}"
    assert alice.send("PUT", path, {"enterprise_project_id": project}).status == 204
    assert alice.send("DELETE", f"{PROJECTS}/{project}").code == "SCM.0010"
    assert alice.send("DELETE", path, {"enterprise_project_id": project}).status == 204
    assert alice.send("DELETE", f"{PROJECTS}/{project}").status == 204
    assert alice.get(f"{PROJECTS}/{project}").status == 404


# --- tokens --------------------------------------------------------------------------------------


def sign_in(name: str, domain: str, password: str = PASSWORD, **scope: object) -> Answer:
    user = {"name": name, "password": password, "domain": {"name": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    return send(Client(), "POST", TOKENS, orjson.dumps(body), {"Content-Type": "application/json"})


@pytest.fixture
def tess(house: House) -> User:
    return actions.create_user(house.alice.account, "tess", PASSWORD, ["users"])


def with_token(token: str, method: str = "GET", path: str = "/v3/scm/certificates", **headers: str) -> Answer:
    return send(Client(), method, path, b"", {"X-Auth-Token": token, **headers})


def test_a_password_gives_a_token_that_signs_in(house: House, tess: User) -> None:
    answer = sign_in("tess", tess.account.name, project={"name": "cn-north-4"})
    assert answer.status == 201
    token = answer.response["X-Subject-Token"]
    assert token not in answer.response.content.decode()
    assert answer.json["token"]["user"]["id"] == tess.id
    assert answer.json["token"]["project"]["name"] == "cn-north-4"
    assert with_token(token).status == 200
    assert with_token(token, path="/v3/users").status == 403
    checked = with_token(token, path=TOKENS, **{"X-Subject-Token": token})
    assert (checked.status, checked.response["X-Subject-Token"]) == (200, token)
    for table in ("iam_token", "audit_event"):
        assert token not in str(sql.rows(f"SELECT * FROM {table}"))
    assert house.charlie.send("GET", TOKENS, **{"X-Subject-Token": token}).status == 404
    assert house.nils.send("GET", TOKENS, **{"X-Subject-Token": token}).status == 403
    assert house.alice.send("GET", TOKENS, **{"X-Subject-Token": token}).status == 200


def test_a_token_ends_after_a_day_and_with_its_user_and_with_the_password(
    house: House, tess: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sign_in("tess", tess.account.name).response["X-Subject-Token"]
    now = clock.real_now()
    with monkeypatch.context() as patched:
        patched.setattr(clock, "real_now", lambda: now + timedelta(hours=24) - timedelta(seconds=5))
        assert with_token(token).status == 200
        patched.setattr(clock, "real_now", lambda: now + timedelta(hours=24, seconds=1))
        assert with_token(token).status == 401
    assert house.alice.send("PUT", f"{USERS}/{tess.id}", {"enabled": False}).status == 200
    refused = with_token(token)
    assert (refused.status, refused.code) == (401, "APIGW.0301")
    house.alice.send("PUT", f"{USERS}/{tess.id}", {"enabled": True})
    assert with_token(token).status == 401  # what ended stays ended
    token = sign_in("tess", tess.account.name).response["X-Subject-Token"]
    actions.set_password(tess, "another good passphrase")
    assert with_token(token).status == 401


def with_code(
    name: str, domain: str, code: object, methods: tuple[str, ...] = ("password", "totp")
) -> Answer:
    user = {"name": name, "password": PASSWORD, "domain": {"name": domain}}
    totp = {"user": {"id": "", "passcode": code}}
    identity = {"methods": methods or ["password", "totp"], "password": {"user": user}, "totp": totp}
    body = {"auth": {"identity": identity}}
    return send(Client(), "POST", TOKENS, orjson.dumps(body), {"Content-Type": "application/json"})


# rule: IAM-3
def test_a_token_with_a_code_has_a_second_factor_and_keys_have_none(house: House, tess: User) -> None:
    home = house.alice.account
    condition = {"Bool": {"g:MFAPresent": ["true"]}}
    group = actions.create_group(home, "careful")
    policy = actions.create_policy(home, "with", document("iam:users:list", Condition=condition))
    actions.grant(group, policy)
    actions.add_to_group(tess, "careful")
    actions.add_to_group(house.nils.user, "careful")
    assert with_token(sign_in("tess", home.name).response["X-Subject-Token"], path=USERS).status == 403
    asker = queries.principal_of(tess, Via.CONSOLE)
    secret = second_factor.begin(asker)
    now = clock.real_now()
    step = factor_rules.step_of(now)
    second_factor.confirm(asker, factor_rules.code_at(secret, step - 1), now)
    alone = sign_in("tess", home.name)
    assert (alone.status, alone.code) == (401, "APIGW.0301")
    assert "second factor" in alone.text
    code = factor_rules.code_at(secret, step)
    made = with_code("tess", home.name, code)
    assert (made.status, made.json["token"]["methods"]) == (201, ["password", "totp"])
    token = made.response["X-Subject-Token"]
    assert with_token(token, path=USERS).status == 200
    checked = with_token(token, path=TOKENS, **{"X-Subject-Token": token})
    assert checked.json["token"]["methods"] == ["password", "totp"]
    assert with_code("tess", home.name, code).status == 400  # used
    assert with_code("tess", home.name, "1", "totp").status == 400
    assert with_code("tess", home.name, "").status == 400
    assert with_code("tess", home.name, 7).status == 400
    assert house.nils.get(USERS).status == 403  # an access key shows no second factor
    assert house.alice.send("DELETE", f"{USERS}/{tess.id}/second-factor").status == 204
    assert with_token(token, path=USERS).status == 401
    assert sign_in("tess", home.name).status == 201


def test_no_token_for_a_password_where_everybody_needs_a_second_factor(house: House, tess: User) -> None:
    type(tess.account).objects.filter(id=tess.account_id).update(second_factor_required=True)
    assert sign_in("tess", tess.account.name).status == 401
    assert house.nils.get(USERS).status == 403  # keys go on as before


def test_every_failed_sign_in_reads_the_same(house: House, tess: User) -> None:
    actions.create_user(tess.account, "temp", PASSWORD, ["users"], must_change=True)
    answers = {
        (one.status, one.text)
        for one in (
            sign_in("tess", tess.account.name, "wrong password"),
            sign_in("nobody", tess.account.name),
            sign_in("tess", "no account"),
            sign_in("temp", tess.account.name),
            sign_in("nils", tess.account.name),
        )
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 401
    assert sign_in("tess", tess.account.name, "x" * 2000).status == 400
    body = {
        "auth": {"identity": {"methods": ["token"], "password": {"user": {"name": "a", "password": "b"}}}}
    }
    assert (
        send(Client(), "POST", TOKENS, orjson.dumps(body), {"Content-Type": "application/json"}).status == 400
    )


def test_five_failures_hold_up_that_name_there_and_nobody_else(house: House, tess: User) -> None:
    for _ in range(throttle_rules.MOST_HERE):
        assert sign_in("tess", tess.account.name, "wrong password").status == 401
    held = sign_in("tess", tess.account.name)
    assert (held.status, held.code) == (429, "SCM.9429")
    assert 0 < int(held.response["Retry-After"]) <= 300
    actions.create_user(tess.account, "ted", PASSWORD, ["users"])
    assert sign_in("ted", tess.account.name).status == 201


# --- who never gets in ---------------------------------------------------------------------------

CHAPTERS = ("users", "groups", "policies", "access_keys", "projects")
HERE = [one for one in OPERATIONS.values() if one.name.split(".")[0] in CHAPTERS and not one.later]


def paths(operation: Operation, ids: dict[str, str]) -> str:
    path = operation.path.replace("{id}", ids[operation.name.split(".")[0]])
    for name, value in (("group_id", "groups"), ("user_id", "users"), ("policy_id", "policies")):
        path = path.replace("{" + name + "}", ids[value])
    return path


def ids_of(who: Person) -> dict[str, str]:
    alice = who
    policy = alice.post(ROLES, {"name": secrets.token_hex(4), "policy": document("scm:cert:get")}).json["id"]
    return {
        "users": person(alice.account, secrets.token_hex(4)).user.id,
        "groups": alice.post(GROUPS, {"name": secrets.token_hex(4)}).json["id"],
        "policies": policy,
        "access_keys": person(alice.account, secrets.token_hex(4)).access_key,
        "projects": alice.post(PROJECTS, {"name": secrets.token_hex(4)}).json["id"],
    }


BODIES = {
    "access_keys.temporary": {"auth": {"identity": {"methods": ["token"]}}},
    "policies.create": {"name": "n", "policy": document("scm:cert:get")},
    "policies.simulate": {"user": "alice", "action": "scm:cert:get"},
    "users.create": {"name": "n"},
    "groups.create": {"name": "n"},
    "projects.create": {"name": "n"},
    "users.hand_over": {"to": "nils"},
    "projects.migrate": {"resource_type": "scm", "resource_id": "scs1600313391074"},
}


@pytest.mark.parametrize("operation", HERE, ids=lambda one: one.name)
# rule: IAM-5
def test_nobody_gets_at_what_is_not_his(house: House, operation: Operation) -> None:
    own, foreign = ids_of(house.alice), ids_of(house.charlie)
    missing = dict.fromkeys(own, "0" * 32)
    body = BODIES.get(operation.name, {})
    unsigned = send(
        Client(), operation.method, paths(operation, own), b"{}", {"Content-Type": "application/json"}
    )
    assert unsigned.status == 401
    assert house.gone.send(operation.method, paths(operation, own), body).status == 401
    for low in (house.bob, house.nils):
        answer = low.send(operation.method, paths(operation, own), body)
        if operation.name in ("access_keys.list", "access_keys.create", "access_keys.temporary"):
            assert answer.status in (200, 201)  # one's own
            assert own["access_keys"] not in answer.response.content.decode()
        else:
            assert (answer.status, answer.code) == (403, "SCM.9403")
    if operation.parameters:
        for who, ids in ((house.charlie, own), (house.alice, foreign), (house.alice, missing)):
            answer = who.send(operation.method, paths(operation, ids), body)
            assert (answer.status, answer.code) in ((404, "SCM.9404"), (404, "SCM.0020")), answer.json
        mixed = {**own, "users": foreign["users"], "policies": foreign["policies"]}
        if len(operation.parameters) == 2:
            assert house.alice.send(operation.method, paths(operation, mixed), body).status == 404
    else:
        answer = house.charlie.send(operation.method, paths(operation, own), body)
        text = answer.response.content.decode()
        assert not any(one in text for one in own.values())


def test_foreign_ids_in_bodies(house: House) -> None:
    foreign = ids_of(house.charlie)
    assert house.alice.post(USERS, {"name": "n", "groups": [foreign["groups"]]}).status == 404
    assert house.alice.post(KEYS, {"user_id": foreign["users"]}).status == 404
    assert house.alice.get(f"{KEYS}?user_id={foreign['users']}").json["items"] == []
    assert house.alice.post(SIMULATE, {"user": foreign["users"], "action": "scm:cert:get"}).status == 404
    path = f"{GROUPS}/{house.group('readers')}/policies/{system_policy('SCM ReadOnlyAccess')}"
    assert house.alice.send("PUT", path, {"enterprise_project_id": foreign["projects"]}).status == 404
