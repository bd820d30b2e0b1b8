"""From a stored channel to a connector: unsealed options, what it may reach, its words of refusal."""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from certdesk.connectors.channels import registry
from certdesk.connectors.channels.protocol import Channel as Connector
from certdesk.connectors.channels.protocol import ChannelError, Outside
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.sealing import actions as sealing

from .models import Channel

_UNPRIVILEGED = 1024
T = TypeVar("T")


def purpose(channel_id: str) -> str:
    """What the sealed options are bound to, beside the account."""
    return f"channel:{channel_id}"


def options_of(channel: Channel) -> dict[str, Any]:
    """The options in plain; keep them no longer than the call that needs them."""
    plain = sealing.unseal(channel.secret_id, channel.account_id, purpose(channel.id))
    found: dict[str, Any] = json.loads(plain)
    return found


def outside_of(url: str) -> Outside:
    """Public addresses at the usual ports; in the networks that the operator opened to fetches
    (`CERTDESK_ALLOW_NETWORKS`) also any unprivileged port that the URL names."""
    networks, ports = settings.get().allow_networks, Outside().ports
    try:
        parts = urlsplit(url)
        port, address = parts.port, ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return Outside(allow_networks=networks)
    if port and port >= _UNPRIVILEGED and any(address in network for network in networks):
        ports |= {port}
    return Outside(allow_networks=networks, ports=ports)


def connect(kind: str, given: dict[str, Any]) -> Connector:
    """The connector of plain options.

    Raises:
        ChannelError: OPTIONS.
    """
    return registry.connect(kind, given, outside_of(str(given.get("url", ""))))


def call(work: Callable[[], Awaitable[T]]) -> T:
    """Runs one network call of a request, outside any transaction; the connector bounds its time.

    Raises:
        CertdeskError: the connector's refusal, as the faces know it.
    """

    async def whole() -> T:
        return await work()

    try:
        return asyncio.run(whole())
    except ConnectorError as error:
        raise refusal(error) from error


def refusal(error: ConnectorError) -> CertdeskError:
    """A connector's failure in the shape of every refusal."""
    step, field = (error.next_step, error.field) if isinstance(error, ChannelError) else ("", "")
    kind = Kind.BAD_PARAMETER if error.permanent else Kind.UNAVAILABLE
    return CertdeskError(error.message, next_step=step, kind=kind, field=field)
