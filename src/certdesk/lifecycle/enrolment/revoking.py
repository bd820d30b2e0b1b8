"""Revocation over ACME: by account, by whoever controls all names, by the certificate's key.

RFC 8555 §7.6. The rules are those of every revocation; only who may ask differs.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from certdesk.foundation.approvals import queries as approvals
from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common.errors import Conflict, WrongState
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, system_principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.states import BEING_REVOKED, State
from certdesk.lifecycle.issuance import revoking
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.issuance.revoking import Wish
from certdesk.pki.x509 import keys

from . import accounts, rules
from .errors import AcmeError, malformed, not_found, unauthorized
from .models import Account, Authorization, AuthorizationState, Order

REVOKE = "scm:cert:revoke"
TWO_PERSON = "revoke"
BY_KEY = "acme"
WORDS = "Asked for over ACME."
REVOKED = "acme.version_revoked"


def read_reason(given: object) -> Code:
    """Raises:
    AcmeError: badRevocationReason.
    """
    if given is None:
        return Code.UNSPECIFIED
    if isinstance(given, bool) or not isinstance(given, int) or given not in rules.CRL_REASONS:
        raise AcmeError(
            "badRevocationReason",
            f"Reasons are {', '.join(map(str, rules.CRL_REASONS))}.",
        )
    return Code(rules.CRL_REASONS[given])


def find(der: bytes) -> tuple[Version, bytes]:
    """The version that this very certificate is, and its SPKI.

    Raises:
        AcmeError: it cannot be read, or we did not issue it.
    """
    try:
        spki = keys.spki_der(x509.load_der_x509_certificate(der).public_key())
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        raise malformed("certificate is no certificate.") from None
    digest = hashlib.sha256(spki).hexdigest()
    for one in Version.objects.filter(spki_sha256=digest).exclude(issuer="").order_by("id"):
        if bytes(one.der) == der:
            return one, spki
    raise not_found("certificate")


def by_account(account: Account, der: bytes, reason: Code, now: datetime, source: str = "") -> None:
    """Asked for with an account's key.

    Raises:
        AcmeError: unauthorized, alreadyRevoked. Forbidden, WrongState: as on the console.
    """
    version, _ = find(der)
    certificate = Certificate.objects.filter(id=version.certificate_id).first()
    if certificate is None or certificate.account_id != account.credential.account_id:
        raise not_found("certificate")
    if not (_issued_by(account, version) or _holds_all(account, version, now)):
        raise unauthorized("This account neither got the certificate nor controls all of its names.")
    _refuse_revoked(certificate, version)
    if approvals.rule_of(certificate.account_id, TWO_PERSON) is not None:
        raise unauthorized(
            "Revoking a certificate needs a second person in this organization.",
            "Ask for it on the console, or revoke it with the certificate's own key.",
        )
    who = accounts.principal(account, source)
    if version.number == certificate.current_version:
        with _plain_conflicts():
            revoking.request(who, certificate.id, Wish(reason.value, WORDS), now)
    else:
        certificates.fetch(who, REVOKE, certificate.id)
        _end_old(who, certificate, version, reason, now)


def by_key(jwk_spki: bytes, der: bytes, reason: Code, now: datetime) -> None:
    """Asked for with the certificate's own key: nobody else has to be asked.

    It confirms a revocation that waits for the mail of the organisation; until then the certificate is good.

    Raises:
        AcmeError: it is another key, or the certificate is revoked already.
    """
    version, spki = find(der)
    if spki != jwk_spki:
        raise unauthorized("This key is not the certificate's.")
    certificate = Certificate.objects.filter(id=version.certificate_id).first()
    if certificate is None:
        raise not_found("certificate")
    if version.revoked_at is not None or certificate.state == State.REVOKED:
        raise _already_revoked()
    proved = reason is Code.KEY_COMPROMISE
    if version.number != certificate.current_version:
        who = system_principal(certificate.account_id, BY_KEY)
        _end_old(who, certificate, version, reason, now, proved=proved)
        return
    with _plain_conflicts():
        revoking.revoke_now(certificate, reason, WORDS, now, who=BY_KEY, proved=proved)


def _issued_by(account: Account, version: Version) -> bool:
    return (
        version.number == 1
        and Order.objects.filter(account=account, certificate_id=version.certificate_id).exists()
    )


def _holds_all(account: Account, version: Version, now: datetime) -> bool:
    """Valid authorisations for every single name (RFC 8555 §7.6)."""
    held = Authorization.objects.filter(account=account, state=AuthorizationState.VALID, expires_at__gt=now)
    names = {one.name for one in held}
    return set(version.names.split(";")) <= names


def _refuse_revoked(certificate: Certificate, version: Version) -> None:
    """For whoever could only ask once more, also while it waits to be revoked."""
    state = State(certificate.state)
    asked = version.number == certificate.current_version and state in BEING_REVOKED | {State.REVOKED}
    if version.revoked_at is not None or asked:
        raise _already_revoked()


def _already_revoked() -> AcmeError:
    return AcmeError("alreadyRevoked", "The certificate is revoked already.")


@contextmanager
def _plain_conflicts() -> Iterator[None]:
    """What the state does not allow, in the words of ACME."""
    try:
        yield
    except (WrongState, Conflict) as error:
        raise unauthorized(error.message, error.next_step) from error


def _end_old(
    who: Principal,
    certificate: Certificate,
    version: Version,
    reason: Code,
    now: datetime,
    *,
    proved: bool = False,
) -> None:
    """A version that another one has replaced.

    Args:
        proved: its key itself said that it is compromised.
    """
    with short_transaction():
        revoking.end_version(version, _number(reason), now)
        if proved:
            revoking.distrust_key(version, now)
        audit.record(
            who,
            REVOKED,
            resource=f"cert:{certificate.id}",
            account_id=certificate.account_id,
            details={"version": version.number, "serial": version.serial, "reason": reason.value},
        )


def _number(reason: Code) -> int:
    numbers: Mapping[str, int] = {name: number for number, name in rules.CRL_REASONS.items()}
    return numbers[reason.value]
