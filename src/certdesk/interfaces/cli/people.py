"""Users, balances and access keys from the host's command line."""

from dataclasses import replace
from typing import Annotated

import typer

from certdesk.foundation.common.errors import BadParameter, NotFound

from . import start
from .output import Json, show
from .setup import PasswordFile, read_password

users = typer.Typer(help="People and machines of an account.", no_args_is_help=True)
accounts = typer.Typer(help="Accounts and their balance.", no_args_is_help=True)
acme_credentials = typer.Typer(help="Credentials for ACME clients.", no_args_is_help=True)
access_keys = typer.Typer(help="Access keys (AK/SK) for the API.", no_args_is_help=True)

AccountName = Annotated[str, typer.Option("--account", help="May be left out while there is one account.")]


def account_named(name: str):  # type: ignore[no-untyped-def]  # models exist only once Django is set up
    """The account; the only one when `name` is empty.

    Raises:
        NotFound: no such account. BadParameter: several, and none was named.
    """
    from certdesk.foundation.iam.models import Account

    found = list(Account.objects.filter(name=name) if name else Account.objects.order_by("name")[:2])
    if not found:
        raise NotFound(f"There is no account {name!r}.", next_step="Make one with `./certdesk init`.")
    if len(found) > 1:
        raise BadParameter("There are several accounts.", next_step="Name one with --account.")
    return found[0]


@users.command("create")
def user_create(
    name: Annotated[str, typer.Option(help="Name of the user, unique in the account.")],
    password_file: PasswordFile,
    account: AccountName = "",
    groups: Annotated[
        str, typer.Option(help="Comma-separated: admins, users, readers, officers, ….")
    ] = "users",
    email: Annotated[str, typer.Option(help="Address for messages.")] = "",
    as_json: Json = False,
) -> None:
    """Make a user who may sign in at once."""
    start.django()
    from certdesk.foundation.iam import actions as iam

    wanted = [group.strip() for group in groups.split(",") if group.strip()]
    user = iam.create_user(account_named(account), name, read_password(password_file), wanted, email=email)
    show({"user": user.name, "login": user.login, "groups": wanted}, as_json)


@users.command("reset-second-factor")
def user_reset_second_factor(
    name: Annotated[str, typer.Option(help="Name of the user.")],
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Take app, passkeys and recovery codes off a user who lost them, e.g. the last administrator."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam.principal import Via, system_principal
    from certdesk.foundation.outbox import people as mails

    user = _user(name, account)
    by = replace(system_principal(user.account_id), via=Via.CLI)
    mails.reset_second_factor(by, user.id, clock.real_now())
    show({"user": user.name, "second_factor": False}, as_json)


@accounts.command("credit")
def account_credit(
    amount: Annotated[str, typer.Option(help="Decimal amount, e.g. 1000 or 99.50.")],
    account: AccountName = "",
    currency: Annotated[str, typer.Option(help="CNY or USD; default: the account's.")] = "",
    as_json: Json = False,
) -> None:
    """Add cash to an account's balance."""
    start.django()
    from certdesk.foundation.common import clock, ids
    from certdesk.foundation.iam.principal import Via, system_principal
    from certdesk.lifecycle.orders import actions as orders
    from certdesk.lifecycle.orders.money import parse_amount, show_amount

    target = account_named(account)
    wanted = currency or target.currency
    minor = parse_amount(amount)
    principal = replace(system_principal(target.id), via=Via.CLI)
    cash = orders.credit(target.id, wanted, minor, ids.hex32(), clock.now(), principal)
    show({"account": target.name, "cash": show_amount(cash), "currency": wanted}, as_json)


@accounts.command("flags")
def account_flags(
    account: AccountName = "",
    real_name: Annotated[
        bool | None,
        typer.Option(
            "--real-name/--no-real-name", help="Real-name authentication passed; without it no application."
        ),
    ] = None,
    special_enterprise: Annotated[
        bool | None,
        typer.Option(
            "--special-enterprise/--no-special-enterprise",
            help="No unified social credit code: may not buy OV and EV.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show or set what the operator knows about who stands behind an account."""
    start.django()
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.principal import Via, system_principal

    target = account_named(account)
    if (real_name, special_enterprise) != (None, None):
        by = replace(system_principal(target.id), via=Via.CLI)
        target = iam.set_account_flags(
            target, real_name_verified=real_name, special_enterprise=special_enterprise, by=by
        )
    flags = {"real_name_verified": target.real_name_verified, "special_enterprise": target.special_enterprise}
    show({"account": target.name, **flags}, as_json)


@access_keys.command("create")
def access_key_create(
    user: Annotated[str, typer.Option(help="Whose key.")], account: AccountName = "", as_json: Json = False
) -> None:
    """Make an access key; the secret key is shown this once."""
    start.django()
    from certdesk.foundation.iam import actions as iam

    access_key, secret_key = iam.create_access_key(_user(user, account))
    show({"access_key": access_key, "secret_key": secret_key}, as_json)


@acme_credentials.command("create")
def acme_credential_create(
    user: Annotated[str, typer.Option(help="Whose: its clients act with the rights of this user.")],
    account: AccountName = "",
    names: Annotated[
        str,
        typer.Option(
            help="Comma-separated: example.com, *.example.com, ….  Empty: any name that proves itself."
        ),
    ] = "",
    issuer: Annotated[
        str, typer.Option(help="Brand of the catalogue. Empty: the built-in CA, free of charge.")
    ] = "",
    types: Annotated[str, typer.Option(help="Comma-separated certificate types of the brand.")] = "",
    quota: Annotated[int, typer.Option(min=0, help="Certificates in all; 0 = any number.")] = 0,
    label: Annotated[str, typer.Option(help="Name by which people know it.")] = "",
    as_json: Json = False,
) -> None:
    """Make a credential for ACME clients; the HMAC key is shown this once."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam.principal import system_principal
    from certdesk.lifecycle.enrolment import credentials

    whose = _user(user, account)
    made, key = credentials.create(
        system_principal(whose.account_id, "cli"),
        clock.now(),
        user_id=whose.id,
        label=label,
        names=_listed(names),
        types=_listed(types),
        issuer=issuer,
        quota=quota or None,
    )
    show({"kid": made.id, "hmac_key": key, "directory": credentials.directory()}, as_json)


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _user(name: str, account: str):  # type: ignore[no-untyped-def]  # as `account_named`
    from certdesk.foundation.iam.models import User

    found = User.objects.filter(account=account_named(account), name=name).first()
    if found is None:
        raise NotFound(f"There is no user {name!r} in this account.")
    return found


@access_keys.command("list")
def access_key_list(
    user: Annotated[str, typer.Option(help="Only those of this user.")] = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Show the access keys of an account, without their secrets."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.foundation.iam import queries as iam

    found = iam.access_keys(account_named(account).id, _user(user, account).id if user else "")
    keys = [
        {
            "access_key": one.access_key,
            "user": one.user.name,
            "enabled": one.enabled,
            "created_at": clock.wire(one.created_at),
            "description": one.description,
        }
        for one in found
    ]
    if as_json:
        show({"access_keys": keys}, as_json)
        return
    for key in keys:
        show(key, as_json)


AccessKeyName = Annotated[str, typer.Argument(metavar="ACCESS_KEY", help="As `access-key list` shows it.")]


@access_keys.command("disable")
def access_key_disable(access_key: AccessKeyName, account: AccountName = "", as_json: Json = False) -> None:
    """Switch an access key off; requests signed with it are refused within seconds."""
    _switch(access_key, account, as_json, on=False)


@access_keys.command("enable")
def access_key_enable(access_key: AccessKeyName, account: AccountName = "", as_json: Json = False) -> None:
    """Switch an access key on again."""
    _switch(access_key, account, as_json, on=True)


def _switch(access_key: str, account: str, as_json: bool, *, on: bool) -> None:
    start.django()
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.principal import Via, system_principal

    by = replace(system_principal(account_named(account).id), via=Via.CLI)
    iam.set_access_key_enabled(access_key, on, by=by)
    show({"access_key": access_key, "enabled": on}, as_json)
