"""ISS, VER, DLD and LST: what is issued, what can be had of it, and what the list says."""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.lifecycle.certificates import rules
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.issuance import issuers
from certdesk.lifecycle.issuance.issuers import BuiltIn
from certdesk.pki.authority import lint
from certdesk.pki.authority.models import Intent
from certdesk.pki.authority.shapes import Sample
from certdesk.pki.authority.types import CertificateRequest
from tests.support.desk import Desk
from tests.support.full_office import fill
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.rulebook import COMPANY, Caller, LabClock, san

from .test_rules_application import csr_for

HOUR = timedelta(hours=1)
LEVELS = {
    "DV_SSL_CERT": ("2.23.140.1.2.1", {NameOID.COMMON_NAME}),
    "OV_SSL_CERT": (
        "2.23.140.1.2.2",
        {
            NameOID.COMMON_NAME,
            NameOID.COUNTRY_NAME,
            NameOID.STATE_OR_PROVINCE_NAME,
            NameOID.LOCALITY_NAME,
            NameOID.ORGANIZATION_NAME,
        },
    ),
}
LEVELS["EV_SSL_CERT"] = (
    "2.23.140.1.1",
    LEVELS["OV_SSL_CERT"][1]
    | {NameOID.JURISDICTION_COUNTRY_NAME, NameOID.BUSINESS_CATEGORY, NameOID.SERIAL_NUMBER},
)


def issue(desk: Desk, alice: Caller, domain: str = "www.example.com", **more: object) -> str:
    """From purchase to certificate; `more` are columns of the purchase and of the form."""
    bought = {key: more.pop(key) for key in ("cert_type", "domain_type", "domain_numbers") if key in more}
    certificate_id = alice.buy(cert_brand="SYMANTEC", **bought)
    alice.apply(certificate_id, domain, **(COMPANY | more))
    desk.publish(certificate_id)
    desk.run()
    level = str(bought.get("cert_type", "DV"))[:2]
    for officer in {"DV": (), "OV": ("olga",), "EV": ("olga", "omar")}[level]:
        Caller(desk.someone(officer)).approve(certificate_id, level)
    desk.run()
    assert alice.status(certificate_id) == "ISSUED"
    return certificate_id


@pytest.mark.parametrize("cert_type", LEVELS)
def test_the_certificate_is_what_was_applied_for(desk: Desk, alice: Caller, cert_type: str) -> None:
    # rule: ISS-1
    # rule: ISS-2
    key = ec.generate_private_key(ec.SECP256R1())
    csr = csr_for("www.example.com", "a.example.com", key=key)
    multi = {"domain_type": "MULTI_DOMAIN", "domain_numbers": 2, "cert_type": cert_type}
    before = clock.now().replace(microsecond=0)
    certificate_id = issue(desk, alice, "www.example.com", sans="a.example.com", csr=csr, **multi)
    shown, leaf = alice.show(certificate_id), alice.leaf(certificate_id)
    assert (shown["status"], shown["progress"]) == ("ISSUED", 100)
    assert before <= leaf.not_valid_before_utc <= clock.now()
    assert san(leaf) == ["www.example.com", "a.example.com"]
    assert leaf.public_key() == key.public_key()
    policy, attributes = LEVELS[cert_type]
    assert {one.oid for one in leaf.subject} == attributes
    organization = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [one.value for one in organization] == ([COMPANY["company_name"]] if organization else [])
    found = leaf.extensions
    policies = found.get_extension_for_class(x509.CertificatePolicies).value
    assert [one.policy_identifier.dotted_string for one in policies] == [policy]
    usages = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in usages] == ["1.3.6.1.5.5.7.3.1"]
    access = found.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert {one.access_method for one in access} == {
        AuthorityInformationAccessOID.OCSP,
        AuthorityInformationAccessOID.CA_ISSUERS,
    }
    assert found.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name
    assert lint.lint_pem(leaf.public_bytes(Encoding.PEM), "private") == []
    assert leaf.serial_number.bit_length() > 64
    recorded = Intent.objects.get(serial=f"{leaf.serial_number:032x}")
    assert recorded.state == "SIGNED"
    assert bytes(recorded.certificate_der or b"") == leaf.public_bytes(Encoding.DER)


@pytest.mark.parametrize(("length", "there"), [(64, True), (65, False)])
def test_the_common_name_is_the_primary_name_of_64_bytes_at_most(
    desk: Desk, alice: Caller, length: int, there: bool
) -> None:
    # rule: ISS-6
    name = f"{'a' * 40}.{'b' * (length - 53)}.example.com"
    assert len(name) == length
    leaf = alice.leaf(issue(desk, alice, name))
    found = [one.value for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    assert found == ([name] if there else [])
    assert san(leaf) == [name]


def test_each_server_has_its_archive_and_the_key_only_where_it_was_made_here(
    desk: Desk, alice: Caller
) -> None:
    # rule: ISS-3
    made, uploaded = issue(desk, alice), issue(desk, alice, "", csr=csr_for("up.example.com"))

    def files(certificate_id: str, server: str) -> dict[str, bytes]:
        content = alice("certificates.download", certificate_id, query={"server": server}).content
        archive = zipfile.ZipFile(io.BytesIO(content))
        return {name: archive.read(name) for name in archive.namelist()}

    kinds = {"nginx": (".crt", ".key"), "apache": (".crt", ".key"), "tomcat": (".jks", ".txt")}
    kinds |= {"iis": (".pfx", ".txt"), "other": (".pem", ".key")}
    for server, endings in kinds.items():
        names = list(files(made, server))
        assert all(any(name.endswith(ending) for name in names) for ending in endings), (server, names)
        without = files(uploaded, server)
        assert not any(b"PRIVATE KEY" in content for content in without.values())
        assert not any(name.endswith((".key", ".jks", ".pfx")) for name in without), list(without)
    for archive in (files(made, "iis"), files(made, "tomcat")):
        words = b" ".join(content for name, content in archive.items() if name.endswith(".txt")).split()
        stores = [content for name, content in archive.items() if name.endswith((".pfx", ".p12"))]
        assert all(any(_opens(store, word) for word in words) for store in stores)
    one, two = (files(made, "iis") for _ in range(2))
    assert b"".join(one.values()) != b"".join(two.values())  # a new password each time


def _opens(store: bytes, password: bytes) -> bool:
    try:
        return pkcs12.load_key_and_certificates(store, password)[0] is not None
    except ValueError:
        return False


class Outage(BuiltIn):
    """The built-in CA, which does not answer a few times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def unproved(self, request: CertificateRequest, now: datetime) -> Sample | None:
        self.times -= 1
        if self.times >= 0:
            raise CertdeskError("The CA does not answer.", kind=Kind.UNAVAILABLE)
        return super().unproved(request, now)


@pytest.fixture
def issuer() -> Iterator[None]:
    yield
    issuers.register(BuiltIn())


@pytest.mark.usefixtures("issuer")
def test_an_outage_is_retried_until_it_ends(desk: Desk, alice: Caller) -> None:
    # rule: ISS-4
    issuers.register(Outage(3))
    certificate_id = alice.buy()
    alice.apply(certificate_id)
    desk.publish(certificate_id)
    desk.run(strict=False)
    assert alice.status(certificate_id) == "ISSUING"
    desk.run(2 * HOUR, strict=False)
    assert alice.status(certificate_id) == "ISSUED"


@pytest.mark.parametrize(
    ("cert_type", "state", "usual"),
    [
        ("DV_SSL_CERT", "ISSUING", "minutes"),
        ("OV_SSL_CERT", "CHECKING_ORG", "3 to 5 working days"),
        ("EV_SSL_CERT", "CHECKING_ORG", "7 to 10 working days"),
    ],
)
def test_who_waits_sees_the_approval_period_and_the_time_waited(
    lab: LabClock, office: Office, cert_type: str, state: str, usual: str
) -> None:
    # rule: ISS-5
    alice, client = Caller(office.desk.alice), office.client()
    certificate_id = alice.buy(cert_brand="SYMANTEC", cert_type=cert_type)
    alice.apply(certificate_id, **COMPANY)
    office.desk.publish(certificate_id)
    assert alice.verify(certificate_id)["status"] == state
    for waited, words in ((timedelta(seconds=59), "less than a minute"), (5 * HOUR, "5 hours")):
        lab.move(waited)
        page = client.get(f"/certificates/{certificate_id}").content.decode()
        assert f"Waiting for {words}" in page
        assert usual in page
    alice("certificates.edit", certificate_id, {"name": "renamed", "description": ""})
    assert "Waiting for 5 hours" in client.get("/certificates").content.decode()
    assert "Waiting for 5 hours" in client.get(f"/certificates/{certificate_id}").content.decode()


def test_progress_of_each_state(desk: Desk, alice: Caller) -> None:
    # rule: LST-5
    seen = []

    def look(certificate_id: str) -> None:
        shown = alice.show(certificate_id)
        seen.append((shown["status"], shown["progress"]))

    certificate_id = alice.buy(cert_brand="SYMANTEC", cert_type="OV_SSL_CERT")
    look(certificate_id)
    alice.apply(certificate_id, **COMPANY)
    look(certificate_id)
    desk.publish(certificate_id)
    alice.verify(certificate_id)
    look(certificate_id)
    Caller(desk.someone("olga")).approve(certificate_id)
    look(certificate_id)
    desk.run()
    look(certificate_id)
    assert seen == [("PAID", 0), ("CHECKING", 40), ("CHECKING_ORG", 70), ("ISSUING", 90), ("ISSUED", 100)]


DOWNLOADABLE: Sequence[State] = (
    State.ISSUED,
    State.UPLOAD,
    State.EXPIRED,
    State.SUPPLEMENTCHECKING,
    State.CANCELSUPPLEMENTING,
    State.REISSUING,
    State.REVOKING,
    State.REVOKING_DOMAIN,
)


@pytest.mark.parametrize("state", [one for one in State if one is not State.DELETED])
def test_what_can_be_downloaded_in_each_state(desk: Desk, alice: Caller, state: State) -> None:
    # rule: DLD-1
    # rule: DLD-2
    certificate_id = desk.issued("www.example.com")
    now = clock.now()
    end = now - timedelta(days=1) if state is State.EXPIRED else now + timedelta(days=300)
    placed(certificate_id, State.ISSUED if state is State.EXPIRED else state, end)
    assert alice.status(certificate_id) == state.value
    if state in DOWNLOADABLE:
        assert "BEGIN CERTIFICATE" in alice("certificates.export", certificate_id)["certificate"]
        assert alice("certificates.download", certificate_id, query={"server": "all"}).content
    else:
        for name, more in (("export", {}), ("download", {"query": {"server": "all"}})):
            fault = alice.refused(f"certificates.{name}", certificate_id, **more)
            assert fault.kind is Kind.NOT_EXPORTABLE  # 404 with SCM.0010 in the API's table


def test_versions_are_numbered_and_one_is_current(desk: Desk, alice: Caller) -> None:
    # rule: VER-1
    pending = alice.buy()
    assert alice("certificates.versions", pending)["items"] == []
    certificate_id = desk.issued("www.example.com")
    (version,) = alice("certificates.versions", certificate_id)["items"]
    leaf = alice.leaf(certificate_id)
    assert (version["version"], version["status"], version["cause"]) == (1, "CURRENT", "ISSUE")
    assert version["serial"].lower().lstrip("0") == f"{leaf.serial_number:x}"
    assert version["not_after"] == clock.wire(leaf.not_valid_after_utc)
    from cryptography.hazmat.primitives import hashes

    fingerprint = leaf.fingerprint(hashes.SHA256()).hex()
    assert version["fingerprint_sha256"].replace(":", "").lower() == fingerprint
    assert alice("certificates.list")["total_count"] == 2  # ids, not versions


def test_the_list_has_its_columns_and_the_operations_of_each_state_alone(office: Office) -> None:
    # rule: LST-1
    made = fill(office)
    alice = Caller(office.desk.alice)
    pages, url = [], "/certificates"
    while url:
        response = office.client().get(url)
        pages.append(response.content.decode())
        more = response.context.get("next_url")
        url = f"/certificates{more}" if more else ""
    page = "\n".join(pages)
    rows = {
        found[1]: found[0]
        for found in re.finditer(r'<tr role="row" data-certificate-id="(\w+)">.*?</tr>', page, re.DOTALL)
    }
    assert set(rows) >= set(made.values()) - {made["order"], made["unpaid order"]}
    listed = {one["id"]: one for one in alice("certificates.list", query={"limit": 50})["certificates"]}
    for certificate_id, row in rows.items():
        item, shown = listed[certificate_id], alice.show(certificate_id)
        assert f">{item['name']}</a>" in row
        assert f">{certificate_id}<" in row
        assert item["description"] in row
        assert f'data-status="{item["status"]}"' in row
        if item["domain"] and "xn--" not in item["domain"] and len(item["domain"]) < 60:
            assert item["domain"] in row
        if shown["progress"] is not None and shown["progress"] < 100:
            assert f"{shown['progress']} %" in row
        assert ("datetime=" in row) == bool(item["expire_time"])
        for words in ("Auto-renewal:", "default"):
            assert words in row
        offered = set(re.findall(r'data-operation="([\w-]+)"', row)) - {
            "buy"
        }  # a successor: a new certificate
        allowed = {rules.Operation(one).value for one in shown["operations"]}
        assert offered <= allowed, (item["status"], offered - allowed)
        refused = set(re.findall(r'data-why-not="([\w-]+)"', row))
        assert not refused & offered
    kinds = {listed[one]["status"] for one in rows}
    assert kinds >= {"PAID", "CHECKING", "CHECKING_ORG", "ISSUING", "ISSUED", "UNPASSED", "EXPIRED"}
