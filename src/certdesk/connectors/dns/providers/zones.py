"""Which of the connected zones a name belongs to. Pure."""

from collections.abc import Iterable

from certdesk.connectors.dns.lookup import parse_name
from certdesk.connectors.dns.providers.protocol import Page, Provider, Zone

MOST_ZONES = 10_000


def longest(zones: Iterable[Zone], name: str) -> Zone | None:
    """The zone with the longest name that `name` ends in, whole labels compared; None when none does.

    Raises:
        ConnectorError: `name` is no DNS name.
    """
    wanted = parse_name(name)
    fitting = [zone for zone in zones if wanted.is_subdomain(parse_name(zone.name))]
    return max(fitting, key=lambda zone: len(parse_name(zone.name)), default=None)


async def all_zones(provider: Provider) -> tuple[Zone, ...]:
    """Every page of the connection's zones, at most 10,000."""
    found: list[Zone] = []
    marker: str | None = None
    while len(found) < MOST_ZONES:
        page: Page[Zone] = await provider.zones(marker)
        found += page.items
        if page.next_marker is None:
            break
        marker = page.next_marker
    return tuple(found)
