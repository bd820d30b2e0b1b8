"""What a certificate owes to the one that it renews: validity carried over, company name (REN-4, REN-5)."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta

from certdesk.foundation.common.errors import BadParameter
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.pki.x509.certificates import organization_of

from . import rules


def renewed(certificate: Certificate) -> Certificate | None:
    """The certificate that this one renews, deleted or not; None for an ordinary purchase."""
    if not certificate.renews_id:
        return None
    found = Certificate.objects.filter(id=certificate.renews_id, account_id=certificate.account_id)
    return found.first()


def carried(certificate: Certificate, names: str, at: datetime) -> timedelta:
    """What is left of the old certificate's paid period, where nothing of the five differs (REN-5).

    Args:
        names: of the application, `;`-separated, primary first.
        at: the issuance.
    """
    old = renewed(certificate)
    if old is None or not rules.same_five(old, certificate, names.partition(";")[0]):
        return rules.NOTHING
    version = certificates.current_version(old)
    if version is None or version.revoked_at is not None:
        return rules.NOTHING
    return rules.remaining(old.paid_until or old.not_after, at)


def check_company(certificate: Certificate, company: Mapping[str, str]) -> None:
    """REN-4, APP-15: the company name stays exactly what stands in the renewed certificate.

    Raises:
        BadParameter: it is another one.
    """
    old = renewed(certificate)
    version = certificates.current_version(old) if old is not None else None
    there = organization_of(bytes(version.der)) if version is not None else ""
    if there and company and _plain(str(company.get("name", ""))) != _plain(there):
        raise BadParameter(
            "The company name cannot be changed when a certificate is renewed.",
            next_step=f"Enter it as it stands in the renewed certificate: {there}. "
            "For another company buy a new certificate.",
            field="company_name",
        )


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())
