"""The kinds of channels: options model and connector of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from certdesk.connectors.channels import options as option_models
from certdesk.connectors.channels.apprise_options import ChatOptions, SmsOptions
from certdesk.connectors.channels.by_apprise import Apprise
from certdesk.connectors.channels.options import ChannelOptions
from certdesk.connectors.channels.protocol import Channel, ChannelError, Outside, Reason
from certdesk.connectors.channels.webhook import Webhook, WebhookOptions


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: `make(options, outside)` is the channel; `to_phone`: each notice names a phone number."""

    name: str
    options: type[ChannelOptions]
    make: Callable[[Any, Outside], Channel]
    to_phone: bool = False

    @property
    def label(self) -> str:
        return self.options.label


KINDS = {
    kind.name: kind
    for kind in (
        Kind("chat", ChatOptions, Apprise),
        Kind("sms", SmsOptions, Apprise, to_phone=True),
        Kind("webhook", WebhookOptions, Webhook),
    )
}


def kind_of(name: str) -> Kind:
    """Raises `ChannelError` (OPTIONS) for a kind that does not exist."""
    kind = KINDS.get(name)
    if kind is None:
        raise ChannelError(
            Reason.OPTIONS,
            f"{name!r:.40} is no kind of channel.",
            f"Choose {', '.join(KINDS)}.",
            field="kind",
        )
    return kind


def read_options(name: str, given: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> ChannelOptions:
    """The validated options of a kind; see `options.read`."""
    found: ChannelOptions = option_models.read(kind_of(name).options, given, old)
    return found


def connect(name: str, given: Mapping[str, Any], outside: Outside) -> Channel:
    """A channel from stored options.

    Raises:
        ChannelError: OPTIONS.
    """
    return kind_of(name).make(read_options(name, given), outside)
