"""Re-verifies every issued certificate from the records alone (promise 7): the command `verify-issued`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certdesk.foundation.common.errors import CertdeskError
from certdesk.pki.keystore import queries as keystore
from certdesk.pki.x509 import weak_keys
from certdesk.pki.x509.names import parse_name

from . import constraints, lint, profiles, queries
from .models import Authority
from .queries import Issued
from .types import LevelName

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Problem:
    serial: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """Attributes:
    checked: certificates looked at; `problems` is empty when all are as recorded.
    """

    checked: int
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Signer:
    level: LevelName
    certificate: x509.Certificate


def verify_issued(limit: int | None = None) -> Report:
    """Check every certificate with a recorded signature, or the newest `limit`.

    Each: the DER parses; serial and TBS are the recorded intent's; the authority's signature holds; names
    pass the gate and are the authorised ones; key, dates and issuer fit; a whole lint has no error.
    """
    signers = _signers()
    checked, problems = 0, []
    for issued in queries.all_issued(limit):
        checked += 1
        problems += [Problem(issued.serial, what) for what in _problems(issued, signers)]
    return Report(checked, tuple(problems))


def _signers() -> dict[str, _Signer]:
    return {
        row.slug: _Signer(
            queries.level_of(row.slug), x509.load_der_x509_certificate(bytes(row.certificate_der))
        )
        for row in Authority.objects.exclude(parent=None)
    }


def _problems(issued: Issued, signers: dict[str, _Signer]) -> Iterator[str]:
    signer = signers.get(issued.authority)
    if signer is None:
        yield f"the authority {issued.authority} is unknown"
        return
    try:
        certificate = x509.load_der_x509_certificate(issued.certificate_der)
        yield from _identity_problems(issued, certificate, signer)
        yield from _key_problems(issued, certificate)
        yield from _name_problems(issued, certificate, signer)
        yield from _date_problems(issued, certificate, signer)
    except (ValueError, KeyError, TypeError):
        yield "the certificate or its record cannot be read"
        return
    findings = lint.errors(lint.whole(issued.certificate_der, signer.level), issued.profile)
    yield from (f"the linter finds {finding.code}" for finding in findings)


def _identity_problems(issued: Issued, certificate: x509.Certificate, signer: _Signer) -> Iterator[str]:
    if f"{certificate.serial_number:032x}" != issued.serial:
        yield "the serial differs from the record"
    if certificate.tbs_certificate_bytes != issued.tbs:
        yield "the signed content differs from the recorded intent"
    try:
        certificate.verify_directly_issued_by(signer.certificate)
    except (InvalidSignature, ValueError, TypeError):
        yield f"the signature is not that of {issued.authority}"


def _key_problems(issued: Issued, certificate: x509.Certificate) -> Iterator[str]:
    public_key = certificate.public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(spki).hexdigest()
    if json.loads(issued.authorization)["spki_sha256"] != digest:
        yield "the key is not the authorised one"
    if keystore.is_blocked(digest):
        yield "the key is blocked"
    try:
        weak_keys.refuse_weak(public_key)
    except CertdeskError as refusal:
        yield refusal.message


def _name_problems(issued: Issued, certificate: x509.Certificate, signer: _Signer) -> Iterator[str]:
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = [_text(name) for name in alternative]
    if sorted(names) != sorted(json.loads(issued.authorization)["names"]):
        yield "the names are not the authorised ones"
    own = not profiles.PROFILES[issued.profile].public_names_only
    bounds = constraints.of(signer.certificate)
    for text in names:
        try:
            name = parse_name(text, allow_internal=own, allow_ip=own)
            constraints.refuse_outside(issued.authority, bounds, [name])
        except CertdeskError as refusal:
            yield refusal.message


def _text(name: x509.GeneralName) -> str:
    return str(ip_address(str(name.value))) if isinstance(name, x509.IPAddress) else str(name.value)


def _date_problems(issued: Issued, certificate: x509.Certificate, signer: _Signer) -> Iterator[str]:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    days = profiles.PROFILES[issued.profile].longest(begin.date())
    if end <= begin or end - begin + _SECOND > timedelta(days=days):
        yield f"the validity is longer than the {days} days of its profile"
    if begin < signer.certificate.not_valid_before_utc:
        yield "the certificate begins before its issuer"
    if end > signer.certificate.not_valid_after_utc:
        yield "the certificate outlives its issuer"
