"""The root of all commands: the operator's, and behind them a group for each chapter of the API."""

from typing import Any

from typer.core import TyperGroup


class Root(TyperGroup):
    """Both kinds of command under one name; chapters are read from the client's table when asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        from .remote import table

        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(table.chapters()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from .remote import table
        from .remote.commands import ChapterGroup

        own = super().get_command(ctx, cmd_name)
        title = table.chapters().get(cmd_name) if own is None or hasattr(own, "commands") else None
        if title is None:
            return own
        chapter = ChapterGroup(cmd_name, title)
        if own is None:
            return chapter
        return _joined(own, chapter, ctx)


def _joined(own: Any, chapter: Any, ctx: Any) -> Any:
    """`audit verify` runs here, `audit list` over the API: one group has both."""
    for name in chapter.list_commands(ctx):
        if name not in own.commands:
            own.commands[name] = chapter.get_command(ctx, name)
    return own
