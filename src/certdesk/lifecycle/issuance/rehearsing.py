"""A test order at one issuer: a real one through the one pipeline, for a name that the operator proves.

A test of an issuer shows that it answers; only an order shows that it issues. So nothing here is a road of
its own: a line of the catalogue that leads to this issuer alone is bought (at no price here) and applied for.
"""

from datetime import datetime
from functools import partial

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, Conflict, WrongState
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.catalogue import rehearsal
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.certificates.filters import SearchFilters
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.queries import search_page
from certdesk.lifecycle.certificates.rows import LIST, Row
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuers import rules, setting_up
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.lifecycle.validation import automatic

from .issue_now import IssueRequest, IssueResult, issue_now

ORDER = "issuer.test_order"
"""Audit action; the right is that of the test."""
SHOWN = 5
_PAGE = 10  # the smallest that there is
_OPEN = (State.CHECKING, State.CHECKING_ORG, State.ISSUING)
_KEY = "EC_P256"


def may_bill(issuer: Issuer) -> bool:
    """Whether a test order there may cost money."""
    shown = issuer.shown
    return rules.may_bill(issuer.kind, str(shown.get("preset", "")), str(shown.get("directory_url", "")))


def rehearse(
    principal: Principal, issuer_id: str, domain: str, now: datetime, *, agreed: bool = False
) -> str:
    """Orders a certificate for `domain` at this issuer alone; the id of the certificate, which shows how far
    it is.

    Args:
        agreed: the CA may bill it; asked for where it may.

    Raises:
        BadParameter: not agreed to.
        Forbidden, BuiltInStays, NoIssuer: as `setting_up.test`; or no right to buy, pay or apply.
        WrongState: it is switched off, or the catalogue has no DV type.
        Conflict: a test order there is open.
        CertdeskError: the name cannot be certified.
    """
    issuer = setting_up.fetch(principal, setting_up.TEST, issuer_id)
    if not issuer.enabled:
        raise WrongState(
            "The issuer is switched off, so it gets no orders.", next_step="Switch it on, then try again."
        )
    if may_bill(issuer) and not agreed:
        raise BadParameter(
            "This CA may bill what it issues, and nobody has agreed to that.",
            next_step="Agree to it, then order again.",
            field="agreed",
        )
    lines = catalogue().enrolment
    if not lines:
        raise WrongState("The catalogue has no DV type to order.", next_step="Add one to its file.")
    form = ApplicationForm(
        domain=domain,
        key_algorithm=_KEY,
        auto_dns_auth=automatic.is_offered(principal),
        agree_privacy_protection=True,  # no data of people goes along
    )
    request = IssueRequest(rehearsal.brand_of(issuer.slug), lines[0].type, form)
    return issue_now(principal, request, now, on_bought=partial(_begin, principal, issuer)).certificate_id


def _begin(principal: Principal, issuer: Issuer, bought: list[IssueResult]) -> None:
    """One at a time, also of two that were asked for at the same moment: the issuer's row is held from here
    to the end of the purchase, which a refusal takes back."""
    Issuer.objects.select_for_update().filter(id=issuer.id).first()
    (made,) = (one.certificate_id for one in bought)
    brand = rehearsal.brand_of(issuer.slug)
    found = Certificate.objects.filter(account_id=principal.account_id, brand=brand, state__in=_OPEN)
    if found.exclude(id=made).exists():
        raise Conflict(
            "A test order at this issuer is open.", next_step="Wait for its end, or withdraw it first."
        )
    audit.record(
        principal,
        ORDER,
        resource=f"issuer:{issuer.id}",
        account_id=issuer.account_id,
        details={"slug": issuer.slug, "certificate": made},
    )


def rehearsals(principal: Principal, slug: str, now: datetime) -> list[Row]:
    """The test orders at an issuer that the principal may see as certificates, the last changed first."""
    if not principal.may(LIST):
        return []
    filters = SearchFilters(brand=rehearsal.brand_of(slug), limit=_PAGE)
    return search_page(principal, filters, now=now).items[:SHOWN]
