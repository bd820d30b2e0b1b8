"""What *issue now* writes: two transactions, and the signatures between them (API §10).

The first holds order, money, certificate, application, proofs and intent; the second the signed
certificate. Both take several requests of one principal as gladly as one.
"""

from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import structlog

from certdesk.foundation.common.errors import CertdeskError, Conflict
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs.rules import WAITS
from certdesk.lifecycle.applications import actions as applications
from certdesk.lifecycle.applications import stored
from certdesk.lifecycle.certificates import actions as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import Event, State, Via
from certdesk.lifecycle.orders import actions as orders
from certdesk.lifecycle.orders.actions import OrderResult
from certdesk.lifecycle.orders.rules import Purchase
from certdesk.pki.authority.errors import NotIntended
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.types import Signed
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509.certificates import to_pem
from certdesk.pki.x509.keys import KeyAlgorithm

from . import pipeline, queries, rules
from .instant_plan import Wanted, issuer_of, prepare, prepared_for, slow, with_proofs
from .issuers import Issuer
from .submission import submit

log = structlog.get_logger(__name__)

_AT_ONCE = ((Event.APPLY, Via.ANY), (Event.DOMAINS_PROVED, Via.DOMAIN_ONLY))


@dataclass(frozen=True, slots=True)
class IssueResult:
    """What one request came to.

    Attributes:
        status: the certificate's; `UNPAID` where there is none for lack of money, `ISSUING` where a worker
            finishes what this request could not.
        serial, certificate, certificate_chain: filled when it was issued at once.
        reason: why it is unpaid, one sentence.
    """

    certificate_id: str
    status: str
    order_id: str
    serial: str = ""
    certificate: str = ""
    certificate_chain: str = ""
    reason: str = ""

    @property
    def issued(self) -> bool:
        return self.status == State.ISSUED


OnBought = Callable[[list[IssueResult]], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request asks for, checked; `context` is that of its thread, for `on_bought`."""

    principal: Principal
    wanted: list[Wanted]
    now: datetime
    on_bought: OnBought | None
    context: Context


@dataclass(frozen=True, slots=True)
class _Ready:
    """Bought and recorded with its intent: only the signature is missing."""

    certificate_id: str
    application_id: int
    key_id: str
    spki: bytes
    wanted: Wanted
    prepared: Prepared
    issuer: Issuer


@dataclass(frozen=True, slots=True)
class Bought:
    """What the first transaction has written for requests of one principal, in their order."""

    principal: Principal
    now: datetime
    orders: list[OrderResult]
    ready: list[_Ready]
    waiting: dict[str, str]


def buy(asked: Sequence[Asked]) -> Bought:
    """The issuer's checks, and the first transaction; all of it or nothing.

    Args:
        asked: of principals that differ in nothing but the id of their requests.
    """
    principal, now = asked[0].principal, max(one.now for one in asked)
    wanted = with_proofs(principal, [each for one in asked for each in one.wanted], now)
    wanted = [prepare(principal, one, now) if one.proofs else slow(one) for one in wanted]
    with short_transaction():
        bought = orders.buy_many(principal, [_purchase(one) for one in wanted], now)
        pairs = list(zip(bought, wanted, strict=True))
        ready = _record(principal, pairs, now)
        waiting = _apply_slowly(principal, pairs, now)
        states = waiting | {one.certificate_id: State.ISSUING.value for one in ready}
        rest = iter(bought)
        for one in asked:
            mine = list(islice(rest, len(one.wanted)))
            if one.on_bought is not None:
                one.context.run(one.on_bought, [_result(order, {}, states) for order in mine])
    return Bought(principal, now, bought, ready, waiting)


def sign(bought: Bought) -> list[IssueResult]:
    """Signatures, and the second transaction; an answer for each item in the order of asking."""
    pairs = [(one, each) for one in bought.ready if (each := _signed(one)) is not None]
    ready, signed = [one for one, _ in pairs], [each for _, each in pairs]
    issued = _released(bought.principal, ready, signed, bought.now) if signed else {}
    return [_result(order, issued, bought.waiting) for order in bought.orders]


def _signed(one: _Ready) -> Signed | None:
    """None where the issuer cannot sign at this moment: it is paid, so the reconciler goes on with it."""
    try:
        return one.issuer.collect(one.prepared)
    except CertdeskError as error:
        if error.kind not in WAITS:
            raise
        log.warning("issued later", certificates=[one.certificate_id], reason=str(error))
        return None


def _released(
    principal: Principal, ready: Sequence[_Ready], signed: Sequence[Signed], now: datetime
) -> dict[str, Signed]:
    """What was stored, by certificate; one by one where it does not go together. Not there is what the
    reconciler took for dead and was quicker with: it is paid and applied for, so it goes on without
    this request and nobody has to ask again.
    """
    try:
        with short_transaction():
            _store(principal, ready, signed, now)
    except (NotIntended, Conflict) as error:
        if len(ready) > 1:
            alone = [
                _released(principal, [one], [each], now) for one, each in zip(ready, signed, strict=True)
            ]
            return {key: value for one in alone for key, value in one.items()}
        log.warning("issued later", certificates=[one.certificate_id for one in ready], reason=str(error))
        return {}
    return {one.certificate_id: result for one, result in zip(ready, signed, strict=True)}


def _purchase(wanted: Wanted) -> Purchase:
    if not wanted.proofs:
        return Purchase(wanted.purchase, request_id=wanted.request_id)
    return Purchase(wanted.purchase, wanted.checked.names.texts, _AT_ONCE, wanted.request_id)


def _record(principal: Principal, pairs: Sequence[tuple[OrderResult, Wanted]], now: datetime) -> list[_Ready]:
    """Applications, proofs, placements and intents of what can be signed, a statement a table."""
    quick = [(order.certificate_ids[0], one) for order, one in pairs if order.paid and one.proofs]
    if not quick:
        return []
    _refuse_void(quick)
    held = [_key(principal, one) for _, one in quick]
    rows = []
    for (certificate_id, one), (key_id, spki) in zip(quick, held, strict=True):
        columns = applications.columns(principal, certificate_id, one.checked, now)
        rows.append(columns | {"key_id": key_id, "spki": spki})
    application_ids = queries.insert_applications(rows)
    ready = [
        _Ready(
            certificate_id,
            application_ids[certificate_id],
            key_id,
            spki,
            one,
            one.prepared or prepared_for(principal, one, spki, now),
            issuer_of(one.product),
        )
        for (certificate_id, one), (key_id, spki) in zip(quick, held, strict=True)
    ]
    for each in ready:
        if each.wanted.checked.personal:
            certificates.keep_personal(each.certificate_id)
    queries.insert_proofs([(one.application_id, one.wanted.proofs) for one in ready])
    queries.insert_placements(
        [
            (
                one.prepared.reference,
                one.certificate_id,
                one.application_id,
                one.issuer.slug,
            )
            for one in ready
        ]
    )
    for issuer in {one.issuer for one in ready}:
        issuer.place([one.prepared for one in ready if one.issuer is issuer])
    return ready


def _refuse_void(quick: Sequence[tuple[str, Wanted]]) -> None:
    """The proofs were read before this transaction; a withdrawal since then has voided them (WDR-5)."""
    ids = {proof.evidence_id for _, one in quick for proof in one.proofs}
    if queries.standing_evidence(ids) != len(ids):
        raise Conflict(
            "The application that had proved these names was withdrawn at this moment. Nothing was bought.",
            next_step="Send the request again: the names have to be proved anew.",
        )


def _key(principal: Principal, wanted: Wanted) -> tuple[str, bytes]:
    """Id (empty for an uploaded CSR without its key) and SPKI of the key to certify."""
    if wanted.checked.csr is not None:
        return stored.take_key(principal.account_id, wanted.checked), wanted.spki
    if wanted.key is not None:
        return keystore.store_made(principal.account_id, wanted.key).id, wanted.spki
    key = keystore.obtain(principal.account_id, KeyAlgorithm(wanted.checked.key_algorithm))
    return key.id, bytes(key.spki)


def _apply_slowly(
    principal: Principal, pairs: Sequence[tuple[OrderResult, Wanted]], now: datetime
) -> dict[str, str]:
    """What is paid and cannot be signed now goes the way of every application; answers its states."""
    states = {}
    for order, one in pairs:
        if order.paid and not one.proofs:
            certificate = Certificate.objects.get(id=order.certificate_ids[0])
            submit(principal, certificate, one.checked, now)
            states[certificate.id] = State.CHECKING.value
    return states


def _store(principal: Principal, ready: Sequence[_Ready], signed: Sequence[Signed], now: datetime) -> None:
    """Signatures, versions, states and audit rows: the second transaction; then the bytes may leave."""
    for issuer in {one.issuer for one in ready}:
        issuer.accept([each for one, each in zip(ready, signed, strict=True) if one.issuer is issuer])
    queries.settle([one.prepared.reference for one in ready], [one.application_id for one in ready], now)
    certificates.issue_first(
        principal,
        [
            certificates.Issued(
                one.certificate_id,
                pipeline.version_facts(
                    one.issuer.slug,
                    each,
                    one.wanted.checked.names.texts,
                    one.spki,
                    one.wanted.checked.key_algorithm,
                    one.key_id,
                    paid_until=rules.paid_until(each.not_before, one.wanted.months),
                ),
                one.wanted.request_id,
            )
            for one, each in zip(ready, signed, strict=True)
        ],
        now,
    )


def _result(order: OrderResult, issued: dict[str, Signed], waiting: dict[str, str]) -> IssueResult:
    if not order.paid:
        return IssueResult("", "UNPAID", order.order_id, reason=order.unpaid_reason)
    certificate_id = order.certificate_ids[0]
    signed = issued.get(certificate_id)
    if signed is None:
        return IssueResult(certificate_id, waiting.get(certificate_id, State.ISSUING.value), order.order_id)
    return IssueResult(
        certificate_id,
        State.ISSUED.value,
        order.order_id,
        signed.serial,
        to_pem(signed.der),
        signed.chain_pem.decode("ascii"),
    )
