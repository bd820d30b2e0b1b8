"""The shape of the catalogue file: every key with its type and limits; unknown keys are refused."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from certdesk.pki.authority.types import ProfileName

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,23}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
DomainTypeName = Literal["SINGLE_DOMAIN", "MULTI_DOMAIN", "WILDCARD"]
Method = Literal["DNS", "FILE", "EMAIL"]
KeyAlgorithm = Literal["RSA_2048", "RSA_3072", "RSA_4096", "EC_P256", "EC_P384"]
RecordType = Literal["TXT", "CNAME"]
Months = Annotated[int, Field(ge=1, le=36)]
Days = Annotated[int, Field(ge=0, le=60)]


def _decimal(value: object) -> Decimal:
    """A price as text: TOML's own fractions are binary and would not be exact (CAT-8)."""
    if not isinstance(value, str):
        raise ValueError('write a price in quotation marks, for example "1200.00"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not an amount") from None
    if not amount.is_finite() or amount <= 0:
        raise ValueError("a price must be above 0; a product without charge is marked free = true")
    return amount


Money = Annotated[Decimal, BeforeValidator(_decimal)]
Prices = Annotated[dict[Currency, Money], Field(min_length=1)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(Part):
    """One line of a dated table."""

    since: date
    days: Annotated[int, Field(ge=1, le=3660)]


class ProfilePart(Part):
    """`validity` only shortens what the authority's own table allows on a date."""

    validity: tuple[Step, ...] = ()
    reuse: Annotated[tuple[Step, ...], Field(min_length=1)]
    method_ends: dict[Method, date] = {}


class IssuerPart(Part):
    """`caa_domains`: the names by which CAA records permit it; an issuer of profile `private` asks CAA
    only when it has some (DOM-12)."""

    title: str
    profile: Slug
    caa_domains: tuple[str, ...] = ()


class DomainTypePart(Part):
    title: str
    min_names: Annotated[int, Field(ge=1, le=250)]
    max_names: Annotated[int, Field(ge=1, le=250)]


class TypePart(Part):
    """`approval_days`: least and most working days of the approval period (table 3-6); none for minutes."""

    title: str
    level: Literal["DV", "OV", "EV"]
    strong: bool = False
    scenario: str
    verification: str
    security: Literal["Highest", "High", "Medium"]
    approval: str
    approval_days: tuple[Days, Days] | None = None
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    key_algorithms: Annotated[tuple[KeyAlgorithm, ...], Field(min_length=1)]
    wildcard_in_multi: bool = False


class BrandPart(Part):
    """`region`: whose working days its approval periods are counted in (file of working days)."""

    title: str
    issuer: Slug | Literal[""] = ""
    reason: str = ""
    reissue_days: Annotated[int, Field(ge=0, le=365)]
    record_type: RecordType = "TXT"
    www_and_apex: bool = False
    organization_reuse_months: Annotated[int, Field(ge=0, le=36)] = 0
    region: Slug = "default"


class ProductPart(Part):
    """A brand × type with the price of each domain type; a domain type without a price is not offered."""

    brand: Code
    type: Code
    single: Prices | None = None
    multi: Prices | None = None
    multi_wildcard: Prices | None = None
    wildcard: Prices | None = None
    free: bool = False
    free_quota: Annotated[int, Field(ge=0, le=1000)] = 0
    validity_months: tuple[Months, ...] = (12,)
    issuer: Slug | Literal[""] | None = None
    methods: tuple[Method, ...] | None = None
    key_algorithms: tuple[KeyAlgorithm, ...] | None = None
    record_type: RecordType | None = None
    reissue_days: Annotated[int, Field(ge=0, le=365)] | None = None
    allow_internal: bool = False


class ExpansionPart(Part):
    """The package that adds free certificates to an account's quota (FRE-2)."""

    adds: Annotated[int, Field(ge=1, le=1000)]
    price: Prices


class Document(Part):
    currencies: Annotated[dict[Currency, Annotated[int, Field(ge=0, le=4)]], Field(min_length=1)]
    issuers: dict[Slug, IssuerPart]
    profiles: dict[ProfileName, ProfilePart]
    domain_types: dict[DomainTypeName, DomainTypePart]
    types: dict[Code, TypePart]
    brands: dict[Code, BrandPart]
    products: tuple[ProductPart, ...]
    expansion: ExpansionPart | None = None
