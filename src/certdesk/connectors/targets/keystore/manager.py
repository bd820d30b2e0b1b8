"""Tomcat's manager by its text interface: Tomcat reads its keystores again, connections that are open stay.

Source: Apache Tomcat 10.1, Manager App How-To (`/text/sslReload`, `/text/serverinfo`). An answer begins with
OK or FAIL; a keystore that Tomcat cannot use is a status 500, and what it had stays in force.
"""

import base64
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.targets import calling
from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

_REFUSED = {
    401: "Correct user and password of the manager.",
    403: "Give the user the role manager-script, and let the manager be asked from this machine.",
    404: "Correct the manager's address, and see that the manager is deployed there.",
    500: "Read the words in Tomcat's log; correct what it complains about.",
}
_STARTING = 503


@dataclass(frozen=True, slots=True)
class Manager:
    """`url` ends with the manager's path, usually `/manager`; `tls_host` is the name of one SSLHostConfig.

    Only that one is read again: with all of them, a broken keystore of another host would fail ours half-way.
    """

    url: str
    tls_host: str
    user: str
    password: str = field(repr=False)

    async def reload(self, outside: Outside) -> None:
        """Raises `TargetError`: Tomcat did not take what its keystores hold now."""
        command = f"sslReload?tlsHostName={quote(self.tls_host)}"
        await self._ask(outside, command, "The reload of Tomcat's TLS")

    async def look(self, outside: Outside) -> None:
        """Raises `TargetError`: a reload would not be allowed. Changes nothing."""
        await self._ask(outside, "serverinfo", "The look at Tomcat's manager")

    async def _ask(self, outside: Outside, command: str, what: str) -> None:
        known = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": " ".join(("Basic", known)), "Accept-Language": "en"}
        answer = await calling.call(outside, "GET", f"{self.url}/text/{command}", headers)
        host = urlsplit(self.url).hostname or ""
        if answer.status == _STARTING:
            raise TargetError(Reason.BUSY, f"{what} failed: {host} answered {answer.status}.")
        if answer.status != 200:
            raise TargetError(
                Reason.REFUSED,
                f"{what} failed: {host} answered {answer.status}.",
                _REFUSED.get(answer.status, "Correct the manager's address."),
            )
        words = printable(b"".join(answer.body.splitlines()[:1]), 200)
        if words.startswith("FAIL"):
            raise TargetError(
                Reason.REFUSED,
                f"{what} failed: {words.removeprefix('FAIL - ')}.",
                "Correct the name of the TLS host, or what Tomcat's log complains about.",
            )
        if not words.startswith("OK"):
            raise TargetError(
                Reason.BAD_ANSWER,
                f"{host} did not answer as Tomcat's manager does.",
                "Correct the manager's address; it usually ends with /manager.",
            )
