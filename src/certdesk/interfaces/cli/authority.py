"""`certdesk ca …`: the hierarchy of the built-in CA, from the host's command line."""

from typing import Annotated

import typer

from certdesk.foundation.common.errors import BadParameter

from . import crossing, experiment, given_files, name_constraints, start
from .ceremony import AGENDA, OUTCOME, Folder, ceremony
from .host import host
from .output import Json, show

Permit = Annotated[
    list[str] | None,
    typer.Option("--permit", help="A name (with all below it) or network that alone they may certify."),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", help="A name or network that they never certify.")
]

ca = typer.Typer(help="The built-in CA.", no_args_is_help=True)
ca.command("ceremony")(ceremony)
ca.command("cross-sign")(crossing.cross_sign)
ca.command("cross-request")(crossing.cross_request)
ca.command("experiment")(experiment.experiment)
ca.command("cross-import")(crossing.cross_import)


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
    permit: Permit = None,
    exclude: Exclude = None,
    as_json: Json = False,
) -> None:
    """Put a new authority with a new key at each of these places; it signs there from now on.

    With CERTDESK_PKCS11_MODULE the keys are made in the token. The authorities of before are retired: they
    sign no more certificates, their CRLs and OCSP answers go on. A new root must be put into trust stores.
    With --permit and --exclude their certificates hold name constraints, which bind us and every client.
    """
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.pki.authority import actions

    bounds = name_constraints.read(places, permit, exclude)
    made = actions.create(places, clock.now(), host(), bounds=bounds)
    show({"created": [{"slug": one.slug, "key": one.key.held.lower()} for one in made]}, as_json)


@ca.command("request")
def ca_request(
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="p256, rsa2048, p384 or rsa4096.")],
    folder: Folder,
    list_only: Annotated[
        bool, typer.Option("--list-only", help="A new CRL of the offline root, no new authorities.")
    ] = False,
    permit: Permit = None,
    exclude: Exclude = None,
    as_json: Json = False,
) -> None:
    """Ask an offline root for new authorities of a chain: makes their keys and the agenda to take there."""
    start.django()
    from certdesk.pki.authority import ceremonies

    if not folder.is_dir():
        raise BadParameter(f"There is no folder {folder}.", next_step="Make it, for example on a USB stick.")
    new = [] if list_only else [place.slug for place in ceremonies.places(chain)]
    bounds = name_constraints.read(new, permit, exclude)
    agenda = ceremonies.ask(chain, host(), list_only=list_only, bounds=bounds)
    (folder / AGENDA).write_text(agenda.as_text() + "\n", encoding="utf-8")
    answer = {"ceremony": agenda.id, "check_value": agenda.check_value}
    show(answer | {"file": str(folder / AGENDA), "root": agenda.root.slug}, as_json)


@ca.command("import")
def ca_import(
    folder: Folder,
    check: Annotated[str, typer.Option(help="The check value, as it stands on the signed transcript.")],
    as_json: Json = False,
) -> None:
    """Take the outcome of an offline ceremony in: its authorities sign from now on, its CRL is served."""
    start.django()
    from certdesk.pki.authority import ceremonies

    taken = ceremonies.bring_back(given_files.text(folder / OUTCOME), check, host())
    show({"ceremony": taken.id, "check_value": taken.check_value}, as_json)
