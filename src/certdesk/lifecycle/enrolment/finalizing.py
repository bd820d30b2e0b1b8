"""From a ready order to a certificate of the inventory: the same pipeline as console and API (law 4).

What is signed is made from the order. The CSR gives its key, and must ask for exactly the order's names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import Conflict
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import chains
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import outside
from certdesk.lifecycle.issuance.issue_now import IssueRequest, IssueResult, issue_now
from certdesk.lifecycle.orders import actions as purchases
from certdesk.lifecycle.validation import automatic, enrolled
from certdesk.pki.x509 import pem
from certdesk.pki.x509.certificates import to_pem
from certdesk.pki.x509.csr import ParsedCsr, parse_csr
from certdesk.pki.x509.errors import BadCsr
from certdesk.pki.x509.names import parse_name

from . import accounts, orders, products, queries
from .errors import AcmeError, malformed, unauthorized
from .models import Account, Credential, Order, OrderState
from .rules import Asked

FINALIZED = "acme.order_finalized"
FEW = 50  # orders of one transaction (law 13); a stop leaves no more than were under way
PATIENCE = timedelta(minutes=2)
"""After so long without a certificate, the process that was to buy it has ended: nothing was bought."""

LOST = "The server was stopped while it worked on this order; nothing was issued. Place a new order."
_FAILED = (State.UNPASSED, State.DELETED, State.PAID, State.CANCELCHECKING)


def finalize(
    account: Account, order: Order, der: bytes, now: datetime, source: str = "", *, signed_by: bytes = b""
) -> Order:
    """Issues, at once where the issuer does (RFC 8555 §7.4).

    Args:
        der: the CSR.
        signed_by: SPKI of the account's key, which is for no certificate (RFC 8555 §11.1).

    Raises:
        AcmeError: orderNotReady, badCSR, or what buying, policy and issuer refuse; the order stays ready.
    """
    state = orders.state_of(order, now)
    if state != OrderState.READY:
        raise AcmeError("orderNotReady", f"The order is {state}, so it cannot be finalized.", status=403)
    csr = _read(der)
    if csr.spki == signed_by:
        raise AcmeError("badCSR", "The CSR holds the account's own key: a certificate has a key of its own.")
    _check_names(order, csr)
    product = products.product_for(account.credential, order.profile, order.names)
    asked = _asked(order)
    products.check_names(account.credential, asked)  # it may have been narrowed since the order was placed
    _check_proved(account, asked, product, now)
    who = accounts.principal(account, source)
    _begin(account, order)
    try:
        result = issue_now(who, _request(who, order, product, csr), now, on_bought=_Bought(who, order))
    except BaseException:
        _back(account, order)
        raise
    return _end(who, order, result)


def _read(der: bytes) -> ParsedCsr:
    try:
        return parse_csr(pem.write_block("CERTIFICATE REQUEST", der), allow_internal=True, allow_ip=True)
    except BadCsr as error:
        raise AcmeError("badCSR", str(error)) from error


def _check_names(order: Order, csr: ParsedCsr) -> None:
    """Exactly the names of the order, no more and no fewer (RFC 8555 §7.4)."""
    asked, wanted = {one.text for one in csr.names}, set(order.names)
    extra, missing = sorted(asked - wanted), sorted(wanted - asked)
    if extra:
        raise AcmeError("badCSR", f"The CSR asks for {extra[0]}, which is not a name of the order.")
    if missing:
        raise AcmeError("badCSR", f"The CSR does not ask for {missing[0]}, which is a name of the order.")


def _asked(order: Order) -> list[Asked]:
    return [
        Asked(kind, parse_name(text, allow_internal=True, allow_ip=True))
        for kind, text in zip(order.kinds, order.names, strict=True)
    ]


def _check_proved(account: Account, asked: Sequence[Asked], product: Product, now: datetime) -> None:
    """Nothing is bought for names whose proof is void by now; the pipeline asks again before it signs."""
    for one in asked:
        if enrolled.known(account.credential.account_id, one.name, product, now) is None:
            raise AcmeError(
                "orderNotReady",
                f"The proof of control of {one.text} does not count any more.",
                status=403,
                next_step="Place a new order.",
            )


def _begin(account: Account, order: Order) -> None:
    """Takes the order and one certificate of the quota; only one request gets it."""
    with short_transaction(flush=False):  # what is bought afterwards flushes it too
        if not queries.take_order(order.id, clock.real_now()):
            raise AcmeError("orderNotReady", "The order is being finalized already.", status=403)
        if not queries.take_from_quota(account.credential_id):
            raise unauthorized("The quota of this account's credential is used up.", "Ask for a larger one.")


def _back(account: Account, order: Order) -> None:
    """Nothing was bought: the order is ready again."""
    with short_transaction():
        if Order.objects.filter(id=order.id, state=OrderState.PROCESSING, certificate_id="").update(
            state=OrderState.PENDING
        ):
            Credential.objects.filter(id=account.credential_id).update(issued=F("issued") - 1)


def _request(who: Principal, order: Order, product: Product, csr: ParsedCsr) -> IssueRequest:
    """A CA outside wants proofs of its own, which the client does not know: the account's DNS gives them."""
    by_file = "ip" in order.kinds
    ourselves = not by_file and outside.may_be_outside(product) and automatic.is_offered(who)
    form = ApplicationForm(
        domain=order.names[0],
        sans=";".join(order.names[1:]),
        csr=csr.pem,
        agree_privacy_protection=True,  # whoever made the credential accepted it for its clients
        domain_method="FILE" if by_file else "DNS",
        auto_dns_auth=ourselves,
    )
    return IssueRequest(product.brand, product.type, form, csr=csr)


@dataclass(frozen=True, slots=True)
class _Bought:
    """Ties the certificate to the order in the transaction that buys it."""

    principal: Principal
    order: Order

    def __call__(self, results: Sequence[IssueResult]) -> None:
        certificate_id = results[0].certificate_id
        if not certificate_id:
            return  # nothing was bought for lack of money
        if not queries.tie_order(self.order.id, certificate_id):
            raise Conflict(
                "The order was given up meanwhile, so nothing was bought.", next_step="Place a new order."
            )
        audit.record(
            self.principal,
            FINALIZED,
            resource=f"acme-order:{self.order.id}",
            account_id=self.principal.account_id,
            details={"certificate": certificate_id, "order": results[0].order_id},
        )


def _end(who: Principal, order: Order, result: IssueResult) -> Order:
    if result.issued:
        with short_transaction(flush=False):  # where it is lost, `settle` finds the certificate
            queries.move_order(order.id, OrderState.PROCESSING, OrderState.VALID)
        order.state, order.certificate_id = OrderState.VALID, result.certificate_id
        return order
    if not result.certificate_id:
        with short_transaction():
            _void(order, unauthorized(result.reason))
            purchases.close(who, result.order_id, who.account_id, result.reason)  # nobody is to pay it later
    return orders.of(order.account, order.id)


def _void(order: Order, error: AcmeError) -> None:
    """Nothing was bought, and nothing will be: the place in the quota is given back. In the caller's
    transaction."""
    mine = Order.objects.filter(id=order.id, state=OrderState.PROCESSING, certificate_id="")
    if mine.update(state=OrderState.INVALID, error=error.document):
        Credential.objects.filter(id=order.account.credential_id).update(issued=F("issued") - 1)


def settle(order: Order, now: datetime) -> Order:
    """An order that waits for its issuer, as its certificate stands by now."""
    if order.state != OrderState.PROCESSING or not order.certificate_id:
        return order
    found = Certificate.objects.filter(id=order.certificate_id).values_list("state", "last_failure").first()
    state, words = found or (State.DELETED, "The certificate was deleted.")
    mine = Order.objects.filter(id=order.id, state=OrderState.PROCESSING)
    if Version.objects.filter(certificate_id=order.certificate_id, number=1).exists():
        mine.update(state=OrderState.VALID)
    elif state in _FAILED:
        mine.update(state=OrderState.INVALID, error=_refused(words))
    order.refresh_from_db()
    return order


def _refused(words: str) -> dict[str, Any]:
    return unauthorized(words or "The certificate authority refused the application.").document


def give_up(now: datetime) -> None:
    """Orders whose process ended before anything was bought, a few of them. In the caller's transaction.

    Args:
        now: real time.
    """
    left = Order.objects.filter(
        state=OrderState.PROCESSING, certificate_id="", taken_at__lt=now - PATIENCE
    ).select_related("account")
    for order in left.order_by("taken_at")[:FEW]:
        _void(order, AcmeError("serverInternal", LOST, status=500))


def every_chain(order: Order, now: datetime) -> tuple[str, ...]:
    """The leaf with all that leads to a root, PEM, two certificates at least: the usual chain comes first.

    Raises:
        AcmeError: the order has no certificate.
    """
    version = _version(order)
    if version is None:
        raise malformed("The order has no certificate.", 404)
    others = [one.pem for one in chains.alternates(version, now)]
    leaf, usual = to_pem(bytes(version.der)), bytes(version.chain).decode("ascii")
    return tuple(leaf + above for above in (usual, *others))


def _version(order: Order) -> Version | None:
    if order.state != OrderState.VALID:
        return None
    return queries.first_version.first(order.certificate_id)
