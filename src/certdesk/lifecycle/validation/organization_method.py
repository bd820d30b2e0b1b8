"""The applicant chooses how the organisation is verified (ORG-1)."""

from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import BadParameter, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates

from .models import OrganizationState, OrganizationVerification

METHODS = ("PHONE", "EMAIL", "DOCUMENTS")
CHOSEN = "organization.method"


def choose(principal: Principal, certificate_id: str, method: str, now: datetime) -> None:
    """Writes the method that the applicant wishes; may be changed until the decision.

    Raises:
        NotFound, Forbidden: no such certificate, or no `scm:cert:apply` on it.
        BadParameter: there is no such method.
        WrongState: no organization of the certificate waits for a decision.
    """
    certificate = certificates.fetch(principal, "scm:cert:apply", certificate_id)
    check(method)
    with short_transaction():
        write(certificate.id, method, now)
        audit.record(
            principal,
            CHOSEN,
            resource=f"cert:{certificate.id}",
            details={"method": method},
            account_id=certificate.account_id,
        )


def check(method: str) -> None:
    """Raises BadParameter for a method that does not exist."""
    if method not in METHODS:
        raise BadParameter(
            f"The verification method {method[:20]!r} is not known.",
            next_step=f"Choose one of: {', '.join(METHODS)}.",
            field="method",
        )


def write(certificate_id: str, method: str, now: datetime) -> None:
    """In the caller's transaction, which also records who chose.

    Raises:
        WrongState: no organization of the certificate waits for a decision.
    """
    changed = OrganizationVerification.objects.filter(
        certificate_id=certificate_id, state=OrganizationState.PENDING
    ).update(method=method, method_at=now)
    if not changed:
        raise WrongState(
            "The organization of this certificate is not waiting for a decision.",
            next_step="Open the certificate to see its state.",
        )
