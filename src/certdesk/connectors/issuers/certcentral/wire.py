"""The way to CertCentral's Services API v2: through the egress gate (law 11), failures as `IssuerError`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers import calling
from certdesk.connectors.issuers.certcentral.options import CertCentralOptions
from certdesk.connectors.issuers.options import Outside
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.issuers.waits import wait_of
from certdesk.connectors.targets import servers
from certdesk.connectors.targets.calling import BadShape
from certdesk.foundation.common import clock

_WORDS = 500
_STATUS = {
    401: (Reason.CREDENTIALS, "Check the API key."),
    403: (Reason.CREDENTIALS, "Check the API key, and that its user may do that."),
    404: (Reason.NOT_THERE, "Look for the order in CertCentral."),
    408: (Reason.BUSY, ""),
    429: (Reason.RATE_LIMITED, ""),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """The CA's own codes and words of a refusal; None of it is ours."""

    codes: tuple[str, ...]
    words: str


class Refusal(IssuerError):
    """An answer of 400 and above, with what the CA said of it."""

    def __init__(self, reason: Reason, message: str, next_step: str, wait: int | None, said: Failure) -> None:
        super().__init__(reason, message, next_step, retry_after=wait)
        self.said = said


class Wire:
    """One account."""

    def __init__(self, options: CertCentralOptions, outside: Outside) -> None:
        self._base = f"{options.server_url.removesuffix('/services/v2')}/services/v2/"
        self._key = options.api_key.get_secret_value()
        self._tls = servers.context(options.ca)
        self._outside = outside
        self.host = urlsplit(options.server_url).netloc

    async def json(
        self, method: str, path: str, what: str, body: object = None, *, decides: bool = False
    ) -> Mapping[str, Any]:
        """The object of a good answer.

        Args:
            what: the call in words, for the error.
            decides: it asks for something that the CA may decline, which is REFUSED then; a look that is
                declined says nothing of the order, and is a BAD_ANSWER.

        Raises:
            Refusal: by the status, with the CA's own words.
            IssuerError: UNREACHABLE, TIMEOUT, NOT_ALLOWED or BAD_ANSWER.
        """
        answer = await self.send(method, path, what, body, decides=decides)
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.bad_answer()
        return found

    async def send(
        self, method: str, path: str, what: str, body: object = None, *, decides: bool = False
    ) -> Fetched:
        """A good answer as it came; see `json`."""
        headers = {"X-DC-DEVKEY": self._key, "Content-Type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        answer = await calling.call(self._outside, method, self._base + path, headers, raw, self._tls)
        if 200 <= answer.status < 300:
            return answer
        raise self._refusal(answer, what, decides)

    def _refusal(self, answer: Fetched, what: str, decides: bool) -> Refusal:
        declined = Reason.REFUSED if decides else Reason.BAD_ANSWER
        fallback = Reason.BUSY if answer.status >= 500 else declined
        reason, next_step = _STATUS.get(answer.status, (fallback, ""))
        if 300 <= answer.status < 400:
            reason, next_step = Reason.BAD_ANSWER, "Enter the address without a redirect."
        said = _said(answer)
        # for a key that is not accepted some servers repeat what they were sent
        shown = f" ({said.words})" if said.words and reason is not Reason.CREDENTIALS else ""
        if reason is Reason.BAD_ANSWER and not next_step:
            next_step = "Look for the order in CertCentral."
        if reason is Reason.REFUSED:
            next_step = "Read the CA's words; correct the order, or the product and account in the options."
        message = f"{what} failed: {self.host} answered {answer.status}{shown}."
        return Refusal(reason, message, next_step, wait_of(answer, clock.real_now()), said)

    def bad_answer(self) -> IssuerError:
        return IssuerError(
            Reason.BAD_ANSWER, f"{self.host} did not answer as CertCentral does.", "Check the server address."
        )


def _said(answer: Fetched) -> Failure:
    try:
        rows = json.loads(answer.body)["errors"]
        codes = tuple(str(one.get("code", "")) for one in rows)
        words = "; ".join(" ".join(str(one.get("message") or one.get("code")).split()) for one in rows)
    except (*BadShape, RecursionError):
        return Failure((), "")
    return Failure(codes, printable(words.encode(), _WORDS))
