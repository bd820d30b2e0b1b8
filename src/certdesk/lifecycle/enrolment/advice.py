"""When to renew (ACME Renewal Information, RFC 9773)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.issuance import queries as issuance
from certdesk.lifecycle.issuance.advice import windows
from certdesk.lifecycle.issuance.models import Placement
from certdesk.pki.authority import queries as authority
from certdesk.pki.x509.renewal_info import authority_key

from . import rules
from .errors import not_found

Wanted = Callable[[str, str, int], bool]
ASK_AGAIN = 6 * 3600  # seconds
_HURRY = BEING_REVOKED | {State.REVOKED, State.DELETED}


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


def version_of(text: str) -> Version | None:
    """The version that a certID means: found by serial, held against the key identifier in it."""
    key, serial = rules.certificate_key(text)
    reference = authority.reference_of(f"{serial:0>32}") or authority.reference_of(serial)
    placement = Placement.objects.filter(reference=reference).first() if reference else None
    ours = [placement.certificate_id] if placement else issuance.of_outside_serial(serial)
    for one in Version.objects.filter(certificate_id__in=ours):
        if one.serial.lstrip("0") == serial and authority_key(bytes(one.der)) == key:
            return one
    return None


def window(text: str, now: datetime, wanted: Wanted) -> Window:
    """The suggested window of the certificate with this certID; a past one means: at once. That of the CA
    outside which issued it goes first.

    Args:
        wanted: whether an incident wants a version replaced: of which account, certificate, version number.

    Raises:
        AcmeError: malformed; 404 for a certificate that is not known.
    """
    version = version_of(text)
    if version is None:
        raise not_found("certificate")
    certificate = Certificate.objects.filter(id=version.certificate_id).first()
    hurry = (
        version.revoked_at is not None
        or certificate is None
        or certificate.state in _HURRY
        or wanted(certificate.account_id, certificate.id, version.number)
    )
    told = windows([certificate.id]).get(certificate.id) if certificate is not None and not hurry else None
    if told is not None and certificate is not None and version.number == certificate.current_version:
        return Window(told[0], told[1])
    start, end = rules.renewal_window(version.not_before, version.not_after, now=now, hurry=hurry)
    return Window(start, end)
