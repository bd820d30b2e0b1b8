"""Everything that a server shows in its handshake, for people who ask what is served at an address.

As `probe`, without anything that is expected: any certificate is taken and told.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from certdesk.connectors import handshake, probe, starttls
from certdesk.connectors.egress import Network
from certdesk.connectors.handshake import Met, Why
from certdesk.connectors.http import Resolve
from certdesk.connectors.probe import Verdict
from certdesk.connectors.starttls import Protocol

SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Serving:
    """What one address shows.

    Attributes:
        address: host:port.
        chain: DER as sent, the server's own first; empty where there was no handshake. Foreign, not checked.
        version, cipher: as `TLSv1.3`, `TLS_AES_256_GCM_SHA384`.
        failure: REFUSED or UNREACHABLE; None where there was a handshake. `sentence` says why.
        late: somebody took the connection, and the handshake was not over in time.
        unanswered: nobody took the connection in time.
    """

    address: str
    chain: tuple[bytes, ...] = ()
    version: str = ""
    cipher: str = ""
    failure: Verdict | None = None
    sentence: str = ""
    late: bool = False
    unanswered: bool = False


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
    met = await handshake.whatever(address, port, name, protocol, seconds)
    if met.end is None:
        return Serving(where, met.chain, met.version, met.cipher)
    return Serving(
        where,
        failure=Verdict(met.end.value),
        sentence=_sentence(where, met, seconds),
        late=met.why is Why.SILENT,
        unanswered=met.why is Why.NO_ANSWER,
    )


def _sentence(where: str, met: Met, seconds: float) -> str:
    if met.why is Why.NO_STARTTLS:
        return f"{where} does not change to TLS: it answered '{met.told}'."
    if met.why is Why.SILENT:
        return f"{where} did not finish the handshake within {seconds:g} s."
    if met.why is Why.CLOSED:
        return f"{where} closed the connection in the handshake."
    if met.why in (Why.NO_CONNECTION, Why.NO_ANSWER):
        return f"No connection to {where}: {met.told}."
    return f"{where} refused the handshake: {handshake.words(met.told)}."
