"""The abuse corpus through the HTTP API: refused with the sentence that says why, or ignored where the order
decides; never a 5xx, and nothing of it in a certificate."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from certdesk.foundation.common import clock
from certdesk.foundation.common import settings as house
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.jobs import testing as jobs
from certdesk.lab.dns_server import LabDns
from certdesk.lifecycle.orders import actions as orders
from certdesk.pki.x509.names import parse_name
from tests.support.authority import start_ca
from tests.support.hostile import HostileCsr, bad_names, hostile_csrs
from tests.support.hostile_requests import GOOD
from tests.support.signed import Answer, Person, account, person

pytestmark = pytest.mark.django_db  # each test is rolled back: the desk stays as it was prepared
C = "/v3/scm/certificates"
PRODUCT = {
    "cert_brand": "GEOTRUST",
    "cert_type": "DV_SSL_CERT",
    "effective_time": 1,
    "agree_privacy_protection": True,
}
BUY = {**PRODUCT, "domain_numbers": 1, "order_number": 1, "is_auto_pay": True}
PERSON = {
    "applicant_name": "Mallory Example",
    "applicant_phone": "13800138000",
    "applicant_email": "mallory@example.com",
    "agree_privacy_protection": True,
}
LONGEST_FIELD = 512
EXTENSIONS = {
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.CERTIFICATE_POLICIES,
}


class Desk:
    """One applicant with certificates in Pending application; a refused application leaves them there."""

    def __init__(self, who: Person, dns: LabDns) -> None:
        self.who, self.dns = who, dns
        self.single = self.buy("SINGLE_DOMAIN")
        self.wildcard = self.buy("WILDCARD")

    def buy(self, domain_type: str) -> str:
        answer = self.who.post(f"{C}/buy", {**BUY, "domain_type": domain_type})
        assert answer.status == 200, answer.json
        return str(answer.json["cert"][0]["cert_id"])

    def apply(self, certificate_id: str, **form: object) -> Answer:
        # Python's writer: it escapes what is not ASCII, single surrogates too, as an attacker would send it.
        body = json.dumps({**PERSON, **form}).encode("ascii")
        return self.who.post(f"{C}/{certificate_id}/apply", body)

    def state(self, certificate_id: str) -> str:
        return str(self.who.get(f"{C}/{certificate_id}").json["status"])

    def prove(self, certificate_id: str) -> None:
        for one in self.who.get(f"{C}/{certificate_id}/domain-verification").json["domains"]:
            self.dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])
        jobs.run_all(timedelta(minutes=1))


@pytest.fixture(scope="module")
def desk(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Desk]:
    """Prepared once for all cases; the tables are emptied afterwards."""
    with django_db_blocker.unblock(), _resolver() as dns:
        start_ca(clock.now())
        owner = account()
        orders.credit(owner.id, "CNY", 1_000_000_00, "", clock.now(), system_principal(owner.id))
        try:
            yield Desk(person(owner, "mallory", "users"), dns)
        finally:
            call_command("flush", verbosity=0, interactive=False)


@contextmanager
def _resolver() -> Iterator[LabDns]:
    before = house.get()
    with LabDns() as dns:
        house.install(before.model_copy(update={"dns_resolvers": (dns.server,)}))
        yield dns
    house.install(before)


def refused(answer: Answer, fragment: str, where: str) -> None:
    """A 4xx with a sentence that says why."""
    assert 400 <= answer.status < 500, (where, answer.status, answer.json)
    assert answer.code.startswith("SCM."), (where, answer.json)
    assert fragment.lower() in answer.text.lower(), (where, fragment, answer.text)


def has_surrogate(text: str) -> bool:
    """Half of a pair: no JSON text may hold it."""
    return any("\ud800" <= one <= "\udfff" for one in text)


def at_the_door(text: str) -> str:
    """What the API says of a text that no operation ever sees."""
    if has_surrogate(text):
        return "not JSON"
    return "U+0000" if "\0" in text else ""


def is_good(text: str) -> bool:
    try:
        parse_name(text)
    except CertdeskError:
        return False
    return True


# rule: APP-7
def test_every_bad_name_is_refused_with_its_sentence(desk: Desk) -> None:
    cases, trimmed = 0, 0
    for text, fragment in bad_names():
        if is_good(text.strip(" \t")):
            trimmed += 1  # spaces around a typed name are no part of it
            continue
        certificate_id = desk.wildcard if text.startswith("*.") else desk.single
        if not text.strip(" \t"):
            fragment = "No domain name was given"
        elif len(text) > LONGEST_FIELD:
            fragment = "domain"
        else:
            fragment = at_the_door(text) or fragment
        refused(desk.apply(certificate_id, domain=text), fragment, repr(text))
        cases += 1
    assert desk.state(desk.single) == desk.state(desk.wildcard) == "PAID"
    assert cases >= 200
    print(f"\n{cases} bad names refused, {trimmed} with spaces around a good name left out")  # noqa: T201


# rule: APP-7
def test_every_bad_name_is_refused_by_issue_now(desk: Desk) -> None:
    before = desk.who.get(f"{C}?limit=10").json["total_count"]
    for text, fragment in bad_names():
        if len(text) > LONGEST_FIELD or not text.strip(" \t") or is_good(text.strip(" \t")):
            continue
        fragment = at_the_door(text) or fragment
        body = json.dumps({**PRODUCT, "domain": text, "key_algorithm": "EC_P256"}).encode("ascii")
        refused(desk.who.post(f"{C}/issue", body), fragment, repr(text))
    assert desk.who.get(f"{C}?limit=10").json["total_count"] == before


def fragment_of(case: HostileCsr) -> str:
    if not case.pem.strip():
        return "domain"  # no CSR and no name
    if len(case.pem) > 1024 * 1024:
        return "larger than 1048576 bytes"
    return at_the_door(case.pem) or ("csr" if len(case.pem) > 64_000 else case.fragment)


# rule: APP-3
def test_every_hostile_csr_is_refused_with_its_sentence(desk: Desk) -> None:
    cases = [case for case in hostile_csrs() if case.expect == "refused"]
    for case in cases:
        fragment = fragment_of(case)
        refused(desk.apply(desk.single, csr=case.pem), fragment, case.name)
        refused(desk.who.post(f"{C}/issue", {**PRODUCT, "csr": case.pem}), fragment, f"{case.name}, issue")
    assert desk.state(desk.single) == "PAID"
    print(f"\n{len(cases)} hostile CSRs refused, by apply and by issue")  # noqa: T201


# rule: APP-12
def test_what_a_csr_may_not_decide_is_in_no_certificate(desk: Desk) -> None:
    cases = [case for case in hostile_csrs() if case.expect == "ignored"]
    for number, case in enumerate(cases):
        certificate_id = desk.buy("SINGLE_DOMAIN")
        answer = desk.apply(certificate_id, csr=case.pem)
        assert answer.status == 200, (case.name, answer.json)
        if number == 0:
            desk.prove(certificate_id)
        jobs.run_all(timedelta(minutes=1))
        assert desk.state(certificate_id) == "ISSUED", case.name
        exported = desk.who.post(f"{C}/{certificate_id}/export").json
        check_only_ordered(exported["certificate"], case.name)
        assert exported["private_key"] == ""
        issued = desk.who.post(f"{C}/issue", {**PRODUCT, "csr": case.pem})
        assert issued.status == 200, (case.name, issued.json)
        check_only_ordered(issued.json["certificate"], f"{case.name}, issue")
    assert len(hostile_csrs()) >= 60
    print(f"\n{len(cases)} CSRs whose wishes reached no certificate, by apply and by issue")  # noqa: T201


def check_only_ordered(pem: str, where: str) -> None:
    """The order's one name, our own extensions with our own values, nothing else."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(GOOD)], where
    assert {one.oid for one in extensions} <= EXTENSIONS, where
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.key_cert_sign, where
    assert not usage.crl_sign, where
    constraints = [one.value for one in extensions if one.oid == ExtensionOID.BASIC_CONSTRAINTS]
    assert all(isinstance(one, x509.BasicConstraints) and not one.ca for one in constraints), where
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert set(purposes) <= allowed, where
    subject = [(one.oid, one.value) for one in certificate.subject]
    assert subject in ([], [(x509.NameOID.COMMON_NAME, GOOD)]), where
    for unwanted in (b"evil", b"169.254", b"Bank", b"root@", b"calc", b"<script", b"hunter2"):
        assert unwanted not in certificate.public_bytes(Encoding.DER), where


FIELDS = [
    "domain", "sans", "csr", "company_name", "country", "applicant_name", "applicant_phone",
    "applicant_email", "contact_name", "auto_dns_auth", "agree_privacy_protection", "domain_method",
    "key_algorithm", "ca_hash_algorithm",
]  # fmt: skip
WRONG = [[], {}, ["a.example.com"], {"$ne": ""}, 10**30, -1, 1.5]


@pytest.mark.parametrize("field", FIELDS)
def test_a_wrong_type_is_refused_naming_its_field(desk: Desk, field: str) -> None:
    for value in WRONG:
        refused(
            desk.apply(desk.single, **{"domain": "a.example.com", field: value}), field, f"{field}={value!r}"
        )
    assert desk.state(desk.single) == "PAID"


BODIES = {
    "nothing": (b"", "agree_privacy_protection"),
    "no JSON": (b"domain=a.example.com", "not JSON"),
    "a list": (b"[]", "The body"),
    "a string": (b'"a.example.com"', "The body"),
    "a number": (b"1e309", "The body"),
    "null": (b"null", "agree_privacy_protection"),
    "NUL bytes": (b"\x00" * 100, "not JSON"),
    "a NUL inside": (b'{"domain": "a\x00.example.com"}', "not JSON"),
    "not UTF-8": (b'{"domain": "\xff\xfe.example.com"}', "not JSON"),
    "UTF-16": ('{"domain": "a.example.com"}'.encode("utf-16"), "not JSON"),
    "a byte order mark": (b'\xef\xbb\xbf{"domain": "a.example.com"}', "not JSON"),
    "NaN": (b'{"domain": NaN}', "not JSON"),
    "cut off": (b'{"domain": "a.exa', "not JSON"),
    "33 lists deep": (b'{"domain": ' + b"[" * 33 + b"]" * 33 + b"}", "nested more than 32"),
    "100,000 lists deep": (b"[" * 100_000 + b"]" * 100_000, ""),
    "100,000 objects deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, ""),
    "1 MiB and a byte": (b'{"domain": "' + b"a" * (1024 * 1024 - 13) + b'"}', "larger than 1048576 bytes"),
    "2 MiB": (b'{"sans": "' + b"a;" * 1024 * 1024 + b'"}', "larger than 1048576 bytes"),
    "a field of 70,001": (b'{"sans": "' + b"a" * 70_001 + b'"}', "sans"),
    "100,000 fields": (
        json.dumps({f"f{number}": 1 for number in range(70_000)}).encode(),
        "more than 50000 fields",
    ),
    "50,000 fields": (
        json.dumps({f"f{number}": 1 for number in range(50_000)}).encode(),
        "agree_privacy_protection",
    ),
    "the same field twice": (b'{"domain": "a.example.com", "domain": "b"}', "agree_privacy_protection"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_broken_body_is_refused(desk: Desk, name: str) -> None:
    body, fragment = BODIES[name]
    for path in (f"{C}/{desk.single}/apply", f"{C}/issue", f"{C}/batch-issue", f"{C}/buy"):
        answer = desk.who.post(path, body)
        assert 400 <= answer.status < 500, (path, answer.json)
        if path.endswith("/apply"):
            refused(answer, fragment, name)
    assert desk.state(desk.single) == "PAID"
