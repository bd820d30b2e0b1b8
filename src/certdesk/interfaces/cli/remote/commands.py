"""From an operation of the table to a command with its options."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from ..output import Json
from . import table
from .table import Remote, Spec

PANEL = "Over the API"
TYPES: dict[str, Any] = {"integer": int, "boolean": bool, "texts": list[str]}
WAITING = frozenset({"certificates.apply", "certificates.issue"})
Project = Annotated[
    str, typer.Option("--enterprise-project-id", help="Where they belong; 0 is the default project.")
]
ProfileName = Annotated[str, typer.Option("--profile", help="Profile of config.toml.")]


class ChapterGroup(TyperGroup):
    """A chapter of the API; its commands are made when they are asked for."""

    def __init__(self, chapter: str, title: str) -> None:
        super().__init__(name=chapter, help=title, no_args_is_help=True, rich_help_panel=PANEL)
        self.chapter = chapter

    def list_commands(self, ctx: Any) -> list[str]:
        extra = _EXTRA if self.chapter == "certificates" else {}
        return sorted([*table.of_chapter(self.chapter), *extra])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self.chapter == "certificates" and cmd_name in _EXTRA:
            return _EXTRA[cmd_name]()
        found = table.of_chapter(self.chapter).get(cmd_name)
        return None if found is None else command_of(found)


def command_of(found: Remote) -> TyperCommand:
    """The command of one operation."""

    def run(**given: Any) -> None:
        from . import running

        running.run(found, given)

    return _made(found.verb, found.summary, run, _parameters(found))


def wait_command() -> TyperCommand:
    def run(**given: Any) -> None:
        from . import running

        running.wait(**given)

    timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds at most.")]
    parameters = [
        _parameter("certificate_id", Annotated[str, typer.Argument(help="Id of the certificate.")]),
        _parameter("timeout", timeout, 3600.0),
        *_common(),
    ]
    return _made("wait", "Waits until a certificate is issued, and shows who must act.", run, parameters)


def import_folder_command() -> TyperCommand:
    def run(**given: Any) -> None:
        from . import running

        running.import_folder(**given)

    folder = typer.Argument(
        metavar="FOLDER",
        help="NAME.crt and NAME.key, NAME.pem with both, or folders of fullchain.pem and privkey.pem.",
    )
    parameters = [
        _parameter("folder", Annotated[str, folder]),
        _parameter("project", Project, "0"),
        *_common(),
    ]
    text = "Hosts all certificates of a folder with their keys; a repeat takes only what is missing."
    return _made("import-folder", text, run, parameters)


def watch_files_command() -> TyperCommand:
    def run(**given: Any) -> None:
        from . import running

        running.watch_files(**given)

    paths = typer.Argument(
        metavar="PATH...", help="Files of certificates (PEM or DER), and folders with all below them."
    )
    parameters = [
        _parameter("paths", Annotated[list[str], paths]),
        _parameter("project", Project, "0"),
        *_common(),
    ]
    text = "Watches certificates from elsewhere without their keys; a repeat takes only what is missing."
    return _made("watch-files", text, run, parameters)


_EXTRA = {"import-folder": import_folder_command, "wait": wait_command, "watch-files": watch_files_command}
"""Commands that are no single operation."""


def _made(name: str, doc: str, run: Callable[..., None], given: list[inspect.Parameter]) -> TyperCommand:
    run.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in given}
    app = typer.Typer(add_completion=False)
    app.command(name, help=doc)(run)
    made = typer.main.get_command(app)
    assert isinstance(made, TyperCommand)  # noqa: S101 one command makes no group
    return made


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _common() -> list[inspect.Parameter]:
    return [_parameter("as_json", Json, False), _parameter("profile", ProfileName, "")]


def _parameters(found: Remote) -> list[inspect.Parameter]:
    made = [_of(spec) for spec in found.specs]
    made.sort(key=lambda one: one.default is not inspect.Parameter.empty)
    if found.body == "file":
        file = Annotated[str, typer.Argument(metavar="FILE", help="The file to send.")]
        made.insert(len([one for one in found.specs if one.place == "path"]), _parameter("file_", file))
    if found.rows:
        every = Annotated[bool, typer.Option("--all", help="Every page.")]
        made.append(_parameter("all_", every, False))
    if found.is_file:
        output = Annotated[str, typer.Option("--output", metavar="FILE", help="Where to write the file.")]
        made.append(_parameter("output_", output, ""))
    if found.idempotent:
        text = "A repeat with the same key does nothing twice."
        made.append(_parameter("key_", Annotated[str, typer.Option("--idempotency-key", help=text)], ""))
    if found.name in WAITING:
        text = "Wait until it is issued, and show who must act."
        made.append(_parameter("wait_", Annotated[bool, typer.Option("--wait", help=text)], False))
    return made + _common()


def python_name(spec: Spec) -> str:
    return f"{spec.place}_{spec.wire.replace('-', '_').lower()}"


def option_name(spec: Spec) -> str:
    return f"--{spec.wire.replace('_', '-').lower()}{'-file' if spec.by_file else ''}"


def _of(spec: Spec) -> inspect.Parameter:
    name = python_name(spec)
    if spec.place == "path":
        return _parameter(name, Annotated[str, typer.Argument(metavar=spec.wire.upper(), help=spec.help)])
    empty: Any = inspect.Parameter.empty if spec.required else None
    kind = _type(spec)
    return _parameter(name, Annotated[kind if spec.required else kind | None, _option(spec)], empty)


def _option(spec: Spec) -> Any:
    flag = option_name(spec)
    if spec.kind == "boolean":
        return typer.Option(f"{flag}/--no-{flag[2:]}", help=spec.help, show_default=False)
    if spec.by_file:
        return typer.Option(flag, metavar="FILE", help=f"{spec.help} From a file; - is standard input.")
    shown = "JSON" if spec.kind == "json" else None
    return typer.Option(flag, metavar=shown, help=spec.help, show_default=False)


def _type(spec: Spec) -> Any:
    if spec.values and spec.kind in ("text", "integer") and not spec.by_file:
        return Literal[spec.values]
    return str if spec.by_file else TYPES.get(spec.kind, str)
