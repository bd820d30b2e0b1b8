"""Users: make, list, change, switch off, delete; for API and console alike. Each verb asks its right."""

from collections.abc import Iterable

from django.db.models import QuerySet

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import mail_address
from certdesk.foundation.common.errors import WrongState

from . import actions, finding, second_factor, sessions, snapshot
from .models import Group, User
from .principal import Principal

LIST, GET, CREATE = "iam:users:list", "iam:users:get", "iam:users:create"
UPDATE, DELETE = "iam:users:update", "iam:users:delete"
RESET_SECOND_FACTOR = "iam:users:resetSecondFactor"
MOST = 10_000
LANGUAGES = ("en", "zh-hans")


def listed(principal: Principal, name: str = "") -> "QuerySet[User]":
    """The account's users that the principal may see, by name."""
    found = finding.visible(User.objects.order_by("name"), principal, LIST, "user")
    return found.filter(name__icontains=name) if name else found


def fetch(principal: Principal, user_id: str) -> User:
    """One user; oneself needs no right.

    Raises:
        NotFound, Forbidden: as `finding.user`.
    """
    if user_id == principal.user_id:
        return User.objects.select_related("account").get(id=user_id)
    return finding.user(principal, GET, user_id)


def create(
    principal: Principal,
    name: str,
    *,
    password: str | None = None,
    email: str = "",
    phone: str = "",
    description: str = "",
    groups: Iterable[str] = (),
    enabled: bool = True,
) -> User:
    """A user, in groups by their ids. A password given by somebody else is changed at the first sign-in.

    Raises:
        Forbidden: no right to this, or to put somebody into one of the groups, or the groups hold more
            than the principal does.
        BadParameter, Conflict, NotFound: as `actions.create_user` and `finding.group`.
    """
    principal.require(CREATE, finding.resource("user", principal))
    found = [finding.group(principal, "iam:groups:addUser", one) for one in groups]
    account = actions.account_of(principal.account_id)
    with snapshot.changing(principal, account.id):
        if User.objects.filter(account=account).count() >= MOST:
            raise WrongState(f"The account has {MOST} users already.", next_step="Delete some first.")
        user = actions.create_user(
            account,
            name,
            password,
            [one.name for one in found],
            must_change=password is not None,
            email=email,
            by=principal,
        )
        user.phone, user.description, user.is_active = (
            actions.line(phone, 32, "phone"),
            actions.line(description, 255, "description"),
            enabled,
        )
        user.save(update_fields=["phone", "description", "is_active"])
    return user


def update(
    principal: Principal,
    user_id: str,
    *,
    email: str | None = None,
    phone: str | None = None,
    description: str | None = None,
    enabled: bool | None = None,
    password: str | None = None,
) -> User:
    """Changes what is given. A user who is switched off is out at once: sessions, tokens and keys.

    Raises:
        Forbidden: no right; or the user holds more than the principal, and a password, an address or
            being switched on would lend that to the principal.
        WrongState: it is the last administrator, or oneself.
    """
    user = finding.user(principal, UPDATE, user_id)
    if enabled is False and user.id == principal.user_id:
        raise WrongState("You cannot switch yourself off.", next_step="Ask another administrator.")
    if email or enabled or password is not None:
        snapshot.require_not_above(principal, user)
    if email:
        mail_address.check(email, whose="user", field="email")
    given = {
        "email": email,
        "phone": None if phone is None else actions.line(phone, 32, "phone"),
        "description": None if description is None else actions.line(description, 255, "description"),
        "is_active": enabled,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    with snapshot.changing(principal, user.account_id):
        for name, value in changes.items():
            setattr(user, name, value)
        user.save(update_fields=[*changes])
        if enabled is False:
            user.tokens.all().delete()
            user.links.all().delete()
            sessions.end_all(user.id)
        if password is not None:
            actions.set_password(user, password, by=principal)
            User.objects.filter(id=user.id).update(must_change_password=user.id != principal.user_id)
        # personal data stays out of the log: names of fields alone
        details = {"fields": sorted(changes), **({"enabled": enabled} if enabled is not None else {})}
        audit.record(principal, UPDATE, resource=f"user:{user.id}", details=details)
    user.refresh_from_db()
    return user


def delete(principal: Principal, user_id: str) -> None:
    """Deletes a user with its keys, tokens and memberships. What it owns stays: hand it over first.

    Raises:
        NotFound, Forbidden: as `finding.user`. WrongState: oneself, or the last administrator.
    """
    user = finding.user(principal, DELETE, user_id)
    if user.id == principal.user_id:
        raise WrongState("You cannot delete yourself.", next_step="Ask another administrator.")
    with snapshot.changing(principal, user.account_id):
        audit.record(principal, DELETE, resource=f"user:{user.id}", details={"name": user.name})
        actions.destroy_keys(user)
        second_factor.clear(user)
        sessions.end_all(user.id)
        user.delete()


def reset_second_factor(principal: Principal, user_id: str) -> User:
    """Takes every second factor off another user, who lost them; its sessions and tokens end.

    In the caller's transaction, which also tells the user.

    Raises:
        NotFound, Forbidden: as `finding.user`; the user holds more than the principal.
        WrongState: oneself, or there is nothing to take off.
    """
    user = finding.user(principal, RESET_SECOND_FACTOR, user_id)
    if user.id == principal.user_id:
        raise WrongState(
            "You cannot reset your own second factor here.",
            next_step="Remove it on the page of your account.",
        )
    snapshot.require_not_above(principal, user)
    if not second_factor.has(user.id):
        raise WrongState("This user has no second factor.", next_step="")
    second_factor.clear(user)
    user.tokens.all().delete()
    sessions.end_all(user.id)
    audit.record(principal, RESET_SECOND_FACTOR, resource=f"user:{user.id}")
    return user


def mates(principal: Principal, *, but: str = "") -> "QuerySet[User]":
    """Active users of the principal's account, by name, leaving out one: to whom something can be given."""
    found = User.objects.filter(account_id=principal.account_id, is_active=True)
    return found.exclude(id=but).order_by("name")


def mate(principal: Principal, wanted: str) -> User:
    """An active user of the account, by id or name. Raises: NotFound."""
    active = mates(principal)
    found = active.filter(id=wanted).first() or active.filter(name=wanted).first()
    if found is None:
        raise finding.missing("user", wanted)
    return found


def groups_of(user: User) -> list[Group]:
    """The groups that a user is in, by name."""
    return list(user.groups.order_by("name"))
