"""Renewing by hand (§5.3): the same certificate is bought anew; the old one stays as it is."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import endings, tags
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.issuance.rules import same_product
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders import queries as order_queries
from certdesk.lifecycle.orders.actions import SUBSCRIBE, OrderResult
from certdesk.lifecycle.orders.rules import bought_of

from . import rules
from .rules import Wish


@dataclass(frozen=True, slots=True)
class Renewed:
    """The order; `inherits`: the remaining validity is carried over if the primary name stays (REN-5)."""

    order: OrderResult
    inherits: bool


def renew(principal: Principal, certificate_id: str, wish: Wish, now: datetime, *, auto_pay: bool) -> Renewed:
    """Orders a certificate that renews another one; paid, it stands in Pending application (REN-3).

    Raises:
        NoCertificate, Forbidden, UnderReview: no such certificate, or no right to subscribe or to pay.
        WrongState: not in the last 30 days, expired, free, or not bought here (REN-1, REN-2, REN-6).
        CertdeskError: what `orders.buy` refuses.
    """
    old = fetch_renewable(principal, certificate_id, now)
    result = orders.buy(principal, rules.request(old, wish, tags_of(principal, old)), now, auto_pay=auto_pay)
    return Renewed(result, _inherits(old, result))


def fetch_renewable(principal: Principal, certificate_id: str, now: datetime) -> Certificate:
    """The certificate, if it can be renewed now. Raises as `renew`."""
    old = certificates.fetch(principal, SUBSCRIBE, certificate_id)
    endings.check_renewable(old, certificate_rules.state_of(old, now), now)
    return old


def tags_of(principal: Principal, old: Certificate) -> tuple[tuple[str, str], ...]:
    """The new one is found by the same tags, where whoever renews may set tags."""
    return old.tag_pairs() if principal.may(tags.CREATE, certificate_rules.resource_of(old)) else ()


def _inherits(old: Certificate, result: OrderResult) -> bool:
    order = order_queries.order_row(result.order_id)
    return order is not None and same_product(old, bought_of(order.request))
