"""PEM files and a command that makes their server read them again: Dovecot, Exim, an FTP server, anything.

With one file for both, key, certificate and chain lie in it together and change at once. With two files a
machine that stops between the two renames has an odd pair; servers that run keep what they have read.
"""

from collections.abc import Mapping
from typing import ClassVar

import pydantic

from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.placed import (
    COMMAND,
    LINES,
    LISTENERS,
    Command,
    Listeners,
    PathText,
    Placed,
    PlacedOptions,
    reload,
    reloadable,
)
from certdesk.connectors.targets.protocol import Bundle, without_blanks


class PairOptions(PlacedOptions):
    """One file, or two."""

    path: PathText = pydantic.Field(
        title="Certificate file",
        description="Certificate and chain in PEM.",
        examples=["/etc/dovecot/tls/server.pem"],
    )
    key_path: PathText | None = pydantic.Field(
        None,
        title="Key file",
        description="Empty: the key stands in the certificate file too, so that both change at once.",
    )


class PemOptions(PairOptions):
    """Files, listeners, command."""

    label: ClassVar[str] = "PEM files and a reload command"

    listeners: Listeners = pydantic.Field(
        title="Listeners",
        description=f"{LISTENERS}; with smtp://, imap://, pop3:// or postgresql:// in front where TLS begins "
        "later.",
        examples=["imap://10.0.0.5:143"],
    )
    reload: Command = pydantic.Field(
        (),
        title="Command that reloads the server",
        json_schema_extra=LINES,
        description=f"{COMMAND}Empty: the server looks at the file by itself.",
        examples=["/usr/sbin/postfix\nreload"],
    )


class Pair(Placed):
    """Certificate and key as PEM."""

    def __init__(self, options: PairOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._key_path = options.key_path

    def rendered(self, bundle: Bundle) -> Mapping[str, bytes]:
        chain = without_blanks(f"{bundle.leaf}\n{bundle.chain}")
        key = without_blanks(bundle.key)
        if self._key_path is None:
            return {self._path: f"{key}{chain}".encode()}
        return {self._key_path: key.encode(), self._path: chain.encode()}

    def paths(self) -> tuple[str, ...]:
        return (self._path,) if self._key_path is None else (self._path, self._key_path)


class Pem(Pair):
    """A `Pair` whose server is told by a command."""

    def __init__(self, options: PemOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._reload = options.reload

    async def told(self) -> None:
        await reload(self._outside, self._reload)

    async def checked(self) -> tuple[str, ...]:
        return reloadable(self._outside, self._reload)
