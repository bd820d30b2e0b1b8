"""The built-in CA for tests: keys from a pool of this process, requests with their proof."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from certdesk.foundation.common import settings, sql
from certdesk.foundation.sealing import kek
from certdesk.foundation.sealing.models import Secret
from certdesk.lifecycle.issuers import queries as products_orders
from certdesk.pki.authority import actions, issue, issuers, ocsp, profiles, shapes
from certdesk.pki.authority.models import Authority
from certdesk.pki.authority.types import (
    Authorization,
    CertificateRequest,
    LevelName,
    ProfileName,
    Signed,
    Subject,
)
from certdesk.pki.keystore.models import Key
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
A_DAY = timedelta(days=1)
ORGANISATION = Subject(country="DE", state="Hessen", locality="Kassel", organization="Beispiel Werke GmbH")
EV_ORGANISATION = replace(
    ORGANISATION,
    business_category="Private Organization",
    jurisdiction_country="DE",
    serial_number="HRB 12345",
)
SUBJECTS: dict[LevelName, Subject] = {"DV": Subject(), "OV": ORGANISATION, "EV": EV_ORGANISATION}
_APPROVALS: dict[LevelName, tuple[str, ...]] = {"DV": (), "OV": ("user:o1",), "EV": ("user:o1", "user:o2")}
_references = count(1)
_made: dict[tuple[bytes, str, bool], list[tuple[datetime, list[list[Any]]]]] = {}


@cache
def pooled_key(algorithm: KeyAlgorithm, number: int = 0) -> PrivateKey:
    """RSA keys are made once a test process: they are the slowest thing there is."""
    return keys.generate(algorithm)


def start_ca(now: datetime = NOW) -> None:
    """KEK file and hierarchy, at most a day old at `now`. Made once a process; later tests get copies."""
    path = kek.ensure_kek_file()
    issuers.forget()
    shapes.forget()
    ocsp.forget()
    products_orders.forget()
    house = settings.get()
    made_for = (path.read_bytes(), house.pki_base_url, house.lab)
    made = [rows for since, rows in _made.get(made_for, []) if timedelta(0) <= now - since < A_DAY]
    if not made:
        actions.bootstrap(now, make_key=pooled_key)
        rows = [list(model.objects.all()) for model in (Secret, Key, Authority)]
        _made.setdefault(made_for, []).append((now, rows))
        return
    for rows in made[0]:
        type(rows[0]).objects.bulk_create(rows)


def request(
    names: Sequence[str] = ("www.example.com",),
    *,
    profile: ProfileName = "private",
    level: LevelName = "DV",
    strong: bool = False,
    algorithm: KeyAlgorithm = KeyAlgorithm.EC_P256,
    key: PrivateKey | None = None,
    now: datetime = NOW,
    reference: str = "",
    months: int = 12,
) -> CertificateRequest:
    """A good request with its proof."""
    private_key = key or pooled_key(algorithm, 1)
    spki = keys.spki_der(private_key.public_key())
    not_before, not_after = profiles.validity(profile, months, now)
    return CertificateRequest(
        authorization=Authorization(
            reference=reference or f"scs{next(_references)}.1.1",
            account_id="a" * 32,
            names=tuple(names),
            spki_sha256=hashlib.sha256(spki).digest(),
            evidence=tuple(range(len(names))),
            approved_by=_APPROVALS[level],
            policy="domain-validation-1",
        ),
        profile=profile,
        level=level,
        strong=strong,
        spki=spki,
        key_algorithm=algorithm,
        names=tuple(names),
        subject=SUBJECTS[level],
        not_before=not_before,
        not_after=not_after,
    )


def signed(wanted: CertificateRequest, now: datetime = NOW) -> Signed:
    """Signed and recorded, its shape proved first where it is new."""
    sample = issue.unproved(wanted, now)
    if sample is not None:
        sample.keep(sample.examine())
    prepared = issue.prepare(wanted, now)
    with sql.short_transaction():
        issue.intend([prepared])
    made = issue.sign(prepared)
    with sql.short_transaction():
        issue.record([made])
    return made
