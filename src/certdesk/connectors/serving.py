"""Everything that a server shows in its handshake, for people who ask what is served at an address.

As `probe`, without anything that is expected: any certificate is taken and told.
"""

import asyncio
import ssl
from collections.abc import Collection
from dataclasses import dataclass

from certdesk.connectors import probe, starttls
from certdesk.connectors.egress import Network
from certdesk.connectors.http import Resolve
from certdesk.connectors.probe import Verdict
from certdesk.connectors.starttls import NoStartTls, Protocol

SECONDS = 8.0
_HEADER_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True)
class Serving:
    """What one address shows.

    Attributes:
        address: host:port.
        chain: DER as sent, the server's own first; empty where there was no handshake. Foreign, not checked.
        version, cipher: as `TLSv1.3`, `TLS_AES_256_GCM_SHA384`.
        failure: REFUSED or UNREACHABLE; None where there was a handshake. `sentence` says why.
    """

    address: str
    chain: tuple[bytes, ...] = ()
    version: str = ""
    cipher: str = ""
    failure: Verdict | None = None
    sentence: str = ""


async def ask(
    host: str,
    port: int,
    name: str,
    protocol: Protocol,
    *,
    allow_networks: Collection[Network] = (),
    resolver: Resolve | None = None,
    seconds: float = SECONDS,
) -> tuple[Serving, ...]:
    """What every address of `host` serves at `port` for `name` (SNI; empty = none is sent).

    Raises:
        ConnectorError: the host has no address; EgressRefused: none that may be reached.
    """
    usual = starttls.PORTS[protocol]
    found = await probe.addresses(host, port, tuple(allow_networks), resolver, usual)
    return tuple(await asyncio.gather(*(_one(address, port, name, protocol, seconds) for address in found)))


async def _one(address: str, port: int, name: str, protocol: Protocol, seconds: float) -> Serving:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        async with asyncio.timeout(seconds):
            return await _handshake(where, address, port, name, protocol)
    except NoStartTls as answer:
        return _failed(where, Verdict.REFUSED, f"{where} does not change to TLS: it answered '{answer}'.")
    except ssl.SSLError as error:
        told = error.reason or "it broke off"
        return _failed(where, Verdict.REFUSED, f"{where} refused the handshake: {told}.")
    except TimeoutError:
        told = f"{where} did not finish the handshake within {seconds:g} s."
        return _failed(where, Verdict.UNREACHABLE, told)
    except ConnectionResetError:
        return _failed(where, Verdict.REFUSED, f"{where} closed the connection in the handshake.")
    except OSError as error:
        told = f"No connection to {where}: {error.strerror or error}."
        return _failed(where, Verdict.UNREACHABLE, told)


async def _handshake(where: str, address: str, port: int, name: str, protocol: Protocol) -> Serving:
    reader, writer = await asyncio.open_connection(address, port, limit=_HEADER_BYTES)
    try:
        await starttls.begin(protocol, reader, writer)
        await writer.start_tls(probe.context_of(), server_hostname=name or None)
        found = writer.get_extra_info("ssl_object")
        leaf = found.getpeercert(binary_form=True) or b""
        cipher, version, _ = found.cipher()
        return Serving(where, (leaf, *probe.sent_chain(found)[1:]), version, cipher)
    finally:
        writer.transport.abort()


def _failed(where: str, failure: Verdict, sentence: str) -> Serving:
    return Serving(where, failure=failure, sentence=sentence)
