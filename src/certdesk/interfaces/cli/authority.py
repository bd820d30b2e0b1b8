"""`certdesk ca …`: the hierarchy of the built-in CA, from the host's command line."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from . import start
from .output import Json, show

ca = typer.Typer(help="The built-in CA.", no_args_is_help=True)


@ca.command("root")
def ca_root() -> None:
    """Print the PEM of the built-in roots, to put into trust stores."""
    start.django()
    from certdesk.pki.authority.actions import roots_pem

    typer.echo(roots_pem(), nl=False)


@ca.command("list")
def ca_list(as_json: Json = False) -> None:
    """Show the authorities: place, algorithm, where the key is, until when; retired ones too."""
    start.django()
    from certdesk.pki.authority import overview

    lines = [line.as_dict() for line in overview.lines()]
    if as_json:
        show({"authorities": lines}, True)
        return
    for line in lines:
        show(line, False)


@ca.command("create")
def ca_create(
    places: Annotated[
        list[str], typer.Argument(metavar="PLACE…", help="E.g. root-p256 dv-p256 ov-p256 ev-p256.")
    ],
    as_json: Json = False,
) -> None:
    """Put a new authority with a new key at each of these places; it signs there from now on.

    With CERTDESK_PKCS11_MODULE the keys are made in the token. The authorities of before are retired: they
    sign no more certificates, their CRLs and OCSP answers go on. A new root must be put into trust stores.
    """
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import actions

    made = actions.create(places, clock.now(), _host())
    show({"created": [{"slug": one.slug, "key": one.key.held.lower()} for one in made]}, as_json)


def _host() -> Any:
    from certdesk.foundation.iam.principal import Via, system_principal

    return replace(system_principal(""), via=Via.CLI)
