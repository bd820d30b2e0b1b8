"""Verbs of accounts, users, groups, policies and access keys: one short transaction each, with audit."""

import re
import secrets
import string
from collections.abc import Iterable, Mapping

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, mail_address, sql
from certdesk.foundation.common.errors import BadParameter, Conflict, NotFound
from certdesk.foundation.sealing import actions as sealing

from . import queries, rules, sessions
from .models import DEFAULT_PROJECT, AccessKey, Account, EnterpriseProject, Grant, Group, Policy, User
from .principal import Principal, system_principal
from .system_policies import GROUPS, OPERATOR, SYSTEM_POLICIES

SET_FLAGS = "certdesk:account:setFlags"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_POLICY_NAME = re.compile(r"[\w .-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_KEY_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


def create_account(name: str, currency: str = "CNY", *, by: Principal | None = None) -> Account:
    """A tenant with its default project and its four groups.

    Raises:
        BadParameter: the name or currency has a wrong form.
        Conflict: the name is taken.
    """
    check_name(name, "account")
    if not _CURRENCY.fullmatch(currency):
        raise BadParameter(
            f"{currency!r} is not a currency code of three capital letters.",
            next_step="Use CNY, for example.",
        )
    with sql.short_transaction():
        ensure_system_policies()
        if Account.objects.filter(name=name).exists():
            raise Conflict(f"There is an account {name!r} already.", next_step="Choose another name.")
        account = Account.objects.create(name=name, currency=currency, created_at=clock.real_now())
        ensure_groups(account)
        _record(by, account.id, "iam:accounts:create", f"account:{account.id}", {"name": name})
    return account


def ensure_system_policies() -> None:
    """Puts the system policies in, and in step with this release; may run any number of times."""
    with sql.short_transaction():
        stored = {policy.name: policy for policy in Policy.objects.filter(account=None)}
        missing = []
        for name, (description, document) in SYSTEM_POLICIES.items():
            policy = stored.get(name)
            if policy is None:
                missing.append(Policy(account=None, name=name, description=description, document=document))
            elif policy.document != document or policy.description != description:
                policy.document, policy.description = document, description
                policy.save(update_fields=["document", "description"])
        Policy.objects.bulk_create(missing)


def ensure_groups(account: Account) -> None:
    """The groups an account starts with, each with its system policies (`system_policies.GROUPS`).

    The administrators of the operating account are operators too.
    """
    with sql.short_transaction():
        policies = {policy.name: policy for policy in Policy.objects.filter(account=None)}
        operates = account.id == queries.operating_account()
        fresh = [Group(account=account, name=name) for name in GROUPS]
        Group.objects.bulk_create(fresh, ignore_conflicts=True)
        groups = {group.name: group for group in Group.objects.filter(account=account)}
        held = set(Grant.objects.filter(group__account=account).values_list("group", "policy"))
        wanted = [(groups[name], policies[policy]) for name, names in GROUPS.items() for policy in names]
        if operates:
            wanted.append((groups["admins"], policies[OPERATOR]))
        given = [Grant(group=group, policy=policy) for group, policy in wanted]
        missing = [grant for grant in given if (grant.group_id, grant.policy_id) not in held]
        Grant.objects.bulk_create(missing, ignore_conflicts=True)


def create_user(
    account: Account,
    name: str,
    password: str | None,
    groups: Iterable[str],
    *,
    must_change: bool = False,
    email: str = "",
    by: Principal | None = None,
) -> User:
    """A user in the named groups of its account. Without a password it acts by access keys alone.

    Raises:
        BadParameter: name, address or password have a wrong form, or a group does not exist.
        Conflict: the account has a user of that name.
    """
    check_name(name, "user")
    if email:
        mail_address.check(email, whose="user", field="email")
    user = User(
        account=account, name=name, login=_login(account, name), email=email, created_at=clock.real_now()
    )
    user.must_change_password = must_change
    _set_password(user, password)
    with sql.short_transaction():
        if User.objects.filter(account=account, name=name).exists():
            raise Conflict(
                f"There is a user {name!r} in this account already.", next_step="Choose another name."
            )
        user.save(force_insert=True)
        for group in _groups(account, groups):
            group.users.add(user)
        _record(by, account.id, "iam:users:create", f"user:{user.id}", {"name": name})
    return user


def set_account_flags(
    account: Account,
    *,
    real_name_verified: bool | None = None,
    special_enterprise: bool | None = None,
    by: Principal | None = None,
) -> Account:
    """The operator's word on who stands behind an account (APP-14, ORD-5); None leaves a flag as it is.

    What is so already is neither written nor audited.

    Raises:
        Forbidden: `by` is a user, and not one of the operator's with `certdesk:account:setFlags`.
    """
    if by is not None:
        queries.require_operator(by, SET_FLAGS)
    given = {"real_name_verified": real_name_verified, "special_enterprise": special_enterprise}
    changes = {name: value for name, value in given.items() if value not in (None, getattr(account, name))}
    if not changes:
        return account
    with sql.short_transaction():
        Account.objects.filter(id=account.id).update(**changes)
        _record(by, account.id, "iam:accounts:update", f"account:{account.id}", changes)
    account.refresh_from_db()
    return account


def set_password(user: User, password: str, *, by: Principal | None = None) -> None:
    """Changes the password; open sessions and tokens of the user end.

    Raises:
        BadParameter: the password is too short or too common.
    """
    _set_password(user, password)
    user.must_change_password = False
    with sql.short_transaction():
        user.save(update_fields=["password", "must_change_password"])
        user.tokens.all().delete()
        sessions.end_all(user.id)
        _record(by, user.account_id, "iam:users:changePassword", f"user:{user.id}", {})


def create_access_key(user: User, description: str = "", *, by: Principal | None = None) -> tuple[str, str]:
    """`(access_key, secret_key)`; the secret is sealed here and shown this once (IAM-7)."""
    access_key = random_key(20)
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))
    with sql.short_transaction():
        AccessKey.objects.create(
            access_key=access_key,
            user=user,
            secret_id=sealing.seal(user.account_id, queries.KEY_PURPOSE, secret.encode()),
            description=description,
            created_at=clock.real_now(),
        )
        _record(by, user.account_id, "iam:credentials:create", f"access-key:{access_key}", {"user": user.id})
    return access_key, secret


def random_key(length: int) -> str:
    """Capital letters and digits."""
    return "".join(secrets.choice(_KEY_ALPHABET) for _ in range(length))


def set_access_key_enabled(access_key: str, enabled: bool, *, by: Principal | None = None) -> None:
    """Switches a key on or off; other processes feel it within `queries.CACHE_SECONDS` (IAM-7).

    Raises:
        NotFound: no such key.
    """
    with sql.short_transaction():
        key = AccessKey.objects.select_related("user").filter(access_key=access_key).first()
        if key is None or (by is not None and not by.owns(key.user.account_id)):
            raise NotFound(f"There is no access key {access_key}.", next_step="Check the key.")
        AccessKey.objects.filter(access_key=access_key).update(enabled=enabled)
        action = "iam:credentials:enable" if enabled else "iam:credentials:disable"
        _record(by, key.user.account_id, action, f"access-key:{access_key}", {})
    queries.forget_keys()


def create_policy(
    account: Account,
    name: str,
    document: Mapping[str, object],
    description: str = "",
    *,
    by: Principal | None = None,
) -> Policy:
    """A custom policy (IAM-3); one that could not be enforced everywhere is refused here (law 5).

    Raises:
        BadParameter: what `rules.parse` refuses.
    """
    check_policy_name(name)
    rules.parse(document)
    with sql.short_transaction():
        policy = Policy.objects.create(
            account=account, name=name, description=description, document=dict(document)
        )
        _record(by, account.id, "iam:roles:create", f"policy:{policy.id}", {"name": name})
    return policy


def create_group(account: Account, name: str, description: str = "", *, by: Principal | None = None) -> Group:
    check_name(name, "group")
    text = line(description, 255, "description")
    with sql.short_transaction():
        group = Group.objects.create(account=account, name=name, description=text)
        _record(by, account.id, "iam:groups:create", f"group:{group.id}", {"name": name})
    return group


def grant(group: Group, policy: Policy, project: str = "", *, by: Principal | None = None) -> Grant:
    """Attaches a policy to a group, for all projects or for one (IAM-6).

    Raises:
        NotFound: the policy is neither the account's own nor a system policy, or there is no such project.
    """
    if policy.account_id not in (None, group.account_id):
        raise NotFound(f"There is no policy {policy.name}.", next_step="Check the name.")
    check_project(group.account_id, project)
    with sql.short_transaction():
        found, _ = Grant.objects.get_or_create(group=group, policy=policy, enterprise_project_id=project)
        details = {"policy": policy.name, "enterprise_project_id": project}
        _record(by, group.account_id, "iam:groups:attachPolicy", f"group:{group.id}", details)
    queries.forget_keys()
    return found


def add_to_group(user: User, group_name: str, *, by: Principal | None = None) -> None:
    """Puts a user into a group of its account.

    Raises:
        BadParameter: the account has no such group.
    """
    with sql.short_transaction():
        for group in _groups(user.account, [group_name]):
            group.users.add(user)
        _record(by, user.account_id, "iam:groups:addUser", f"user:{user.id}", {"group": group_name})
    queries.forget_keys()


def check_project(account_id: str, project: str) -> None:
    """Passes an enterprise project to which a policy may be limited; empty = all.

    Raises:
        NotFound: the account has none of this id.
    """
    here = EnterpriseProject.objects.filter(id=project, account_id=account_id)
    if project not in ("", DEFAULT_PROJECT) and not here.exists():
        raise NotFound(f"There is no enterprise project {project}.", next_step="Check the id.")


def account_of(account_id: str) -> Account:
    return Account.objects.get(id=account_id)


def destroy_keys(user: User) -> None:
    """Destroys the sealed secrets of a user who goes; the rows go with the user."""
    for held in (user.access_keys, user.temporary_keys):
        for secret_id in held.values_list("secret_id", flat=True):
            sealing.destroy(secret_id)


def line(text: str, most: int, field: str) -> str:
    """A text as it was given.

    Raises:
        BadParameter: longer than `most`, or with characters that cannot be shown.
    """
    if len(text) > most or not text.isprintable():
        raise BadParameter(
            f"{field} must have at most {most} printable characters.",
            next_step="Shorten it and leave out line breaks.",
            field=field,
        )
    return text


def check_policy_name(name: str) -> None:
    """Raises: BadParameter: not 1 to 64 characters of a policy's name, or a name of the system."""
    if not _POLICY_NAME.fullmatch(name) or name != name.strip() or name in SYSTEM_POLICIES:
        raise BadParameter(
            f"{name!r} cannot be the name of a policy of your own.",
            next_step="Use 1 to 64 letters, digits, spaces and _ . -, and no name of a system policy.",
            field="name",
        )


def check_name(name: str, what: str) -> None:
    """Raises: BadParameter: the name has a wrong form."""
    if not _NAME.fullmatch(name):
        raise BadParameter(
            f"{name!r} cannot be the name of {'an' if what[0] == 'a' else 'a'} {what}.",
            next_step="Use 1 to 64 letters, digits and _ . @ -, beginning with a letter or digit.",
            field="name",
        )


def _login(account: Account, name: str) -> str:
    """What is typed at sign-in: the name alone in the oldest account, `account/name` in the others."""
    oldest = Account.objects.order_by("created_at", "id").values_list("id", flat=True).first()
    return name if oldest == account.id else f"{account.name}/{name}"


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadParameter(
            " ".join(error.messages), next_step="Choose another password.", field="password"
        ) from None
    user.set_password(password)


def _groups(account: Account, names: Iterable[str]) -> list[Group]:
    wanted = list(names)
    found = list(Group.objects.filter(account=account, name__in=wanted))
    missing = sorted(set(wanted) - {group.name for group in found})
    if missing:
        raise BadParameter(
            f"The account has no group {', '.join(missing)}.",
            next_step=f"Groups it starts with: {', '.join(GROUPS)}.",
            field="groups",
        )
    return found


def _record(
    by: Principal | None, account_id: str, action: str, resource: str, details: Mapping[str, object]
) -> None:
    principal = by or system_principal(account_id)
    audit.record(principal, action, resource=resource, details=details, account_id=account_id)
