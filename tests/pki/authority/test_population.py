"""Whole lint over a population: every profile, level, key, number and kind of names (promise 4).

`CERTDESK_SIZE=full` makes over a thousand certificates, the small form a fifth of them.
"""

import os
from collections.abc import Iterator
from itertools import product

import pytest

from certdesk.pki.authority import issue, lint
from certdesk.pki.authority.models import Authority
from certdesk.pki.authority.types import CertificateRequest, LevelName, ProfileName
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.authority import NOW, pooled_key, request

pytestmark = pytest.mark.usefixtures("ca")

FULL = os.environ.get("CERTDESK_SIZE") == "full"
REPEATS = 6 if FULL else 1
LEAST = 1_000 if FULL else 180
PLAIN_KEYS = (KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048, KeyAlgorithm.RSA_3072, KeyAlgorithm.EC_P384)
STRONG_KEYS = (KeyAlgorithm.EC_P384, KeyAlgorithm.RSA_4096)


def chains() -> Iterator[tuple[LevelName, bool, KeyAlgorithm]]:
    for level in ("DV", "OV", "EV"):
        yield from ((level, False, key) for key in PLAIN_KEYS)
    for level in ("OV", "EV"):
        yield from ((level, True, key) for key in STRONG_KEYS)


def name_sets(level: LevelName, run: int) -> Iterator[list[str]]:
    base = f"r{run}.example.com"
    yield [f"www.{base}"]
    yield [f"xn--bcher-kva.{base}"]
    yield [f"www.{base}", f"xn--mnchen-3ya.{base}"]
    yield [f"{'l' * 60}.{'m' * 30}.{base}", f"www.{base}"]
    if level != "EV":
        yield [f"*.{base}"]
        yield [f"www.{base}", f"*.{base}", f"*.xn--bcher-kva.{base}"]
    if level == "DV" or FULL or run == 0:
        yield [f"{'*.' if level == 'OV' and n % 5 == 0 else ''}n{n}.{base}" for n in range(250)]


def population() -> Iterator[CertificateRequest]:
    profiles: tuple[ProfileName, ...] = ("private", "public")
    for run, profile, (level, strong, algorithm) in product(range(REPEATS), profiles, chains()):
        key = pooled_key(algorithm, 1)
        for names in name_sets(level, run):
            yield request(names, profile=profile, level=level, strong=strong, algorithm=algorithm, key=key)


def test_every_certificate_passes_the_whole_lint() -> None:
    # rule: ISS-2
    serials, faults, count = set(), [], 0
    for asked in population():
        prepared = issue.prepare(asked, NOW)
        signed = issue.sign(prepared)
        findings = lint.whole(signed.der, asked.level)
        faults += [(asked.profile, signed.issuer, f) for f in lint.unwaived(findings, asked.profile)]
        serials.add(signed.serial)
        count += 1
    assert not faults
    assert len(serials) == count
    assert count >= LEAST


def test_the_hierarchy_passes_the_whole_lint() -> None:
    for row in Authority.objects.all():
        kind = "ROOT" if row.parent_id is None else "CA"
        assert lint.whole(bytes(row.certificate_der), kind) == (), row.slug


def test_public_waives_nothing_and_each_waiver_has_its_reason() -> None:
    assert lint.waived("public") == {}
    assert all(len(reason) > 20 for reason in lint.waived("private").values())


def test_the_linter_still_finds_what_it_must() -> None:
    """The trap of numbered severities: an error must be seen as one."""
    signed = issue.sign(issue.prepare(request(), NOW))
    codes = {(finding.severity, finding.code) for finding in lint.whole(signed.der, "OV")}
    assert any(severity == "ERROR" for severity, _ in codes)
    year = [f.code for f in lint.errors(lint.whole(signed.der, "DV"), "public")]
    assert year == ["cabf.serverauth.certificate_validity_period_exceeds_200_days"]
