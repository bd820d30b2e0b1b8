"""Addresses of a host, asked the way all questions of validation are asked: for `connectors.http.fetch`."""

from collections.abc import Awaitable, Callable, Collection, Sequence

import dns.rdatatype

from certdesk.connectors.dns.ask import Budget
from certdesk.connectors.dns.lookup import Found, look_up, parse_name, show
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.walk import route
from certdesk.connectors.egress import Network
from certdesk.connectors.protocol import ConnectorError

_SECONDS = 10.0


def address_resolver(
    resolvers: Sequence[str], allow_networks: Collection[Network], hints: Hints = ROOT
) -> Callable[[str], Awaitable[Sequence[str]]]:
    """A `resolver` for `fetch`: IPv4 addresses, then IPv6; whether they may be reached the gate decides."""

    async def resolve(host: str) -> Sequence[str]:
        name, budget = parse_name(host), Budget(_SECONDS)
        path = route(resolvers, allow_networks, hints)
        found: list[str] = []
        failed = ""
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            for answer in await look_up(name, rdtype, path, budget):
                found += [record.address for record in answer.records]  # type: ignore[attr-defined]
                if answer.found not in (Found.RECORDS, Found.NO_RECORD):
                    failed = f" ({answer.found} from {answer.server})"
        if not found:
            raise ConnectorError(f"The name {show(name)} has no address{failed}.", permanent=False)
        return list(dict.fromkeys(found))

    return resolve
