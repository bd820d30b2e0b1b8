"""The way to OpenBao or Vault: through the egress gate (law 11), signed in, failures as `IssuerError`."""

import json
from typing import Any
from urllib.parse import urlsplit

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers import calling
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.issuers.vault.options import VaultPkiOptions
from certdesk.connectors.issuers.waits import wait_of
from certdesk.connectors.targets import servers
from certdesk.connectors.targets.calling import BadShape
from certdesk.foundation.common import clock

_WORDS = 500
_STATUS = {
    400: (Reason.REFUSED, "Read the server's words; correct the role or the order."),
    403: (
        Reason.CREDENTIALS,
        "Check the token or the AppRole, and that its policy allows the paths of the role.",
    ),
    404: (Reason.NOT_THERE, "Check mount, role and namespace."),
    412: (Reason.BUSY, ""),  # a standby that has not seen yet what was written
    429: (Reason.RATE_LIMITED, ""),
    503: (Reason.BUSY, "Unseal the server, or wait until it runs again."),
}


class Access:
    """One server, and one token for as long as this object lives."""

    def __init__(self, options: VaultPkiOptions, outside: Outside) -> None:
        self._options = options
        self._outside = outside
        self._tls = servers.context(options.ca)
        self._token = options.token.get_secret_value()
        self.host = urlsplit(options.server_url).netloc

    async def data(self, method: str, path: str, body: object = None, *, what: str) -> dict[str, Any]:
        """`data` of a good answer.

        Args:
            what: the call in words, for the error.

        Raises:
            IssuerError: by the status, with the server's own words.
        """
        answer = await self.send(method, path, body)
        if not 200 <= answer.status < 300:
            raise self.failure(answer, what)
        return self.read(answer)

    async def found(self, path: str, what: str) -> dict[str, Any] | None:
        """`data` of what may not be there: None then.

        Raises:
            IssuerError: as `data`.
        """
        answer = await self.send("GET", path)
        if answer.status == 404 and b"no handler for route" not in answer.body:
            return None
        if answer.status != 200:
            raise self.failure(answer, what)
        return self.read(answer)

    async def send(self, method: str, path: str, body: object = None) -> Fetched:
        """One call, any status; signs in first where an AppRole is used."""
        if not self._token:
            self._token = await self._signed_in()
        return await self._call(method, path, body, {"X-Vault-Token": self._token})

    def read(self, answer: Fetched) -> dict[str, Any]:
        """Raises: `IssuerError` (BAD_ANSWER)."""
        try:
            return dict(json.loads(answer.body)["data"])
        except BadShape:
            raise self.bad_answer() from None

    def bad_answer(self) -> IssuerError:
        return IssuerError(
            Reason.BAD_ANSWER,
            f"{self.host} did not answer as OpenBao or Vault does.",
            "Check address and mount; Vault from 1.11 on is supported.",
        )

    def failure(self, answer: Fetched, what: str) -> IssuerError:
        """What an answer that is not good means."""
        fallback = Reason.BUSY if answer.status >= 500 else Reason.BAD_ANSWER
        reason, next_step = _STATUS.get(answer.status, (fallback, ""))
        words = _told(answer)
        shown = f" ({printable(words.encode(), _WORDS)})" if words else ""
        message = f"{what} failed: {self.host} answered {answer.status}{shown}."
        if reason is Reason.BAD_ANSWER:
            next_step = "Enter the address of the server that is active, without a redirect."
        wait = wait_of(answer, clock.real_now())
        return IssuerError(reason, message, next_step, retry_after=wait, sent=answer.status >= 500)

    async def _signed_in(self) -> str:
        given = {
            "role_id": self._options.role_id,
            "secret_id": self._options.secret_id.get_secret_value(),
        }
        answer = await self._call("POST", f"auth/{self._options.role_mount}/login", given, {})
        if answer.status == 400:
            raise IssuerError(
                Reason.CREDENTIALS,
                f"{self.host} does not accept the AppRole.",
                "Check role id and secret id.",
            )
        if answer.status != 200:
            raise self.failure(answer, "The sign-in")
        try:
            return str(json.loads(answer.body)["auth"]["client_token"])
        except BadShape:
            raise self.bad_answer() from None

    async def _call(self, method: str, path: str, body: object, headers: dict[str, str]) -> Fetched:
        sent = {**headers, "X-Vault-Request": "true", "Content-Type": "application/json"}
        if self._options.namespace:
            sent["X-Vault-Namespace"] = self._options.namespace
        raw = b"" if body is None else json.dumps(body).encode()
        url = f"{self._options.server_url}/v1/{path}"
        return await calling.call(self._outside, method, url, sent, raw, self._tls)


def _told(answer: Fetched) -> str:
    try:
        return ", ".join(" ".join(str(one).split()) for one in json.loads(answer.body)["errors"])
    except BadShape:
        return ""
