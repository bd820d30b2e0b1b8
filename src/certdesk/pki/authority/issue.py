"""The one path to a signature: prepare → intend → sign → record (laws 3 and 4).

`prepare` checks and builds, `sign` takes what `prepare` made, once, and touches no database. The caller
commits `intend` before `sign`, and `record` before a byte is released.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.jobs import actions as jobs
from certdesk.pki.keystore import queries as keystore

from . import check, constraints, gate, issuers, profiles, queries, shapes, subjects, tbs
from .built import Built
from .errors import AlreadyIntended, NotIntended, RequestRefused, TokenSpent
from .issuers import Issuer
from .models import Intent
from .types import Authorization, CertificateRequest, Signed

LINT = "authority.lint"
MANY_NAMES = 100  # above it a certificate is linted whole
SAMPLE = 100  # one in so many is linted whole


class _Token:
    """Good for one signature of exactly these bytes. Only `prepare` makes one."""

    __slots__ = ("_tbs", "_unspent")

    def __init__(self, tbs_bytes: bytes) -> None:
        self._tbs = tbs_bytes
        self._unspent = threading.Lock()

    def spend(self, tbs_bytes: bytes) -> None:
        # A lock that is taken and never given back: the first of any number of threads wins.
        if tbs_bytes != self._tbs or not self._unspent.acquire(blocking=False):
            raise TokenSpent(
                "This certificate was signed already, or was changed after it was checked.",
                next_step="Prepare it again.",
            )


@dataclass(frozen=True, slots=True)
class Prepared:
    """Checked bytes that wait for their intent and their signature.

    Attributes:
        serial: 32 digits of lower-case hex.
        tbs: TBSCertificate, DER, exactly as it will be signed.
        shape: digest of the shape that a whole lint run proved.
        lint_due: it will be linted whole after issuance.
    """

    serial: str
    reference: str
    profile: str
    shape: str
    tbs: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    proof: Authorization = field(repr=False)
    lint_due: bool
    issuer: Issuer = field(repr=False)
    _token: _Token = field(repr=False)


def prepare(
    request: CertificateRequest, now: datetime, *, blocked: gate.Blocked = keystore.is_blocked
) -> Prepared:
    """Check everything, choose the authority, build the TBS, prove its shape, check the finished bytes.

    Call it outside transactions, or after `unproved` has answered None: the first certificate of a
    shape waits for a whole lint run.

    Args:
        now: business time.
        blocked: says whether an SPKI digest is blocked; a batch may pass one answered ahead.

    Raises:
        NotAuthorized, RequestRefused, NameOutside, BadName, WeakKey, LintRefused, AuthorityMissing,
        CheckFailed.
    """
    built = build(request, now, blocked=blocked)
    digest, new = shapes.require(built)
    due = new or len(built.names) > MANY_NAMES or request.level == "EV" or built.serial % SAMPLE == 0
    return Prepared(
        serial=f"{built.serial:032x}",
        reference=request.authorization.reference,
        profile=built.profile.name,
        shape=digest,
        tbs=built.tbs,
        not_before=built.not_before,
        not_after=built.not_after,
        proof=request.authorization,
        lint_due=due,
        issuer=built.issuer,
        _token=_Token(built.tbs),
    )


def unproved(request: CertificateRequest, now: datetime) -> shapes.Sample | None:
    """What needs a whole lint run before `prepare` is quick enough for a transaction; None when nothing does.

    Raises:
        as `prepare`, but for LintRefused.
    """
    return shapes.unproved(build(request, now))


def build(
    request: CertificateRequest, now: datetime, *, blocked: gate.Blocked = keystore.is_blocked
) -> Built:
    """The checked bytes without a token: all that `prepare` does but the proof of the shape."""
    profile = profiles.PROFILES[request.profile]
    gate.refuse_unproved(request)
    names = gate.checked_names(request, profile)
    gate.refuse_key(request, blocked)
    _refuse_own_key(request, profile)
    subjects.refuse_subject(request.level, request.subject)
    issuer = issuers.find_for(request.level, request.strong, request.key_algorithm)
    constraints.refuse_outside(issuer.slug, issuer.bounds, names)
    not_before, not_after = _whole_second(request.not_before), _whole_second(request.not_after)
    profiles.refuse_dates(profile, not_before, not_after, now, (issuer.not_before, issuer.not_after))
    subject = subjects.attributes(
        profile, request.subject, request.names, repeated=not (issuer.bounds and names[0].ip)
    )
    serial = new_serial()
    content = tbs.build(issuer, serial, not_before, not_after, subjects.encode(subject), request.spki, names)
    built = Built(
        profile=profile,
        issuer=issuer,
        key_algorithm=request.key_algorithm,
        names=names,
        subject=subject,
        spki=request.spki,
        serial=serial,
        not_before=not_before,
        not_after=not_after,
        tbs=content,
    )
    check.check(built)
    return built


def new_serial() -> int:
    """128 bits from the system's random source; drawn again while the first octet is 0 (one in 256).

    So the serial is positive, under 2^159, and its hex form has 32 digits everywhere.
    """
    while (serial := secrets.randbits(128)) < check.SERIAL_SMALLEST:
        pass
    return serial


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _refuse_own_key(request: CertificateRequest, profile: profiles.Profile) -> None:
    if not profile.keys_made_here and keystore.is_held(request.authorization.spki_sha256):
        raise RequestRefused(
            f"The key was made by this service, and the profile {profile.name} does not allow that"
            " (Baseline Requirements 6.1.1.3).",
            next_step="Make the key on your server and upload a CSR.",
            field="csr",
        )


def _proof_text(proof: Authorization) -> str:
    return sql.json_text(
        {
            "account": proof.account_id,
            "names": proof.names,
            "spki_sha256": proof.spki_sha256.hex(),
            "evidence": proof.evidence,
            "approved_by": proof.approved_by,
            "policy": proof.policy,
        }
    )


def intend(prepared: Sequence[Prepared]) -> None:
    """Record what will be signed, in the caller's transaction; commit it before `sign`.

    Raises:
        AlreadyIntended: one of the references has an open or signed intent; roll back.
    """
    if not prepared:
        return
    now = clock.to_micros(clock.real_now())
    values = [
        {
            "serial": each.serial,
            "authority_id": each.issuer.slug,
            "reference": each.reference,
            "profile": each.profile,
            "shape": each.shape,
            "tbs": each.tbs,
            "authorization_proof": _proof_text(each.proof),
            "state": "INTENDED",
            "created_at": now,
        }
        for each in prepared
    ]
    if queries.insert_intents(values) != len(values):
        raise AlreadyIntended(
            "A certificate was already signed or is being signed for this request.",
            next_step="Open the certificate again to see it.",
        )


def sign(prepared: Prepared) -> Signed:
    """Sign exactly the prepared bytes, once. No database; call it after `intend` is committed.

    Raises:
        TokenSpent: signed before, or not what was prepared.
    """
    prepared._token.spend(prepared.tbs)
    issuer = prepared.issuer
    return Signed(
        serial=prepared.serial,
        der=issuer.assemble(prepared.tbs, issuer.sign(prepared.tbs)),
        chain_pem=issuer.chain_pem,
        issuer=issuer.slug,
        not_before=prepared.not_before,
        not_after=prepared.not_after,
        reference=prepared.reference,
        lint_due=prepared.lint_due,
    )


def record(signed: Sequence[Signed]) -> None:
    """Record the signatures, in the caller's transaction; only then may the bytes leave.

    Raises:
        NotIntended: one has no open intent, e.g. the reconciler abandoned it; roll back and drop the bytes.
    """
    if not signed:
        return
    changed = queries.set_signed([(each.serial, each.der) for each in signed], clock.real_now())
    if changed != len(signed):
        raise NotIntended(
            "A signed certificate has no open intent, so it is not released.",
            next_step="Apply for the certificate again.",
        )
    due = [each.serial for each in signed if each.lint_due]
    if due:
        jobs.enqueue(LINT, {"serials": due})


def abandon(serial: str) -> bool:
    """Give an open intent up: nothing was released for it, and nothing can be recorded for it any more.

    Answers False when it is not open.
    """
    return queries.set_abandoned(serial) == 1


def find(reference: str) -> Intent | None:
    """The open or signed intent of a reference."""
    return queries.find(reference)
