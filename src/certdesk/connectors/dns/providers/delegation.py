"""Where a proof record must really be written: CNAMEs of its name followed, the zone that holds the end.

`_dnsauth.example.com CNAME x.acme.example.net` lets a team hand the proof to a zone of its own: then the
TXT record belongs at `x.acme.example.net`, and only that zone needs to be connected.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import dns.name
import dns.rdatatype

from certdesk.connectors.dns.ask import Budget, Reply
from certdesk.connectors.dns.lookup import MOST_HOPS, look_up, parse_name, show
from certdesk.connectors.dns.providers.protocol import DnsError, ProofType, Reason, Zone
from certdesk.connectors.dns.providers.values import normal
from certdesk.connectors.dns.providers.zones import longest
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.walk import Route, route
from certdesk.connectors.egress import Network

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Place:
    """Write at `name` in `zone`; `aliases` are the names passed through, the proof's own name first."""

    zone: Zone
    name: str
    aliases: tuple[str, ...] = ()


async def find_place(
    owner: str,
    record_type: ProofType,
    zones: Iterable[Zone],
    *,
    resolvers: Sequence[str] = (),
    allow_networks: Collection[Network] = (),
    hints: Hints = ROOT,
) -> Place:
    """The connected zone and the name in it for a proof record at `owner`.

    A CNAME proof is written at `owner` itself: there a CNAME is the record, not a signpost.

    Raises:
        DnsError: NO_ZONE when no connected zone holds the name; DELEGATED when the zone that does is cut off
            below it; CONFLICT for CNAMEs in a circle or servers that disagree; UNREACHABLE when nobody
            answered.
    """
    path, budget = route(resolvers, allow_networks, hints), Budget(SECONDS)
    names = [parse_name(normal(owner))]
    while record_type == "TXT":
        target = await _target(names[-1], path, budget)
        if target is None:
            break
        if target in names or len(names) > MOST_HOPS:
            raise _conflict(names[0], f"its CNAME records do not end (at {show(target)})")
        names.append(target)
    name = show(names[-1]).lower()
    zone = longest(zones, name)
    if zone is None:
        raise _no_zone(show(names[0]), name)
    await _check_cut(names[-1], zone, path, budget)
    return Place(zone, name, tuple(show(one).lower() for one in names[:-1]))


async def _target(name: dns.name.Name, path: Route, budget: Budget) -> dns.name.Name | None:
    """Where the CNAME at the name points; servers that fail do not count."""
    answers = await look_up(name, dns.rdatatype.CNAME, path, budget)
    targets = {record.target for answer in answers for record in answer.records}  # type: ignore[attr-defined]
    if len(targets) > 1:
        raise _conflict(name, "its servers name different CNAME targets")
    return next(iter(targets), None)


async def _check_cut(name: dns.name.Name, zone: Zone, path: Route, budget: Budget) -> None:
    """A record written above a zone cut is never seen. The SOA that servers name says where the cut is."""
    replies = await path.ask_all(name, dns.rdatatype.SOA, budget)
    ours = parse_name(zone.name)
    cuts = [apex for reply in replies if (apex := _apex(reply, name)) is not None]
    below = [apex for apex in cuts if apex != ours and apex.is_subdomain(ours)]
    if below:
        raise DnsError(
            Reason.DELEGATED,
            f"{show(name)} is in the zone {show(below[0])}, which {zone.name} delegates to other servers.",
            f"Connect the zone {show(below[0])}.",
        )


def _apex(reply: Reply, name: dns.name.Name) -> dns.name.Name | None:
    sections = (*reply.message.answer, *reply.message.authority) if reply.message else ()
    found = (rrset.name for rrset in sections if rrset.rdtype == dns.rdatatype.SOA)
    return next((apex for apex in found if name.is_subdomain(apex)), None)


def _no_zone(owner: str, name: str) -> DnsError:
    through = "" if name == owner.lower() else f" (reached from {owner} by CNAME)"
    return DnsError(
        Reason.NO_ZONE,
        f"No connected zone holds {name}{through}.",
        "Connect the zone, or point the name by CNAME into one that is connected.",
    )


def _conflict(name: dns.name.Name, why: str) -> DnsError:
    return DnsError(Reason.CONFLICT, f"{show(name)}: {why}.", "Correct the CNAME records.")
