"""The providers' way out: everything through the egress gate (law 11), its failures as `DnsError`."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import urlsplit

from certdesk.connectors import http
from certdesk.connectors.dns.providers.protocol import DnsError, Outside, Reason
from certdesk.connectors.egress import Network, check_host, is_allowed, plain
from certdesk.connectors.http import Fetched, Sent
from certdesk.connectors.protocol import ConnectorError, EgressRefused

_EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_MOST_ADDRESSES = 4
_ASK_OPERATOR = "Ask the operator to allow the address (CERTDESK_ALLOW_NETWORKS) or port."
_CHECK_SERVER = "Check that the server runs and can be reached from here."


def permission(outside: Outside, host: str, port: int) -> tuple[frozenset[int], tuple[Network, ...]]:
    """Ports and networks that a call may use; the operator's own server is allowed wherever it stands."""
    if (host.lower(), port) in outside.own_servers:
        return frozenset({port}), _EVERYWHERE
    return outside.ports, outside.allow_networks


async def call(
    outside: Outside, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
) -> Fetched:
    """One HTTP request without redirects; any status is an answer.

    Raises:
        DnsError: EGRESS, UNREACHABLE, TIMEOUT or LIMIT.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    ports, networks = permission(outside, parts.hostname or "", port)
    try:
        async with asyncio.timeout(outside.seconds):
            return await http.fetch(
                url,
                ports=ports,
                allow_networks=networks,
                max_bytes=outside.max_bytes,
                total_timeout=outside.seconds + 1,
                max_redirects=0,
                resolver=outside.resolver,
                sent=Sent(method, headers, body),
            )
    except TimeoutError:
        raise timed_out(f"{parts.hostname}:{port}", outside) from None
    except EgressRefused as error:
        raise DnsError(Reason.EGRESS, error.message, _ASK_OPERATOR) from None
    except ConnectorError as error:
        reason = Reason.LIMIT if error.permanent else Reason.UNREACHABLE
        raise DnsError(reason, error.message, _CHECK_SERVER) from None


@contextlib.asynccontextmanager
async def stream(
    outside: Outside, host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection to an allowed address; it and what is done with it end after `outside.seconds`.

    Raises:
        DnsError: EGRESS, UNREACHABLE or TIMEOUT.
    """
    try:
        async with asyncio.timeout(outside.seconds):
            reader, writer = await _open(await addresses(outside, host, port), port, host)
            try:
                yield reader, writer
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise timed_out(f"{host}:{port}", outside) from None
    except (OSError, EOFError) as error:
        message = f"The connection to {host}:{port} broke: {error}."
        raise DnsError(Reason.UNREACHABLE, message, _CHECK_SERVER) from None


async def _open(
    found: Sequence[str], port: int, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    problem: OSError | None = None
    for address in found:
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            problem = error
    message = f"There is no connection to {host}:{port}: {problem}."
    raise DnsError(Reason.UNREACHABLE, message, _CHECK_SERVER)


async def addresses(outside: Outside, host: str, port: int) -> list[str]:
    """The addresses of the host that may be connected to: resolved once, at most 4.

    Raises:
        DnsError: EGRESS, or UNREACHABLE when the name has no address.
    """
    ports, networks = permission(outside, host, port)
    try:
        target = check_host(host)
    except EgressRefused as error:
        raise DnsError(Reason.EGRESS, error.message, "Correct the server's name.") from None
    if port not in ports:
        raise DnsError(Reason.EGRESS, f"Port {port} of {host} is not allowed.", _ASK_OPERATOR)
    found = [str(target)] if not isinstance(target, str) else await _resolved(outside, target)
    allowed = [str(plain(address)) for address in found if is_allowed(address, networks)]
    if not allowed:
        message = f"{host} leads to {', '.join(found[:4])}: no public address and not allowed."
        raise DnsError(Reason.EGRESS, message, _ASK_OPERATOR)
    return allowed[:_MOST_ADDRESSES]


async def _resolved(outside: Outside, host: str) -> list[str]:
    try:
        if outside.resolver is not None:
            found = list(await outside.resolver(host))
        else:
            rows = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    except (OSError, ConnectorError) as error:
        raise _no_address(host, str(error)) from None
    if not found:
        raise _no_address(host, "nothing found")
    return found


def _no_address(host: str, told: str) -> DnsError:
    return DnsError(
        Reason.UNREACHABLE, f"The name {host} has no address: {told}.", "Check the server's name."
    )


def timed_out(server: str, outside: Outside) -> DnsError:
    return DnsError(
        Reason.TIMEOUT, f"{server} did not answer completely within {outside.seconds:g} s.", _CHECK_SERVER
    )
