"""nginx: as a web server, or with ModSecurity as a web application firewall."""

from typing import Any, ClassVar

import pydantic

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


class NginxOptions(WebServerOptions):
    """The main configuration file, and what all web servers have."""

    label: ClassVar[str] = "nginx"

    config: PathText = pydantic.Field(
        title="Configuration file",
        description="What nginx is started with; nginx -t names it.",
        examples=["/etc/nginx/nginx.conf"],
    )


class _Nginx:
    title = "nginx"

    def __init__(self, options: NginxOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside

    async def look(self) -> Looked:
        dump = await self._run("The look at nginx's configuration (nginx -T)", "-T")
        found, pid_file = config.sites(dump), config.pid_file(dump)
        if "ssl_certificate" in dump and not any(one.pairs for one in found):
            note = "No certificate of nginx's configuration is a file with a fixed path."
            return Looked(found, pid_file, (note,))
        return Looked(found, pid_file)

    async def running(self) -> None:
        pid_file = (await self.look()).pid_file
        if pid_file:  # else it is where nginx was built to leave it, which its reload knows
            check_running(self.title, pid_file)

    async def check(self) -> None:
        await self._run("nginx's test of its configuration (nginx -t)", "-t")

    async def reload(self) -> None:
        unit = self._options.unit
        if unit is None:
            await self._run("nginx's reload", "-s", "reload")
        else:
            command = with_sudo(self._options, program("systemctl"), "reload", unit)
            await commands.run(self._outside, command, "nginx's reload by systemd")

    async def _run(self, what: str, *arguments: str) -> str:
        path = self._outside.inside(self._options.config, "config")
        command = with_sudo(self._options, program("nginx"), "-c", str(path), *arguments)
        return await commands.run(self._outside, command, what)


class Nginx(WebServer):
    """One nginx on this machine."""

    def __init__(self, options: Any, outside: Outside) -> None:
        super().__init__(options, outside, _Nginx(options, outside))
