"""Where configured issuers come from: the one place of this room that asks for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from certdesk.connectors.issuers.protocol import Capabilities, IssuerConnector, IssuerError, Reason
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.lifecycle.catalogue.rules import Product

BUILT_IN = "builtin"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided about one candidate; the first that is taken gets the order."""

    slug: str
    title: str
    taken: bool
    reason: str
    again_at: datetime | None = None


@dataclass
class Register:
    """Connectors by slug, and the order of issuers of a product where the catalogue's is not meant."""

    connectors: dict[str, IssuerConnector] = field(default_factory=dict)
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)


held = Register()


def is_outside(slug: str) -> bool:
    """Whether another house issues; `builtin-…` is the built-in CA under another profile."""
    return bool(slug) and slug != BUILT_IN and not slug.startswith(f"{BUILT_IN}-")


def order_of(product: Product) -> tuple[str, ...]:
    """The issuers of a product, the first choice first."""
    return held.orders.get(product.id, (product.issuer,))


def may_be_outside(product: Product) -> bool:
    return any(map(is_outside, order_of(product)))


def connect(slug: str) -> IssuerConnector:
    """The connector of a configured issuer; reads the database, so it is called in `load`.

    Raises:
        CertdeskError: UNAVAILABLE when there is none of that slug.
    """
    found = held.connectors.get(slug)
    if found is None:
        raise CertdeskError(
            f"The issuer {slug} of this product is not set up.",
            next_step="Ask the operator to configure it.",
            kind=Kind.UNAVAILABLE,
        )
    return found


def capabilities(slug: str) -> Capabilities:
    """As the CA told them last; nothing for one that is not set up."""
    found = held.connectors.get(slug)
    return found.capabilities if found else Capabilities()


def title(slug: str) -> str:
    return slug


def choose(
    product: Product, names: tuple[str, ...], key_algorithm: str, without: Mapping[str, str]
) -> tuple[Choice, ...]:
    """Every issuer of the product once, in order, with what speaks for or against it.

    Args:
        without: slugs that are ruled out, each with one sentence.
    """
    return tuple(_decided(slug, without.get(slug, "")) for slug in order_of(product))


def _decided(slug: str, against: str) -> Choice:
    if not against and is_outside(slug) and slug not in held.connectors:
        against = "It is not set up."
    return Choice(slug, slug, not against, against or "It can take the order.")


def note_placed(slug: str, now: datetime) -> None:
    held.told.append((slug, "placed"))


def note_success(slug: str, now: datetime) -> None:
    held.told.append((slug, "success"))


def note_failure(slug: str, error: IssuerError, now: datetime) -> None:
    held.told.append((slug, error.reason))


def surely_not_live(error: IssuerError, *, asked_before: bool, harmless: bool) -> bool:
    """Whether another issuer may get the order after `place` failed here."""
    if harmless or error.reason in (Reason.REFUSED, Reason.NOT_THERE):
        return True
    certain = (Reason.OPTIONS, Reason.NOT_ALLOWED, Reason.CREDENTIALS, Reason.RATE_LIMITED)
    return (error.reason in certain or not error.sent) and not asked_before
