"""`./certdesk docs`: writes the generated tables into docs/, or checks that they are in step."""

from pathlib import Path
from typing import Annotated

import typer

from . import start


def docs(
    folder: Annotated[Path, typer.Option(help="The docs folder of the checkout.")] = Path("docs"),
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; status 1 when a page is out of step.")
    ] = False,
) -> None:
    """Write the generated pages: settings, commands, operations, states, permissions."""
    start.django()
    from .generated import client_files, pages

    found = {folder / name: text for name, text in pages().items()} | client_files()
    stale = [path for path, text in found.items() if _write(path, text, check)]
    for path in stale:
        typer.echo(f"{'out of step' if check else 'written'}: {path}")
    raise typer.Exit(1 if check and stale else 0)


def _write(path: Path, text: str, check: bool) -> bool:
    """True when the page differs from `text`; writes it unless it is only checked."""
    same = path.exists() and path.read_text(encoding="utf-8") == text
    if not same and not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return not same
