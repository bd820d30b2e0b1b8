"""What ACME clients get without buying: a DV certificate of the built-in CA for every name they prove.

No operator has to list it, and nobody buys it: it has no price, and the quota of free certificates (FRE-1) is
not touched. It is a line of the catalogue all the same, so that order, application and certificate are like
any other.
"""

from collections.abc import Sequence

from .document import Document
from .rules import DomainType, Product

BRAND = "BUILTIN"
TITLE = "Built-in CA"
ISSUER, PROFILE = "builtin", "private"
_USUAL_TYPE = "DV_SSL_CERT"
_MONTHS = (12,)
_REISSUE_DAYS = 30
_KEYS = ("RSA_2048", "RSA_3072", "RSA_4096", "EC_P256", "EC_P384")


def lines(document: Document, products: Sequence[Product]) -> tuple[Product, ...]:
    """One line a domain type; none where the file lacks a DV type or private profile, or has that brand."""
    code = _type_of(document)
    if not code or PROFILE not in document.profiles or any(one.brand == BRAND for one in products):
        return ()
    return tuple(_line(document, code, kind) for kind in DomainType)


def _type_of(document: Document) -> str:
    found = [code for code, part in document.types.items() if part.level == "DV" and not part.strong]
    return _USUAL_TYPE if _USUAL_TYPE in found else next(iter(found), "")


def _line(document: Document, code: str, kind: DomainType) -> Product:
    limits = document.domain_types[kind.value]
    nothing = dict.fromkeys(document.currencies, 0)
    return Product(
        brand=BRAND,
        brand_title=TITLE,
        type=code,
        type_title=document.types[code].title,
        level="DV",
        strong=False,
        domain_type=kind,
        free=False,
        available=True,
        reason="",
        issuer=ISSUER,
        profile=PROFILE,
        validity_months=_MONTHS,
        reissue_days=_REISSUE_DAYS,
        record_type="TXT",
        methods=("DNS", "FILE"),
        key_algorithms=_KEYS,
        names=(limits.min_names, limits.max_names),
        wildcard_in_multi=kind is DomainType.MULTI,
        www_and_apex=False,
        allow_internal=True,
        organization_reuse_months=0,
        free_quota=0,
        plain_price=nothing,
        wildcard_price=nothing,
        allow_ip=True,
    )
