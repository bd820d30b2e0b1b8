"""A webhook of one's own that installs certificates: signed JSON by POST, as notifications are signed.

What may pass by itself is tried three times with the same delivery id, so that a receiver can tell a repeat.
"""

import asyncio
import uuid
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import pydantic

from certdesk.connectors.channels.webhook import signed, web_address
from certdesk.connectors.dns.providers.options import NO_SECRET, Secret
from certdesk.connectors.dns.providers.urls import endpoint_of
from certdesk.connectors.targets import calling
from certdesk.connectors.targets.options import Outside, TargetOptions
from certdesk.connectors.targets.protocol import TargetError
from certdesk.connectors.targets.returning import WithoutWayBack
from certdesk.connectors.targets.told import Message, Told, ToldListeners, ToldNames, written

PAUSES = (0.5, 1.5)
"""Seconds between the tries of one delivery."""


class WebhookTargetOptions(TargetOptions):
    """Where to post, how it is signed, and whether the key goes with it."""

    label: ClassVar[str] = "Webhook"

    url: Annotated[Secret, pydantic.AfterValidator(web_address)] = pydantic.Field(
        title="Address", description="https://…, which takes JSON by POST. Stored like a password."
    )
    signing_key: Secret = pydantic.Field(
        NO_SECRET, title="Key of the signature", description="Shared with the receiver; empty: not signed."
    )
    send_key: bool = pydantic.Field(
        False,
        title="Send the private key",
        description="Only over https, and signed. Without it the receiver has to hold the key already.",
    )
    listeners: ToldListeners
    names: ToldNames = ()
    without_way_back: WithoutWayBack = False

    @pydantic.model_validator(mode="after")
    def _safe(self) -> "WebhookTargetOptions":
        https = urlsplit(self.url.get_secret_value()).scheme == "https"
        if self.send_key and not (https and self.signing_key.get_secret_value()):
            raise ValueError("a private key is sent over https alone, and only signed")
        return self

    def endpoint(self) -> tuple[str, int]:
        return endpoint_of(self.url.get_secret_value())


class WebhookTarget(Told):
    """`Told` over POST."""

    def __init__(self, options: WebhookTargetOptions, outside: Outside) -> None:
        super().__init__(options, outside)
        self._options = options

    async def deliver(self, event: str, message: Message) -> None:
        delivery = uuid.uuid4().hex
        left = dict(message) if self._options.send_key else {k: v for k, v in message.items() if k != "key"}
        body = written(event, {"delivery": delivery, **left})
        for pause in (*PAUSES, None):
            try:
                return await self._post(event, delivery, body)
            except TargetError as error:
                if error.permanent or pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _post(self, event: str, delivery: str, body: bytes) -> None:
        url = self._options.url.get_secret_value()
        host = urlsplit(url).hostname or ""
        headers = signed(self._options.signing_key.get_secret_value(), delivery, body)
        try:
            answer = await calling.call(self._outside, "POST", url, headers, body)
            calling.good(answer, f"The delivery ({event})", host)
        except TargetError as error:
            shown = error.message.replace(f"{url:.200}", host)
            hidden = shown if url not in shown else f"The webhook at {host} cannot be used."
            raise TargetError(error.reason, hidden, error.next_step) from None
