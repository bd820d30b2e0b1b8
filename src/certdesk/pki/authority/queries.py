"""Reads and the hot writes of the authority, hand-written; times are integer microseconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from certdesk.foundation.common import clock, sql

from . import constraints
from .constraints import Bounds
from .models import Intent, IntentState
from .types import LevelName, ProfileName


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    slug: str
    level: LevelName
    algorithm: str
    key_id: str
    certificate_der: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A signed certificate as the records hold it."""

    serial: str
    authority: str
    profile: ProfileName
    tbs: bytes
    authorization: str
    certificate_der: bytes
    created_at: datetime


def authority(slug: str) -> AuthorityRow | None:
    found = sql.row(
        "SELECT slug, level, algorithm, key_id, certificate_der FROM authority_authority WHERE slug = %s",
        [slug],
    )
    if found is None:
        return None
    slug, level, algorithm, key_id, der = found
    return AuthorityRow(slug, level, algorithm, key_id, bytes(der))


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """What a process keeps of the hierarchy.

    Attributes:
        current: place -> slug of the authority that signs there now.
        crossed: those certified twice.
        forked: those, and all under them: more than one chain leads up from what they sign.
    """

    current: Mapping[str, str]
    crossed: frozenset[str]
    forked: frozenset[str]


def hierarchy() -> Hierarchy:
    current = sql.rows("SELECT place, slug FROM authority_authority WHERE retired_at IS NULL")
    crossed = _slugs("SELECT DISTINCT authority_id FROM authority_cross")
    under = (
        "SELECT slug FROM authority_authority WHERE parent_id IN (SELECT authority_id FROM authority_cross)"
    )
    return Hierarchy(dict(current), crossed, crossed | _slugs(under))


def signing() -> list[str]:
    """Slugs of the authorities that sign certificates or did: all but the roots."""
    found = sql.rows("SELECT slug FROM authority_authority WHERE parent_id IS NOT NULL ORDER BY slug")
    return [str(slug) for (slug,) in found]


def _slugs(statement: str) -> frozenset[str]:
    return frozenset(str(slug) for (slug,) in sql.rows(statement))


def cross(slug: str) -> bytes | None:
    """A cross-certificate, DER."""
    found = sql.row("SELECT certificate_der FROM authority_cross WHERE slug = %s", [slug])
    return bytes(found[0]) if found else None


def bounds(slug: str) -> Bounds:
    """The names that an authority may certify; none for one that is not known."""
    row = authority(slug)
    return constraints.of(x509.load_der_x509_certificate(row.certificate_der)) if row else constraints.NONE


def level_of(slug: str) -> LevelName:
    """The verification level of an issuing authority: the first part of its slug."""
    level = slug.partition("-")[0].upper()
    if level == "DV":
        return "DV"
    return "OV" if level == "OV" else "EV"


def shape_is_proved(digest: str) -> bool:
    return sql.row("SELECT 1 FROM authority_shape WHERE digest = %s", [digest]) is not None


def insert_intents(values: Sequence[dict[str, object]]) -> int:
    """Rows inserted; fewer than given when a reference or serial was there before."""
    columns = list(values[0])
    one = "(" + ",".join(["%s"] * len(columns)) + ")"
    return sql.execute(
        f"INSERT INTO authority_intent ({','.join(columns)}) VALUES {','.join([one] * len(values))}"
        " ON CONFLICT DO NOTHING",
        [line[column] for line in values for column in columns],
    )


def set_signed(signed: Sequence[tuple[str, bytes]], now: datetime) -> int:
    """INTENDED -> SIGNED for (serial, DER) pairs; answers rows changed."""
    moment = clock.to_micros(now)
    return sum(
        sql.execute(
            "UPDATE authority_intent SET state = 'SIGNED', certificate_der = %s, signed_at = %s"
            " WHERE serial = %s AND state = 'INTENDED'",
            [der, moment, serial],
        )
        for serial, der in signed
    )


def set_abandoned(serial: str) -> int:
    return sql.execute(
        "UPDATE authority_intent SET state = 'ABANDONED' WHERE serial = %s AND state = 'INTENDED'", [serial]
    )


def set_linted(serials: Sequence[str], now: datetime) -> None:
    Intent.objects.filter(serial__in=serials).update(linted_at=now)


def find(reference: str) -> Intent | None:
    return Intent.objects.filter(reference=reference).exclude(state=IntentState.ABANDONED).first()


def reference_of(serial: str) -> str:
    """The requester's reference of a signed certificate; empty for a serial that we did not sign."""
    row = sql.row("SELECT reference FROM authority_intent WHERE serial = %s AND state = 'SIGNED'", [serial])
    return str(row[0]) if row else ""


def issued(serials: Sequence[str]) -> list[Issued]:
    """The signed ones among these serials."""
    if not serials:
        return []
    marks = ",".join(["%s"] * len(serials))
    return [_issued(row) for row in sql.rows(f"{_ISSUED} AND serial IN ({marks})", serials)]


def all_issued(limit: int | None, page: int = 500) -> Iterator[Issued]:
    """Every signed certificate by pages of the key, memory O(page); or the newest `limit`."""
    if limit is not None:
        yield from map(_issued, sql.rows(f"{_ISSUED} ORDER BY created_at DESC LIMIT %s", [limit]))
        return
    after = ""
    while rows := sql.rows(f"{_ISSUED} AND serial > %s ORDER BY serial LIMIT %s", [after, page]):
        yield from map(_issued, rows)
        after = rows[-1][0]


_ISSUED = (
    "SELECT serial, authority_id, profile, tbs, authorization_proof, certificate_der, created_at"
    " FROM authority_intent WHERE state = 'SIGNED'"
)


def _issued(row: sql.Row) -> Issued:
    serial, slug, profile, tbs, proof, der, created_at = row
    return Issued(serial, slug, profile, bytes(tbs), proof, bytes(der or b""), clock.from_micros(created_at))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a serial of one authority: issued, and whether revoked."""

    issued: bool
    reason: int | None = None
    revoked_at: datetime | None = None


def standing(authority_slug: str, serial: str) -> Standing:
    """One look-up for one OCSP answer: a serial that was never recorded as signed is not issued."""
    found = sql.row(
        "SELECT r.reason, r.revoked_at FROM authority_intent i LEFT JOIN authority_revocation r"
        " ON r.serial = i.serial WHERE i.serial = %s AND i.authority_id = %s AND i.state = 'SIGNED'",
        [serial, authority_slug],
    )
    if found is None:
        return Standing(False)
    reason, revoked_at = found
    return Standing(True) if reason is None else Standing(True, reason, clock.from_micros(revoked_at))


def insert_revocation(values: dict[str, object]) -> bool:
    """False when the serial was revoked before."""
    return sql.insert("authority_revocation", [values], "ON CONFLICT DO NOTHING") == 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a CRL. `listed_in`: the number of the first CRL that shows it."""

    serial: int
    reason: int
    revoked_at: datetime
    listed_in: int | None


def revoked(crl: str, since: datetime) -> list[Entry]:
    """The entries of a CRL: all that ended after `since` or have never been listed."""
    found = sql.rows(
        "SELECT serial, reason, revoked_at, listed_in FROM authority_revocation"
        " WHERE crl = %s AND (not_after > %s OR listed_in IS NULL) ORDER BY serial",
        [crl, clock.to_micros(since)],
    )
    return [
        Entry(int(serial, 16), reason, clock.from_micros(at), listed) for serial, reason, at, listed in found
    ]


def set_listed(crl: str, number: int, serials: Sequence[str]) -> None:
    """Notes the first CRL that shows these; rows that came meanwhile wait for the next one."""
    for start in range(0, len(serials), 500):
        part = serials[start : start + 500]
        sql.execute(
            "UPDATE authority_revocation SET listed_in = %s WHERE crl = %s AND listed_in IS NULL"
            f" AND serial IN ({sql.marks(part)})",
            [number, crl, *part],
        )


def unlisted() -> set[str]:
    """The CRLs that do not show all of their revocations yet."""
    return {
        name for (name,) in sql.rows("SELECT DISTINCT crl FROM authority_revocation WHERE listed_in IS NULL")
    }


@dataclass(frozen=True, slots=True)
class Listing:
    """A revoked serial: since when OCSP says so, its CRL, and the number of the first one that shows it."""

    revoked_at: datetime
    crl: str
    number: int | None


def listings(serials: Sequence[str]) -> dict[str, Listing]:
    """The revoked ones among these serials."""
    if not serials:
        return {}
    found = sql.rows(
        "SELECT serial, revoked_at, crl, listed_in FROM authority_revocation"
        f" WHERE serial IN ({sql.marks(serials)})",
        serials,
    )
    return {str(serial): Listing(clock.from_micros(at), crl, number) for serial, at, crl, number in found}


def unlisted_counts() -> dict[str, int]:
    """How many revocations each CRL does not show yet; those that show all are left out."""
    return dict(
        sql.rows("SELECT crl, count(*) FROM authority_revocation WHERE listed_in IS NULL GROUP BY crl")
    )


@dataclass(frozen=True, slots=True)
class Published:
    """A CRL as it is served, with its delta."""

    full: bytes
    delta: bytes
    this_update: datetime
    next_update: datetime


def published(crl: str) -> Published | None:
    """None for a name that has none, or none yet."""
    found = sql.row(
        "SELECT der, delta, this_update, next_update FROM authority_crl"
        " WHERE name = %s AND this_update IS NOT NULL",
        [crl],
    )
    if found is None:
        return None
    full, delta, this_update, next_update = found
    return Published(
        bytes(full), bytes(delta), clock.from_micros(this_update), clock.from_micros(next_update)
    )
