"""Personal data in every field that takes it; then the authorisation ends, and every byte is searched.

That is each column of each table (outbox, jobs, audit, search index), the log, and the files of the data
folder. Four ways: issued and cancelled (PRV-2), withdrawn and cancelled, issued at once and cancelled,
revoked (REV-8).
"""

import base64
import json
import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certdesk.client import Certdesk, Refused
from certdesk.interfaces.cli.installation import Installation
from certdesk.interfaces.operations.schemas import Apply
from certdesk.lab.dns_server import LabDns
from tests.support import prepared
from tests.support.organization import PDF

pytestmark = [pytest.mark.server, pytest.mark.slow]
IMPERSONAL = {
    *{"domain", "sans", "csr", "csr_id", "country", "auto_dns_auth", "agree_privacy_protection"},
    *{"domain_method", "key_algorithm", "ca_hash_algorithm", "jurisdiction_country", "business_category"},
}
"""Fields of an application in which no person and no organisation stands by itself."""
BUY = {
    "cert_brand": "GEOTRUST",
    "domain_type": "SINGLE_DOMAIN",
    "domain_numbers": 1,
    "effective_time": 1,
    "is_auto_pay": True,
    "agree_privacy_protection": True,
}
WITHIN = 120.0


class Person:
    """Somebody whose every detail is found nowhere else in the world."""

    def __init__(self, way: str, number: int) -> None:
        mark = f"quirk{way}"
        self.words = {
            "company_name": f"Zz{mark} Werke AG",
            "company_unit": f"Unit{mark}",
            "company_province": f"Province{mark}",
            "company_city": f"City{mark}",
            "applicant_name": f"Appli{mark} Lovelace",
            "applicant_phone": f"+44 20 7946 77{number:02}",
            "applicant_email": f"appli.{mark}@mail-{mark}.com",
            "contact_name": f"Contac{mark} Hopper",
            "contact_phone": f"+1 202 555 88{number:02}",
            "contact_email": f"contac.{mark}@post-{mark}.com",
            "registration_number": f"REG{mark}77",
        }
        self.document = f"licence-{mark}.pdf"
        self.subject = f"Sub{mark} Byron"

    def form(self, domain: str, **more: object) -> dict[str, Any]:
        return {"domain": domain, "country": "CN", "agree_privacy_protection": True, **self.words, **more}

    def csr(self, domain: str) -> str:
        """A CSR whose subject names a person too."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [
            x509.NameAttribute(NameOID.COMMON_NAME, domain),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, self.words["applicant_email"]),
            x509.NameAttribute(NameOID.GIVEN_NAME, self.subject),
        ]
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def forms(self) -> dict[bytes, str]:
        """What is searched for: each word as it is, as JSON has it, and in Base64 at each alignment."""
        found = {}
        for name, word in {**self.words, "document": self.document, "subject": self.subject}.items():
            found |= {word.encode(): name, json.dumps(word).strip('"').encode(): name}
            for before in range(3):
                coded = base64.b64encode(bytes(before) + word.encode()).rstrip(b"=")
                found[coded[4 if before else 0 : -1]] = name
        return found


class Desk:
    """Applicant and officer at one installation."""

    def __init__(self, home: Installation, applicant: Certdesk, officer: Certdesk, dns: LabDns) -> None:
        self.home, self.applicant, self.officer, self.dns = home, applicant, officer, dns
        self.project = applicant.identity.projects()["projects"][0]["id"]

    def bought(self, kind: str = "DV_SSL_CERT") -> str:
        return str(self.applicant.orders.buy(**BUY, cert_type=kind)["cert"][0]["cert_id"])

    def until(self, certificate_id: str, *states: str) -> None:
        end = time.monotonic() + WITHIN
        while self.applicant.certificates.show(certificate_id)["status"] not in states:
            assert time.monotonic() < end, self.home.log_end()
            threading.Event().wait(0.1)

    def prove(self, certificate_id: str) -> None:
        for one in self.applicant.certificates.domain_verification(certificate_id)["domains"]:
            if one["status"] != "VERIFIED":
                self.dns.set(one["record_name"], one["record_type"], [one["record_value"].strip('"')])

    def apply(self, certificate_id: str, form: dict[str, Any]) -> None:
        """Refused for one fault first, then saved as a draft, then sent: each may leave traces."""
        with pytest.raises(Refused):
            self.applicant.certificates.apply(certificate_id, **{**form, "applicant_phone": "none"})
        self.applicant.v2.save(self.project, certificate_id, **form)
        self.applicant.certificates.apply(certificate_id, **form)

    def issued(self, person: Person, domain: str) -> str:
        certificate_id = self.bought()
        self.apply(certificate_id, person.form(domain))
        self.prove(certificate_id)
        self.until(certificate_id, "ISSUED")
        return certificate_id

    def withdrawn(self, person: Person, domain: str) -> str:
        """An organisation's, with a document, a CSR of its own, and a draft of the next application."""
        certificate_id = self.bought("OV_SSL_CERT")
        self.apply(certificate_id, person.form(domain, csr=person.csr(domain)))
        self.prove(certificate_id)
        self.until(certificate_id, "CHECKING_ORG")
        self.applicant.organization.documents(certificate_id, person.document, PDF)
        self.officer.organization.show(certificate_id)
        self.applicant.certificates.cancel(certificate_id)
        self.until(certificate_id, "PAID")
        self.applicant.v2.save(self.project, certificate_id, **person.form(domain))
        return certificate_id

    def at_once(self, person: Person, domain: str) -> str:
        """For a name that is proved already, with a key by which the answer is kept."""
        form = person.form(domain, cert_brand="GEOTRUST", cert_type="DV_SSL_CERT", key_algorithm="EC_P256")
        made = self.applicant.certificates.issue(**form, idempotency_key="privacy")
        self.until(made["cert_id"], "ISSUED")
        return str(made["cert_id"])


# rule: PRV-2
# rule: REV-8
def test_nothing_of_anybody_is_left_anywhere(tmp_path: Path) -> None:
    people = {
        way: Person(way, number) for number, way in enumerate(("issued", "drawn", "once", "revoked"), 11)
    }
    assert set(people["once"].words) == set(Apply.model_fields) - IMPERSONAL  # a new field joins here
    with ExitStack() as stack:
        dns = stack.enter_context(LabDns())
        home = stack.enter_context(Installation(tmp_path / "home", dns_resolvers=dns.server, workers="1"))
        keys = [prepared.set_up(home), home.access_key("officer")]
        home.start()
        home.wait_ready()
        applicant, officer = (
            stack.enter_context(Certdesk(home.url, key["access_key"], key["secret_key"])) for key in keys
        )
        desk = Desk(home, applicant, officer, dns)
        made = {
            "issued": desk.issued(people["issued"], "issued.floor-shop.com"),
            "drawn": desk.withdrawn(people["drawn"], "drawn.floor-shop.com"),
            "revoked": desk.issued(people["revoked"], "revoked.floor-shop.com"),
        }
        made["once"] = desk.at_once(people["once"], "issued.floor-shop.com")
        before = tables(home)
        assert {way for way, person in people.items() if hits(person, before)} == set(people)  # it was there
        for way in ("issued", "drawn", "once"):
            applicant.certificates.cancel_privacy(made[way])
        applicant.certificates.revoke(made["revoked"], reason_code="SUPERSEDED")
        desk.until(made["revoked"], "REVOKED")
        an_hour_later(home)
        home.stop()
        after = {**tables(home), **files(home)}
        assert {way: found for way, person in people.items() if (found := hits(person, after))} == {}


def an_hour_later(home: Installation) -> None:
    """The mail that tells of the revocation was sent, or nobody sends any: now it goes too."""
    database = Path(home.environment["CERTDESK_DATA"]) / "certdesk.sqlite3"
    told = "kind = 'issuance.forget_told' AND state <> 'DONE'"
    with closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
        assert connection.execute(f"UPDATE jobs_job SET run_at = 0 WHERE {told}").rowcount == 1
        end = time.monotonic() + WITHIN
        while connection.execute(f"SELECT count(*) FROM jobs_job WHERE {told}").fetchone()[0]:
            assert time.monotonic() < end, home.log_end()
            threading.Event().wait(0.1)


def hits(person: Person, places: dict[str, bytes]) -> list[str]:
    forms = person.forms()
    return sorted(
        {
            f"{name} in {place}"
            for place, content in places.items()
            for form, name in forms.items()
            if form in content
        }
    )


def tables(home: Installation) -> dict[str, bytes]:
    """Every column of every row of every table, the search index's among them; text and bytes as they are."""
    database = Path(home.environment["CERTDESK_DATA"]) / "certdesk.sqlite3"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        names = [one for (one,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in set(names) - {"certificates_namesearch"}:  # keeps no text of its own: its parts do
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            found[f"table {name}"] = b"\n".join(_bytes(value) for row in rows for value in row)
    assert {"table outbox_message", "table jobs_job", "table audit_event"} <= set(found)
    return found


def files(home: Installation) -> dict[str, bytes]:
    """The data folder's files once SQLite's log is written back, and what the processes logged."""
    data = Path(home.environment["CERTDESK_DATA"])
    with closing(sqlite3.connect(data / "certdesk.sqlite3")) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    found = {
        f"file {path.relative_to(data)}": path.read_bytes() for path in data.rglob("*") if path.is_file()
    }
    assert "file certdesk.sqlite3" in found
    return {**found, "log": home.log.read_bytes()}


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
