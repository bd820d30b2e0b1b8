"""Delegated signers of OCSP answers (RFC 6960 §4.2.2.2, Baseline Requirements 7.1.2.8).

Their keys are P-256 whatever the authority's are: an answer then costs 30 µs instead of a millisecond.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import token_keys
from certdesk.pki.keystore.models import Held, State
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import issue, issuers
from .actions import AUTHORITY_KEY
from .issuers import Holder
from .models import Authority, Responder

VALID = timedelta(days=90)
RENEWED = timedelta(days=45)  # before its end
BACKDATED = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Made:
    """A responder that is not recorded yet."""

    slug: str
    key: PrivateKey = field(repr=False)
    certificate_der: bytes
    not_before: datetime
    not_after: datetime


def lacking(now: datetime) -> list[str]:
    """Authorities without a responder for the coming weeks."""
    able_to_sign = Responder.objects.filter(key__state=State.ASSIGNED)  # a clock may go back; a key does not
    coming = able_to_sign.filter(not_before__lte=now, not_after__gt=now + RENEWED)
    good = set(coming.values_list("authority_id", flat=True))
    able = Authority.objects.exclude(key__held=Held.ELSEWHERE).order_by("slug")
    return [slug for slug in able.values_list("slug", flat=True) if slug not in good]


def make(holder: Holder, now: datetime) -> Made:
    """A key, in the token if the authority's is, and its certificate, signed by it; no database."""
    authority = holder.certificate
    generate = token_keys.generate if token_keys.id_of(holder.key) else keys.generate
    key = generate(KeyAlgorithm.EC_P256)
    begin = max(now.replace(microsecond=0) - BACKDATED, authority.not_valid_before_utc)
    end = min(begin + BACKDATED + VALID, authority.not_valid_after_utc) - _SECOND
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(authority))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(issue.new_serial())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(issuers.KEY_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(holder.key_identifier, critical=False)
        .sign(holder.key, issuers.hash_of(holder.algorithm))
    )
    return Made(holder.slug, key, issuers.certificate_der(certificate), begin, end)


def _name(authority: x509.Certificate) -> x509.Name:
    common = authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0]
    others = [one for one in authority.subject if one.oid != NameOID.COMMON_NAME]
    return x509.Name([*others, x509.NameAttribute(NameOID.COMMON_NAME, f"{common.value!s} OCSP"[:64])])


def keep(made: Made) -> None:
    """Record it, in the caller's transaction; the older ones stay until they end by themselves."""
    Responder.objects.create(
        authority_id=made.slug,
        key=keystore.store_made(keystore.HOUSE, made.key, AUTHORITY_KEY),
        certificate_der=made.certificate_der,
        not_before=made.not_before,
        not_after=made.not_after,
    )
