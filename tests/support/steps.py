"""The steps that many journeys share, as one clicks through them: buy, pay, apply, prove."""

import re
import zipfile
from io import BytesIO
from pathlib import Path

from cryptography import x509
from playwright.sync_api import expect

from certdesk.lab.dns_server import LabDns
from tests.support.person import PATIENCE, Person

PROOF = re.compile(r"_dnsauth\.\S+")


def chooses(
    person: Person,
    kind: str = "DV",
    names: str = "Single domain",
    brand: str = "GeoTrust",
    *,
    quantity: int = 1,
    domains: int = 0,
    wildcards: int = 0,
) -> None:
    """From the list to the order's confirmation."""
    person.menu("Certificates")
    person.click("Buy certificate")
    person.tick(names)
    if domains:
        person.type("Domain quantity", str(domains))
    if wildcards:
        person.type("Additional wildcard names", str(wildcards))
    person.tick(kind)
    person.tick(brand)
    if quantity > 1:
        person.type("Quantity", str(quantity))
    person.click("Next")
    person.sees("Order confirmation")


def pays(person: Person) -> None:
    person.tick("I have read and agree to the Cloud Certificate Manager Statement")
    person.click("Pay")
    person.told("The order is paid.")


def fills_in_applicant(person: Person, email: str = "ada@example.com") -> None:
    person.type("Name", "Ada Lovelace")
    person.type("Phone number", "+44 20 7946 0000")
    person.type("Email address", email)


def fills_in_company(person: Person, name: str = "Example Trading Co.,Ltd") -> None:
    person.type("Company name", name)
    person.type("Country/Region", "CN")
    person.type("Province", "Guizhou")
    person.type("City", "Guiyang")


def agrees(person: Person) -> None:
    person.main.locator("form").get_by_role("checkbox").last.check()


def submits(person: Person) -> None:
    """The application; the verify page follows."""
    agrees(person)
    person.click("Submit")
    person.page.wait_for_url("**/verify")


def applies(
    person: Person,
    domain: str,
    sans: str = "",
    *,
    company: str = "",
    method: str = "",
    email: str = "ada@example.com",
) -> str:
    """From a paid order's receipt, or a certificate's page; answers the certificate's page."""
    person.click("Apply for certificate")
    person.type("Domain name", domain)
    if sans:
        person.type("Additional domain names", sans)
    person.pick("Key algorithm", "EC P-256")
    if method:
        person.tick(method)
    if company:
        fills_in_company(person, company)
    fills_in_applicant(person, email)
    submits(person)
    return person.address.removesuffix("/verify")


def sets_record(person: Person, dns: LabDns) -> tuple[str, str]:
    """Copies name and value of the shown record with the buttons, and sets it at the name server."""
    name = person.copied("主机记录" if person.language.startswith("zh") else "Name")
    value = person.copied("Value")
    assert PROOF.fullmatch(name), name
    dns.set(name, "TXT", [value.strip('"')])
    return name, value


def verifies(person: Person) -> None:
    """Presses *Verify* and waits for its answer; pressed meanwhile, the button does nothing."""
    person.click("Verify")
    expect(person.page.locator(".htmx-request")).to_have_count(0, timeout=PATIENCE)


def archive(person: Person, server: str) -> dict[str, bytes]:
    """Files of the archive that the download page gives for one kind of server."""
    saved = person.saves("Download", person.row(server))
    with zipfile.ZipFile(BytesIO(Path(saved.path()).read_bytes())) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def leaf(files: dict[str, bytes]) -> x509.Certificate:
    pem = next(content for name, content in sorted(files.items()) if b"BEGIN CERTIFICATE" in content)
    return x509.load_pem_x509_certificate(pem)


def common_names(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)
