"""A PostgreSQL server on this machine: its certificate files, and `pg_reload_conf()` over its UNIX socket.

Sessions that run keep theirs; a file that cannot be read leaves the old certificate in force. The server
wants the key file owned by itself with mode 0600: a file that is replaced keeps both.
"""

from pathlib import Path
from typing import Annotated, ClassVar, LiteralString

import pydantic

from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.pem.target import Pair, PairOptions
from certdesk.connectors.targets.placed import (
    COMMAND,
    LINES,
    Command,
    Listeners,
    PathText,
    reload,
    reloadable,
)
from certdesk.connectors.targets.protocol import Reason, TargetError

RELOAD = "SELECT pg_reload_conf()::text, ''"
SETTINGS = "SELECT current_setting('ssl'), current_setting('ssl_cert_file')"
Word = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")]


class PostgresqlOptions(PairOptions):
    """Files, listeners, and the way to `pg_reload_conf()`."""

    label: ClassVar[str] = "PostgreSQL"

    path: PathText = pydantic.Field(
        title="Certificate file",
        description="The file of ssl_cert_file, by its whole path.",
        examples=["/etc/postgresql/tls/server.pem"],
    )
    key_path: PathText | None = pydantic.Field(
        None,
        title="Key file",
        description="The file of ssl_key_file. Empty: ssl_key_file names the certificate file too, so that "
        "both change at once.",
    )
    listeners: Listeners = pydantic.Field(
        title="Listeners",
        description="postgresql://host:port where clients connect, each looked at after a deployment.",
        examples=["postgresql://10.0.0.5:5432"],
    )
    socket: PathText | None = pydantic.Field(
        None,
        title="Folder of the UNIX socket",
        description="For pg_reload_conf(). Empty: the command below reloads the server.",
        examples=["/run/postgresql"],
    )
    port: int = pydantic.Field(5432, ge=1, le=65535, title="Port")
    user: Word = pydantic.Field(
        "postgres", title="User", description="A role that may execute pg_reload_conf()."
    )
    password: Secret = pydantic.Field(
        NO_SECRET, title="Password", description="Empty where the socket trusts this service's user."
    )
    database: Word = pydantic.Field("postgres", title="Database")
    reload: Command = pydantic.Field(
        (),
        title="Command that reloads the server",
        json_schema_extra=LINES,
        description=f"{COMMAND}Not needed with a socket.",
        examples=["/usr/bin/pg_ctlcluster\n15\nmain\nreload"],
    )

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> "PostgresqlOptions":
        if (self.socket is None) == (not self.reload):
            raise ValueError("give the folder of the socket or a command, and not both")
        return self

    def endpoint(self) -> tuple[str, int]:
        return self.socket or "", self.port


class Postgresql(Pair):
    """One server of this machine."""

    def __init__(self, options: PostgresqlOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._options = options

    async def told(self) -> None:
        if self._options.socket is None:
            await reload(self._outside, self._options.reload)
        else:
            await self._ask(RELOAD)

    async def checked(self) -> tuple[str, ...]:
        if self._options.socket is None:
            return reloadable(self._outside, self._options.reload)
        on, file = await self._ask(SETTINGS)
        if on != "on":
            raise TargetError(
                Reason.REFUSED,
                "The server does not speak TLS: its setting ssl is off.",
                "Put ssl = on into its configuration and reload it.",
            )
        if file.startswith("/") and not self._is_ours(file):
            raise TargetError(
                Reason.REFUSED,
                f"The server reads its certificate from {file}, not from {self._path}.",
                "Name the file of ssl_cert_file.",
                field="path",
            )
        return ()

    def _is_ours(self, file: str) -> bool:
        return Path(file).resolve() == self._outside.inside(self._path)

    async def _ask(self, statement: LiteralString) -> tuple[str, str]:
        from .asking import ask  # 0.2 s with its driver, which a house on SQLite never needs otherwise

        options, folder = self._options, self._outside.inside(self._options.socket or "", "socket")
        server = {
            "host": str(folder),
            "port": str(options.port),
            "user": options.user,
            "dbname": options.database,
            "password": options.password.get_secret_value(),
        }
        return await ask(server, statement, self._outside.seconds)
