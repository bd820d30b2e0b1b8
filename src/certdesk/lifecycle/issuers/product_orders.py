"""Which issuers may serve a product, in which order: the operator's own word instead of the catalogue's."""

from collections.abc import Sequence

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue.rules import Product

from . import queries, rules
from .models import Issuer, Place
from .setting_up import UPDATE

MOST_OF_A_PRODUCT = 10


def set_order(principal: Principal, product_id: str, given: Sequence[str]) -> tuple[str, ...]:
    """The issuers that may serve a product, by id or slug, the first one first; none = as the catalogue says.

    Raises:
        Forbidden: not the operator, or no `scm:issuer:update`.
        NotFound: no such product.
        BadParameter: an issuer that is not there, is given twice, or cannot serve this product.
    """
    set_orders(principal, [product_id], given)
    return queries.order_of(queries.product_of(product_id))


def set_orders(principal: Principal, product_ids: Sequence[str], given: Sequence[str]) -> None:
    """As `set_order` for several products of a brand (`queries.like`): for all of them, or for none.

    Raises:
        Forbidden, NotFound, BadParameter: as `set_order`, when it holds for any of them; nothing is changed.
    """
    iam.require_operator(principal, UPDATE)
    _check_number(given)
    orders = {one: _order(queries.product_of(one), given) for one in product_ids}
    with short_transaction():
        Place.objects.filter(product_id__in=orders).delete()
        Place.objects.bulk_create(
            Place(product_id=product_id, position=number, slug=slug)
            for product_id, slugs in orders.items()
            for number, slug in enumerate(slugs, 1)
        )
        lines = [
            audit.Line(UPDATE, f"product:{product_id}", {"issuers": ", ".join(slugs)})
            for product_id, slugs in orders.items()
        ]
        audit.record_many(principal, lines)
    queries.forget()


def _order(product: Product, given: Sequence[str]) -> list[str]:
    """The slugs of what was given, if all of it can serve the product."""
    slugs = [_slug_of(product, one) for one in given]
    _check_order(product, slugs)
    return slugs


def _slug_of(product: Product, given: str) -> str:
    """The built-in CA under another profile only where the catalogue names it so for this product."""
    if given == rules.BUILT_IN or (given == product.issuer and rules.is_built_in(given)):
        return given
    found = Issuer.objects.filter(id=given).first() or queries.find(given)
    if found is None:
        raise BadParameter(
            f"{given!r:.40} is no issuer.", next_step="Take some of the list of issuers.", field="issuers"
        )
    return found.slug


def _check_number(given: Sequence[str]) -> None:
    if len(given) > MOST_OF_A_PRODUCT:
        raise BadParameter(
            f"A product has at most {MOST_OF_A_PRODUCT} issuers.",
            next_step="Give fewer.",
            field="issuers",
        )


def _check_order(product: Product, slugs: Sequence[str]) -> None:
    if len(set(slugs)) < len(slugs):
        raise BadParameter("An issuer is given twice.", next_step="Give each once.", field="issuers")
    for slug in slugs:
        one = queries.candidate(slug, product, clock.real_now())
        if product.profile == "public" and one.profile != "public":
            raise BadParameter(
                f"{one.title} gives private certificates, and this product is trusted by the public.",
                next_step="Take issuers of the profile public alone.",
                field="issuers",
            )
        if product.level not in one.capabilities.levels:
            raise BadParameter(
                f"{one.title} issues no {product.level} certificates.",
                next_step="Take another issuer.",
                field="issuers",
            )
