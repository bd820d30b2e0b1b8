"""`./certdesk tour`: the main job for real, on a scratch folder of its own."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer


def tour(
    keep: Annotated[bool, typer.Option(help="Keep the scratch folder and print its path.")] = False,
) -> None:
    """Buy, prove through a real DNS server, issue, download, check; status 1 when a step fails."""
    from certdesk.foundation.common import settings

    from . import touring, touring_steps  # an HTTP client and more, which other commands need not load

    settings.install(settings.Settings())
    steps = touring_steps.Steps()
    folder = Path(tempfile.mkdtemp(prefix="certdesk-tour-"))
    failure = touring.take(folder, steps)
    if keep:
        typer.echo(f"Kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if failure:
        typer.echo(f"FAILED after step {steps.done}: {failure}")
        raise typer.Exit(1)
    typer.echo(f"All {steps.done} steps held, {time.monotonic() - steps.began:.1f} s.")
