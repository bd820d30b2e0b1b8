"""What a stored CSR may be (API §1.10). Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from certdesk.foundation.common.errors import BadParameter
from certdesk.pki.x509 import keys
from certdesk.pki.x509.csr import ParsedCsr
from certdesk.pki.x509.errors import BadCsr, BadName, UploadRefused
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey
from certdesk.pki.x509.name_sets import NAMES_LIMIT
from certdesk.pki.x509.names import parse_name

from .filters import check_limit

NAME_LIMIT, CSR_LIMIT = 63, 2555
USAGES = ("PERSONAL", "ENTERPRISE")
ALGORITHMS = tuple(one.value for one in KeyAlgorithm)
FILTERED = (*ALGORITHMS, "SM2")
"""What a list may be filtered by: SM2 is a value of the contract, though no CSR here has it."""

COMPANY = {"country": 2, "province": 128, "city": 128, "name": 64}
"""Field without `company_` -> most characters (X.520 upper bounds)."""

_COUNTRY = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True, slots=True)
class CsrRequest:
    """The body of a creation; `company` has the keys of `COMPANY`, `sans` is parted by `;`."""

    name: str
    domain_name: str
    private_key_algo: str
    sans: str = ""
    usage: str = "PERSONAL"
    company: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CheckedCsr:
    """A request that passed; `names` are canonical, the primary one first."""

    name: str
    names: tuple[str, ...]
    algorithm: KeyAlgorithm
    usage: str
    company: dict[str, str]


@dataclass(frozen=True, slots=True)
class CsrFilters:
    """The query of the list; `name` is a keyword."""

    limit: int = 10
    offset: int = 0
    name: str = ""
    private_key_algo: str = ""


def check_request(asked: CsrRequest, *, allow_internal: bool) -> CheckedCsr:
    """The request, or its first fault with field and way out.

    Args:
        allow_internal: some product of the catalogue takes internal names (APP-7).

    Raises:
        BadParameter, BadName: `field` says where.
    """
    name = check_name(asked.name)
    usage = asked.usage or "PERSONAL"
    if usage not in USAGES:
        raise _bad(f"The usage {usage[:40]!r} is not known.", f"Use one of: {', '.join(USAGES)}.", "usage")
    return CheckedCsr(
        name,
        _names(asked, allow_internal=allow_internal),
        _algorithm(asked.private_key_algo),
        usage,
        _company(asked.company or {}, required=usage == "ENTERPRISE"),
    )


def check_name(name: str) -> str:
    """The name without spaces around it.

    Raises:
        BadParameter: none, longer than 63 characters, or with something that cannot be printed.
    """
    trimmed = name.strip()
    if not 0 < len(trimmed) <= NAME_LIMIT or any(unicodedata.category(one)[0] == "C" for one in trimmed):
        raise _bad("This is not a name for a CSR.", f"Use 1 to {NAME_LIMIT} printable characters.", "name")
    return trimmed


def _algorithm(wanted: str) -> KeyAlgorithm:
    if wanted not in ALGORITHMS:
        raise _bad(
            f"The key algorithm {wanted[:40]!r} is not offered.",
            f"Use one of: {', '.join(ALGORITHMS)}.",
            "private_key_algo",
        )
    return KeyAlgorithm(wanted)


def _names(asked: CsrRequest, *, allow_internal: bool) -> tuple[str, ...]:
    primary = asked.domain_name.strip(" \t")
    if not primary:
        raise _bad("No domain name was given.", "Enter the name of the server.", "domain_name")
    text = asked.sans.replace(",", ";").replace("\r", ";").replace("\n", ";")
    additional = [part.strip(" \t") for part in text.split(";") if part.strip(" \t")]
    if len(additional) >= NAMES_LIMIT:
        raise _bad(f"{1 + len(additional)} names were given.", f"Give at most {NAMES_LIMIT} in all.", "sans")
    found: dict[str, None] = {}
    for place, one in enumerate([primary, *additional]):
        try:
            found[parse_name(one, allow_internal=allow_internal).text] = None
        except BadName as error:
            error.field = "sans" if place else "domain_name"
            raise
    return tuple(found)


def _company(given: Mapping[str, str], *, required: bool) -> dict[str, str]:
    company = {key: given.get(key, "").strip() for key in COMPANY}
    for key, limit in COMPANY.items():
        value, where = company[key], f"company_{key}"
        if required and not value:
            raise _bad(f"{where} is missing.", "It is needed for the usage ENTERPRISE.", where)
        if len(value) > limit or any(unicodedata.category(one)[0] == "C" for one in value):
            raise _bad(f"{where} cannot be used.", f"Use up to {limit} printable characters.", where)
    if company["country"] and not _COUNTRY.fullmatch(company["country"]):
        raise _bad(
            "company_country is no country code.", "Use two letters, for example CN.", "company_country"
        )
    company["country"] = company["country"].upper()
    return company


def check_length(text: str) -> None:
    """Raises:
    BadCsr: an uploaded CSR has more than 2555 characters.
    """
    if len(text) > CSR_LIMIT:
        raise BadCsr(
            f"The CSR has {len(text)} characters; at most {CSR_LIMIT} are allowed.",
            next_step="Ask for fewer names, or take a shorter key.",
            field="csr",
        )


def check_uploaded(csr: ParsedCsr, private_key: PrivateKey | None) -> KeyAlgorithm:
    """The algorithm of an uploaded CSR, whose key belongs to it.

    Raises:
        BadCsr: an algorithm that no certificate here may have.
        UploadRefused: the private key is another's.
    """
    algorithm = keys.algorithm_of(csr.public_key)
    if algorithm is None:
        raise BadCsr(
            f"The CSR has the key {csr.key_description}, which no certificate type takes.",
            next_step=f"Make a new key pair; allowed are {', '.join(ALGORITHMS)}.",
            field="csr",
        )
    if private_key is not None and keys.spki_sha256(private_key.public_key()) != csr.spki_sha256:
        raise UploadRefused(
            "The private key does not belong to the CSR.",
            next_step="Give the key that the CSR was made with, or leave it out.",
            field="private_key",
            code="SCM.0014",
        )
    return algorithm


def check_filters(filters: CsrFilters) -> None:
    """Raises:
    BadParameter: names the parameter in `field`.
    """
    check_limit(filters.limit)
    if not 0 <= filters.offset < 2**31:
        raise _bad(f"offset {filters.offset} is not allowed.", "Use 0 or more.", "offset")
    if filters.private_key_algo and filters.private_key_algo not in FILTERED:
        raise _bad(
            f"private_key_algo {filters.private_key_algo[:40]!r} is not known.",
            f"Use one of: {', '.join(FILTERED)}.",
            "private_key_algo",
        )


def _bad(message: str, next_step: str, where: str) -> BadParameter:
    return BadParameter(message, next_step=next_step, field=where)
