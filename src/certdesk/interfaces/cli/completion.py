"""`certdesk completion`: the script that makes a shell complete commands, options and their values."""

from typing import Annotated, Literal

import typer

NAME, VARIABLE = "certdesk", "_CERTDESK_COMPLETE"


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell to make it for.")],
) -> None:
    """Print the completion script, e.g. for `source <(certdesk completion bash)`."""
    from typer._completion_shared import get_completion_script

    typer.echo(get_completion_script(prog_name=NAME, complete_var=VARIABLE, shell=shell))
