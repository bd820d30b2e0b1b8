"""Does the world ask other name servers than those of a connection? (Table 3-5: a wrong platform.)"""

from certdesk.connectors.dns.providers.protocol import Provider, Zone
from certdesk.connectors.dns.seen import DomainSeen, look_at
from certdesk.foundation.common import settings

FIX = "Set the record where the domain is delegated to, or change its NS records at the registrar."


async def look(name: str) -> DomainSeen:
    """What the DNS says of a name now, asked as this installation asks.

    Raises:
        ConnectorError: it is no DNS name.
    """
    configured = settings.get()
    return await look_at(name, resolvers=configured.dns_resolvers, allow_networks=configured.allow_networks)


async def sentence(provider: Provider, zone: Zone, label: str, seen: DomainSeen | None = None) -> str:
    """Says so when the zone's NS records at the provider and in the world have no server in common.

    Args:
        seen: a look at a name of the zone, where there is one already.

    Raises:
        DnsError: the provider did not answer.
    """
    seen = seen or await look(zone.name)
    if zone.name != seen.zone:
        return ""  # reached by CNAME: another zone's servers count there
    own = await provider.record_set(zone, zone.name, "NS")
    told = {value.rstrip(".").lower() for value in own.values} if own else set()
    if not told or not seen.name_servers or told & set(seen.name_servers):
        return ""
    return (
        f"{zone.name} is served by {', '.join(seen.name_servers[:4])}, not by the name servers of "
        f"{label} ({', '.join(sorted(told)[:4])}): records set there are seen by nobody."
    )
