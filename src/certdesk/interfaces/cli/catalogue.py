"""`./certdesk catalogue check`: what is wrong in a catalogue file, and what the operator should know."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import start
from .output import Json, show

if TYPE_CHECKING:
    from certdesk.lifecycle.catalogue.check import Finding
    from certdesk.lifecycle.catalogue.price_rules import Change

catalogue = typer.Typer(help="What is for sale.", no_args_is_help=True)


@catalogue.command("check")
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A catalogue file; left out: the one in use, with its working days.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a catalogue file: every finding with its line and key; status 1 when it cannot be used."""
    settings = start.django()
    from certdesk.lifecycle.catalogue.check import PROBLEM, examine
    from certdesk.lifecycle.catalogue.queries import SHIPPED

    path = file or settings.catalogue or SHIPPED
    changes, aside = _changes()
    findings, book = examine(path, changes)
    findings = [*findings, *aside, *([] if file else _working_days(settings.working_days))]
    problems = sum(one.level == PROBLEM for one in findings)
    answer: dict[str, object] = {"file": str(path), "problems": problems}
    if book is not None:
        answer |= {
            "brands": len(book.brands),
            "types": len(book.types),
            "products": len(book.products),
            "for sale": sum(one.available for one in book.products),
            "price changes": len(changes),
        }
    if as_json:
        show({**answer, "findings": [one.__dict__ for one in findings]}, True)
    else:
        for one in findings:
            typer.echo(one.text)
        show(answer, False)
    raise typer.Exit(1 if problems else 0)


def _changes() -> "tuple[list[Change], list[Finding]]":
    """The operator's dated prices; a database that is not there yet has none."""
    from django.db import DatabaseError, connection

    from certdesk.lifecycle.catalogue import prices
    from certdesk.lifecycle.catalogue.check import NOTE, Finding

    try:
        if "catalogue_pricechange" in connection.introspection.table_names():
            return prices.changes(), []
    except DatabaseError:
        pass
    return [], [Finding(NOTE, 0, "", "there is no database yet: prices changed by the operator are not seen")]


def _working_days(path: Path | None) -> "list[Finding]":
    from certdesk.lifecycle.catalogue.check import PROBLEM, Finding
    from certdesk.lifecycle.catalogue.errors import CatalogueRefused
    from certdesk.lifecycle.catalogue.queries import WORKING_DAYS, load_working_days

    try:
        load_working_days(path or WORKING_DAYS)
    except CatalogueRefused as refused:
        return [Finding(PROBLEM, 0, "", refused.message)]
    return []
