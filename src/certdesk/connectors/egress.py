"""The address rule of the egress gate (law 11): which addresses a server-side fetch may reach. Pure."""

import ipaddress
import re
from collections.abc import Iterable

from certdesk.connectors.protocol import EgressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Python's own `is_global` calls multicast and 6to4 global and changed between patch releases, so the
# special-purpose registries (IANA, RFC 6890) are written out.
_SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Everything outside 2000::/3 is special; inside it these are. 2002::/16 (6to4) and 2001::/32 (Teredo, in
# 2001::/23) carry an IPv4 address and would be a way around the list above.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NUMBER_LABEL = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\Z")


def plain(address: str | Address) -> Address:
    """The address itself: `::ffff:127.0.0.1` is 127.0.0.1, whatever it looks like.

    Raises:
        EgressRefused: for text that is no address, and for an address with a zone (`fe80::1%eth0`).
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise EgressRefused(f"{address!s:.80} is not an IP address.") from None
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed
    if parsed.scope_id is not None:
        raise EgressRefused(f"The address {address!s:.80} names a local interface.")
    return parsed.ipv4_mapped or parsed


def is_public(address: Address) -> bool:
    """True for ordinary unicast addresses of the internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _UNICAST_V6 and not any(address in network for network in _SPECIAL_V6)


def is_allowed(address: str | Address, allow_networks: Iterable[Network]) -> bool:
    """True for a public address and for one inside `allow_networks`; false for text that is no address."""
    try:
        candidate = plain(address)
    except EgressRefused:
        return False
    return is_public(candidate) or any(candidate in network for network in allow_networks)


def check_host(host: str) -> Address | str:
    """The host of a URL: an address in its ordinary spelling, or a lower-case DNS name.

    Numbers in other spellings (`0x7f.1`, `2130706433`, `127.1`, `0177.0.0.1`, full-width digits) are
    refused: which address they mean depends on who reads them.

    Raises:
        EgressRefused: for anything else.
    """
    if ":" in host:
        return plain(host)
    name = host.removesuffix(".").lower()
    labels = name.split(".")
    if _NUMBER_LABEL.fullmatch(labels[-1]):
        return _dotted_quad(host)
    if len(name) > 253 or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused(f"{host!r:.100} is not a host name.")
    return name


def _dotted_quad(host: str) -> Address:
    try:
        address = ipaddress.IPv4Address(host)  # four decimal numbers without leading zeros, nothing else
    except ValueError:
        raise EgressRefused(f"{host!r:.100} is not an IP address in its ordinary spelling.") from None
    if not host.isascii():
        raise EgressRefused(f"{host!r:.100} is not an IP address in its ordinary spelling.")
    return address
