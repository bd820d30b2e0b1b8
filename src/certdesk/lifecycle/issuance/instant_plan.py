"""What *issue now* will buy and sign: every check before anything is written (API §10).

The checks are those of the slow path, called from here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from certdesk.foundation.common import ids
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Via
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications import stored
from certdesk.lifecycle.applications.form import ApplicationForm, from_mapping
from certdesk.lifecycle.applications.rules import Applicant, Checked, check_application
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.issuers import setting_up
from certdesk.lifecycle.orders.rules import BuyRequest
from certdesk.lifecycle.validation import automatic
from certdesk.lifecycle.validation import queries as validation
from certdesk.lifecycle.validation import rules as validation_rules
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.types import CertificateRequest
from certdesk.pki.x509 import keys, weak_keys
from certdesk.pki.x509.csr import ParsedCsr, parse_csr
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey
from certdesk.pki.x509.names import Name

from . import issuers, outside, outside_orders, pipeline, queries
from .issuers import Issuer
from .rules import Approvals, Proof

_Terms = tuple[int, tuple[str, ...]]
"""Days of reuse and the methods whose time is over."""


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """The body of API §10: what to buy and the application for it.

    Attributes:
        effective_time: years.
        form: `domain`, `sans`, `csr` or `key_algorithm`, `agree_privacy_protection`; the rest is optional.
        csr: that of the form, where the caller has read it.
    """

    cert_brand: str
    cert_type: str
    form: ApplicationForm
    effective_time: int = 1
    enterprise_project_id: str = "0"
    free: bool = False
    csr: ParsedCsr | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked request: what will be bought, applied for and, where all is proved, signed.

    Attributes:
        request_id: of the API request; several may be written together.
    """

    purchase: BuyRequest
    product: Product
    checked: Checked
    proofs: tuple[Proof, ...] = ()
    key: PrivateKey | None = field(default=None, repr=False)
    prepared: Prepared | None = None
    request_id: str = ""

    @property
    def months(self) -> int:
        """The period that is bought."""
        return self.product.validity_months[0] if self.product.free else 12 * self.purchase.effective_time

    @property
    def spki(self) -> bytes:
        if self.key is not None:
            return keys.spki_der(self.key.public_key())
        return self.checked.spki or b""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the pipeline reads of an application that has no row yet."""

    account_id: str
    names: str
    key_algorithm: str
    company: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Quantities:
    """The names of a request as quantities (CAT-9); what `check_application` compares the names with."""

    domain_type: str
    primary_domain_type: str
    single_quota: int
    wildcard_quota: int


def check_item(
    principal: Principal, request: IssueRequest, applicant: Applicant, place: int, now: datetime
) -> Wanted:
    try:
        return _check(principal, request, applicant, now)
    except CertdeskError as error:
        if place:
            error.message = f"Item {place + 1}: {error.message}"
        raise


def _check(principal: Principal, request: IssueRequest, applicant: Applicant, now: datetime) -> Wanted:
    """The rules of buying and applying, before anything is written."""
    chosen = stored.chosen(principal, request.form)
    form = stored.filled(request.form, chosen)
    csr = request.csr or _csr_of(form.csr, allow_ip=catalogue().takes_addresses(request.cert_brand))
    quantities = _quantities(form, csr)
    product = catalogue().product(
        request.cert_brand, request.cert_type, quantities.domain_type, free=request.free
    )
    operator = setting_up.may_rehearse(principal, product.brand)
    catalogue().check_buyer(product, by_acme=principal.via is Via.ACME, operator=operator)
    if product.needs_organization:
        form = _with_last_details(principal, form)
    ended = catalogue().ended_methods(product, now.date())
    checked = check_application(
        form, quantities, product, applicant, parsed=csr, with_contact=False, ended=ended
    )
    checked = stored.attached(principal, checked, product, chosen)
    automatic.check_allowed(principal, principal.account_id, checked)
    outside_orders.check_csr(product, checked)
    multi = quantities.domain_type == "MULTI_DOMAIN"
    purchase = BuyRequest(
        cert_brand=request.cert_brand,
        cert_type=request.cert_type,
        domain_type=quantities.domain_type,
        domain_numbers=len(checked.names.names),
        effective_time=request.effective_time,
        agree_privacy_protection=form.agree_privacy_protection,
        primary_domain_type=quantities.primary_domain_type,
        single_domain_number=quantities.single_quota if multi else None,
        wildcard_domain_number=quantities.wildcard_quota if multi else None,
        enterprise_project_id=request.enterprise_project_id,
        free=request.free,
    )
    return Wanted(purchase, product, checked, request_id=principal.request_id)


def _csr_of(text: str, *, allow_ip: bool) -> ParsedCsr | None:
    """Whatever names it has: the gate for them follows. Where no product takes addresses, those in a CSR are
    left out like all else that it may not decide."""
    return parse_csr(text, allow_internal=True, allow_ip=allow_ip) if text.strip() else None


def _quantities(form: ApplicationForm, csr: ParsedCsr | None) -> _Quantities:
    """What has to be bought for these names; the gate checks the names themselves afterwards."""
    texts = [form.domain.strip(" \t"), *form.additional] if form.domain.strip(" \t") else []
    in_csr = [one.text for one in csr.names] if csr is not None else []
    given = [text.lower() for text in texts]
    if len(given) < 2 and set(given) <= set(in_csr):  # a CSR for other names is refused by the gate
        texts = list(dict.fromkeys([*given, *in_csr]))
    wildcard = bool(texts) and texts[0].startswith("*.")
    if len(texts) < 2:
        kind = "WILDCARD" if wildcard else "SINGLE_DOMAIN"
        return _Quantities(kind, "WILDCARD_DOMAIN" if wildcard else "SINGLE_DOMAIN", 0, 0)
    wildcards = sum(text.startswith("*.") for text in texts[1:])
    primary = "WILDCARD_DOMAIN" if wildcard else "SINGLE_DOMAIN"
    return _Quantities("MULTI_DOMAIN", primary, len(texts) - 1 - wildcards, wildcards)


def _with_last_details(principal: Principal, form: ApplicationForm) -> ApplicationForm:
    """OV and EV: the body has no company, so that of the account's last application stands in (APP-11)."""
    if form.company_name:
        return form
    last = application_queries.last_details(principal).values
    missing = {name: value for name, value in last.items() if not getattr(form, name)}
    return from_mapping(asdict(form) | missing)


def with_proofs(principal: Principal, wanted: Sequence[Wanted], now: datetime) -> list[Wanted]:
    """Adds the evidence of every name where all have one; one statement for each reuse period."""
    plans = [_plan(one.checked.names.names) for one in wanted]
    book = catalogue()
    days = [book.reuse_days(one.product, now.date()) for one in wanted]
    ended = [tuple(book.ended_methods(one.product, now.date())) for one in wanted]
    found: dict[_Terms, validation.Reusable] = {}
    for terms in set(zip(days, ended, strict=True)):
        records = [
            record
            for plan, *one in zip(plans, days, ended, strict=True)
            if tuple(one) == terms
            for record in plan
        ]
        since = validation_rules.reuse_since(terms[0], now)
        found[terms] = validation.reusable(principal.account_id, records, since, now, ended=terms[1])
    pool = queries.pool_counts() if any(one.checked.csr is None for one in wanted) else {}
    products = {one.product.id: one.product for one in wanted}
    away = {key for key, product in products.items() if outside.may_be_outside(product)}
    return [
        replace(one, proofs=_proofs(plan, found[period, gone]))
        if one.product.id not in away and _is_instant(one, pool)
        else one
        for one, plan, period, gone in zip(wanted, plans, days, ended, strict=True)
    ]


def _plan(names: Sequence[Name]) -> tuple[validation_rules.Wanted, ...]:
    """Addresses have no record, so each name stands for itself where one is among them."""
    return validation_rules.plan(names, "FILE" if any(one.ip for one in names) else "DNS")


def _take(pool: dict[str, int], algorithm: str) -> bool:
    """Books one ready-made RSA key; what the pool lacks is made by a worker."""
    pool[algorithm] = pool.get(algorithm, 0) - 1
    return pool[algorithm] >= 0


def _is_instant(wanted: Wanted, pool: dict[str, int]) -> bool:
    """DV from an issuer that answers at once, without CAA to ask, and with a key that is there at once."""
    product, checked = wanted.product, wanted.checked
    quick_key = checked.csr is not None or not KeyAlgorithm(checked.key_algorithm).is_rsa
    asks_caa = product.profile == "public" or bool(product.caa_domains)
    return (
        not product.needs_organization
        and product.available
        and not asks_caa
        and (quick_key or _take(pool, checked.key_algorithm))
        and issuer_of(product).capabilities.instant
    )


def _proofs(plan: Sequence[validation_rules.Wanted], evidence: validation.Reusable) -> tuple[Proof, ...]:
    """One proof a name; nothing at all while a single name has no evidence."""
    found = [(name, evidence.of(name, record.covered_by)) for record in plan for name in record.names]
    if any(one is None for _, one in found):
        return ()
    return tuple(Proof(name, *one) for name, one in found if one is not None)


def issuer_of(product: Product) -> Issuer:
    return issuers.find(outside.house(product))


def slow(wanted: Wanted) -> Wanted:
    """What no issuer looks at yet: a blocked key is refused now all the same (APP-12).

    Raises:
        WeakKey: it is blocked.
    """
    if wanted.checked.spki is not None:
        weak_keys.refuse_blocked(hashlib.sha256(wanted.checked.spki).digest(), queries.is_blocked)
    return wanted


def prepare(principal: Principal, wanted: Wanted, now: datetime) -> Wanted:
    """Makes the key where it is quick, and has the issuer check everything, before anything is bought."""
    algorithm = KeyAlgorithm(wanted.checked.key_algorithm)
    if wanted.checked.csr is None:
        if algorithm.is_rsa:
            _prove_shape(principal, wanted, algorithm, now)
            return wanted  # the pool's key is known only inside the transaction
        wanted = replace(wanted, key=keys.generate(algorithm))
    return replace(wanted, prepared=prepared_for(principal, wanted, wanted.spki, now))


def _prove_shape(principal: Principal, wanted: Wanted, algorithm: KeyAlgorithm, now: datetime) -> None:
    """The whole lint of a new shape, here and not inside the transaction (law 3); any pooled key will do."""
    spki = queries.pooled_spki(algorithm)
    if spki is None:
        return
    sample = issuer_of(wanted.product).unproved(_request(principal, wanted, spki, now), now)
    if sample is not None:
        findings = sample.examine()
        with short_transaction():
            sample.keep(findings)


def prepared_for(principal: Principal, wanted: Wanted, spki: bytes, now: datetime) -> Prepared:
    return issuer_of(wanted.product).prepare(_request(principal, wanted, spki, now), now)


def _request(principal: Principal, wanted: Wanted, spki: bytes, now: datetime) -> CertificateRequest:
    checked, product = wanted.checked, wanted.product
    facts = _Facts(
        principal.account_id, ";".join(checked.names.texts), checked.key_algorithm, checked.company
    )
    return pipeline.make_request(
        ids.hex32(), facts, product, wanted.months, spki, wanted.proofs, Approvals(), now
    )
