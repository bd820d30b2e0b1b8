"""Reads of renewals: what renews what."""

from collections.abc import Sequence

from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import followup
from certdesk.lifecycle.validation import queries as validation

GET = "scm:cert:get"


def successors(certificate_id: str) -> list[Certificate]:
    """The certificates that were bought to renew it, newest first; deleted ones left out."""
    found = Certificate.objects.filter(renews_id=certificate_id).exclude(renews_id="")
    return list(found.exclude(state=State.DELETED).order_by("-created_at", "-id"))


def links(certificate_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(what it renews, what renews it) of each certificate of a page, in one statement; empty = none."""
    if not certificate_ids:
        return {}
    marks = sql.marks(certificate_ids)
    found = sql.rows(
        "SELECT id, renews_id FROM certificates_certificate WHERE renews_id <> '' AND state <> 'DELETED'"
        f" AND (id IN ({marks}) OR renews_id IN ({marks})) ORDER BY created_at, id",
        [*certificate_ids, *certificate_ids],
    )
    pairs = {one: ["", ""] for one in certificate_ids}
    for new, old in found:
        if new in pairs:
            pairs[new][0] = str(old)
        if old in pairs:
            pairs[old][1] = str(new)
    return {one: (old, new) for one, (old, new) in pairs.items()}


def renewals_shown(principal: Principal, certificate: Certificate) -> list[Certificate]:
    """The same, only those that the principal may look at."""
    return [one for one in successors(certificate.id) if _may_see(principal, one)]


def original(principal: Principal, certificate: Certificate) -> Certificate | None:
    """What it renews, if the principal may look at it."""
    if not certificate.renews_id:
        return None
    found = Certificate.objects.filter(id=certificate.renews_id).exclude(state=State.DELETED).first()
    return found if found is not None and _may_see(principal, found) else None


def waits_for_proof(certificate_id: str) -> bool:
    """Whether a rollover is under way whose names are not all proved; its certificate stays Issued."""
    application = followup.open_rollover(certificate_id)
    return application is not None and not validation.all_proved(application)


def _may_see(principal: Principal, certificate: Certificate) -> bool:
    return principal.owns(certificate.account_id) and principal.may(
        GET, certificate_rules.resource_of(certificate)
    )
