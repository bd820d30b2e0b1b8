"""Revokes what this authority signed: OCSP reads the row at once, a job puts it on the CRL."""

import re
from datetime import datetime

from cryptography import x509

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.jobs import actions as jobs

from . import queries
from .models import Reason

CRLS = "authority.crls"


def revoke(serial: str, reason: Reason, now: datetime) -> bool:
    """Revoke a certificate in the caller's transaction; False when it was revoked before.

    Args:
        serial: lower-case hex, as recorded.
        now: business time, the revocation date. A second request changes neither date nor reason.

    Raises:
        NotFound: this authority never signed that serial.
    """
    found = queries.issued([serial])
    if not found:
        raise NotFound(
            "The built-in CA never issued a certificate with this serial.",
            next_step="Look for it in the list of certificates.",
        )
    certificate = x509.load_der_x509_certificate(found[0].certificate_der)
    new = queries.insert_revocation(
        {
            "serial": serial,
            "authority_id": found[0].authority,
            "crl": crl_of(certificate, found[0].authority),
            "reason": int(reason),
            "revoked_at": clock.to_micros(now.replace(microsecond=0)),
            "not_after": clock.to_micros(certificate.not_valid_after_utc),
        }
    )
    jobs.enqueue(CRLS, dedupe_key=CRLS)
    return new


def crl_of(certificate: x509.Certificate, slug: str) -> str:
    """The name of the CRL that the certificate points to."""
    pointer = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    location = str((pointer[0].full_name or [x509.UniformResourceIdentifier("")])[0].value)
    name = location.rpartition("/")[2].removesuffix(".crl")
    return name if re.fullmatch(rf"{re.escape(slug)}(-[0-9]+)?", name) else slug
