"""Single sign-on: the account's provider, and which user somebody is whom it has vouched for.

An address never links to a user by itself, verified or not: the signed-in user links, or an invitation does,
and there the address must be verified.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, Conflict, Forbidden, WrongState
from certdesk.foundation.sealing import actions as sealing

from . import actions, links, sign_in_settings, snapshot
from .finding import resource
from .models import ExternalIdentity, Group, IdentityProvider, User
from .oidc_rules import Identity
from .principal import Principal, Via
from .queries import principal_of

PURPOSE = "oidc-client"
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}")


class NotLetIn(Forbidden):
    """The provider vouches for somebody who is no user here."""


@dataclass(frozen=True, slots=True)
class Given:
    """The settings as they were typed; an empty secret keeps the present one."""

    name: str
    issuer: str
    client_id: str
    secret: str
    domains: str
    group_claim: str
    groups: str
    mfa_acrs: str
    makes_users: bool
    enabled: bool


def of_account(account_id: str) -> IdentityProvider | None:
    return IdentityProvider.objects.select_related("account").filter(account_id=account_id).first()


def of_name(account_name: str) -> IdentityProvider | None:
    """The enabled provider of the account of that name."""
    found = IdentityProvider.objects.select_related("account").filter(account__name=account_name)
    return found.filter(enabled=True).first()


def secret_of(provider: IdentityProvider) -> str:
    return sealing.unseal(provider.secret_id, provider.account_id, PURPOSE).decode()


def save(principal: Principal, given: Given) -> IdentityProvider:
    """Keeps the provider of the principal's account.

    Raises:
        Forbidden: no right, or a mapped group holds more than the principal does.
        BadParameter: a field is wrong. Whoever changes the issuer ends every link to the old one.
    """
    principal.require(sign_in_settings.UPDATE, resource("account", principal))
    known = of_account(principal.account_id)
    mapped = _mapped(principal, given.groups)
    values = {
        "name": _filled(given.name, 40, "name"),
        "issuer": _filled(given.issuer, 255, "issuer"),
        "client_id": _filled(given.client_id, 255, "client_id"),
        "domains": _domains(given.domains),
        "group_claim": actions.line(given.group_claim.strip(), 64, "group_claim"),
        "groups": mapped,
        "mfa_acrs": actions.line(given.mfa_acrs.strip(), 255, "mfa_acrs"),
        "makes_users": given.makes_users,
        "enabled": given.enabled,
    }
    if known is None and not given.secret:
        raise BadParameter(
            "The client secret is missing.", next_step="Copy it from the provider.", field="secret"
        )
    if known and known.issuer != values["issuer"] and not given.secret:
        raise BadParameter(
            "Another issuer needs its own client secret.",
            next_step="Copy it from the provider.",
            field="secret",
        )
    with sql.short_transaction():
        old = known.secret_id if known else ""
        if given.secret:
            values["secret_id"] = sealing.seal(principal.account_id, PURPOSE, given.secret.encode())
            sealing.destroy(old)
        made, _ = IdentityProvider.objects.update_or_create(account_id=principal.account_id, defaults=values)
        ExternalIdentity.objects.filter(provider=made).exclude(issuer=made.issuer).delete()
        audit.record(
            principal,
            sign_in_settings.UPDATE,
            resource=f"account:{principal.account_id}",
            details={"issuer": made.issuer, "enabled": made.enabled, "makes_users": made.makes_users},
        )
    return made


def let_in(provider: IdentityProvider, identity: Identity, now: datetime, source: str) -> User:
    """Which user this is: linked before, invited, or new where the account makes users so.

    Raises:
        NotLetIn: none of these, switched off, or of a domain that is not allowed.
        WrongState: the groups of the claim would leave the account without an administrator.
    """
    _require_domain(provider, identity)
    known = ExternalIdentity.objects.select_related("user__account").filter(
        provider=provider, issuer=provider.issuer, subject=identity.subject
    )
    found = known.first()
    user = (
        found.user if found else _invited(provider, identity, now, source) or _made(provider, identity, now)
    )
    if not user.is_active:
        raise _nobody()
    _put_into_groups(provider, user, identity)
    return user


def link(principal: Principal, identity: Identity, now: datetime) -> None:
    """The signed-in user says: this is me at the provider.

    Raises:
        Conflict: somebody else is linked to this identity, or the user has another. NotLetIn: the domain.
    """
    provider = IdentityProvider.objects.get(account_id=principal.account_id)
    _require_domain(provider, identity)
    user = User.objects.get(id=principal.user_id)
    with sql.short_transaction():
        _link(provider, user, identity, now)
        audit.record(principal, "iam:users:linkIdentity", resource=f"user:{user.id}")


def unlink(principal: Principal) -> None:
    """Raises: WrongState: without a password nothing else would sign the user in."""
    user = User.objects.get(id=principal.user_id)
    if not user.has_usable_password() and not user.passkeys.exists():
        raise WrongState("Single sign-on is your only way to sign in.", next_step="Register a passkey first.")
    with sql.short_transaction():
        if ExternalIdentity.objects.filter(user=user).delete()[0]:
            audit.record(principal, "iam:users:unlinkIdentity", resource=f"user:{user.id}")


def is_linked(user_id: str, identity: Identity) -> bool:
    return ExternalIdentity.objects.filter(user_id=user_id, subject=identity.subject).exists()


def _link(provider: IdentityProvider, user: User, identity: Identity, now: datetime) -> None:
    taken = ExternalIdentity.objects.filter(
        provider=provider, issuer=provider.issuer, subject=identity.subject
    ).exclude(user=user)
    if (
        taken.exists()
        or ExternalIdentity.objects.filter(user=user).exclude(subject=identity.subject).exists()
    ):
        raise Conflict(
            "One of the two is linked already.",
            next_step="Unlink it first, or sign in there as somebody else.",
        )
    ExternalIdentity.objects.update_or_create(
        user=user,
        defaults={
            "provider": provider,
            "issuer": provider.issuer,
            "subject": identity.subject,
            "linked_at": now,
        },
    )


def _nobody() -> NotLetIn:
    return NotLetIn(
        "Your organization's sign-in knows you, but you have no user here.",
        next_step="Ask an administrator of the account for an invitation; or sign in with your password and"
        " link it on the page of your account.",
    )


def _require_domain(provider: IdentityProvider, identity: Identity) -> None:
    allowed = provider.domains.split()
    domain = identity.email.rpartition("@")[2].lower()
    if allowed and not (identity.email_verified and domain in allowed):
        raise _nobody()


def _invited(provider: IdentityProvider, identity: Identity, now: datetime, source: str) -> User | None:
    """The one user with a living invitation to this verified address: the invitation is then used up."""
    if not (identity.email and identity.email_verified):
        return None
    users = list(
        User.objects.select_related("account").filter(
            account_id=provider.account_id,
            email__iexact=identity.email,
            is_active=True,
            links__purpose=links.Purpose.INVITATION,
            links__expires_at__gt=now,
            external_identity__isnull=True,
        )[:2]
    )
    if len(users) != 1 or users[0].has_usable_password():
        return None
    user = users[0]
    with sql.short_transaction():
        _link(provider, user, identity, now)
        user.links.all().delete()
        by = principal_of(user, Via.CONSOLE, source=source)
        audit.record(
            by, "iam:users:redeemLink", resource=f"user:{user.id}", details={"purpose": "invitation"}
        )
    return user


def _made(provider: IdentityProvider, identity: Identity, now: datetime) -> User:
    """A new user where the account wants that; a name that is taken is never somebody else's way in."""
    if not provider.makes_users or not (identity.email and identity.email_verified):
        raise _nobody()
    wanted = identity.name or identity.email.partition("@")[0]
    name = re.sub(r"[^A-Za-z0-9_.@-]", "-", wanted).lstrip("_.@-")[:64]
    if not name or User.objects.filter(account_id=provider.account_id, name=name).exists():
        raise _nobody()
    with sql.short_transaction():
        user = actions.create_user(provider.account, name, None, [], email=identity.email)
        _link(provider, user, identity, now)
    return user


def _put_into_groups(provider: IdentityProvider, user: User, identity: Identity) -> None:
    """The mapped groups as the claim says; all other groups stay as they are."""
    if identity.groups is None or not provider.groups:
        return
    mapped = set(provider.groups.values())
    wanted = {provider.groups[one] for one in identity.groups if one in provider.groups}
    has = set(user.groups.filter(name__in=mapped).values_list("name", flat=True))
    if wanted == has:
        return
    with snapshot.changing(None, user.account_id):
        for group in Group.objects.filter(account_id=user.account_id, name__in=wanted ^ has):
            (group.users.add if group.name in wanted else group.users.remove)(user)
        by = principal_of(user, Via.CONSOLE)
        details = {"in": sorted(wanted - has), "out": sorted(has - wanted)}
        audit.record(by, "iam:users:followGroups", resource=f"user:{user.id}", details=details)


def _mapped(principal: Principal, text: str) -> dict[str, str]:
    """`value = group` a line; nobody maps into a group that holds more than he does."""
    found: dict[str, str] = {}
    held = snapshot.take(principal.account_id)
    for line in filter(None, map(str.strip, text.splitlines())):
        value, _, name = (part.strip() for part in line.partition("="))
        group = Group.objects.filter(account_id=principal.account_id, name=name).first()
        if not value or group is None or len(value) > 255:
            raise BadParameter(
                f"{line!r:.80} does not name a value and a group of the account.",
                next_step="Write one a line: value = group.",
                field="groups",
            )
        snapshot.refuse_excess((), held.groups.get(group.id, ()), held.of_user(principal.user_id))
        found[value] = name
    return found


def _domains(text: str) -> str:
    found = text.lower().replace(",", " ").split()
    for one in found:
        if not _DOMAIN.fullmatch(one):
            raise BadParameter(f"{one!r:.80} is no domain.", next_step="Write example.com.", field="domains")
    return "\n".join(found)


def _filled(text: str, most: int, field: str) -> str:
    if not text.strip():
        raise BadParameter(f"{field} is missing.", field=field)
    return actions.line(text.strip(), most, field)
