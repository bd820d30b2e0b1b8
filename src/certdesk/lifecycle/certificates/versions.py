"""Versions and names of a certificate (VER-1). Writers beside `actions`, for everything but the state."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.pki.keystore import actions as keystore

from . import rules
from .errors import NoCertificate, StateChanged
from .models import Version
from .rules import VersionFacts

NAMES_A_STATEMENT = 5_000  # a statement takes 32,766 parameters on SQLite, 65,535 on PostgreSQL


def add_version(certificate_id: str, facts: VersionFacts, now: datetime) -> int:
    """Adds a version and makes it the current one; the one before is superseded, not revoked (VER-1).

    Answers its number. The state is not touched: `move` goes with it in the same transaction.

    Raises:
        NoCertificate: there is none with this id.
        StateChanged: another version came in between.
    """
    with sql.short_transaction():
        row = sql.row(
            "SELECT account_id, current_version FROM certificates_certificate WHERE id = %s", [certificate_id]
        )
        if row is None:
            raise NoCertificate(certificate_id)
        account_id, before = str(row[0]), int(row[1])
        columns = rules.version_columns(facts, before + 1) | {"updated_at": now}
        if not before:
            columns["first_issued_at"] = facts.not_before
        assignments = ", ".join(f"{column} = %s" for column in columns)
        if not sql.execute(
            f"UPDATE certificates_certificate SET {assignments} WHERE id = %s AND current_version = %s",
            [*sql.plain_values(columns), certificate_id, before],
        ):
            raise StateChanged(certificate_id)
        sql.execute(
            "UPDATE certificates_version SET superseded_at = %s"
            " WHERE certificate_id = %s AND number = %s AND superseded_at IS NULL",
            [sql.plain(now), certificate_id, before],
        )
        sql.insert("certificates_version", [version_row(certificate_id, before + 1, facts, now)])
        _write_names(certificate_id, account_id, facts.names)
    return before + 1


def version_row(certificate_id: str, number: int, facts: VersionFacts, now: datetime) -> dict[str, object]:
    return {
        "certificate_id": certificate_id,
        "number": number,
        "cause": facts.cause,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "fingerprint_sha256": facts.fingerprint_sha256,
        "fingerprint_sha1": facts.fingerprint_sha1,
        "spki_sha256": facts.spki_sha256,
        "signature_algorithm": facts.signature_algorithm,
        "key_algorithm": facts.key_algorithm,
        "key_id": facts.key_id,
        "not_before": facts.not_before,
        "not_after": facts.not_after,
        "der": facts.der,
        "chain": facts.chain,
        "names": ";".join(facts.names),
        "created_at": now,
        "superseded_at": None,
        "revoked_at": None,
    }


def destroy_keys(certificate_id: str) -> None:
    """DEL-3: the private keys of every version, in the transaction that deletes the certificate."""
    held = sql.rows(
        "SELECT DISTINCT key_id FROM certificates_version WHERE certificate_id = %s AND key_id <> ''",
        [certificate_id],
    )
    for row in held:
        keystore.destroy(str(row[0]))


def set_names(certificate_id: str, names: tuple[str, ...], now: datetime) -> None:
    """Replaces the names that list and search know, primary first; for an application or its withdrawal.

    Raises:
        NoCertificate: there is none with this id.
    """
    with sql.short_transaction():
        row = sql.row("SELECT account_id FROM certificates_certificate WHERE id = %s", [certificate_id])
        if row is None:
            raise NoCertificate(certificate_id)
        columns = rules.name_columns(names)
        sql.execute(
            "UPDATE certificates_certificate SET domain = %s, sans = %s, updated_at = %s WHERE id = %s",
            [columns["domain"], columns["sans"], sql.plain(now), certificate_id],
        )
        _write_names(certificate_id, str(row[0]), names)


def _write_names(certificate_id: str, account_id: str, names: tuple[str, ...]) -> None:
    sql.execute("DELETE FROM certificates_certificatename WHERE certificate_id = %s", [certificate_id])
    insert_names([(certificate_id, account_id, name) for name in names])


def insert_names(lines: Sequence[tuple[str, str, str]]) -> None:
    """(certificate id, account id, name) each."""
    for start in range(0, len(lines), NAMES_A_STATEMENT):
        sql.insert(
            "certificates_certificatename",
            [
                {"certificate_id": certificate_id, "account_id": account_id, "name": name}
                for certificate_id, account_id, name in lines[start : start + NAMES_A_STATEMENT]
            ],
        )


def in_force(certificate_id: str, now: datetime) -> list[Version]:
    """Those that relying parties still accept: neither revoked nor over; the oldest first."""
    found = Version.objects.filter(certificate_id=certificate_id, revoked_at=None, not_after__gte=now)
    return list(found.order_by("number"))


def note_revoked(version_id: int, now: datetime) -> None:
    """Since when it is revoked, in the caller's transaction."""
    Version.objects.filter(id=version_id).update(revoked_at=now)
