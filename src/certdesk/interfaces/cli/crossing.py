"""`certdesk ca cross-…`: an authority's name and key, certified by another root too."""

from pathlib import Path
from typing import Annotated

import typer

from . import given_files, start
from .host import host
from .output import Json, show

Slug = Annotated[str, typer.Argument(metavar="AUTHORITY", help="E.g. dv-p256 or root-p256, see: ca list.")]


def cross_sign(
    authority: Slug,
    by: Annotated[str, typer.Option("--by", help="The other root of this installation, e.g. root-rsa2048.")],
    as_json: Json = False,
) -> None:
    """Have another root of this installation certify an authority or root, for who trusts that one alone."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import crosses

    made = crosses.sign(authority, by, clock.now(), host())
    show({"cross": made.slug, "root": made.root}, as_json)


def cross_request(authority: Slug) -> None:
    """Print the CSR with which a CA outside can certify an authority's name and key."""
    start.django()
    from certdesk.pki.authority import crosses

    typer.echo(crosses.ask(authority, host()), nl=False)


def cross_import(
    authority: Slug,
    file: Annotated[
        Path, typer.Option("--file", help="PEM: the certificate, then its issuers up to the root outside.")
    ],
    as_json: Json = False,
) -> None:
    """Take in the certificate that a CA outside made for an authority; its chain is offered beside ours."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import crosses

    taken = crosses.take(authority, given_files.text(file, "ascii"), clock.now(), host())
    show({"cross": taken.slug, "root": taken.root}, as_json)
