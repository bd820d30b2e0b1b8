"""First set-up and migrations: folder, KEK, database, built-in CA, account, administrator."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certdesk.foundation.common.errors import BadParameter

from . import given_files, start
from .output import Json, show

if TYPE_CHECKING:
    from certdesk.foundation.common.settings import Settings

PasswordFile = Annotated[
    Path,
    typer.Option("--password-file", help="File whose first line is the password (12 characters or more)."),
]


@dataclass(frozen=True)
class FirstUser:
    """A user made by the first `up` with a one-time password."""

    name: str
    password: str


def prepare(settings: "Settings") -> None:
    """Everything that must stand before the first request; does nothing that is already done."""
    from certdesk.foundation.audit import heads
    from certdesk.foundation.backup import unfinished
    from certdesk.foundation.common import clock, migrating, session_key
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.sealing import actions as sealing
    from certdesk.foundation.sealing import kek
    from certdesk.pki.authority import actions as authority

    unfinished.refuse()
    kek.ensure_kek_file(settings.kek_path)
    session_key.ensure(settings)
    migrating.migrate()
    heads.set_aside_of_another()
    sealing.check_kek()
    iam.ensure_system_policies()
    authority.bootstrap(clock.now())


def first_account(name: str, administrator: str, password: str, *, must_change: bool) -> None:
    """Make the account `name` with its groups and its administrator.

    Raises:
        BadParameter: the account exists already or the password is too weak.
    """
    from certdesk.foundation.iam import actions as iam

    account = iam.create_account(name)
    iam.ensure_groups(account)
    iam.create_user(account, administrator, password, ["admins"], must_change=must_change)


def first_users() -> list[FirstUser]:
    """On an empty installation: account `default` with `admin` and `officer`; else an empty list."""
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.models import Account

    if Account.objects.exists():
        return []
    admin, officer = (FirstUser(name, secrets.token_urlsafe(12)) for name in ("admin", "officer"))
    first_account("default", admin.name, admin.password, must_change=True)
    account = Account.objects.get(name="default")
    iam.create_user(account, officer.name, officer.password, ["officers"], must_change=True)
    return [admin, officer]


def read_password(path: Path) -> str:
    """The first line of the file.

    Raises:
        BadParameter: no file, or an empty first line.
    """
    line = given_files.text(path).split("\n", 1)[0].rstrip("\r")
    if not line:
        raise BadParameter(
            f"The password file {path} is empty.", next_step="Put the password on its first line."
        )
    return line


def migrate(as_json: Json = False) -> None:
    """Bring the database to this version's schema."""
    settings = start.django()
    prepare(settings)
    show({"migrated": True, "data": str(settings.data)}, as_json)


def init(
    account: Annotated[str, typer.Option(help="Name of the first account.")],
    admin: Annotated[str, typer.Option(help="Name of its administrator.")],
    password_file: PasswordFile,
    as_json: Json = False,
) -> None:
    """First set-up without questions: folder, database, KEK, CA, account and one administrator."""
    settings = start.django()
    password = read_password(password_file)
    prepare(settings)
    first_account(account, admin, password, must_change=False)
    show(
        {"account": account, "admin": admin, "data": str(settings.data), "kek_file": str(settings.kek_path)},
        as_json,
    )
