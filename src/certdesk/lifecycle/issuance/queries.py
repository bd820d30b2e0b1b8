"""Reads of issuance, and the few hand-written statements of *issue now*."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import Conflict
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.applications import queries as applications
from certdesk.lifecycle.certificates.attention import COUNT_UP_TO
from certdesk.lifecycle.certificates.rows import COLUMNS, LIST
from certdesk.lifecycle.certificates.states import BEING_REVOKED
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.pki.keystore import queries as keystore

from .models import OutsideOrder
from .rules import Proof

open_application = applications.open_application
pool_counts = keystore.pool_counts
pooled_spki = keystore.pooled_spki
is_blocked = keystore.is_blocked

_PROOFS_A_STATEMENT = 4_000  # SQLite takes 32,766 parameters in one statement


def of_outside_serial(serial: str) -> list[str]:
    """Ids of certificates of which some CA outside issued one with this serial number.

    Args:
        serial: lower-case hex without leading zeros.
    """
    slugs = list(Issuer.objects.values_list("slug", flat=True))  # an index has issuer and serial
    padded = serial.zfill(len(serial) + len(serial) % 2)
    found = OutsideOrder.objects.filter(issuer__in=slugs, serial__in=[padded, serial])
    return list(found.values_list("certificate_id", flat=True))


def without_job(state: str, kinds: str, limit: int) -> list[str]:
    """Ids of certificates in `state` for which no job waits or runs whose kind starts with `kinds`."""
    found = sql.rows(
        "SELECT c.id FROM certificates_certificate c WHERE c.state = %s AND NOT EXISTS ("
        " SELECT 1 FROM jobs_job j WHERE j.subject = c.id AND j.state IN ('READY', 'RUNNING')"
        " AND j.kind LIKE %s) ORDER BY c.id LIMIT %s",
        [state, f"{kinds}%", limit],
    )
    return [str(row[0]) for row in found]


def confirmed_without_job(kind: str, limit: int) -> list[str]:
    """Ids of certificates whose revocation is confirmed while no job of that kind is there to do it."""
    found = sql.rows(
        "SELECT r.certificate_id FROM issuance_revocationrequest r"
        " JOIN certificates_certificate c ON c.id = r.certificate_id"
        f" AND c.state IN ({sql.marks(BEING_REVOKED)})"
        " WHERE r.outcome = 'OPEN' AND r.confirmed_at IS NOT NULL AND NOT EXISTS ("
        " SELECT 1 FROM jobs_job j WHERE j.subject = r.certificate_id AND j.state IN ('READY', 'RUNNING')"
        " AND j.kind = %s) ORDER BY r.id LIMIT %s",
        [*(state.value for state in BEING_REVOKED), kind, limit],
    )
    return [str(row[0]) for row in found]


def followups_without_job(limit: int) -> list[str]:
    """Ids of certificates whose open addition or rollover no job carries on, in the states that allow it."""
    found = sql.rows(
        "SELECT a.certificate_id FROM applications_application a"
        " JOIN certificates_certificate c ON c.id = a.certificate_id"
        " WHERE a.state = 'OPEN' AND a.purpose IN ('ADDITION', 'ROLLOVER')"
        " AND c.state IN ('SUPPLEMENTCHECKING', 'ISSUED', 'REISSUING') AND NOT EXISTS ("
        " SELECT 1 FROM jobs_job j WHERE j.subject = a.certificate_id AND j.state IN ('READY', 'RUNNING')"
        " AND (j.kind = 'validation.check' OR j.kind LIKE 'issuance.%%')) ORDER BY a.id LIMIT %s",
        [limit],
    )
    return [str(row[0]) for row in found]


def lost_intents(before: datetime, after: datetime, limit: int) -> list[str]:
    """Serials of open intents from outside these moments that no open placement stands for."""
    found = sql.rows(
        "SELECT i.serial FROM authority_intent i WHERE i.state = 'INTENDED'"
        " AND (i.created_at <= %s OR i.created_at > %s) AND NOT EXISTS (SELECT 1 FROM issuance_placement p"
        " WHERE p.reference = i.reference AND p.state = 'PLACED') ORDER BY i.created_at LIMIT %s",
        [clock.to_micros(before), clock.to_micros(after), limit],
    )
    return [str(row[0]) for row in found]


@dataclass(frozen=True, slots=True)
class Held:
    """Certificates that wait for the CA; `since` when the first of them waits."""

    count: int
    since: datetime | None


def at_the_ca(principal: Principal) -> Held:
    """Of those that the principal may list, counted up to `COUNT_UP_TO`."""
    where, params = iam.where(principal, LIST, COLUMNS)
    few = (
        "SELECT c.state_since FROM certificates_certificate c"
        f" WHERE {where} AND c.state = 'ISSUING' LIMIT {COUNT_UP_TO}"
    )
    count, since = sql.row(f"SELECT COUNT(*), MIN(state_since) FROM ({few}) few", params) or (0, None)
    return Held(int(count), sql.moment(since))


def standing_evidence(ids: Collection[int]) -> int:
    """How many of these proofs are not void at this moment."""
    found = sql.row(
        f"SELECT count(*) FROM validation_evidence WHERE void_at IS NULL AND id IN ({sql.marks(ids)})",
        list(ids),
    )
    return int(found[0]) if found else 0


def insert_applications(rows: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """Writes applications in one statement; answers their ids by certificate."""
    lines = [{**row, "company": sql.json_text(row["company"])} for row in rows]
    columns = tuple(lines[0])
    found = sql.rows(
        sql.insert_text("applications_application", columns, len(lines), "RETURNING certificate_id, id"),
        sql.flat(columns, lines),
    )
    return {str(certificate_id): int(application_id) for certificate_id, application_id in found}


def insert_proofs(proofs: Sequence[tuple[int, Sequence[Proof]]]) -> None:
    """The proof of each name, bound to evidence that was there before (DOM-13)."""
    lines = [
        {
            "application_id": application_id,
            "name": proof.name,
            "position": position,
            "challenge_id": None,
            "evidence_id": proof.evidence_id,
            "reused": True,
            "caa": "",
        }
        for application_id, names in proofs
        for position, proof in enumerate(names)
    ]
    for start in range(0, len(lines), _PROOFS_A_STATEMENT):
        sql.insert("validation_nameproof", lines[start : start + _PROOFS_A_STATEMENT])


def insert_placements(placements: Sequence[tuple[str, str, int, str]]) -> None:
    """(reference, certificate id, application id, issuer) each; real time, like every lease."""
    now = clock.real_now()
    sql.insert(
        "issuance_placement",
        [
            {
                "reference": reference,
                "certificate_id": certificate_id,
                "application_id": application_id,
                "issuer": issuer,
                "state": "PLACED",
                "failure": "",
                "created_at": now,
                "settled_at": None,
            }
            for reference, certificate_id, application_id, issuer in placements
        ],
    )


def settle(references: Sequence[str], application_ids: Sequence[int], now: datetime) -> None:
    """Placements and applications are fulfilled, all of them or none.

    Raises:
        Conflict: the reconciler or a withdrawal was quicker; roll back and release nothing.
    """
    changed = sql.execute(
        "UPDATE issuance_placement SET state = 'FULFILLED', settled_at = %s"
        f" WHERE reference IN ({sql.marks(references)}) AND state = 'PLACED'",
        [sql.plain(now), *references],
    ) + sql.execute(
        "UPDATE applications_application SET state = 'FULFILLED', ended_at = %s"
        f" WHERE id IN ({sql.marks(application_ids)}) AND state = 'OPEN'",
        [sql.plain(now), *application_ids],
    )
    if changed != len(references) + len(application_ids):
        raise Conflict(
            "The issuance was settled by another process meanwhile.",
            next_step="Look at the certificate; it is issued without anything to do.",
        )
