"""The link that the applicant is mailed: whoever has it chooses the way of verification (ORG-1).

It expires, and ends with the decision; until then it chooses as often as the applicant changes his mind.
Reading it changes nothing, so that a mail scanner which follows links chooses nothing either.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import settings
from certdesk.foundation.common.errors import NotFound, WrongState
from certdesk.foundation.common.sql import short_transaction

from . import organization_method
from .models import OrganizationLink, OrganizationState, OrganizationVerification

LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Holder:
    """The bearer of a link, for the audit trail; nobody has signed in."""

    account_id: str
    actor: str
    source: str
    request_id: str
    name: str = "the mailed link"
    via: str = "link"
    access_key: str = ""
    agency: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a link shows: no more than the mail that it came with."""

    certificate_id: str
    domain: str
    company: str
    method: str
    expires_at: datetime


def make(verification: OrganizationVerification, now: datetime) -> str:
    """A new link, as a whole address; the secret in it stands in the mail alone, sealed until a decision."""
    secret = secrets.token_urlsafe(32)
    OrganizationLink.objects.create(verification=verification, digest=_digest(secret), expires_at=now + LIFE)
    return f"{settings.get().base_url}/confirm/organization-{secret}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def show(secret: str, now: datetime) -> Opened:
    """What the link is for.

    Raises:
        NotFound: there is no such link. WrongState: it has expired, or the decision has been made.
    """
    link = _find(secret, now)
    verification = link.verification
    application = verification.application
    return Opened(
        verification.certificate_id,
        application.names.partition(";")[0],
        str(application.company.get("name", "")),
        verification.method,
        link.expires_at,
    )


def choose(secret: str, method: str, now: datetime, *, source: str = "", request_id: str = "") -> None:
    """Writes the method that the bearer of the link wishes.

    Raises:
        as `show`; BadParameter: there is no such method.
    """
    organization_method.check(method)
    with short_transaction():
        link = _find(secret, now)
        verification = link.verification
        organization_method.write(verification.certificate_id, method, now)
        OrganizationLink.objects.filter(id=link.id).update(used_at=now)
        audit.record(
            Holder(verification.account_id, f"link:{link.id}", source, request_id),
            organization_method.CHOSEN,
            resource=f"cert:{verification.certificate_id}",
            details={"method": method, "by": "link"},
        )


def _find(secret: str, now: datetime) -> OrganizationLink:
    link = (
        OrganizationLink.objects.filter(digest=_digest(secret))
        .select_related("verification__application")
        .first()
    )
    if link is None:
        raise NotFound(
            "This link is not one of ours, or it was cut off.",
            next_step="Copy the whole address from the mail, or sign in and open the certificate.",
        )
    if link.verification.state != OrganizationState.PENDING:
        raise WrongState(
            "The organization has been decided about, so there is nothing to choose any more.",
            next_step="Sign in and open the certificate to see how it stands.",
        )
    if now > link.expires_at:
        raise WrongState(
            "This link has expired: it is good for 30 days.",
            next_step="Sign in and open the certificate: the way of verification can be chosen there too.",
        )
    return link
