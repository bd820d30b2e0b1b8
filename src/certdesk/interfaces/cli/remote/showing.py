"""Answers for people: tables as wide as the terminal, long names folded. `--json`: the answer as it came."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from .table import Remote

COLUMNS: dict[str, tuple[str, ...]] = {
    "certificates": ("id", "status", "domain", "name", "expire_time"),
    "orders": ("order_id", "state", "type", "amount", "currency", "created_at"),
    "catalogue": ("product_id", "brand_name", "type_name", "domain_type", "available", "unit_prices"),
    "domains": ("domain", "status", "certificates", "dns_connection"),
    "policies": ("id", "name", "catalog", "description"),
    "csrs": ("id", "name", "domain_name", "private_key_algo"),
    "access_keys": ("id", "user_name", "status", "last_use_time", "description"),
}
MOST = 6


def show(found: Remote, answer: Any, as_json: bool) -> None:
    """Prints the answer of an operation."""
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    if answer is None:
        typer.echo("Done.")
        return
    rows = _rows(found, answer)
    if rows is None:
        show_one(answer, as_json)
        return
    _print_rows(found.name.partition(".")[0], rows)
    if answer.get("next_marker"):
        typer.echo(f"There are more: --marker {answer['next_marker']}, or --all.")


def _rows(found: Remote, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The rows of a list; None where the answer is one thing."""
    key = found.rows or next(
        (name for name, part in answer.items() if len(answer) <= 2 and isinstance(part, list)), ""
    )
    rows = answer.get(key) if key else None
    return rows if rows is not None and all(isinstance(row, dict) for row in rows) else None


def _print_rows(chapter: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        typer.echo("Nothing found.")
        return
    from rich.console import Console
    from rich.table import Table

    made = Table(show_lines=False, pad_edge=False, box=None, header_style="bold")
    columns = _columns(chapter, rows[0])
    for name in columns:
        made.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        made.add_row(*(_cell(row.get(name)) for name in columns))
    Console(highlight=False, soft_wrap=False).print(made)


def _columns(chapter: str, row: Mapping[str, Any]) -> list[str]:
    wanted = [name for name in COLUMNS.get(chapter, ()) if name in row]
    plain = [name for name, value in row.items() if not isinstance(value, dict | list)]
    return wanted if len(wanted) > 1 else plain[:MOST] or list(row)[:MOST]


def show_one(answer: Mapping[str, Any], as_json: bool) -> None:
    """Prints one thing, a field a line."""
    if as_json:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    made = Table(show_header=False, pad_edge=False, box=None)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in answer.items():
        if _said(value):
            made.add_row(name.replace("_", " "), _cell(value))
    Console(highlight=False).print(made)


def _cell(value: Any) -> Any:
    """As text, not as markup: names are other people's."""
    from rich.text import Text

    return Text(_words(value))


def _words(value: Any, separator: str = "\n") -> str:
    """A value as people read it: a line an entry, what is empty left out."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        parts = [
            f"{name.replace('_', ' ')}: {_words(one, ', ')}" for name, one in value.items() if _said(one)
        ]
        return separator.join(parts)
    if isinstance(value, list):
        return separator.join(_words(one, "; ") for one in value)
    return "" if value is None else _plain(str(value))


def _said(value: Any) -> bool:
    return value not in ("", [], {}, None)


def _plain(text: str) -> str:
    """Without the characters that would move a terminal's cursor."""
    return "".join(one if one.isprintable() or one == "\n" else "�" for one in text)
