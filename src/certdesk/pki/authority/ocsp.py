"""Answers OCSP requests (RFC 6960, RFC 5019): "good" only for what is recorded as issued, revoked at once.

Answers are signed at their first use by the authority's delegated responder and kept in this process; each
is used on without a look at the records for a second at most, so a revocation shows within that second.
"""

import hashlib
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from certdesk.foundation.common.baton import baton
from certdesk.pki.keystore import token_keys
from certdesk.pki.keystore.errors import TokenUnavailable
from certdesk.pki.keystore.models import Held, State
from certdesk.pki.x509.keys import PrivateKey

from . import crl, der, issuers, queries
from .models import Authority, Cross, Responder
from .queries import Standing

VALID = timedelta(days=1)  # Baseline Requirements 4.9.10: eight hours to ten days
REQUEST_LIMIT = 2048  # bytes, DER; one CertID and a nonce need 150
KEPT_REQUEST = 256  # bytes; whoever pads or adds extensions is answered, and not kept
NONCE_LIMIT = 128  # RFC 9654 §2.1
FRESH = 1.0  # seconds for which a kept answer is not checked against the records
KEPT = 20_000  # answers of a process
REFRESH = 60.0  # seconds between looks at the authorities and their responders
AGAIN = 1.0  # seconds at least before a look for an authority that is not known

_HASHES = ("sha1", "sha256")  # of CertIDs: names, not signatures


@dataclass(frozen=True, slots=True)
class Answer:
    """An OCSPResponse, DER; `until` is empty for what nobody should keep."""

    der: bytes
    produced: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class _Kept:
    answer: Answer
    standing: Standing
    checked: float


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who answers for an authority: its responder, or itself while no responder is valid."""

    slug: str
    certificate: x509.Certificate
    key: PrivateKey
    delegated: bool
    of_authorities: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Reading:
    """For how long what was read of the authorities holds: in this process, and by business time."""

    again: float
    since: datetime
    until: datetime


_Issuer = tuple[str, bytes, bytes]
_signers: dict[_Issuer, _Signer] = {}
_read: list[_Reading] = []
_kept: dict[bytes, _Kept] = {}


def answer(request: bytes, now: datetime) -> Answer:
    """The answer to one OCSPRequest; never raises for what a client sends.

    Args:
        request: DER.
        now: business time.
    """
    ready = kept(request, now)
    if ready is not None:
        return ready
    held = _kept.get(request)
    try:
        asked = ocsp.load_der_ocsp_request(request) if len(request) <= REQUEST_LIMIT else None
    except (ValueError, NotImplementedError):
        asked = None
    nonce = _nonce(asked) if asked else b""
    if asked is None or len(nonce) > NONCE_LIMIT:
        return _failure(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
    signer = _signer(asked, now)
    if signer is None:  # RFC 5019 §2.2.3: no authority for this issuer
        return _failure(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    standing = _standing(signer, asked.serial_number)
    if held is not None and held.standing == standing and _is_current(held.answer, now):
        held.checked = time.monotonic()
        return held.answer
    try:
        with baton.aside() if token_keys.id_of(signer.key) else nullcontext():  # a token is waited for
            made = _sign(signer, asked, standing, nonce, now.replace(microsecond=0))
    except TokenUnavailable:  # the operator is told by the watch over the keys
        return _failure(ocsp.OCSPResponseStatus.TRY_LATER)
    if not nonce and standing.issued and len(request) <= KEPT_REQUEST:
        _keep(request, made, standing)
    return made


def kept(request: bytes, now: datetime) -> Answer | None:
    """The answer that this process holds and that was checked within the last second, without a look at the
    records; any thread may ask at any time. Arguments as those of `answer`."""
    held = _kept.get(request)
    if held is not None and time.monotonic() - held.checked < FRESH and _is_current(held.answer, now):
        return held.answer
    return None


def _is_current(held: Answer, now: datetime) -> bool:
    """In the first half of its life; a clock that went back ends it too."""
    return held.produced is not None and held.produced <= now < held.produced + VALID / 2


def _nonce(request: ocsp.OCSPRequest) -> bytes:
    """Raises nothing: extensions that cannot be read are as none."""
    try:
        return bytes(request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return b""


def _failure(status: ocsp.OCSPResponseStatus) -> Answer:
    return Answer(ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER))


def _standing(signer: _Signer, serial: int) -> Standing:
    text = f"{serial:032x}" if serial >= 0 else ""
    return Standing(True) if text in signer.of_authorities else queries.standing(signer.slug, text)


def _sign(
    signer: _Signer, asked: ocsp.OCSPRequest, standing: Standing, nonce: bytes, now: datetime
) -> Answer:
    revoked = standing.revoked_at is not None
    status = ocsp.OCSPCertStatus.GOOD if standing.issued else ocsp.OCSPCertStatus.UNKNOWN
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else status,
            this_update=now,
            next_update=now + VALID,
            revocation_time=standing.revoked_at,
            revocation_reason=crl.reason_flag(standing.reason or 0),
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    )
    if signer.delegated:
        builder = builder.certificates([signer.certificate])
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    hashed = hashes.SHA256() if signer.delegated else signer.certificate.signature_hash_algorithm
    signed = builder.sign(signer.key, hashed).public_bytes(Encoding.DER)
    return Answer(signed, now, None if nonce or not standing.issued else now + VALID)


def _keep(request: bytes, made: Answer, standing: Standing) -> None:
    if len(_kept) >= KEPT:
        _kept.clear()
    _kept[request] = _Kept(made, standing, time.monotonic())


def _signer(asked: ocsp.OCSPRequest, now: datetime) -> _Signer | None:
    if not any(time.monotonic() < read.again and read.since <= now < read.until for read in _read):
        _load(now)
    try:
        issuer = (asked.hash_algorithm.name, asked.issuer_name_hash, asked.issuer_key_hash)
    except UnsupportedAlgorithm:  # a hash that the library does not know
        return None
    if issuer not in _signers and all(read.again - REFRESH + AGAIN <= time.monotonic() for read in _read):
        _load(now)  # it may have been made since, in another process
    return _signers.get(issuer)


def _load(now: datetime) -> None:
    """The authorities and the newest valid responder of each."""
    valid = Responder.objects.filter(not_before__lte=now, not_after__gt=now + VALID)
    able = valid.filter(key__state=State.ASSIGNED)  # the clock went back over the end of one, not its key
    responders = {row.authority_id: row for row in able.order_by("id")}
    found: dict[_Issuer, _Signer] = {}
    rows = list(Authority.objects.select_related("key"))
    signed = [(row.parent_id, _serial(row)) for row in rows]
    signed += [(one.issuer_id, _serial(one)) for one in Cross.objects.all()]
    for row in rows:
        if row.key.held == Held.ELSEWHERE and row.slug not in responders:
            continue  # its status is told by its CRL alone
        certificate = x509.load_der_x509_certificate(bytes(row.certificate_der))
        below = frozenset(serial for parent, serial in signed if parent == row.slug)
        signer = _of(row, certificate, responders.get(row.slug), below)
        for name in _HASHES:
            found[name, _digest(name, certificate.subject.public_bytes()), _key_hash(name, certificate)] = (
                signer
            )
    _signers.clear()
    _signers.update(found)
    ends = min((row.not_after - VALID for row in responders.values()), default=now + VALID)
    _read[:] = [_Reading(time.monotonic() + REFRESH, now, ends)]


def _of(
    row: Authority, certificate: x509.Certificate, responder: Responder | None, below: frozenset[str]
) -> _Signer:
    if responder is None:
        return _Signer(row.slug, certificate, issuers.key_of(row.key_id), False, below)
    delegated = x509.load_der_x509_certificate(bytes(responder.certificate_der))
    return _Signer(row.slug, delegated, issuers.key_of(responder.key_id), True, below)


def _serial(authority: Authority | Cross) -> str:
    certificate = x509.load_der_x509_certificate(bytes(authority.certificate_der))
    return f"{certificate.serial_number:032x}"


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content, usedforsecurity=False).digest()


def _key_hash(name: str, certificate: x509.Certificate) -> bytes:
    """Hash of the subjectPublicKey's bits, without tag and length (RFC 6960 §4.1.1)."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ((_, content, _),) = der.read(spki)
    *_, (_, bits, _) = der.read(content)
    return _digest(name, bits[1:])


def forget() -> None:
    """Drop what this process holds, e.g. when the hierarchy was made anew."""
    _signers.clear()
    _read.clear()
    _kept.clear()
