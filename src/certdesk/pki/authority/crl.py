"""Builds and signs CRLs (RFC 5280 §5, Baseline Requirements 7.2): full ones, and deltas to the day's base.

No database here: entries go in, DER comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import issuers
from .issuers import Holder
from .queries import Entry

VALID = timedelta(days=7)  # Baseline Requirements 4.9.7: at most ten
KEPT = VALID  # after its end a certificate is listed until the last CRL that knew it in force has ended
DELTA = "-delta"  # what the name of a delta ends with

_REASONS = {
    1: x509.ReasonFlags.key_compromise,
    3: x509.ReasonFlags.affiliation_changed,
    4: x509.ReasonFlags.superseded,
    5: x509.ReasonFlags.cessation_of_operation,
    9: x509.ReasonFlags.privilege_withdrawn,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One CRL that is to be signed.

    Attributes:
        number: taken already, higher than every one before it.
        base: the number of the full CRL that the delta builds on; `number` makes this one the base.
        whole: it is the one CRL of its issuer, a root.
        valid: until the next one at the latest.
    """

    name: str
    holder: Holder
    number: int
    base: int
    this_update: datetime
    entries: Sequence[Entry]
    whole: bool
    location: str
    valid: timedelta = VALID


def full(plan: Plan) -> bytes:
    """The whole list, DER."""
    delta_url = plan.location.removesuffix(".crl") + f"{DELTA}.crl"
    freshest = x509.FreshestCRL(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(delta_url)], None, None, None)]
    )
    return _sign(plan, plan.entries, [x509.Extension(freshest.oid, False, freshest)])


def alone(plan: Plan) -> bytes:
    """The whole list without any delta to follow, DER."""
    return _sign(plan, plan.entries, [])


def delta(plan: Plan) -> bytes:
    """What was revoked since the base, DER; the same number as the full list of the same moment."""
    indicator = x509.DeltaCRLIndicator(plan.base)
    new = [entry for entry in plan.entries if entry.listed_in is None or entry.listed_in > plan.base]
    fresh = new if plan.base != plan.number else []
    return _sign(plan, fresh, [x509.Extension(indicator.oid, True, indicator)])


def reason_flag(reason: int) -> x509.ReasonFlags | None:
    """None where nothing was said: the extension is then left out (RFC 5280 §5.3.1)."""
    return _REASONS.get(reason)


def number_of_reason(entry: x509.RevokedCertificate) -> int:
    """The number of an entry's reason; 0 where nothing was said or we never say it."""
    try:
        said = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return 0
    return next((number for number, flag in _REASONS.items() if flag is said), 0)


def _sign(
    plan: Plan,
    entries: Sequence[Entry],
    own: Sequence[x509.Extension[x509.ExtensionType]],
) -> bytes:
    holder = plan.holder
    authority = holder.key_identifier
    number = x509.CRLNumber(plan.number)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=holder.certificate.subject,
        last_update=plan.this_update,
        next_update=plan.this_update + plan.valid,
        extensions=[
            x509.Extension(authority.oid, False, authority),
            x509.Extension(number.oid, False, number),
            *_scope(plan),
            *own,
        ],
        # All at once: adding them one by one copies the list each time.
        revoked_certificates=[_entry(entry) for entry in entries],
    )
    return builder.sign(holder.key, issuers.hash_of(holder.algorithm)).public_bytes(Encoding.DER)


def _scope(plan: Plan) -> list[x509.Extension[x509.ExtensionType]]:
    """The partition; none for a root: its one CRL holds all, itself included, which has no pointer."""
    if plan.whole:
        return []
    scope = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(plan.location)],
        relative_name=None,
        only_contains_user_certs=True,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    return [x509.Extension(scope.oid, True, scope)]


def _entry(entry: Entry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(entry.serial, entry.revoked_at)
    flag = reason_flag(entry.reason)
    return (builder.add_extension(x509.CRLReason(flag), critical=False) if flag else builder).build()
