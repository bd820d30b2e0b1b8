"""Whether the names of one application fit what was bought (CAT-1, CAT-3, CAT-9, APP-5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .errors import BadName, NamesDoNotFit
from .names import Name, parse_name

NAMES_LIMIT = 250  # names in one certificate, CAT-1


class DomainType(StrEnum):
    """The domain types by their API values."""

    SINGLE_DOMAIN = "SINGLE_DOMAIN"
    MULTI_DOMAIN = "MULTI_DOMAIN"
    WILDCARD = "WILDCARD"


@dataclass(frozen=True, slots=True)
class NameSet:
    """The names of one application: no duplicates, the primary one first."""

    primary: Name
    additional: tuple[Name, ...] = ()

    @property
    def names(self) -> tuple[Name, ...]:
        return (self.primary, *self.additional)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(name.text for name in self.names)


def fit(
    domain_type: DomainType | str,
    primary: Name | str,
    additional: Sequence[Name | str] = (),
    *,
    single_quota: int = 0,
    wildcard_quota: int = 0,
    primary_wildcard_allowed: bool = False,
    wildcards_allowed: bool = False,
    allow_internal: bool = False,
    allow_ip: bool = False,
) -> NameSet:
    """The checked set, or `NamesDoNotFit` / `BadName` with the rule, the value and the way out.

    Only `MULTI_DOMAIN` reads the quotas and the two `…_allowed` flags; a plain primary name is always
    good there.

    Args:
        additional: the other names in the order in which they were given.
        single_quota: additional plain names that were bought.
        wildcard_quota: additional wildcard names that were bought.
        primary_wildcard_allowed: the primary name was bought as a wildcard.
        wildcards_allowed: the certificate type takes wildcards among several names (CAT-3).
        allow_internal: see `names.parse_name`.
        allow_ip: see `names.parse_name`.
    """
    if len(additional) >= NAMES_LIMIT:
        raise _too_many(len(additional) + 1)

    def parsed(name: Name | str, field: str) -> Name:
        try:
            return parse_name(str(name), allow_internal=allow_internal, allow_ip=allow_ip)
        except BadName as fault:
            fault.field = field
            raise

    names = NameSet(parsed(primary, "domain"), tuple(parsed(name, "sans") for name in additional))
    _refuse_duplicates(names)
    match DomainType(domain_type):
        case DomainType.SINGLE_DOMAIN:
            _check_single(names)
        case DomainType.WILDCARD:
            _check_wildcard(names)
        case _:
            _check_wildcard_kinds(names, primary_wildcard_allowed, wildcards_allowed)
            _check_quotas(names, single_quota, wildcard_quota)
    return names


def _too_many(count: int) -> NamesDoNotFit:
    return NamesDoNotFit(
        f"{count} names were given; one certificate holds at most {NAMES_LIMIT}.",
        next_step="Spread the names over several certificates.",
        field="sans",
    )


def _refuse_duplicates(names: NameSet) -> None:
    seen: set[str] = set()
    for text in names.texts:
        if text in seen:
            raise NamesDoNotFit(
                f"The name {text} is given twice; upper and lower case are the same.",
                next_step="Remove one of the two.",
                field="sans",
            )
        seen.add(text)


def _check_single(names: NameSet) -> None:
    _refuse_additional(names, "single-domain")
    if names.primary.wildcard:
        raise NamesDoNotFit(
            f"A single-domain certificate holds one plain name, and {names.primary} is a wildcard.",
            next_step="Enter a name without *, or buy a wildcard certificate.",
            field="domain",
        )


def _check_wildcard(names: NameSet) -> None:
    _refuse_additional(names, "wildcard")
    if not names.primary.wildcard:
        raise NamesDoNotFit(
            f"A wildcard certificate holds one wildcard name, and {names.primary} is a plain name.",
            next_step=f"Enter *.{names.primary}, or buy a single-domain certificate.",
            field="domain",
        )


def _refuse_additional(names: NameSet, kind: str) -> None:
    if names.additional:
        raise NamesDoNotFit(
            f"A {kind} certificate holds exactly one name, and {len(names.names)} were given.",
            next_step="Enter one name, or buy a multi-domain certificate.",
            field="sans",
        )


def _check_wildcard_kinds(names: NameSet, primary_wildcard_allowed: bool, wildcards_allowed: bool) -> None:
    first = next((name for name in names.names if name.wildcard), None)
    if first is not None and not wildcards_allowed:
        raise NamesDoNotFit(
            f"This certificate type takes no wildcard among several names, and {first} is one.",
            next_step="Enter plain names; only OV and OV Pro take wildcards in a multi-domain certificate.",
            field="domain" if first is names.primary else "sans",
        )
    if names.primary.wildcard and not primary_wildcard_allowed:
        raise NamesDoNotFit(
            f"The primary name was bought as a plain name, and {names.primary} is a wildcard.",
            next_step="Enter a plain primary name and put the wildcard among the additional names.",
            field="domain",
        )


def _check_quotas(names: NameSet, single_quota: int, wildcard_quota: int) -> None:
    if not names.additional:
        raise NamesDoNotFit(
            "A multi-domain certificate holds at least one additional name, and none was given.",
            next_step="Enter one or more additional names, one per line.",
            field="sans",
        )
    wildcards = sum(name.wildcard for name in names.additional)
    _refuse_over_quota("plain", len(names.additional) - wildcards, single_quota)
    _refuse_over_quota("wildcard", wildcards, wildcard_quota)


def _refuse_over_quota(kind: str, given: int, bought: int) -> None:
    if given > bought:
        raise NamesDoNotFit(
            f"{given} additional {kind} names were given, and {bought} were bought.",
            next_step=f"Remove {given - bought} of them, or buy a certificate with more names.",
            field="sans",
        )
