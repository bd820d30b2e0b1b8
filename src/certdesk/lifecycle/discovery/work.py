"""One page of a scan, outside: many handshakes beside each other, begun at the pace of the scan. No ORM."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from certdesk.connectors import serving
from certdesk.connectors.dns.addresses import address_resolver
from certdesk.connectors.egress import Network
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.serving import Serving
from certdesk.foundation.common import settings
from certdesk.pki.x509 import certificates, explaining, reading
from certdesk.pki.x509.certificates import CertificateFacts
from certdesk.pki.x509.errors import BadCertificate, CannotRead
from certdesk.pki.x509.names import match

from .rules import Place

AT_ONCE = 50
SECONDS = 5.0
"""For one address, at first. A handshake is milliseconds, but they are many, and both sides may be busy."""
LATE_AT_ONCE, LATE_SECONDS = 10, 20.0
"""For who took the connection and was too slow the first time: asked again when the others are done."""
LATE_IN_ALL = 30.0
"""Seconds for all the late ones of a page: a firewall that takes every connection must not hold a scan up."""
BEAT, STARVED = 0.05, 0.5
"""Seconds. Where this process itself got no time for so long, who did not answer at all is late, not away.

Only where an endpoint is known: elsewhere nothing can be lost, and most of a network does not answer.
"""
LONGEST_TEXT = 255
_ALONE = "It comes alone: clients that do not know its issuer by themselves refuse it."
_UNREADABLE = "What the server sent cannot be read as certificates."


@dataclass(frozen=True, slots=True)
class Page:
    """Places of one scan from number `start` on, and how many are begun in a second.

    `known`: those of them where an endpoint was seen before and is not gone.
    """

    scan_id: str
    run: int
    start: int
    places: tuple[Place, ...]
    per_second: int
    known: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that was served, as far as the certificate alone tells."""

    address: str
    facts: CertificateFacts
    der: bytes
    chain: str
    version: str
    self_signed: bool
    mismatched: bool
    chain_problem: str


@dataclass(frozen=True, slots=True)
class Looked:
    """One place: what it showed, an address each.

    Attributes:
        reason: why none of its addresses could be asked; empty where one was.
        why: a sentence for each address that was asked and showed nothing.
        late: addresses where somebody is, who did not finish the handshake in time.
        unanswered: addresses where nobody took the connection in time.
    """

    place: Place
    shown: tuple[Shown, ...]
    reason: str = ""
    why: Mapping[str, str] = field(default_factory=dict)
    late: frozenset[str] = frozenset()
    unanswered: frozenset[str] = frozenset()


async def look(page: Page) -> tuple[Looked, ...]:
    """Never raises for what the other sides do. Who was late has a second chance, while there is time."""
    found = {one.place: one for one in await _round(page, page.places, AT_ONCE, SECONDS)}
    late = [place for place, one in found.items() if one.late]
    for second in await _round(page, late, LATE_AT_ONCE, LATE_SECONDS, LATE_IN_ALL):
        found[second.place] = _both(found[second.place], second)
    return tuple(found[place] for place in page.places)


def _both(first: Looked, second: Looked) -> Looked:
    """What is known after both looks, address by address.

    Who took the connection once is there: only a certificate, a refusal or an end of the connection is
    an answer to the second look. A full backlog or a resolver that failed tells nothing about it.
    """
    if second.reason:
        return first
    again = {one.address for one in second.shown}
    shown = (*second.shown, *(one for one in first.shown if one.address not in again))
    still = (first.late - first.unanswered) & second.unanswered
    return replace(second, shown=shown, late=(second.late | still) - {one.address for one in shown})


async def _round(
    page: Page, places: Sequence[Place], at_once: int, seconds: float, in_all: float | None = None
) -> tuple[Looked, ...]:
    """A look at each of `places`; without those that were not done within `in_all` seconds."""
    gate, loop = asyncio.Semaphore(at_once), asyncio.get_running_loop()
    begun, worst = loop.time(), [0.0]

    async def one(number: int, place: Place) -> Looked:
        await asyncio.sleep(begun + number / page.per_second - loop.time())
        async with gate:
            return await look_at(place, seconds)

    pulse = asyncio.create_task(_feel(worst))
    looks = [asyncio.create_task(one(number, place)) for number, place in enumerate(places)]
    try:
        done = await _within(looks, in_all)
    finally:
        pulse.cancel()
    starved = worst[0] > STARVED
    return tuple(
        replace(one, late=one.late | one.unanswered) if starved and one.place in page.known else one
        for one in done
    )


async def _within(looks: Sequence[asyncio.Task[Looked]], seconds: float | None) -> list[Looked]:
    """Those that are done by then, in their order; the others are ended, also where this is itself."""
    try:
        if looks:
            await asyncio.wait(looks, timeout=seconds)
        done = [one for one in looks if one.done()]
    finally:
        for one in looks:
            one.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    return [one.result() for one in done]


async def _feel(worst: list[float]) -> None:
    """Keeps by how many seconds this loop came late at worst."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        worst[0] = max(worst[0], loop.time() - due)


async def look_at(place: Place, seconds: float) -> Looked:
    configured = settings.get()
    networks: tuple[Network, ...] = configured.allow_networks
    try:
        found = await serving.ask(
            place.host,
            place.port,
            place.name,
            place.protocol,
            allow_networks=networks,
            resolver=address_resolver(configured.dns_resolvers, networks),
            seconds=seconds,
        )
    except ConnectorError as error:
        return Looked(place, (), error.message)
    shown, why = list[Shown](), dict[str, str]()
    for one in found:
        certificate = read(one, place.name or place.host) if one.failure is None else None
        if certificate is None:
            why[_bare(one)] = one.sentence or _UNREADABLE
        else:
            shown.append(certificate)
    late = frozenset(_bare(one) for one in found if one.late)
    unanswered = frozenset(_bare(one) for one in found if one.unanswered)
    return Looked(place, tuple(shown), "", why, late, unanswered)


def _bare(served: Serving) -> str:
    """Its address without the port."""
    return served.address.rpartition(":")[0].strip("[]")


def read(served: Serving, name: str) -> Shown | None:
    """What the certificate itself tells; None for what cannot be read as one."""
    try:
        parsed = reading.sent(served.chain)
        facts = certificates.facts(served.chain[0])
    except (CannotRead, BadCertificate):
        return None
    own = explaining.signed_by(parsed[0], parsed[0])
    return Shown(
        address=_bare(served),
        facts=facts,
        der=served.chain[0],
        chain=certificates.chain_to_pem(served.chain[1:]),
        version=served.version,
        self_signed=own,
        mismatched=_is_name(name) and not any(match(one, name) for one in facts.names),
        chain_problem="" if own else _chain_problem(parsed),
    )


def _is_name(text: str) -> bool:
    return ":" not in text and not text.replace(".", "").isdigit()


def _chain_problem(parsed: Sequence[object]) -> str:
    if len(parsed) == 1:
        return _ALONE
    told = explaining.chain(parsed)  # type: ignore[arg-type]
    return "" if told.linked else told.sentence
