"""`./certdesk`: every command of the operator's interface.

Exit status: 0 = good, 1 = found a problem, 2 = wrong use.
"""

import sys

import typer

from certdesk.foundation.common.errors import CertdeskError

from . import (
    authority,
    backups,
    catalogue,
    checks,
    completion,
    documents,
    drill,
    grants,
    labs,
    people,
    perspective,
    revocation,
    serve,
    setup,
    tour,
)
from .root import Root

people.accounts.command("voucher")(grants.voucher)
people.accounts.command("coupon")(grants.coupon)

app = typer.Typer(
    name="certdesk",
    help="A self-hosted SSL certificate manager: order, prove, issue, deploy, renew and revoke in one place.",
    no_args_is_help=True,
    add_completion=True,
    cls=Root,
    pretty_exceptions_enable=False,
)
app.command("up")(serve.up)
app.command("web")(serve.web)
app.command("worker")(serve.worker)
app.command("migrate")(setup.migrate)
app.command("init")(setup.init)
app.command("tour")(tour.tour)
app.command("doctor")(checks.doctor)
app.command("verify-issued")(checks.verify_issued)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.command("revoke")(revocation.revoke)
app.command("drill")(drill.drill)
app.command("docs")(documents.docs)
app.command("completion")(completion.completion)
app.command("lab")(labs.lab)
app.command("perspective")(perspective.perspective)
app.command(
    "agent",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)(perspective.agent)
app.command("mail-listener")(perspective.mail_listener)
app.add_typer(people.users, name="user")
app.add_typer(people.accounts, name="account")
app.add_typer(people.access_keys, name="access-key")
app.add_typer(people.acme_credentials, name="acme-credential")
app.add_typer(catalogue.catalogue, name="catalogue")
app.add_typer(checks.audit, name="audit")
app.add_typer(checks.keys, name="key")
app.add_typer(authority.ca, name="ca")


def main() -> None:
    """Entry point; expected refusals become one plain sentence and status 2."""
    try:
        app(prog_name="certdesk")
    except CertdeskError as refused:
        print(f"certdesk: {refused}", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        if not _is_without_tables(error):
            raise
        print(f"certdesk: {_NO_TABLES}", file=sys.stderr)
        raise SystemExit(2) from None


_NO_TABLES = (
    "the database lacks tables of this release. A new installation is made by `./certdesk up` or"
    " `./certdesk init`, an older one is brought up to date by `./certdesk migrate`."
)


def _is_without_tables(error: Exception) -> bool:
    """By its name, since most commands never load the database's module."""
    told = str(error)
    return type(error).__module__ == "django.db.utils" and (
        "no such table" in told or ("relation" in told and "does not exist" in told)
    )
