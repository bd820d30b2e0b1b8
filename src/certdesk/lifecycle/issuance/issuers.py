"""The register of issuers: one small protocol, the built-in CA as its first implementation.

Whoever issues, the order is the same (law 3): `prepare` decides, `place` records the intent in the caller's
transaction, `collect` gets the certificate outside of any, `accept` records it in the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.pki.authority import issue as authority
from certdesk.pki.authority import issuers as authority_issuers
from certdesk.pki.authority import revocation
from certdesk.pki.authority.issue import Prepared
from certdesk.pki.authority.models import Intent, IntentState, Reason
from certdesk.pki.authority.shapes import Sample
from certdesk.pki.authority.types import CertificateRequest, Signed
from certdesk.pki.keystore import tokens
from certdesk.pki.x509 import certificates

from . import outside


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an issuer can do.

    Attributes:
        instant: `collect` answers at once, so *issue now* can use it.
        caa_domains: the names by which CAA records permit it.
    """

    instant: bool
    caa_domains: tuple[str, ...] = ()


class Issuer(Protocol):
    """Who issues. Refusals are `CertdeskError`; a kind that time may heal is tried again."""

    @property
    def slug(self) -> str: ...
    @property
    def capabilities(self) -> Capabilities: ...

    def unproved(self, request: CertificateRequest, now: datetime) -> Sample | None:
        """What has to be examined outside any transaction before `prepare` may run inside one."""
        ...

    def prepare(self, request: CertificateRequest, now: datetime) -> Prepared:
        """Everything that can be refused is refused here; nothing is written of the request."""
        ...

    def place(self, prepared: Sequence[Prepared]) -> None: ...

    def collect(self, prepared: Prepared) -> Signed: ...

    def accept(self, signed: Sequence[Signed]) -> None: ...

    def settle(self, reference: str) -> Signed | None:
        """What became of a placement that was left: the certificate, or None and it will never come."""
        ...

    def revoke(self, serial: str, reason: int, now: datetime, *, many: bool = False) -> None:
        """In the caller's transaction; twice is no error. `reason`: CRLReason (RFC 5280 §5.3.1).

        `many`: one of many that are revoked together; lists may be published for several at a time.
        """
        ...


class BuiltIn:
    """The authority in this house."""

    slug = "builtin"

    @property
    def capabilities(self) -> Capabilities:
        """A token may be slow or away, and is waited for by workers alone."""
        return Capabilities(instant=tokens.place() is None)

    def unproved(self, request: CertificateRequest, now: datetime) -> Sample | None:
        return authority.unproved(request, now)

    def prepare(self, request: CertificateRequest, now: datetime) -> Prepared:
        return authority.prepare(request, now)

    def place(self, prepared: Sequence[Prepared]) -> None:
        authority.intend(list(prepared))

    def collect(self, prepared: Prepared) -> Signed:
        return authority.sign(prepared)

    def accept(self, signed: Sequence[Signed]) -> None:
        authority.record(list(signed))

    def settle(self, reference: str) -> Signed | None:
        intent = authority.find(reference)
        if intent is None:
            return None
        if intent.state == IntentState.SIGNED:
            return _signed(intent)
        authority.abandon(intent.serial)
        return None

    def revoke(self, serial: str, reason: int, now: datetime, *, many: bool = False) -> None:
        revocation.revoke(serial, Reason(reason), now, many=many)


def _signed(intent: Intent) -> Signed:
    """What the authority recorded, read back."""
    der = bytes(intent.certificate_der or b"")
    found = certificates.facts(der)
    chain = authority_issuers.find(intent.authority_id).chain_pem
    return Signed(
        intent.serial,
        der,
        chain,
        intent.authority_id,
        found.not_before,
        found.not_after,
        intent.reference,
        lint_due=False,
    )


_register: dict[str, Issuer] = {BuiltIn.slug: BuiltIn()}


def register(issuer: Issuer) -> None:
    """Adds an issuer, or replaces the one of that slug."""
    _register[issuer.slug] = issuer


def capabilities_of(slug: str) -> Capabilities:
    """What the issuer of a catalogue product can do, the configured ones outside included."""
    if outside.is_outside(slug) and slug not in _register:
        return Capabilities(instant=False, caa_domains=outside.capabilities(slug).caa_domains)
    return find(slug).capabilities


def find(slug: str) -> Issuer:
    """The issuer of a catalogue product; `builtin-…` is the built-in CA under another profile.

    Raises:
        CertdeskError: UNAVAILABLE when this release or configuration has none of that slug.
    """
    issuer = _register.get("builtin" if slug.startswith("builtin-") else slug)
    if issuer is None:
        raise CertdeskError(
            f"The issuer {slug} of this product is not set up.",
            next_step="Ask the operator to configure it.",
            kind=Kind.UNAVAILABLE,
        )
    return issuer
