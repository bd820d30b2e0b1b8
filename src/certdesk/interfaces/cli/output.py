"""One way to print: a few plain lines for people, one JSON object with `--json`."""

from collections.abc import Mapping
from typing import Annotated

import orjson
import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def show(answer: Mapping[str, object], as_json: bool) -> None:
    """Prints `answer`; nested values only with `--json` in full."""
    if as_json:
        typer.echo(orjson.dumps(dict(answer), option=orjson.OPT_INDENT_2, default=str).decode())
        return
    width = max((len(name) for name in answer), default=0)
    for name, value in answer.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {value}")
