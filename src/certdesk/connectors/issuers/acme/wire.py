"""Signed requests to an ACME server (RFC 8555 §6): directory, nonces, POST-as-GET, by the egress gate."""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers import calling
from certdesk.connectors.issuers.acme import problems
from certdesk.connectors.issuers.acme.keys import AccountKey, signed
from certdesk.connectors.issuers.acme.memory import Memory
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.issuers.waits import wait_of

_NONCE_TRIES = 12
"""Against a server that refuses a quarter of good nonces, all of them fail once in sixteen million."""
_JOSE = "application/jose+json"
_NEEDED = ("newNonce", "newAccount", "newOrder")


@dataclass(frozen=True, slots=True)
class Signer:
    """Who asks: a key, and the URL of its account once it is known."""

    key: AccountKey
    account: str = ""

    @property
    def header(self) -> dict[str, Any]:
        return {"kid": self.account} if self.account else {"jwk": self.key.jwk}


class Wire:
    """The way to one server. Nonces live as long as this object, what it knows of the server in `memory`."""

    def __init__(
        self,
        directory: str,
        outside: Outside,
        tls: ssl.SSLContext,
        memory: Memory,
        now: Callable[[], datetime],
    ) -> None:
        self.host = urlsplit(directory).netloc
        self._url, self._outside, self._tls = directory, outside, tls
        self._memory, self._now = memory, now
        self._nonces: list[str] = []

    async def directory(self) -> Mapping[str, Any]:
        """What the server offers; asked for once an hour.

        Raises:
            IssuerError: BAD_ANSWER where it is no directory, or as every request.
        """
        known = self._memory.directory_of(self._url)
        if known is not None:
            return known
        found = object_of(await self.get(self._url, "The look at its directory"), self.host)
        if not all(isinstance(found.get(name), str) for name in _NEEDED):
            raise no_acme(self.host)
        self._memory.read(self._url, found)
        return found

    async def meta(self) -> Mapping[str, Any]:
        found = (await self.directory()).get("meta")
        return found if isinstance(found, Mapping) else {}

    async def url_of(self, name: str) -> str:
        """Where the server offers something.

        Raises:
            IssuerError: REFUSED, it does not.
        """
        found = (await self.directory()).get(name)
        if not isinstance(found, str):
            raise IssuerError(Reason.REFUSED, f"{self.host} does not offer {name}.", "Do without it.")
        return found

    def wait_of(self, answer: Fetched) -> int | None:
        return wait_of(answer, self._now())

    async def get(self, url: str, what: str) -> Fetched:
        """A request that is not signed.

        Raises:
            IssuerError: it failed.
        """
        self._refuse_early("", url)
        return self._good(await self._send("GET", url, {}), what, "", url)

    async def post(
        self,
        url: str,
        payload: object,
        by: Signer,
        what: str,
        accept: str = "*/*",
        *,
        decides: bool = False,
    ) -> Fetched:
        """A signed request; again with a fresh nonce where the server did not like the one that we had.

        Args:
            payload: JSON; None asks for what is there (POST-as-GET).
            what: of the message, e.g. `The order`.
            decides: as of `problems.refusal`.

        Raises:
            IssuerError: it failed. RATE_LIMITED without a request where the server has asked for time.
        """
        self._refuse_early(by.key.thumbprint, url)
        answer = await self._posted(url, payload, by, accept)
        for _ in range(_NONCE_TRIES):
            if not _bad_nonce(answer) or self.wait_of(answer):
                break
            answer = await self._posted(url, payload, by, accept)
        return self._good(answer, what, by.key.thumbprint, url, decides)

    def _refuse_early(self, account: str, url: str) -> None:
        left = self._memory.held(account, url)
        if left:
            message = f"{self.host} has asked for time: it is left alone until then."
            raise IssuerError(Reason.RATE_LIMITED, message, retry_after=left)

    async def _posted(self, url: str, payload: object, by: Signer, accept: str) -> Fetched:
        header = {"nonce": await self._nonce(), "url": url, **by.header}
        body = json.dumps(signed(by.key, header, payload)).encode()
        answer = await self._send("POST", url, {"Content-Type": _JOSE, "Accept": accept}, body)
        self._keep_nonce(answer)
        return answer

    async def _nonce(self) -> str:
        if not self._nonces:
            url = await self.url_of("newNonce")
            self._refuse_early("", url)
            answer = self._good(await self._send("HEAD", url, {}), "The question for a nonce", "", url)
            self._keep_nonce(answer)
        if not self._nonces:
            raise no_acme(self.host)
        return self._nonces.pop()

    def _keep_nonce(self, answer: Fetched) -> None:
        nonce = answer.header("replay-nonce")
        if nonce:
            self._nonces = [nonce]  # the newest alone: older ones may have been forgotten there

    def _good(self, answer: Fetched, what: str, account: str, url: str, decides: bool = False) -> Fetched:
        if 200 <= answer.status < 300:
            return answer
        error = problems.refusal(answer, what, self.host, self._now(), decides=decides)
        if error.kind == "accountDoesNotExist":
            self._memory.forget_account(self._url, account)
        if error.retry_after and error.reason in (Reason.RATE_LIMITED, Reason.BUSY):
            self._memory.hold(account, url, error.retry_after)
        raise error

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Fetched:
        return await calling.call(self._outside, method, url, headers, body, self._tls)


def _bad_nonce(answer: Fetched) -> bool:
    if answer.status < 400:
        return False
    try:
        return problems.kind_of(json.loads(answer.body)) == "badNonce"
    except ValueError:
        return False


def object_of(answer: Fetched, host: str) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        IssuerError: BAD_ANSWER.
    """
    try:
        found = json.loads(answer.body)
    except ValueError:
        raise no_acme(host) from None
    if not isinstance(found, dict):
        raise no_acme(host)
    return found


def no_acme(host: str) -> IssuerError:
    return IssuerError(
        Reason.BAD_ANSWER, f"{host} did not answer as an ACME server does.", "Check the address."
    )
