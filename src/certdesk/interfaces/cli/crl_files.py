"""CRLs that were published after a backup was made: what they revoke is revoked again by the restore."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from certdesk.foundation.backup.errors import BackupRefused
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import CertdeskError
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.issuance import revocation_rules, revoking
from certdesk.pki.authority import crl, revocation
from certdesk.pki.authority.models import Authority
from certdesk.pki.authority.queries import Entry

_BATCH = 100  # law 13: rows a transaction


@dataclass(frozen=True, slots=True)
class Published:
    """A CRL of one of our authorities; its signature was verified."""

    authority: Authority
    name: str
    entries: Sequence[Entry]


def revoke_again(files: Sequence[Path]) -> list[str]:
    """Revokes what these CRLs show; answers the serials that the restored records did not know as revoked.

    Raises:
        BackupRefused: a file is no CRL of this installation.
    """
    found: list[str] = []
    for published in [read(file) for file in files]:
        for start in range(0, len(published.entries), _BATCH):
            part = published.entries[start : start + _BATCH]
            with sql.short_transaction():
                new = revocation.take_over(
                    published.authority.slug, published.name, part, published.authority.not_after
                )
            found += new
            _withdraw(new, {f"{one.serial:032x}": one for one in part})
    return found


def read(file: Path) -> Published:
    """Raises: BackupRefused."""
    held = _parsed(file)
    authority = next((row for row in Authority.objects.all() if _signed(held, row)), None)
    if authority is None:
        raise BackupRefused(
            f"The CRL {file} was signed by no authority of this backup.", next_step="Leave it out."
        )
    return Published(authority, revocation.name_of(held, authority.slug), list(_entries(held)))


def _parsed(file: Path) -> x509.CertificateRevocationList:
    try:
        data = file.read_bytes()
        if data.startswith(b"-----"):
            return x509.load_pem_x509_crl(data)
        return x509.load_der_x509_crl(data)
    except (OSError, ValueError) as error:
        raise BackupRefused(f"The CRL {file} cannot be read: {error}.", next_step="Leave it out.") from None


def _signed(held: x509.CertificateRevocationList, row: Authority) -> bool:
    certificate = x509.load_der_x509_certificate(bytes(row.certificate_der))
    try:
        return held.issuer == certificate.subject and held.is_signature_valid(certificate.public_key())  # type: ignore[arg-type]
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False


def _entries(held: x509.CertificateRevocationList) -> Iterator[Entry]:
    for one in held:
        yield Entry(one.serial_number, crl.number_of_reason(one), one.revocation_date_utc, None)


def _withdraw(serials: Sequence[str], entries: dict[str, Entry]) -> None:
    """Certificates in force that have such a serial follow; the revocation itself stands already."""
    rows = Version.objects.filter(serial__in=serials, superseded_at=None)
    for serial, certificate_id in rows.values_list("serial", "certificate_id"):
        certificate = Certificate.objects.get(id=certificate_id)
        reason = next(
            (code for code, number in revocation_rules.NUMBERS.items() if number == entries[serial].reason),
            revocation_rules.Code.UNSPECIFIED,
        )
        try:
            revoking.revoke_now(certificate, reason, "Shown by a CRL.", clock.now(), who="host")
        except CertdeskError:  # on its way to another end; its serial is revoked all the same
            continue
