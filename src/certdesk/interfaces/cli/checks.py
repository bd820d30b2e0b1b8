"""Commands that look and say: doctor, verify-issued, audit verify, audit key, key rotate."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from certdesk.foundation.common.errors import BadParameter

from . import start
from .output import Json, show

audit = typer.Typer(help="The audit log.", no_args_is_help=True)
keys = typer.Typer(help="The key-encryption key.", no_args_is_help=True)


def doctor(as_json: Json = False) -> None:
    """Look for what is weak, missing or late; exit status 1 when there is a problem."""
    start.django()
    from .diagnosis import examine

    findings = examine()
    problems = [finding for finding in findings if finding.level == "problem"]
    if as_json:
        show({"findings": [finding.__dict__ for finding in findings], "problems": len(problems)}, True)
    else:
        for finding in findings:
            typer.echo(f"{finding.level:<8} {finding.subject}: {finding.sentence}")
    raise typer.Exit(1 if problems else 0)


def verify_issued(
    limit: Annotated[int, typer.Option(help="Newest certificates only; 0 = all.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Verify every certificate the built-in CA issued from the records alone; status 1 when one is wrong."""
    start.django()
    from certdesk.pki.authority.verify import verify_issued as verify

    report = verify(limit or None)
    show(report.as_dict(), as_json)
    raise typer.Exit(1 if report.problems else 0)


@audit.command("verify")
def audit_verify(
    file: Annotated[
        Path | None, typer.Argument(help="An export; without one the database itself is verified.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="For an export: the public key (hex) that must have signed; `audit key` prints it."
        ),
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="File of the last checkpoints; default: the one beside the KEK file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the audit log, or an export of it; status 1 when a row is missing or changed.

    An export is verified from the file alone, without database and settings. In the database, rows that
    wait for the sealer are named and then sealed; they are no fault.
    """
    if file is not None:
        _verify_export(file, key or [], heads, as_json)
    if key:
        raise BadParameter("--key is for an export: the database's keys are read from the database.")
    start.django()
    from certdesk.foundation.audit import heads as kept
    from certdesk.foundation.audit.actions import seal_pending
    from certdesk.foundation.audit.verify_database import verify_database

    try:
        noted = kept.read() if heads is None else kept.read_heads(heads)
    except (OSError, ValueError) as error:
        raise BadParameter(f"The file of the audit log's heads cannot be read: {error}.") from None
    report = verify_database(heads=noted)
    while seal_pending():  # after the look: what waited shows as waiting
        pass
    show(report.as_dict(), as_json)
    raise typer.Exit(1 if report.problems else 0)


def _verify_export(file: Path, keys: list[str], heads: Path | None, as_json: bool) -> NoReturn:
    from certdesk.foundation.audit.verify import verify_file

    try:
        report = verify_file(file, keys, heads)
    except (OSError, ValueError) as error:
        raise BadParameter(f"The export cannot be verified: {error}.") from None
    signed = "the named key" if keys else "not proved: name the public key with --key"
    show(report.as_dict() | {"signed_by": signed}, as_json)
    raise typer.Exit(0 if report.ok else 1)


@audit.command("key")
def audit_key(as_json: Json = False) -> None:
    """Print the public keys (hex) that sign the audit log, newest last; an export is verified with them."""
    start.django()
    from certdesk.foundation.audit.verify_database import public_keys

    found = public_keys()
    if as_json:
        show({"public_keys": found}, True)
    else:
        typer.echo("\n".join(found) or "No event has been sealed yet.")


@keys.command("rotate")
def key_rotate(as_json: Json = False) -> None:
    """Add a KEK version and wrap every secret's data key anew; may be interrupted and run again.

    Status 1 when a secret could not be moved: it is named, and keeps the version it was sealed with.
    """
    start.django()
    from certdesk.foundation.sealing.actions import rotate

    report = rotate()
    show(report.__dict__, as_json)
    raise typer.Exit(1 if report.broken or report.remaining else 0)
