"""What is served at an address, and which of the account's certificates it is.

The look goes through the egress gate (law 11), a few a minute for each user, and is kept nowhere.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from certdesk.connectors import serving, starttls
from certdesk.connectors.dns.addresses import address_resolver
from certdesk.connectors.protocol import ConnectorError
from certdesk.connectors.serving import Serving
from certdesk.connectors.starttls import Protocol
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.baton import baton
from certdesk.foundation.iam import rates
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import recognising
from certdesk.pki.x509 import names as host_names
from certdesk.pki.x509 import reading
from certdesk.pki.x509.errors import CannotRead
from certdesk.pki.x509.explaining import Force

from . import tools
from .errors import NotReached
from .tools import Decoded

PROBE = "scm:tool:probe"
SECONDS = 20.0
"""What a person waits for at most, the name's address included."""


class Verdict(StrEnum):
    GOOD = "GOOD"
    ATTENTION = "ATTENTION"  # clients take it, but something wants to be mended
    BAD = "BAD"  # clients refuse it
    REFUSED = "REFUSED"  # a server answered, but not with a certificate
    UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True)
class Question:
    """`name` is what the server is asked for (SNI) and must cover; empty = the host. `port` 0 = the usual."""

    host: str
    port: int = 0
    name: str = ""
    protocol: Protocol = Protocol.TLS


@dataclass(frozen=True, slots=True)
class Look:
    """One address.

    Attributes:
        sentences: the verdict in words, the gravest first.
        decoded: what was served; None where nothing was.
    """

    serving: Serving
    verdict: Verdict
    sentences: tuple[str, ...]
    decoded: Decoded | None


@dataclass(frozen=True, slots=True)
class Looks:
    """Attributes:
    name, port: what was asked, with the usual values filled in.
    ours: (id, name) of the account's certificates in force that cover the name.
    """

    name: str
    port: int
    looks: tuple[Look, ...]
    ours: tuple[tuple[str, str], ...]


def look(principal: Principal, question: Question) -> Looks:
    """What every address of the host serves at this moment; outside any transaction.

    Raises:
        Forbidden: no `scm:tool:probe`. TooFast: too many looks. NotReached: no address, or none that may be
        asked.
    """
    principal.require(PROBE)
    rates.check_look(principal.user_id)
    host = question.host.strip().strip("[]")
    port = question.port or starttls.USUAL[question.protocol]
    name = (question.name.strip() or host).removesuffix(".")
    found = _asked(host, port, name, question.protocol)
    ours = recognising.covering(principal, name, clock.now())
    return Looks(name, port, tuple(_look(principal, one, name, ours) for one in found), ours)


def _asked(host: str, port: int, name: str, protocol: Protocol) -> tuple[Serving, ...]:
    configured = settings.get()
    resolver = address_resolver(configured.dns_resolvers, configured.allow_networks)
    sni = "" if _is_address(name) else name.replace("*", "certdesk-check", 1)

    async def ask() -> tuple[Serving, ...]:
        async with asyncio.timeout(SECONDS):
            return await serving.ask(
                host, port, sni, protocol, allow_networks=configured.allow_networks, resolver=resolver
            )

    try:
        with baton.aside():
            return asyncio.run(ask())
    except TimeoutError:
        raise NotReached(
            f"{host} did not answer within {SECONDS:g} s.", next_step="Check the address.", field="host"
        ) from None
    except ConnectorError as error:
        raise NotReached(
            error.message,
            next_step="Check address and port; an operator opens networks by CERTDESK_ALLOW_NETWORKS.",
            field="host",
        ) from None


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _look(principal: Principal, one: Serving, name: str, ours: tuple[tuple[str, str], ...]) -> Look:
    if one.failure is not None:
        return Look(one, Verdict(one.failure.value), (one.sentence,), None)
    try:
        parsed = reading.sent(one.chain)
    except CannotRead:
        return Look(one, Verdict.BAD, ("What the server sent cannot be read as certificates.",), None)
    decoded = tools.decoded(principal, reading.Content("DER", parsed), parsed)
    bad, odd = tuple(_bad(decoded, name)), tuple(_odd(decoded, ours))
    verdict = Verdict.BAD if bad else Verdict.ATTENTION if odd else Verdict.GOOD
    return Look(one, verdict, (*bad, *odd) or (_GOOD,), decoded)


_GOOD = "In force, for this name, and with the certificates above it."
_FATAL = frozenset({"weak-key", "weak-signature", "eku-not-for-servers"})
_SOON = timedelta(days=30)


def _bad(decoded: Decoded, name: str) -> Iterator[str]:
    """Why clients refuse it, whatever root they trust."""
    leaf = decoded.certificates[0]
    facts = leaf.told.facts
    if leaf.told.force is Force.EXPIRED:
        yield f"It expired on {facts.not_after:%Y-%m-%d %H:%M:%S} UTC."
    if leaf.told.force is Force.NOT_YET:
        yield f"It is not valid before {facts.not_before:%Y-%m-%d %H:%M:%S} UTC."
    if not any(host_names.match(pattern, name.replace("*", "certdesk-check", 1)) for pattern in facts.names):
        yield f"It does not cover {name}."
    if leaf.known is not None and leaf.known.revoked:
        yield "It is revoked, and still served."
    if leaf.told.self_signed:
        yield "It signed itself: clients trust it only where it was installed by hand."
    elif decoded.chain is not None and not decoded.chain.linked:
        yield decoded.chain.sentence
    yield from (one.sentence for one in leaf.told.findings if one.code in _FATAL)


def _odd(decoded: Decoded, ours: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """What wants to be mended although clients may take it."""
    leaf = decoded.certificates[0]
    if len(decoded.certificates) == 1 and not leaf.told.self_signed:
        yield "It comes alone: clients that do not know its issuer by themselves refuse it."
    if leaf.known is not None and not leaf.known.current:
        yield f"It is an older version of {leaf.known.certificate_id}: the newest one is not served here."
    if leaf.known is None and ours:
        yield f"It is none of this account's certificates, which has {ours[0][0]} for this name."
    if leaf.told.force is Force.IN_FORCE and leaf.told.facts.not_after - clock.now() < _SOON:
        yield f"It expires on {leaf.told.facts.not_after:%Y-%m-%d %H:%M:%S} UTC."
