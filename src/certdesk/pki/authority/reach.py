"""How far a certificate lets an authority reach: its names, its purposes, the authorities below. Pure.

A client takes whichever path it finds, and on each the certificate of that path binds alone. So another
certificate of the same name and key must bind at least as much, or it undoes what the authority's own says
(RFC 5280 §6.1).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from cryptography import x509

from . import constraints
from .constraints import EVERY_ADDRESS, EVERY_NAME

_HOST = re.compile(r"[a-z0-9._-]*")  # what every client reads alike: no NUL, no space


@dataclass(frozen=True, slots=True)
class _Trees:
    """The subtrees of one kind of names. `holds(over, inner)`: whether one subtree lies within the other."""

    whole: Any
    holds: Callable[[Any, Any], bool]
    permitted: Sequence[Any]
    excluded: Sequence[Any]

    def lie_within(self, own: "_Trees") -> bool:
        """Every name that these leave, `own` leaves too. Subtrees are compared one by one: two halves of a
        network do not count as the whole."""
        for tree in self.permitted or [self.whole]:
            if self._covered(self.excluded, tree):
                continue  # nothing of it is left
            if own.permitted and not self._covered(own.permitted, tree):
                return False
            shut_out = [one for one in own.excluded if self.holds(one, tree) or self.holds(tree, one)]
            if not all(self._covered(self.excluded, one) for one in shut_out):
                return False
        return True

    def _covered(self, by: Sequence[Any], tree: Any) -> bool:
        return any(self.holds(one, tree) for one in by)


def wider(own: x509.Certificate, other: x509.Certificate) -> str:
    """What another certificate of an authority's name and key lets it do that its own does not, in words.

    Empty where there is nothing of that kind: names, length of the path below, purposes.
    """
    if _path_length(other) > _path_length(own):
        return "it lets more authorities follow than the authority's own certificate"
    purposes, wanted = _purposes(own), _purposes(other)
    if purposes is not None and not (wanted and wanted <= purposes):
        return "its extended key usage allows more than the authority's own"
    return _wider_names(own, other)


def _path_length(certificate: x509.Certificate) -> float:
    length = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    return float("inf") if length is None else length


def _purposes(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier] | None:
    """None: no word of it, so all of them."""
    try:
        return frozenset(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return None


def _wider_names(own: x509.Certificate, other: x509.Certificate) -> str:
    bound = _constraints(own)
    if bound is None:
        return ""
    given = _constraints(other)
    if given is None:
        return "it has no name constraints, and the authority's own certificate has some"
    if not given.critical:
        return "its name constraints are not critical, so some clients would overlook them"
    if not _is_plain(other, given.value):
        return "its name constraints stand in a form that not all clients read alike"
    pairs = zip(_kinds(given.value), _kinds(bound.value), strict=True)
    if not all(trees.lie_within(held) for trees, held in pairs):
        return "its name constraints allow names that the authority's own certificate does not"
    return ""


def _constraints(certificate: x509.Certificate) -> x509.Extension[x509.NameConstraints] | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return None


def _is_plain(certificate: x509.Certificate, given: x509.NameConstraints) -> bool:
    """Without `minimum` and `maximum` (RFC 5280 §4.2.1.10): the library passes over them, clients may not."""
    names = [str(one.value) for one in _subtrees(given) if isinstance(one, x509.DNSName)]
    plain = all(_HOST.fullmatch(text.lower()) for text in names)
    return plain and given.public_bytes() in certificate.tbs_certificate_bytes


def _subtrees(given: x509.NameConstraints) -> list[x509.GeneralName]:
    return [*(given.permitted_subtrees or ()), *(given.excluded_subtrees or ())]


def _kinds(given: x509.NameConstraints) -> Iterator[_Trees]:
    """DNS names, IPv4, IPv6: all that this CA certifies. Subtrees of other kinds only narrow further."""
    sides = (given.permitted_subtrees or (), given.excluded_subtrees or ())
    hosts = [[one.value.lower() for one in side if isinstance(one, x509.DNSName)] for side in sides]
    yield _Trees(EVERY_NAME, constraints.is_under, *hosts)
    networks = [[one.value for one in side if isinstance(one, x509.IPAddress)] for side in sides]
    for every, kind in zip(EVERY_ADDRESS, (IPv4Network, IPv6Network), strict=True):
        alike = [[one for one in side if isinstance(one, kind)] for side in networks]
        yield _Trees(ip_network(every), lambda over, inner: inner.subnet_of(over), *alike)
