"""verify-issued: the records alone prove every certificate, and each tampering is named (promise 7)."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from certdesk.pki.authority import issue, issuers, profiles
from certdesk.pki.authority.models import Authority, Intent
from certdesk.pki.authority.verify import verify_issued
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509.keys import KeyAlgorithm
from tests.support.authority import NOW, request

pytestmark = pytest.mark.usefixtures("ca")


def issue_all(*requests: object) -> list[str]:
    prepared = [issue.prepare(asked, NOW) for asked in requests]  # type: ignore[arg-type]
    issue.intend(prepared)
    issue.record([issue.sign(each) for each in prepared])
    return [each.serial for each in prepared]


def test_good_certificates_have_no_problems() -> None:
    issue_all(
        request(),
        request(["*.example.com", "b.example.org"], level="OV", algorithm=KeyAlgorithm.RSA_2048),
        request(profile="public", level="EV"),
        dataclasses.replace(request(["host.corp", "10.0.0.1"]), allow_internal=True, allow_ip=True),
    )
    report = verify_issued()
    assert (report.checked, report.problems) == (4, ())
    assert verify_issued(limit=2).checked == 2
    assert report.as_dict() == {"checked": 4, "problems": ()}


def test_open_and_abandoned_intents_are_no_certificates() -> None:
    prepared = issue.prepare(request(), NOW)
    issue.intend([prepared])
    assert verify_issued().checked == 0


def flipped(data: bytes) -> bytes:
    return bytes(data[:-1]) + bytes([data[-1] ^ 1])


def proof_with(row: Intent, **changes: object) -> str:
    return json.dumps(json.loads(row.authorization_proof) | changes)


def renamed(row: Intent, new: bytes = b"www.example.org") -> dict[str, object]:
    old = b"www.example.com"
    return {
        "tbs": bytes(row.tbs).replace(old, new),
        "certificate_der": bytes(row.certificate_der or b"").replace(old, new),
        "authorization_proof": proof_with(row, names=[new.decode()]),
    }


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda row: {"certificate_der": flipped(row.certificate_der)}, "signature is not that of dv-p256"),
        (lambda row: {"certificate_der": b"\x30\x00"}, "cannot be read"),
        (lambda row: {"certificate_der": None}, "cannot be read"),
        (lambda row: {"tbs": flipped(row.tbs)}, "differs from the recorded intent"),
        (lambda row: {"authority_id": "dv-rsa2048"}, "signature is not that of dv-rsa2048"),
        (lambda row: {"profile": "public"}, "longer than the 200 days"),
        (lambda row: {"authorization_proof": proof_with(row, names=["a.b"])}, "names are not the authorised"),
        (lambda row: {"authorization_proof": proof_with(row, spki_sha256="0")}, "key is not the authorised"),
        (lambda row: {"authorization_proof": "{"}, "cannot be read"),
        (renamed, "signature is not that of dv-p256"),
        (lambda row: renamed(row, b"www.exa_ple.com"), "has an underscore"),
        (lambda row: {"authority_id": "root-p256"}, "authority root-p256 is unknown"),
    ],
)
def test_each_planted_tampering_is_named(tamper: Callable[[Intent], dict[str, object]], named: str) -> None:
    good, bad = issue_all(request(), request())
    row = Intent.objects.get(serial=bad)
    Intent.objects.filter(serial=bad).update(**tamper(row))
    problems = verify_issued().problems
    assert {problem.serial for problem in problems} == {bad}
    assert any(named in problem.what for problem in problems), problems
    assert good != bad


def test_a_moved_serial_is_named() -> None:
    (serial,) = issue_all(request())
    row = Intent.objects.get(serial=serial)
    Intent.objects.filter(serial=serial).delete()
    row.serial = "f" * 32
    row.save(force_insert=True)
    assert any("serial differs" in problem.what for problem in verify_issued().problems)


def test_a_key_that_was_blocked_since_is_named() -> None:
    asked = request()
    issue_all(asked)
    keystore.block(hashlib.sha256(asked.spki).digest(), "compromised", NOW)
    assert [problem.what for problem in verify_issued().problems] == ["the key is blocked"]


def test_a_certificate_that_begins_before_its_issuer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    first = issuers.find("dv-p256").not_before - timedelta(days=1)
    monkeypatch.setattr(profiles, "refuse_dates", lambda *dates: None)
    prepared = issue.prepare(request(now=first), first)
    issue.intend([prepared])
    issue.record([issue.sign(prepared)])
    assert [one.what for one in verify_issued().problems] == ["the certificate begins before its issuer"]


def test_another_authority_under_the_same_slug_is_named() -> None:
    issue_all(request())
    other = Authority.objects.get(slug="ov-p256").certificate_der
    Authority.objects.filter(slug="dv-p256").update(certificate_der=other)
    assert any("signature" in problem.what for problem in verify_issued().problems)
