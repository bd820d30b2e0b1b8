"""By which method may these names be proved? One rule for application, *issue now* and pre-flight. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Protocol

from certdesk.foundation.common.errors import BadParameter
from certdesk.pki.x509.errors import BadName, shown
from certdesk.pki.x509.names import Name, proof_owner

METHODS = ("DNS", "FILE", "EMAIL")
NONE_ENDED: Mapping[str, date] = MappingProxyType({})


class Proved(Protocol):
    """What this module reads of a catalogue product."""

    @property
    def level(self) -> str: ...
    @property
    def methods(self) -> tuple[str, ...]: ...


def check_method(
    method: str,
    product: Proved,
    names: Sequence[Name],
    *,
    automatic: bool = False,
    ended: Mapping[str, date] = NONE_ENDED,
) -> str:
    """APP-13: the method in capitals; empty means DNS.

    Args:
        automatic: the records are to be set by a DNS connection.
        ended: methods that count no more, each with the day since which (Baseline Requirements).

    Raises:
        BadParameter: the method is unknown, not sold, over, or cannot prove one of the names.
        BadName: no DNS record can prove one of the names.
    """
    chosen = (method or "DNS").upper()
    fault = _fault(chosen, method, product, names, ended)
    if fault:
        sold = [one for one in METHODS if not _fault(one, one, product, names, ended)]
        possible = [one for one in sold if one != "DNS" or all(map(_has_record, names))]
        raise BadParameter(
            fault, next_step=f"Choose one of: {', '.join(possible) or 'DNS'}.", field="domain_method"
        )
    if automatic and chosen != "DNS":
        raise BadParameter(
            f"Automatic verification works by DNS, not by {chosen}.",
            next_step="Choose DNS, or leave auto_dns_auth out.",
            field="auto_dns_auth",
        )
    if chosen == "DNS":
        for name in names:
            proof_owner(name)  # a name so long that no record fits in front of it is refused now, not later
    return chosen


def _has_record(name: Name) -> bool:
    try:
        return bool(proof_owner(name))
    except BadName:
        return False


def _fault(chosen: str, given: str, product: Proved, names: Sequence[Name], ended: Mapping[str, date]) -> str:
    """Why the method cannot be chosen; empty when it can."""
    if chosen not in METHODS:
        return f"The verification method {shown(given)} is not known."
    if chosen == "EMAIL" and product.level == "DV":
        return "DV certificates cannot be verified by email."
    if chosen == "FILE" and any(name.wildcard for name in names):
        return "The file method cannot prove a wildcard name."
    if chosen == "EMAIL" and any(name.ip for name in names):
        return "An IP address has no mailbox that could confirm it."
    if chosen not in product.methods:
        return f"This certificate type does not offer the verification method {chosen}."
    if chosen in ended:
        return f"Verification by {chosen.lower()} ended on {ended[chosen]} (Baseline Requirements)."
    return ""
