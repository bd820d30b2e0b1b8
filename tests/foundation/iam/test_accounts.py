"""Accounts, users, groups, access keys."""

import pytest
from django.contrib.auth import authenticate
from django.db import connection
from django.test import override_settings

from certdesk.config import django
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, Conflict, NotFound
from certdesk.foundation.iam import actions, queries
from certdesk.foundation.iam.models import Account, EnterpriseProject, Grant, Group, Policy, User
from certdesk.foundation.iam.predicates import Columns
from certdesk.foundation.iam.principal import Resource, Via
from tests.support.signed import PASSWORD, account, person

pytestmark = pytest.mark.django_db
ALLOW_ALL = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["*"]}]}


def user_in(owner: Account, *groups: str) -> User:
    return actions.create_user(owner, "alice", PASSWORD, groups)


# rule: IAM-1
def test_a_user_acts_with_the_union_of_its_groups() -> None:
    user = user_in(account(), "readers", "officers")
    alice = queries.principal_of(user, Via.CONSOLE)
    assert alice.may("scm:cert:list")
    assert alice.may("scm:organization:decide")
    assert not alice.may("scm:cert:subscribe")


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        ("admins", ["scm:cert:revoke", "bss:order:pay", "iam:users:create", "scm:organization:decide"], []),
        (
            "users",
            ["scm:cert:subscribe", "bss:order:pay", "dns:recordset:create"],
            ["scm:organization:decide", "iam:users:create"],
        ),
        ("readers", ["scm:cert:get"], ["scm:cert:apply", "bss:order:pay"]),
        ("officers", ["scm:organization:decide", "scm:cert:list"], ["scm:cert:apply"]),
    ],
)
# rule: IAM-2
def test_the_groups_an_account_starts_with(group: str, may: list[str], may_not: list[str]) -> None:
    someone = queries.principal_of(user_in(account(), group), Via.API)
    assert [action for action in may if not someone.may(action)] == []
    assert [action for action in may_not if someone.may(action)] == []


def test_names_at_sign_in() -> None:
    first, second = account("acme"), account("beta")
    assert actions.create_user(first, "alice", None, []).login == "alice"
    assert actions.create_user(second, "alice", None, []).login == "beta/alice"


def test_what_an_account_starts_with_is_put_in_once_and_what_was_narrowed_stays_so() -> None:
    owner = account()
    users = Group.objects.get(account=owner, name="users")
    users.grants.filter(policy__name="SCM FullAccess").update(enterprise_project_id="p1")
    before = list(Grant.objects.order_by("id").values_list("id", "enterprise_project_id"))
    actions.ensure_system_policies()
    actions.ensure_groups(owner)
    assert list(Grant.objects.order_by("id").values_list("id", "enterprise_project_id")) == before
    users.grants.filter(policy__name="BSS Administrator").delete()
    actions.ensure_groups(owner)
    assert users.grants.filter(policy__name="BSS Administrator").count() == 1


@override_settings(PASSWORD_HASHERS=django.PASSWORD_HASHERS)
def test_password_is_argon2id_with_our_cost() -> None:
    user = user_in(account(), "users")
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert user.check_password(PASSWORD)
    assert authenticate(username=user.login, password="not " + PASSWORD) is None
    actions.set_password(user, "another good passphrase")
    assert User.objects.get(id=user.id).check_password("another good passphrase")


@pytest.mark.parametrize("password", ["short", "password1234567890"[:8], "qwertyuiop12"[:11]])
def test_poor_passwords_are_refused(password: str) -> None:
    with pytest.raises(BadParameter):
        actions.create_user(account(), "alice", password, [])


def test_refusals() -> None:
    owner = account("acme")
    user_in(owner)
    with pytest.raises(Conflict):
        user_in(owner)
    with pytest.raises(Conflict):
        account("acme")
    for name in ("", "a/b", "-x", "x" * 65, "é"):
        with pytest.raises(BadParameter):
            actions.create_user(owner, name, None, [])
    with pytest.raises(BadParameter):
        actions.create_user(owner, "bob", None, ["nobody"])
    for address in (
        "bob",
        "bob@",
        "bob@a b",
        "bob@a.example,eve@b.example",
        "b@a.example\r\nBcc: eve@b.example",
    ):
        with pytest.raises(BadParameter) as refused:
            actions.create_user(owner, "bob", None, [], email=address)
        assert refused.value.field == "email"
    with pytest.raises(BadParameter):
        actions.create_account("gamma", "yuan")
    with pytest.raises(NotFound):
        queries.principal_of("nobody", Via.API)
    with pytest.raises(NotFound):
        actions.set_access_key_enabled("NONE", False)


def test_system_policies_are_brought_in_step() -> None:
    actions.ensure_system_policies()
    Policy.objects.filter(name="SCM FullAccess").update(document=ALLOW_ALL)
    actions.ensure_system_policies()
    assert Policy.objects.get(name="SCM FullAccess").document != ALLOW_ALL
    assert Policy.objects.filter(account=None).count() == 7


# rule: IAM-7
def test_the_secret_key_is_sealed_and_shown_once() -> None:
    alice = person(account(), "alice", "users")
    assert len(alice.access_key) == 20
    assert len(alice.secret_key) == 40
    known = queries.principal_by_key(alice.access_key)
    assert known is not None
    assert known.secret == alice.secret_key.encode()
    assert alice.secret_key not in repr(known)
    for table in ("iam_accesskey", "sealing_secret", "audit_event"):
        assert alice.secret_key not in str(sql.rows(f"SELECT * FROM {table}"))
    actions.set_access_key_enabled(alice.access_key, False)
    known = queries.principal_by_key(alice.access_key)
    assert known is not None
    assert not known.enabled


def test_the_look_up_is_one_statement_and_then_none(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    alice = person(account(), "alice", "admins")
    queries.forget_keys()
    with django_assert_num_queries(2, connection=connection):  # the key with its grants, the sealed secret
        queries.principal_by_key(alice.access_key)
    with django_assert_num_queries(0, connection=connection):
        queries.principal_by_key(alice.access_key)


# rule: IAM-3
# rule: IAM-6
def test_a_custom_policy_for_one_project() -> None:
    owner = account()
    EnterpriseProject.objects.create(id="p1", account=owner, name="one")
    group = actions.create_group(owner, "team")
    policy = actions.create_policy(owner, "everything", ALLOW_ALL)
    actions.grant(group, policy, "p1")
    user = user_in(owner)
    actions.add_to_group(user, "team")
    alice = queries.principal_of(user, Via.API)
    assert alice.may("scm:cert:get", Resource("cert", "c", owner.id, "p1"))
    assert not alice.may("scm:cert:get", Resource("cert", "c", owner.id, "0"))
    text, params = queries.where(alice, "scm:cert:list", Columns())
    assert params == [owner.id, "p1"]
    assert text.startswith("(account_id = %s AND ")
    with pytest.raises(NotFound):
        actions.grant(group, policy, "p2")
    with pytest.raises(NotFound):
        actions.grant(actions.create_group(account(), "team"), policy)
    with pytest.raises(BadParameter):
        actions.create_policy(owner, "bad", {"Version": "2.0"})


def test_every_change_has_its_audit_row() -> None:
    owner = account()
    alice = person(owner, "alice", "users")
    found = sql.rows("SELECT action, resource FROM audit_event WHERE account_id = %s ORDER BY id", [owner.id])
    assert found == [
        ("iam:accounts:create", f"account:{owner.id}"),
        ("iam:users:create", f"user:{alice.user.id}"),
        ("iam:credentials:create", f"access-key:{alice.access_key}"),
    ]
