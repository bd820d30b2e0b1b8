"""Configured issuers, as orders need them: who may issue a product, who gets an order, how its CA is reached.

What is counted against a CA's published limits (`limits`) and test orders (`rehearsing`) ask for themselves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from certdesk.connectors.issuers.protocol import Capabilities, IssuerConnector, IssuerError
from certdesk.foundation.common import clock
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.issuers import actions, queries, rules, setting_up
from certdesk.lifecycle.issuers.errors import NotSetUp
from certdesk.lifecycle.issuers.rules import Choice as Choice
from certdesk.lifecycle.issuers.rules import Passed as Passed

from .models import OutsideOrder

BUILT_IN = rules.BUILT_IN
NOT_WANTED = "The campaign asks for another issuer."
LEFT = "The campaign replaces what this issuer issued."
surely_not_live = rules.surely_not_live
title = queries.title
is_by_hand = queries.is_by_hand
connected = queries.connected
hold_for_order = actions.hold_for_order
ADVISES = actions.ADVISES
note_success = actions.note_success
note_failure = actions.note_failure
because = rules.because
again_at = rules.again_at


def is_outside(slug: str) -> bool:
    """Whether another house issues."""
    return bool(slug) and not rules.is_built_in(slug)


def may_be_outside(product: Product) -> bool:
    """Whether another house may issue a product."""
    return leads_outside(queries.order_of(product))


def leads_outside(order: Sequence[str]) -> bool:
    """As `may_be_outside`, where the order of issuers was read already."""
    return any(map(is_outside, order))


def house(product: Product) -> str:
    """The slug of the house's own CA for a product, also where the catalogue names one outside and the
    operator has ordered otherwise."""
    return BUILT_IN if is_outside(product.issuer) else product.issuer


def connect(slug: str) -> IssuerConnector:
    """The connector of a configured issuer; reads the database, so it is called in `load`.

    Raises:
        NotSetUp: UNAVAILABLE, there is none of that slug.
    """
    return queries.connect(slug)


def capabilities(slug: str) -> Capabilities:
    """As the CA told them last; nothing special for one that is not set up."""
    try:
        return queries.capabilities(slug)
    except NotSetUp:
        return Capabilities()


def advises(slug: str) -> bool:
    """Whether it says when its certificates should be replaced (ARI, RFC 9773)."""
    return capabilities(slug).advises


def order_of(product: Product) -> tuple[str, ...]:
    """The slugs of who may issue a product, the first one first: read once a step, and handed on."""
    return queries.order_of(product)


def choose(
    product: Product,
    order: Sequence[str],
    names: tuple[str, ...],
    key_algorithm: str,
    without: Mapping[str, str],
    busy: Mapping[str, Passed],
) -> tuple[Choice, ...]:
    """Every issuer of the product once, in order, with what speaks for or against it now.

    Args:
        order: `order_of` the product.
        without: slugs that are ruled out, each with one sentence.
        busy: slugs that would refuse the order for a while, each with why and until when.
    """
    now = clock.real_now()
    return queries.choose(product, order, names, key_algorithm, now, without=without, busy=busy)


def ruled_out(order: Sequence[str], at: str, not_at: str) -> dict[str, str]:
    """The issuers among these that a campaign does not want for a replacement, each with one sentence.

    Args:
        at: the only one that it wants; empty = any.
        not_at: one that it leaves; empty = none.
    """
    if not at and not not_at:
        return {}
    found: dict[str, str] = {}
    for slug in order:
        plain = rules.plain(slug)
        if plain == not_at:
            found[slug] = LEFT
        elif at and plain != at:
            found[slug] = NOT_WANTED
    return found


def taken(choices: Sequence[Choice]) -> str:
    """The slug of who gets the order; empty when nobody can take it now."""
    return rules.taken(choices)


def may_be_there(error: IssuerError, *, asked_before: bool) -> bool:
    """Whether nobody knows if an order is there after `place` failed: its answer was lost, or unreadable."""
    return rules.standing_after(error, asked_before=asked_before) is rules.Standing.UNKNOWN


def note_placed(slug: str, now: datetime, because_of: str) -> None:
    actions.note_placed(slug, now, because_of)


def open_at(slug: str) -> int:
    """How many orders there still need its connector."""
    return OutsideOrder.objects.filter(issuer=slug, unfinished=True).count()


setting_up.register(open_at)
