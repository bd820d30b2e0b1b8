"""From a stored DNS connection to a connector: unsealed options, what it may reach, its words of refusal."""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from certdesk.connectors.dns.providers import registry
from certdesk.connectors.dns.providers.options import ProviderOptions
from certdesk.connectors.dns.providers.protocol import DnsError, Outside, Provider, Reason
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.sealing import actions as sealing

from .models import DnsConnection

SECONDS = 30.0
"""What a person waits for at most; workers have their own limits."""

_UNPRIVILEGED = 1024
_KINDS = {
    Reason.NO_ZONE: Kind.NOT_FOUND,
    Reason.NOT_THERE: Kind.NOT_FOUND,
    Reason.ALREADY_THERE: Kind.CONFLICT,
    Reason.CONFLICT: Kind.CONFLICT,
    Reason.CONTENDED: Kind.CONFLICT,
    Reason.UNREACHABLE: Kind.UNAVAILABLE,
    Reason.TIMEOUT: Kind.UNAVAILABLE,
    Reason.BUSY: Kind.UNAVAILABLE,
    Reason.NOT_INSTALLED: Kind.NOT_AVAILABLE,
}
T = TypeVar("T")


def purpose(connection_id: str) -> str:
    """What the sealed options are bound to, beside the account."""
    return f"dns:{connection_id}"


def options_of(connection: DnsConnection) -> dict[str, Any]:
    """The options in plain; keep them no longer than the call that needs them."""
    plain = sealing.unseal(connection.secret_id, connection.account_id, purpose(connection.id))
    found: dict[str, Any] = json.loads(plain)
    return found


def outside_of(options: ProviderOptions) -> Outside:
    """What the connection may reach: public addresses at the usual ports, and what the operator opened.

    The operator opens a server whole by `CERTDESK_DNS_SERVERS`; in the networks that he opened to fetches
    (`CERTDESK_ALLOW_NETWORKS`) a server may also stand at any unprivileged port.
    """
    configured, ports = settings.get(), Outside().ports
    endpoint = options.endpoint()
    if endpoint and endpoint[1] >= _UNPRIVILEGED and _in_allowed_network(endpoint[0]):
        ports |= {endpoint[1]}
    own = {(host.strip("[]").lower(), int(port)) for host, _, port in map(_parted, configured.dns_servers)}
    return Outside(allow_networks=configured.allow_networks, own_servers=frozenset(own), ports=ports)


def _parted(text: str) -> tuple[str, str, str]:
    return text.rpartition(":")


def _in_allowed_network(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in settings.get().allow_networks)


def provider_for(kind: str, given: dict[str, Any]) -> Provider:
    """The connector of plain options.

    Raises:
        DnsError: OPTIONS or NOT_INSTALLED.
    """
    options = registry.read_options(kind, given)
    return registry.kind_of(kind).make(options, outside_of(options))


def provider_of(connection: DnsConnection) -> Provider:
    return provider_for(connection.kind, options_of(connection))


def call(work: Callable[[], Awaitable[T]], what: str, seconds: float = SECONDS) -> T:
    """Runs one network call of a request, outside any transaction.

    Raises:
        CertdeskError: the connector's refusal, as the faces know it; UNAVAILABLE when it took too long.
    """

    async def timed() -> T:
        async with asyncio.timeout(seconds):
            return await work()

    try:
        return asyncio.run(timed())
    except TimeoutError:
        raise CertdeskError(
            f"{what} was not over after {seconds:g} seconds.",
            next_step="Check that the DNS provider answers, then try again.",
            kind=Kind.UNAVAILABLE,
        ) from None
    except ConnectorError as error:
        raise refusal(error) from error


def refusal(error: ConnectorError, field: str = "") -> CertdeskError:
    """A connector's failure in the shape of every refusal."""
    kind = _KINDS.get(error.reason, Kind.BAD_PARAMETER) if isinstance(error, DnsError) else Kind.BAD_PARAMETER
    field = field or (error.field if isinstance(error, DnsError) else "")
    return CertdeskError(error.message, next_step=step_of(error), kind=kind, field=field)


def step_of(error: ConnectorError) -> str:
    return error.next_step if isinstance(error, DnsError) else ""
