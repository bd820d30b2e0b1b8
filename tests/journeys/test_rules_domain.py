"""DOM and ORG: the records, what a look sees, CAA, and who decides about an organisation."""

import itertools
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock, settings
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.catalogue.queries import SHIPPED
from tests.support.desk import Desk
from tests.support.rulebook import COMPANY, Caller

HOUR = timedelta(hours=1)
FORBIDDEN_AT = range(100) if os.environ.get("CERTDESK_SIZE") == "full" else (0, 1, 50, 98, 99)
MULTI = {"domain_type": "MULTI_DOMAIN"}


def applied(alice: Caller, domain: str = "www.example.com", **form: object) -> str:
    certificate_id = alice.buy()
    alice.apply(certificate_id, domain, **form)
    return certificate_id


def test_the_state_waits_for_the_last_name(desk: Desk, alice: Caller) -> None:
    # rule: DOM-1
    # rule: DOM-10
    certificate_id = alice.buy(**MULTI, domain_numbers=3)
    alice.apply(certificate_id, "a.example.com", sans="b.example.com;c.example.com")
    assert [one["status"] for one in alice.proof(certificate_id)] == ["PENDING"] * 3
    for missing, statuses in (
        (("b.example.com", "c.example.com"), ["VERIFIED", "FAILED", "FAILED"]),
        (("c.example.com",), ["VERIFIED", "VERIFIED", "FAILED"]),
    ):
        desk.publish(certificate_id, leave_out=missing)
        report = alice.verify(certificate_id)
        assert (report["status"], [one["status"] for one in report["domains"]]) == ("CHECKING", statuses)
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "ISSUING"


def test_the_record_is_shown_and_mailed(desk: Desk, alice: Caller) -> None:
    # rule: DOM-2
    certificate_id = alice.buy(**MULTI, domain_numbers=2)
    alice.apply(certificate_id, "a.example.com", sans="b.example.org")
    records = alice.proof(certificate_id)
    values = [one["record_value"].strip('"') for one in records]
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in values)  # 256 random bits
    assert len(set(values)) == 2
    assert {one["record_type"] for one in records} == {"TXT"}
    mail = Message.objects.get(certificate_id=certificate_id)
    assert mail.recipient == "ada@example.com"
    for one, value in zip(records, values, strict=True):
        assert one["record_name"] in mail.text
        assert value in mail.text
    again = applied(alice, "c.example.com")
    assert alice.proof(again)[0]["record_value"].strip('"') not in values


@pytest.mark.parametrize("record_type", ["TXT", "CNAME"])
def test_where_the_record_goes(desk: Desk, alice: Caller, tmp_path: Path, record_type: str) -> None:
    # rule: DOM-3
    # rule: DOM-14
    # rule: DOM-15
    # rule: DOM-16
    text = SHIPPED.read_text(encoding="utf-8").replace(
        "[brands.GEOTRUST]\n", f'[brands.GEOTRUST]\nrecord_type = "{record_type}"\n'
    )
    (tmp_path / "c.toml").write_text(text)
    settings.install(settings.get().model_copy(update={"catalogue": tmp_path / "c.toml"}))
    wanted = {
        "www.example.com": "_dnsauth.example.com",
        "example.com": "_dnsauth.example.com",
        "a.example.com": "_dnsauth.a.example.com",
        "www.a.example.com": "_dnsauth.a.example.com",
        "www.co.uk": "_dnsauth.www.co.uk",
        "www.shop.co.uk": "_dnsauth.shop.co.uk",
        "*.example.com": "_dnsauth.example.com",
        "*.b.example.com": "_dnsauth.b.example.com",
    }
    first, *rest = wanted
    certificate_id = alice.buy(
        **MULTI, cert_type="OV_SSL_CERT", domain_numbers=8, single_domain_number=5, wildcard_domain_number=2
    )
    alice.apply(certificate_id, first, sans=";".join(rest), **COMPANY)
    found = {one["domain"]: one for one in alice.proof(certificate_id)}
    assert {name: one["record_name"] for name, one in found.items()} == wanted
    assert {one["record_type"] for one in found.values()} == {record_type}
    by_record = {one["record_name"]: one["record_value"] for one in found.values()}
    assert all(one["record_value"] == by_record[one["record_name"]] for one in found.values())
    assert len(set(by_record.values())) == len(by_record) == 5
    shown = alice.show(certificate_id)["authentification"]
    assert {one["domain"]: one["record_value"] for one in shown}.keys() == wanted.keys()
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "CHECKING_ORG"


@pytest.mark.parametrize(
    ("fault", "record", "seen"),
    [
        ("", None, "NXDOMAIN"),
        ("", "elsewhere", "has no TXT record"),
        ("", "wrong", "wrong-value"),
        ("SERVFAIL", None, "SERVFAIL"),
    ],
)
def test_a_look_names_what_it_saw_and_the_likely_cause(
    desk: Desk, alice: Caller, fault: str, record: str | None, seen: str
) -> None:
    # rule: DOM-4
    certificate_id = applied(alice)
    (wanted,) = alice.proof(certificate_id)
    if record == "elsewhere":
        desk.dns.set(wanted["record_name"], "A", ["192.0.2.1"])
    elif record:
        desk.dns.set(wanted["record_name"], "TXT", ["wrong-value"])
    if fault:
        desk.dns.misbehave(wanted["record_name"], fault)
    (found,) = alice.verify(certificate_id)["domains"]
    assert found["status"] == "FAILED"
    assert seen.lower() in (found["seen"] + found["cause"]).lower()
    assert found["cause"]
    desk.dns.behave()
    desk.dns.set(wanted["record_name"], "TXT", ["wrong-value", wanted["record_value"].strip('"')])
    assert alice.verify(certificate_id)["status"] == "ISSUING"


def test_workers_look_again_with_growing_pauses_and_each_look_is_logged(desk: Desk, alice: Caller) -> None:
    # rule: DOM-11
    certificate_id = applied(alice)
    horizon, pauses = timedelta(0), []
    for _ in range(4):
        desk.run(horizon)
        (job,) = Job.objects.filter(kind="validation.check", state="READY")
        pauses.append(job.run_at - clock.real_now())
        horizon = pauses[-1] + timedelta(seconds=1)
    assert timedelta(seconds=25) < pauses[0] < timedelta(seconds=31)
    assert all(1.7 < later / earlier < 2.4 for earlier, later in itertools.pairwise(pauses))
    assert len(alice.proof(certificate_id)[0]["checks"]) == 4
    alice.verify(certificate_id)
    checks = alice.proof(certificate_id)[0]["checks"]
    assert len(checks) == 5
    assert all(one["at"] and one["perspective"] == "local" and one["answer"] for one in checks)
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == "ISSUING"


@pytest.fixture
def asking(desk: Desk, tmp_path: Path) -> Desk:
    """The built-in CA asks CAA and is permitted by a name."""
    text = SHIPPED.read_text(encoding="utf-8")
    wanted = '[issuers.builtin]\ntitle = "Built-in private CA"\n'
    (tmp_path / "c.toml").write_text(text.replace(wanted, wanted + 'caa_domains = ["ca.desk.example"]\n'))
    settings.install(settings.get().model_copy(update={"catalogue": tmp_path / "c.toml"}))
    return desk


@pytest.mark.parametrize(
    ("owner", "records", "name", "permitted"),
    [
        ("example.com", ['0 issue "ca.desk.example"'], "a.b.example.com", True),
        ("example.com", ['0 issue "other.example"'], "a.b.example.com", False),
        ("b.example.com", ['0 issue ";"'], "a.b.example.com", False),
        ("c.example.com", ['0 issue ";"'], "a.b.example.com", True),
        ("example.com", ['0 issue "ca.desk.example"', '0 issuewild "other.example"'], "*.example.com", False),
        ("example.com", ['0 issue "other.example"', '0 issuewild "ca.desk.example"'], "*.example.com", True),
        ("example.com", ['0 issue "ca.desk.example; validationmethods=dns-01"'], "example.com", True),
        ("example.com", ['0 issue "ca.desk.example; validationmethods=http-01"'], "example.com", False),
    ],
)
def test_caa_is_honoured_and_a_refusal_names_the_record(
    asking: Desk, alice: Caller, owner: str, records: list[str], name: str, permitted: bool
) -> None:
    # rule: DOM-12
    asking.dns.set(owner, "CAA", records)
    certificate_id = alice.buy(domain_type="WILDCARD" if name.startswith("*") else "SINGLE_DOMAIN")
    alice.apply(certificate_id, name)
    asking.publish(certificate_id)
    asking.run()
    shown = alice.show(certificate_id)
    assert shown["status"] == ("ISSUED" if permitted else "UNPASSED")
    if not permitted:
        assert owner in shown["last_failure"]
        assert "CAA" in shown["last_failure"]
        assert re.search(r'issue(wild)? "', shown["last_failure"])


def test_one_forbidden_name_among_a_hundred_refuses_the_order_wherever_it_stands(
    asking: Desk, alice: Caller
) -> None:
    # rule: DOM-12
    names = [f"n{number}.example.com" for number in range(100)]

    def ordered() -> str:
        certificate_id = asking.buy(domain_type="MULTI_DOMAIN", names=100)
        alice.apply(certificate_id, names[0], sans=";".join(names[1:]))
        return certificate_id

    first = ordered()
    asking.publish(first)
    asking.run()
    assert alice.show(first)["status"] == "ISSUED"  # and every later order stands on this proof
    for place in FORBIDDEN_AT:
        asking.dns.set(names[place], "CAA", ['0 issue "other.example"'])
        certificate_id = ordered()
        asking.run()
        shown = alice.show(certificate_id)
        assert shown["status"] == "UNPASSED", place
        assert names[place] in shown["last_failure"]
        asking.dns.remove(names[place], "CAA")
    last = ordered()
    asking.run()
    assert alice.show(last)["status"] == "ISSUED"


def test_a_caa_question_that_failed_is_shown_while_it_is_asked_again(asking: Desk, alice: Caller) -> None:
    # rule: DOM-12
    # rule: ISS-4
    certificate_id = applied(alice)
    asking.publish(certificate_id)
    asking.dns.misbehave("www.example.com", "SERVFAIL")
    asking.run()
    shown = alice.show(certificate_id)
    assert shown["status"] == "ISSUING"
    assert "CAA records of www.example.com cannot be read" in shown["last_failure"]
    assert "asked again" in shown["last_failure"]
    asking.dns.behave()
    asking.run(HOUR)
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["last_failure"]) == ("ISSUED", "")


@pytest.mark.parametrize(
    ("cert_type", "asks"),
    [
        ("DV_SSL_CERT", False),
        ("DV_SSL_CERT_BASIC", False),
        ("OV_SSL_CERT", True),
        ("OV_SSL_CERT_PRO", True),
        ("EV_SSL_CERT", True),
        ("EV_SSL_CERT_PRO", True),
    ],
)
def test_the_applicant_of_ov_and_ev_chooses_how_the_organization_is_verified(
    desk: Desk, alice: Caller, cert_type: str, asks: bool
) -> None:
    # rule: ORG-1
    key = {"key_algorithm": "EC_P384"} if cert_type.endswith("PRO") else {}
    certificate_id = alice.buy(cert_type=cert_type, cert_brand="SYMANTEC")
    alice.apply(certificate_id, **COMPANY, **key)
    mails = Message.objects.filter(template="organization-request", certificate_id=certificate_id)
    assert not mails.exists()  # only after the domain
    desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == ("CHECKING_ORG" if asks else "ISSUING")
    if not asks:
        assert not mails.exists()
        alice.refused("organization.method", certificate_id, {"method": "EMAIL"})
        return
    mail = mails.get()
    assert mail.recipient == "ada@example.com"
    assert f"/certificates/{certificate_id}/organization" in mail.text
    officer = Caller(desk.someone("olga"))
    assert officer("organization.show", certificate_id)["method"] == "PHONE"
    for method in ("EMAIL", "DOCUMENTS", "PHONE"):
        alice("organization.method", certificate_id, {"method": method})
        assert officer("organization.show", certificate_id)["method"] == method
    alice.refused("organization.method", certificate_id, {"method": "PIGEON"})


def test_an_officer_records_and_decides_the_applicant_never(desk: Desk, alice: Caller) -> None:
    # rule: ORG-2
    # rule: ORG-3
    # rule: ORG-5
    certificate_id = alice.buy(cert_type="EV_SSL_CERT", cert_brand="SYMANTEC")
    alice.apply(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    olga, omar = Caller(desk.someone("olga")), Caller(desk.someone("omar"))
    asked = olga("organization.show", certificate_id)
    assert asked["company"]["name"] == COMPANY["company_name"]
    everything = [item["id"] for item in asked["checklist"]]
    yes = {"decision": "approve", "checked": everything, "reason": "seen in the register"}
    decide = "organization.decide"
    for nobody in (
        alice,
        Caller(desk.someone("eve", access_key=desk.alice.access_key)),
        Caller(desk.someone("bob", "scm:cert:*", "scm:organization:list")),
    ):
        nobody.refused(decide, certificate_id, yes)
    olga.refused(decide, certificate_id, {**yes, "checked": everything[1:]})
    olga.refused(decide, certificate_id, {"decision": "reject", "reason": " "})
    assert olga(decide, certificate_id, yes) == {"status": "CHECKING_ORG", "decisions_needed": 1}
    olga.refused(decide, certificate_id, yes)
    kept = olga("organization.show", certificate_id)["decisions"][0]
    assert (kept["officer"], kept["reason"], sorted(kept["checked"])) == (
        "olga",
        "seen in the register",
        sorted(everything),
    )
    assert omar(decide, certificate_id, yes) == {"status": "ISSUING", "decisions_needed": 0}
    assert alice.show(certificate_id)["progress"] == 90


def test_a_rejection_shows_its_reason(desk: Desk, alice: Caller) -> None:
    # rule: ORG-3
    certificate_id = alice.buy(cert_type="OV_SSL_CERT", cert_brand="SYMANTEC")
    alice.apply(certificate_id, **COMPANY)
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    no = {"decision": "reject", "reason": "The register has another name."}
    Caller(desk.someone("olga"))("organization.decide", certificate_id, no)
    shown = alice.show(certificate_id)
    assert (shown["status"], shown["last_failure"]) == ("UNPASSED", "The register has another name.")
    assert Message.objects.filter(certificate_id=certificate_id, text__contains="another name").exists()
