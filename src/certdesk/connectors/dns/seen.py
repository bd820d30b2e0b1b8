"""What stands in the DNS about a name now: zone, name servers, CAA, DNSSEC, CNAME. Looked up on demand."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import dns.flags
import dns.name
import dns.rdatatype

from certdesk.connectors.dns.ask import Budget, Reply
from certdesk.connectors.dns.dnssec import Trust
from certdesk.connectors.dns.lookup import Answer, definitive, look_up, parse_name, printable, show
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.walk import Route, route
from certdesk.connectors.egress import Network

SECONDS = 20.0
_QUESTIONS = 300


class Signed(StrEnum):
    """DNSSEC of the zone: checked from the trust anchor where there is one, else as far as DS and AD tell."""

    SECURE = "SECURE"  # the chain of signatures holds
    INSECURE = "INSECURE"  # a signed parent says that it is not signed
    BOGUS = "BOGUS"  # it should be signed, but the signatures do not hold
    SIGNED = "SIGNED"  # the parent has DS records for the zone; nobody checked
    UNSIGNED = "UNSIGNED"  # the parent has none; nobody checked
    UNKNOWN = "UNKNOWN"  # nobody answered


@dataclass(frozen=True, slots=True)
class DomainSeen:
    """One look. Texts are printable; empty where there is nothing.

    Attributes:
        zone: apex of the zone that holds the name; empty when no server named it.
        name_servers: targets of the apex's NS records, sorted.
        cname: where a CNAME at the name itself points.
        caa_owner: the first name upwards that has CAA records, and `caa` those records.
        ds: key tags and algorithms of the DS records at the parent, one text each.
        authenticated: a resolver said that it validated the answer (AD).
        problem: one sentence when the name's servers could not be asked.
    """

    name: str
    exists: bool
    zone: str
    name_servers: tuple[str, ...]
    cname: str
    caa_owner: str
    caa: tuple[str, ...]
    caa_problem: str
    signed: Signed
    ds: tuple[str, ...]
    authenticated: bool
    problem: str


async def look_at(
    name: str,
    *,
    resolvers: Sequence[str] = (),
    allow_networks: Collection[Network] = (),
    hints: Hints = ROOT,
) -> DomainSeen:
    """Asks all servers of the name and of its zone.

    Args:
        name: A-labels; a leading `*.` is left off.

    Raises:
        ConnectorError: it is no DNS name, or a resolver is none (permanent).
    """
    path, budget = route(resolvers, allow_networks, hints), Budget(SECONDS, _QUESTIONS)
    asked = parse_name(name.removeprefix("*."))
    replies = await path.ask_all(asked, dns.rdatatype.SOA, budget)
    apex = _apex(replies, asked)
    servers, (caa, bogus), cname, (signed, ds) = await asyncio.gather(
        _targets(apex, dns.rdatatype.NS, path, budget) if apex is not None else _nothing(),
        _caa(asked, path, budget),
        _targets(asked, dns.rdatatype.CNAME, path, budget),
        _signed(apex or asked, path, budget, known=apex is not None),
    )
    return DomainSeen(
        name=show(asked),
        exists=apex is not None and len(apex) > 2,
        zone=show(apex) if apex is not None and len(apex) > 1 else "",
        name_servers=servers,
        cname=cname[0] if cname else "",
        caa_owner=caa[0],
        caa=caa[1],
        caa_problem=caa[2],
        signed=Signed.BOGUS if bogus else signed,
        ds=ds,
        authenticated=any(one.message is not None and one.message.flags & dns.flags.AD for one in replies),
        problem="" if apex is not None else _trouble(replies),
    )


async def _nothing() -> tuple[str, ...]:
    return ()


def _apex(replies: Sequence[Reply], name: dns.name.Name) -> dns.name.Name | None:
    """The owner of the SOA record that a server named; the deepest where they differ."""
    found = [
        rrset.name
        for reply in replies
        if reply.message is not None
        for rrset in (*reply.message.answer, *reply.message.authority)
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name)
    ]
    return max(found, key=len, default=None)


def _trouble(replies: Sequence[Reply]) -> str:
    told = "; ".join(f"{one.server}: {one.detail or one.status}" for one in replies[:3])
    return f"No name server answered for it ({told or 'none was found'})."


async def _targets(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, path: Route, budget: Budget
) -> tuple[str, ...]:
    answers = await look_up(name, rdtype, path, budget)
    names = {
        show(record.target).lower()  # type: ignore[attr-defined]
        for answer in answers
        for record in answer.records
        if answer.owner == name
    }
    return tuple(sorted(printable(one.encode("ascii", "replace")) for one in names))


async def _caa(
    name: dns.name.Name, path: Route, budget: Budget
) -> tuple[tuple[str, tuple[str, ...], str], bool]:
    """Owner and records of the first name upwards that has any; a sentence when a question failed.

    The second part says whether an answer was refused for its signatures.
    """
    bogus = False
    current = name
    while current != dns.name.root:
        answers = await look_up(current, dns.rdatatype.CAA, path, budget)
        certain = definitive(answers)
        bogus = bogus or any(answer.trust is Trust.BOGUS for answer in answers)
        if not certain:
            return ("", (), f"The CAA records of {show(current)} could not be read."), bogus
        if any(answer.records for answer in certain):
            return (show(current), _texts(certain), ""), bogus
        current = current.parent()
    return ("", (), ""), bogus


def _texts(answers: Sequence[Answer]) -> tuple[str, ...]:
    found = {record.to_text() for answer in answers for record in answer.records}
    return tuple(printable(text.encode("ascii", "replace")) for text in sorted(found)[:20])


async def _signed(
    apex: dns.name.Name, path: Route, budget: Budget, *, known: bool
) -> tuple[Signed, tuple[str, ...]]:
    """DS stands at the parent: that is what makes validating resolvers insist on signatures."""
    if len(apex) < 2:
        return Signed.UNKNOWN, ()
    trust, _ = await path.trust(apex, budget)
    if trust is Trust.BOGUS or not known:
        return (Signed.BOGUS if trust is Trust.BOGUS else Signed.UNKNOWN), ()
    replies = await path.ask_parent(apex, dns.rdatatype.DS, budget)
    messages = [reply.message for reply in replies if reply.message is not None]
    if not messages:
        return Signed.UNKNOWN, ()
    ds = {
        f"key {record.key_tag}, algorithm {int(record.algorithm)}"
        for message in messages
        for rrset in message.answer
        if rrset.rdtype == dns.rdatatype.DS and rrset.name == apex
        for record in rrset
    }
    if trust is not Trust.UNCHECKED:
        return Signed(trust.value), tuple(sorted(ds))
    return (Signed.SIGNED if ds else Signed.UNSIGNED), tuple(sorted(ds))
