"""A webhook of one's own: signed JSON by POST, through the egress gate.

The signature is HMAC-SHA256 in hex over `<timestamp>.<body>`; who receives refuses timestamps that are older
than five minutes, and deliveries that it has seen.
"""

import hashlib
import hmac
import time
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import orjson
import pydantic
from pydantic import SecretStr

from certdesk.connectors import http
from certdesk.connectors.channels.options import ChannelOptions
from certdesk.connectors.channels.protocol import ChannelError, Notice, Outside, Reason
from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.dns.providers.urls import endpoint_of
from certdesk.connectors.http import Sent
from certdesk.connectors.protocol import ConnectorError, EgressRefused

STEPS = {
    Reason.EGRESS: "Ask the operator to allow the address (CERTDESK_ALLOW_NETWORKS) or port.",
    Reason.WRONG_KEY: "Check the credentials of the channel.",
    Reason.REFUSED: "Check the address of the channel at the other side.",
}


def web_address(url: SecretStr) -> SecretStr:
    """Addresses of webhooks often hold a token, so the whole is a secret."""
    try:
        parts = urlsplit(url.get_secret_value())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc:
        raise ValueError("give an address that begins with https://, without user name and password")
    return url


class WebhookOptions(ChannelOptions):
    """Where to post, and the key of the signature."""

    label: ClassVar[str] = "Webhook"

    url: Annotated[Secret, pydantic.AfterValidator(web_address)] = pydantic.Field(
        title="Address", description="https://…, which takes JSON by POST. Stored like a password."
    )
    key: Secret = pydantic.Field(
        NO_SECRET, title="Key of the signature", description="Shared with the receiver; empty: not signed."
    )

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.url.get_secret_value())


class Webhook:
    """`Channel` over one POST."""

    def __init__(self, options: WebhookOptions, outside: Outside) -> None:
        self._options, self._outside = options, outside

    async def check(self) -> None:
        """The options' own checks are all there is."""

    async def send(self, notice: Notice) -> str:
        body = orjson.dumps({**notice.facts, "subject": notice.subject, "text": notice.text})
        try:
            answer = await http.fetch(
                self._options.url.get_secret_value(),
                ports=self._outside.ports,
                allow_networks=self._outside.allow_networks,
                max_bytes=self._outside.max_bytes,
                total_timeout=self._outside.seconds,
                max_redirects=0,
                resolver=self._outside.resolver,
                sent=Sent("POST", self._headers(notice, body), body),
            )
        except EgressRefused as error:
            raise ChannelError(Reason.EGRESS, self._hidden(error), STEPS[Reason.EGRESS]) from None
        except ConnectorError as error:
            reason = Reason.REFUSED if error.permanent else Reason.UNREACHABLE
            raise ChannelError(reason, self._hidden(error), STEPS.get(reason, "")) from None
        return judge("The webhook", answer.status)

    def _hidden(self, error: ConnectorError) -> str:
        """The gate names the address, which is a secret here: its host alone stays."""
        url = self._options.url.get_secret_value()
        host = f"The webhook at {urlsplit(url).hostname}"
        shown = error.message.replace(f"{url:.200}", host).replace(repr(url)[:200], host)
        return shown if url not in shown else f"{host} cannot be used."

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        return signed(self._options.key.get_secret_value(), notice.delivery, body)


def signed(key: str, delivery: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery; without a key there is no signature."""
    stamp = str(int(time.time()))
    found = {
        "Content-Type": "application/json",
        "X-Certdesk-Delivery": delivery,
        "X-Certdesk-Timestamp": stamp,
    }
    if key:
        digest = hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        found["X-Certdesk-Signature"] = f"v1={digest}"
    return found


def judge(who: str, status: int) -> str:
    """What an HTTP status means: 2xx is taken, 408, 425, 429 and 5xx may pass, all others stay.

    Raises:
        ChannelError: it was not taken.
    """
    if 200 <= status < 300:
        return f"HTTP {status}"
    if status in (408, 425, 429) or status >= 500:
        raise ChannelError(Reason.BUSY, f"{who} answered HTTP {status}.")
    reason = Reason.WRONG_KEY if status in (401, 403) else Reason.REFUSED
    raise ChannelError(reason, f"{who} answered HTTP {status}.", STEPS[reason])
