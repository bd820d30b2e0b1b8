"""The one egress gate for HTTP (law 11): every request to a URL that others chose goes through here.

Resolve once, connect to that address, check the peer's address, bound size and time, recheck redirects.
Plain asyncio streams with h11: nothing below may resolve a name or follow a redirect by itself.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from certdesk.connectors.egress import Address, Network, check_host, is_allowed, plain
from certdesk.connectors.protocol import ConnectorError, EgressRefused, NotConnected

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Host name → IP addresses as text; raises `ConnectorError` or `OSError` when there are none."""

_REDIRECTS = frozenset({301, 302, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_ADDRESSES = 4
_HEADER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer: `url` is the last one asked, `address` the peer, `redirects` the URLs left behind.

    `trailers`: headers that came after the body; nothing here believes them but who asks for them.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    url: str
    address: str
    redirects: tuple[str, ...]
    trailers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next((value for key, value in self.headers if key == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent: `headers` beside Host and our own; they may hold secrets, so they are not shown."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class _Gate:
    ports: Collection[int]
    networks: Collection[Network]
    max_bytes: int
    resolve: Resolve
    tls: ssl.SSLContext
    sent: Sent
    met: asyncio.Event = field(default_factory=asyncio.Event)  # a server was connected to


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    scheme: str
    host: Address | str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        shown = f"[{self.host}]" if ":" in str(self.host) else str(self.host)
        return shown if self.port == _DEFAULT_PORTS[self.scheme] else f"{shown}:{self.port}"


async def fetch(
    url: str,
    *,
    ports: Collection[int],
    allow_networks: Collection[Network],
    max_bytes: int,
    total_timeout: float,
    max_redirects: int,
    resolver: Resolve | None = None,
    verify_tls: bool = True,
    sent: Sent | None = None,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """GET `url` and what it redirects to (301, 302, 307, 308), every hop under the same rules.

    Args:
        ports: the only ports that may be asked, of the first URL and of redirects.
        allow_networks: networks that may be reached beside public addresses.
        max_bytes: a longer body is an error; nothing beyond is read. No compression is asked or undone.
        total_timeout: seconds for everything: resolving, all redirects, the whole body.
        resolver: how names become addresses; default the operating system's.
        verify_tls: false for domain checks, which must work before a name has a good certificate.
        sent: another method, own headers or a body; never together with redirects, which would hand the
            credentials in it to another server.
        tls: how the server is recognised, and what we show it; in place of `verify_tls`.

    Raises:
        EgressRefused: scheme, port, address or redirect is not allowed.
        NotConnected: nothing was sent to anybody, also where the time ran out before.
        ConnectorError: no answer, a broken one or one over its limits.
    """
    if sent is not None and max_redirects:
        raise ValueError("a request of one's own follows no redirects")
    context = tls or (_usual() if verify_tls else _unverified())
    gate = _Gate(ports, tuple(allow_networks), max_bytes, resolver or system_resolve, context, sent or Sent())
    try:
        async with asyncio.timeout(total_timeout):
            return await _follow(url, gate, max_redirects)
    except TimeoutError:
        message = f"{url:.200} did not answer completely within {total_timeout:g} s."
        late = ConnectorError(message, permanent=False) if gate.met.is_set() else NotConnected(message)
        raise late from None


async def _follow(url: str, gate: _Gate, max_redirects: int) -> Fetched:
    left_behind: list[str] = []
    while True:
        target = _target(url, gate.ports)
        answer = await _get(target, gate, tuple(left_behind))
        location = answer.header("location")
        if answer.status not in _REDIRECTS or not location:
            return answer
        left_behind.append(url)
        if len(left_behind) > max_redirects:
            raise EgressRefused(f"{left_behind[0]:.200} redirects more than {max_redirects} times.")
        url = urljoin(url, location)


def _target(url: str, ports: Collection[int]) -> _Target:
    """The parts of a URL that the rules allow.

    Raises:
        EgressRefused: not http(s), user name or password inside, control characters, other port, odd host.
    """
    if not url.isprintable() or " " in url or "\\" in url or not url.isascii():
        raise EgressRefused(f"The URL {url!r:.200} has characters that no URL may have.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused(f"{url:.200} is not a URL.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise EgressRefused(f"{url:.200} is neither http nor https.")
    if "@" in parts.netloc or not parts.hostname:
        raise EgressRefused(f"{url:.200} has no plain host name (no user name or password may stand in it).")
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if port not in ports:
        allowed = ", ".join(map(str, sorted(ports)))
        raise EgressRefused(f"Port {port} of {url:.200} is not allowed (allowed: {allowed}).")
    return _Target(url, parts.scheme, check_host(parts.hostname), port, _path(parts))


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def _get(target: _Target, gate: _Gate, redirects: tuple[str, ...]) -> Fetched:
    reader, writer, address = await _connect(target, gate)
    gate.met.set()
    try:
        return await _exchange(target, gate, reader, writer, address, redirects)
    except h11.ProtocolError as error:
        raise ConnectorError(f"{target.url:.200} answered no valid HTTP: {error}.", permanent=False) from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ConnectorError(f"{target.url:.200} broke the connection: {error}.", permanent=False) from None
    finally:
        # abort, not close: a slow peer must not hold the connection (and TLS its farewell) open
        writer.transport.abort()


async def _connect(target: _Target, gate: _Gate) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """A connection to one of the target's allowed addresses, whose peer address has been checked."""
    problem: OSError | None = None
    for address in await _addresses(target, gate):
        try:
            reader, writer = await asyncio.open_connection(
                address,
                target.port,
                limit=_HEADER_BYTES,
                ssl=gate.tls if target.scheme == "https" else None,
                server_hostname=str(target.host) if target.scheme == "https" else None,
            )
        except OSError as error:
            problem = error
            continue
        peer = writer.get_extra_info("peername")[0]
        if plain(peer) == plain(address):
            return reader, writer, address
        writer.transport.abort()
        raise EgressRefused(f"{target.url:.200}: connected to {peer} in place of {address}.")
    raise NotConnected(f"{target.url:.200}: no connection: {problem}.")


async def _addresses(target: _Target, gate: _Gate) -> list[str]:
    """The addresses to connect to: resolved once, none that is not allowed."""
    if not isinstance(target.host, str):
        found: Sequence[str] = [str(target.host)]
    else:
        found = await _resolved(target.host, gate.resolve)
    allowed = [str(plain(address)) for address in found if is_allowed(address, gate.networks)]
    if not allowed:
        shown = ", ".join(list(found)[:_MOST_ADDRESSES])
        raise EgressRefused(
            f"{target.url:.200} leads to {shown}: no public address and not in CERTDESK_ALLOW_NETWORKS."
        )
    return allowed[:_MOST_ADDRESSES]


async def _resolved(host: str, resolve: Resolve) -> Sequence[str]:
    try:
        found = await resolve(host)
    except OSError as error:
        raise NotConnected(f"The name {host} has no address: {error}.") from None
    if not found:
        raise NotConnected(f"The name {host} has no address.")
    return found


async def _exchange(
    target: _Target,
    gate: _Gate,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    address: str,
    redirects: tuple[str, ...],
) -> Fetched:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
    writer.write(connection.send(_request(target, gate.sent)))
    if gate.sent.body:
        writer.write(connection.send(h11.Data(data=gate.sent.body)))
    writer.write(connection.send(h11.EndOfMessage()))
    await writer.drain()
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_HEADER_BYTES))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > gate.max_bytes:
                raise ConnectorError(
                    f"{target.url:.200} answered more than {gate.max_bytes} bytes.", permanent=True
                )
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Fetched(
                head.status_code, _headers(head), bytes(body), target.url, address, redirects, _headers(event)
            )
        elif not isinstance(event, h11.InformationalResponse):
            raise ConnectorError(
                f"{target.url:.200} closed the connection without an answer.", permanent=False
            )


def _request(target: _Target, sent: Sent) -> h11.Request:
    headers = {
        "Host": target.host_header,
        "User-Agent": "certdesk",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **sent.headers,
    }
    if sent.body or sent.method not in ("GET", "DELETE"):
        headers["Content-Length"] = str(len(sent.body))
    try:
        return h11.Request(method=sent.method, target=target.path, headers=list(headers.items()))
    except h11.LocalProtocolError:  # its text shows the header's value, which may be a secret
        raise ConnectorError(
            f"The request to {target.url:.200} cannot be written: a header is not valid.", True
        ) from None


def _headers(head: h11.Response | h11.EndOfMessage) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)


async def system_resolve(host: str) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def unverified() -> ssl.SSLContext:
    """One's own, that takes any certificate; this machine's CAs are not read for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# To read this machine's CAs holds the loop up for tens of milliseconds. Nobody may change these two.
_usual = functools.cache(ssl.create_default_context)
_unverified = functools.cache(unverified)
