"""Revokes what this authority signed: OCSP reads the row at once, a job puts it on the CRL."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.jobs import actions as jobs

from . import queries
from .models import Reason

CRLS = "authority.crls"
GATHERED = timedelta(seconds=3)
"""So long one of many waits for the others: else each few would have the whole of every list signed anew."""


def revoke(serial: str, reason: Reason, now: datetime, *, many: bool = False) -> bool:
    """Revoke a certificate in the caller's transaction; False when it was revoked before.

    Args:
        serial: lower-case hex, as recorded.
        now: business time, the revocation date. A second request changes neither date nor reason.
        many: it is one of many, and its CRL may wait a little for those; OCSP says it at once all the same.

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
    jobs.enqueue(CRLS, run_at=clock.real_now() + GATHERED if many else None, dedupe_key=CRLS)
    return new


def take_over(authority: str, crl: str, entries: Sequence[queries.Entry], until: datetime) -> list[str]:
    """Revocations that a CRL of ours shows and the records do not know, after an older state was put back.

    In the caller's transaction. Answers the serials that are new.

    Args:
        until: when the last of these certificates ends; of one that is not recorded nobody knows better.
    """
    known = {one.serial: one.certificate_der for one in queries.issued([f"{e.serial:032x}" for e in entries])}
    return [
        serial
        for entry in entries
        if queries.insert_revocation(
            {
                "serial": (serial := f"{entry.serial:032x}"),
                "authority_id": authority,
                "crl": crl,
                "reason": entry.reason,
                "revoked_at": clock.to_micros(entry.revoked_at),
                "not_after": clock.to_micros(_end(known.get(serial), until)),
            }
        )
    ]


def _end(certificate_der: bytes | None, until: datetime) -> datetime:
    return x509.load_der_x509_certificate(certificate_der).not_valid_after_utc if certificate_der else until


def crl_of(certificate: x509.Certificate, slug: str) -> str:
    """The name of the CRL that the certificate points to."""
    pointer = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return _name_in(pointer[0].full_name, slug)


def name_of(held: x509.CertificateRevocationList, slug: str) -> str:
    """The name of a CRL itself; a root's has no pointer."""
    try:
        scope = held.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return slug
    return _name_in(scope.full_name, slug)


def _name_in(full_name: Sequence[x509.GeneralName] | None, slug: str) -> str:
    location = str((full_name or [x509.UniformResourceIdentifier("")])[0].value)
    name = location.rpartition("/")[2].removesuffix(".crl")
    return name if re.fullmatch(rf"{re.escape(slug)}(-[0-9]+)?", name) else slug
