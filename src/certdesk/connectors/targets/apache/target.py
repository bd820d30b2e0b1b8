"""Apache HTTP Server."""

import asyncio
from typing import Any, ClassVar

import pydantic

from certdesk.connectors.targets import disk
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.webserver import commands
from certdesk.connectors.targets.webserver.options import PathText, WebServerOptions
from certdesk.connectors.targets.webserver.target import (
    Looked,
    WebServer,
    check_running,
    program,
    with_sudo,
)

from . import config

_DEBIAN = "/etc/apache2/"
"""Below it the configuration needs the variables that Debian's apache2ctl sets."""


class ApacheOptions(WebServerOptions):
    """The main configuration file, and what all web servers have."""

    label: ClassVar[str] = "Apache"

    config: PathText = pydantic.Field(
        title="Configuration file",
        description="The main one, which includes the others.",
        examples=["/etc/apache2/apache2.conf"],
    )


class _Apache:
    title = "Apache"

    def __init__(self, options: ApacheOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside

    async def look(self) -> Looked:
        dump = await self._dump()
        sites = await asyncio.to_thread(config.sites, dump, self._file)
        return Looked(sites, dump.pid_file)

    async def running(self) -> None:
        check_running(self.title, (await self._dump()).pid_file)

    async def _dump(self) -> config.Dump:
        what = "The look at Apache's virtual hosts (apachectl -t -D DUMP_VHOSTS)"
        return config.read(await self._run(what, "-t", "-D", "DUMP_VHOSTS", "-D", "DUMP_RUN_CFG"))

    def _file(self, name: str) -> str:
        return disk.read_text(self._outside, name) or ""

    async def check(self) -> None:
        await self._run("Apache's test of its configuration (apachectl -t)", "-t")

    async def reload(self) -> None:
        unit = self._options.unit
        if unit is None:
            await self.running()  # the command would start one that does not run, as a child of ours
            await self._run("Apache's graceful reload", "-k", "graceful")
        else:
            command = with_sudo(self._options, program("systemctl"), "reload", unit)
            await commands.run(self._outside, command, "Apache's reload by systemd")

    async def _run(self, what: str, *arguments: str) -> str:
        path = str(self._outside.inside(self._options.config, "config"))
        wrapped = ("apache2ctl",) if path.startswith(_DEBIAN) else ()
        found = program(*wrapped, "apache2", "httpd", "apachectl")
        return await commands.run(
            self._outside, with_sudo(self._options, found, "-f", path, *arguments), what
        )


class Apache(WebServer):
    """One Apache on this machine."""

    def __init__(self, options: Any, outside: Outside) -> None:
        super().__init__(options, outside, _Apache(options, outside))
