"""Answers about certificate authorities."""

from typing import Any, Literal

from typing_extensions import TypedDict

from .common import Made, Marker, Moment

State = Literal["UNKNOWN", "OK", "DEGRADED", "DOWN"]


class IssuerInfo(TypedDict):
    """Secrets in `options` are `***`; `products`: ids of the lines of the catalogue that it may serve."""

    id: str
    slug: str
    kind: str
    title: str
    profile: Literal["public", "private"]
    enabled: bool
    priority: int
    weekly_limit: int
    options: dict[str, Any]
    capabilities: dict[str, Any]
    state: State
    products: list[str]
    created_at: Moment
    updated_at: Moment


class IssuerPage(TypedDict):
    items: list[IssuerInfo]
    next_marker: Marker


class IssuerTested(TypedDict):
    ok: bool
    problem: str
    next_step: str
    notes: list[str]


class TestOrdered(TypedDict):
    """The certificate shows how far it is."""

    certificate_id: str


class IssuerFailure(TypedDict):
    at: Moment
    message: str
    next_step: str


class IssuerBudget(TypedDict):
    """Orders of the last seven days; `limit` is 0 where none is known."""

    used: int
    limit: int
    free_at: Moment


class IssuerHealth(TypedDict):
    """`failures` in a row; `retry_at`: nothing new is ordered before; `chosen_because`: of its last order."""

    state: State
    since: Moment
    failures: int
    retry_at: Moment
    asked_at: Moment
    last_success_at: Moment
    last_error: IssuerFailure
    budget: IssuerBudget
    chosen_because: str
    chosen_at: Moment


class ProductIssuers(TypedDict):
    """Slugs, the first one first."""

    product_id: str
    issuers: list[str]


ANSWERS: dict[str, object] = {
    "issuers.list": IssuerPage,
    "issuers.create": Made,
    "issuers.show": IssuerInfo,
    "issuers.update": IssuerInfo,
    "issuers.test": IssuerTested,
    "issuers.order_test": TestOrdered,
    "issuers.health": IssuerHealth,
    "issuers.of_product": ProductIssuers,
}
