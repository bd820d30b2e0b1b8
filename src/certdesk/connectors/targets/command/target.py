"""A program of this machine that installs certificates, run as `running.run` does: no shell, an empty
environment. It is handed a private folder of files, or one message in JSON on its input.

`CERTDESK_EVENT` says what it is asked: `install`, or `test`, which must change nothing.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pydantic

from certdesk.connectors.targets import running
from certdesk.connectors.targets.options import Outside, TargetOptions
from certdesk.connectors.targets.placed import COMMAND, LINES, Argument
from certdesk.connectors.targets.protocol import TargetCheck, TargetError, without_blanks
from certdesk.connectors.targets.returning import WithoutWayBack
from certdesk.connectors.targets.told import Message, Told, ToldListeners, ToldNames, written

FOLDER = "{folder}"
"""What stands in an argument for the folder."""


class CommandOptions(TargetOptions):
    """The program, and how it gets the certificate."""

    label: ClassVar[str] = "Command"

    command: Annotated[tuple[Argument, ...], pydantic.Field(min_length=1, max_length=16)] = pydantic.Field(
        title="Command",
        json_schema_extra=LINES,
        description=COMMAND.strip(),
        examples=["/opt/certdesk/install-certificate\n{folder}"],
    )
    handover: Literal["files", "stdin"] = pydantic.Field(
        "files",
        title="Handed over by",
        description="files: fullchain.pem, certificate.pem, chain.pem, key.pem and message.json in a private "
        "folder that {folder} in an argument stands for. stdin: one JSON message with all of it.",
    )
    listeners: ToldListeners
    names: ToldNames = ()
    without_way_back: WithoutWayBack = False


class Command(Told):
    """`Told` over a program."""

    def __init__(self, options: CommandOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._options = options

    async def deliver(self, event: str, message: Message) -> None:
        if self._options.handover == "stdin":
            await self._run(event, message, self._options.command, written(event, message))
            return
        with _folder() as folder:
            await asyncio.to_thread(_fill, folder, event, message)
            command = [part.replace(FOLDER, str(folder)) for part in self._options.command]
            await self._run(event, message, command, b"", {"CERTDESK_FOLDER": str(folder)})

    async def _run(
        self,
        event: str,
        message: Message,
        command: list[str] | tuple[str, ...],
        stdin: bytes,
        more: Mapping[str, str] | None = None,
    ) -> None:
        environment = {
            "CERTDESK_EVENT": event,
            "CERTDESK_NAMES": " ".join(message["names"]),
            "CERTDESK_FINGERPRINT": message["fingerprint_sha1"],
            **(more or {}),
        }
        secrets = [str(message.get("key", ""))]
        await running.succeed(
            self._outside,
            command,
            "do its part",
            stdin=stdin,
            environment=environment,
            secrets=secrets,
            field="command",
        )

    async def test(self) -> TargetCheck:
        try:
            running.program(self._outside, self._options.command[0], "command")
        except TargetError as error:
            return TargetCheck(False, (), error.message, error.next_step)
        return await super().test()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="certdesk-command-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(folder: Path, event: str, message: Message) -> None:
    """Files for their owner alone; for a test only the message."""
    found = dict(message)
    leaf, chain, key = (str(found.pop(name, "")) for name in ("certificate", "chain", "key"))
    files = {"message.json": json.dumps({"version": 1, "event": event, **found})}
    if leaf:
        files |= {
            "certificate.pem": without_blanks(leaf),
            "chain.pem": without_blanks(chain),
            "fullchain.pem": without_blanks(f"{leaf}\n{chain}"),
            "key.pem": without_blanks(key),
        }
    for name, text in files.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")
