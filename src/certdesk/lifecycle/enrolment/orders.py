"""Orders: placed, shown, listed (RFC 8555 §7.4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from certdesk.foundation.common import ids, sql
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Resource

from . import accounts, authorizations, products, queries, rules, states, succession
from .errors import AcmeError, malformed, not_found
from .models import Account, Authorization, Order, OrderState
from .rules import Asked

APPLY = "scm:cert:apply"
LISTED = 100
_PROOFS = "enrolment_order_authorizations"


def of(account: Account, order_id: str) -> Order:
    """Raises:
    AcmeError: 404 for what is not there and what is another account's.
    """
    found = queries.order_of.first(order_id, account.id)
    if found is None:
        raise not_found("order")
    found.account = account
    return found


def state_of(order: Order, now: datetime, proofs: Sequence[Authorization] | None = None) -> str:
    """As clients see it; only while it is pending its authorisations have a say.

    Args:
        proofs: those authorisations, where they have been read already.
    """
    if proofs is None:
        proofs = authorizations.of_order(order) if order.state == OrderState.PENDING else ()
    return states.order(order, [states.authorization(one, now) for one in proofs], now)


def place(account: Account, wanted: Mapping[str, Any], now: datetime, source: str = "") -> Order:
    """A new order with its authorisations.

    Raises:
        AcmeError: what of it is refused. Forbidden: the user may not apply for these names.
    """
    asked = rules.identifiers(wanted.get("identifiers"), allow_ip=True, allow_internal=True)
    if "notBefore" in wanted or "notAfter" in wanted:
        raise malformed("This server chooses the dates of certificates: leave notBefore and notAfter out.")
    profile = wanted.get("profile", "")
    if not isinstance(profile, str):
        raise malformed("profile must be a string.")
    product = products.product_for(account.credential, profile, [one.text for one in asked])
    asked = _narrowed(asked, product.allow_internal, product.allow_ip)
    products.check_names(account.credential, asked)
    _require(account, asked, product.type, source)
    replaces = succession.replaced(account, wanted.get("replaces"), [one.text for one in asked])
    _check_first(replaces, now)
    try:
        with short_transaction():
            order = Order(
                id=ids.hex32(),
                account=account,
                names=[one.text for one in asked],
                kinds=[one.kind for one in asked],
                profile=profile,
                replaces=replaces,
                created_at=now,
                expires_at=now + states.ORDER_LIFE,
            )
            queries.new_order.insert(order)
            proofs = dict.fromkeys(authorizations.obtain(account, one, product, now).id for one in asked)
            sql.insert(_PROOFS, [{"order_id": order.id, "authorization_id": one} for one in proofs])
    except IntegrityError:
        raise _replaced_already() from None
    return order


def _check_first(replaces: str, now: datetime) -> None:
    """One order at a time replaces a certificate; one that failed or lapsed stands in nobody's way.

    Raises:
        AcmeError: 409 alreadyReplaced (RFC 9773 §5).
    """
    if not replaces:
        return
    earlier = Order.objects.filter(replaces=replaces).exclude(state=OrderState.INVALID).first()
    if earlier is None:
        return
    if state_of(earlier, now) != OrderState.INVALID:
        raise _replaced_already()
    with short_transaction():
        Order.objects.filter(id=earlier.id, state=OrderState.PENDING).update(state=OrderState.INVALID)


def _replaced_already() -> AcmeError:
    return AcmeError("alreadyReplaced", "Another order replaces that certificate already.", status=409)


def _narrowed(asked: tuple[Asked, ...], allow_internal: bool, allow_ip: bool) -> tuple[Asked, ...]:
    """The gate once more with what the product takes."""
    if allow_internal and allow_ip:
        return asked
    given = [{"type": one.kind, "value": one.text} for one in asked]
    return rules.identifiers(given, allow_ip=allow_ip, allow_internal=allow_internal)


def _require(account: Account, asked: tuple[Asked, ...], cert_type: str, source: str) -> None:
    """The policy decision for exactly these names, asked again when it is issued."""
    who = accounts.principal(account, source)
    names = tuple(one.text for one in asked)
    who.require(APPLY, Resource("cert", "", who.account_id, "0", who.user_id, names, cert_type))


def preauthorize(account: Account, wanted: Mapping[str, Any], now: datetime, source: str = "") -> Any:
    """An authorisation ahead of any order (RFC 8555 §7.4.1).

    Raises:
        AcmeError: as `place`; a wildcard cannot be asked for by itself.
    """
    asked = rules.identifiers([wanted.get("identifier")], allow_ip=True, allow_internal=True)
    if asked[0].name.wildcard:
        raise malformed("A wildcard is proved with an order, not ahead of one.")
    product = products.product_for(account.credential, "", [asked[0].text])
    asked = _narrowed(asked, product.allow_internal, product.allow_ip)
    products.check_names(account.credential, asked)
    _require(account, asked, product.type, source)
    with short_transaction():
        return authorizations.obtain(account, asked[0], product, now)


def listed(account: Account) -> list[str]:
    """Ids of the account's last orders, newest first."""
    found = Order.objects.filter(account=account).order_by("-created_at", "-id")
    return list(found.values_list("id", flat=True)[:LISTED])
