"""Name constraints of an authority (RFC 5280 §4.2.1.10): what it may certify, and what it never may. Pure.

They stand in its certificate and nowhere else, so clients and this room judge by the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from cryptography import x509

from certdesk.pki.x509.errors import BadName
from certdesk.pki.x509.names import Name, parse_name

from .errors import BadBounds, NameOutside

EVERY_NAME = ""  # a dNSName that is empty: all of them
EVERY_ADDRESS = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Subtrees in canonical form: a DNS name stands for itself and all below it, a network for its addresses.

    Nothing permitted: everything is, but for what is excluded.
    """

    permitted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.permitted or self.excluded)

    @property
    def told(self) -> tuple[str, ...]:
        """What people are told is excluded: without what being the only ones permitted implies."""
        implied = (EVERY_NAME, *EVERY_ADDRESS) if self.permitted else ()
        return tuple(text for text in self.excluded if text not in implied)


NONE = Bounds()


def bounds(permitted: Sequence[str], excluded: Sequence[str]) -> Bounds:
    """Bounds of what an operator wrote: DNS names, and addresses or networks such as `10.0.0.0/8`.

    Raises:
        BadBounds: a text is neither, was given twice, or nothing of what is permitted is left.
    """
    inside, outside = _canonical(permitted), _canonical(excluded)
    twice = sorted(text for text in {*inside, *outside} if (inside + outside).count(text) > 1)
    if twice:
        raise _refused(f"{twice[0]} was given twice")
    shut_out = [*outside, *_joined(outside)]
    for text in inside:
        if any(_holds(over, text) for over in shut_out):
            raise _refused(f"{text} is permitted and lies within what is excluded")
    return Bounds(inside, outside)


def _canonical(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(_canonical_one, texts))


def _canonical_one(text: str) -> str:
    network = _network(text)
    if network is None:
        return _name(text)
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        # No name ever lies in it, and IPv4 would be shut out as a whole.
        raise _refused(f"{text} is an IPv4 network in the form of IPv6")
    return str(network)


def _joined(texts: Sequence[str]) -> list[str]:
    """The networks among them, those side by side as one: two halves shut out the whole."""
    networks = [one for one in map(_network, texts) if one]
    v4 = collapse_addresses([one for one in networks if isinstance(one, IPv4Network)])
    v6 = collapse_addresses([one for one in networks if isinstance(one, IPv6Network)])
    return [*map(str, v4), *map(str, v6)]


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """None for what is no address; an address alone is a network of one."""
    if "%" in text:
        raise _refused(f"{text} is no network")  # the zone of one machine
    try:
        return ip_network(text)
    except ValueError:
        if "/" in text:
            raise _refused(f"{text} is no network") from None
        return None


def _name(text: str) -> str:
    try:
        name = parse_name(text, allow_internal=True, allow_suffix=True)
    except BadName as error:
        raise BadBounds(error.message, next_step=error.next_step) from None
    if name.wildcard:
        raise _refused(f"{text} is a wildcard, and {name.base} stands for all names below it already")
    return name.text


def extension(given: Bounds) -> x509.NameConstraints:
    """The extension, to be critical.

    Where something is permitted, the kinds of names (DNS, IPv4, IPv6) of which nothing is are shut out as a
    whole: by themselves constraints of one kind leave the others free (Baseline Requirements 7.1.2.5.2).
    """
    excluded = [*given.excluded, *_implied(given)]
    return x509.NameConstraints(
        [_subtree(text) for text in given.permitted] or None, [_subtree(text) for text in excluded] or None
    )


def _implied(given: Bounds) -> Iterator[str]:
    if given.permitted:
        kinds = {_kind(text) for text in given.permitted}
        every = (EVERY_NAME, *EVERY_ADDRESS)
        yield from (text for text in every if _kind(text) not in kinds and text not in given.excluded)


def _kind(text: str) -> int:
    """0 for a DNS name, else the version of the addresses."""
    network = _network(text) if text else None
    return network.version if network else 0


def _subtree(text: str) -> x509.GeneralName:
    network = _network(text) if text else None
    return x509.IPAddress(network) if network else x509.DNSName(text)


def of(certificate: x509.Certificate) -> Bounds:
    """What the certificate says; `NONE` without the extension. Other kinds of subtrees bind no names here."""
    try:
        held = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return NONE
    return Bounds(_texts(held.permitted_subtrees), _texts(held.excluded_subtrees))


def _texts(subtrees: Sequence[x509.GeneralName] | None) -> tuple[str, ...]:
    known = [one for one in subtrees or () if isinstance(one, x509.DNSName | x509.IPAddress)]
    return tuple(str(one.value) for one in known)


def refuse_outside(slug: str, held: Bounds, names: Sequence[Name]) -> None:
    """Refuse names that clients would not believe this authority, before anything is signed.

    Raises:
        NameOutside: with the first such name.
    """
    for name in names if held else ():
        if held.permitted and not any(_holds(text, name.base) for text in held.permitted):
            only = ", ".join(held.permitted)
            raise _outside(f"the authority {slug} certifies only {only}, and {name} lies outside")
        over = next((text for text in held.excluded if _shut_out(text, name)), None)
        if over is not None:
            raise _outside(f"the authority {slug} never certifies {over}, and {name} reaches into it")


def outside(held: Bounds, texts: Iterable[str]) -> list[str]:
    """Those of the names and addresses, in any form that the names gate takes, that lie outside."""
    found = []
    for text in texts if held else ():
        try:
            refuse_outside("", held, [parse_name(text, allow_internal=True, allow_ip=True)])
        except NameOutside:
            found.append(text)
    return found


def _shut_out(excluded: str, name: Name) -> bool:
    """A wildcard reaches one label down, so it is also shut out by a name just below its base."""
    return _holds(excluded, name.base) or (name.wildcard and excluded.partition(".")[2] == name.base)


def _holds(over: str, text: str) -> bool:
    """Whether a subtree holds a name, an address or another subtree."""
    network, inner = (_network(one) if one else None for one in (over, text))
    if network is None or inner is None:
        return network is inner and is_under(over, text)
    return network.version == inner.version and inner.subnet_of(network)  # type: ignore[arg-type]


def is_under(over: str, text: str) -> bool:
    """Whether a DNS name or subtree is `over`, or made from it by labels on its left (RFC 5280 §4.2.1.10)."""
    return text == over or not over or text.endswith(f".{over}")


def _outside(why: str) -> NameOutside:
    return NameOutside(
        f"The certificate cannot be made: {why}.",
        next_step="Take the name out, or ask the operator for an authority that may certify it.",
        field="domain",
    )


def _refused(why: str) -> BadBounds:
    return BadBounds(
        f"The name constraints cannot be used: {why}.",
        next_step="Give names such as example.com and networks such as 10.0.0.0/8.",
    )
