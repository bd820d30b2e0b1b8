"""Reads and the hot writes of the authority, hand-written; times are integer microseconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock, sql

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
