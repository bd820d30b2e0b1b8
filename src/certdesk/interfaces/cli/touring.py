"""The steps of `./certdesk tour`: the main job for real, seen from outside the process."""

import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from .client import ApiRefused, Client
from .installation import Installation
from .touring_balancer import take_to_balancer
from .touring_replacing import take_to_replacing
from .touring_revocation import take_to_revocation
from .touring_steps import Steps, TourFailed, expect

DOMAIN = "tour-shop.com"
PEOPLE = {
    "applicant_name": "Tour Person",
    "applicant_phone": "+1 202 555 0100",
    "applicant_email": "applicant@tour-shop.com",
}
COMPANY = {
    "company_name": "Tour Shop Ltd",
    "company_province": "Berlin",
    "company_city": "Berlin",
    "country": "DE",
}


def take(folder: Path, steps: Steps) -> str:
    """Every step; answers the failure's words, empty when all held."""
    if shutil.which("openssl") is None:
        return "the openssl program is needed; on Debian: apt-get install openssl"
    try:
        _run(folder, steps)
    except (TourFailed, ApiRefused, RuntimeError) as failure:
        return str(failure)
    return ""


def _run(folder: Path, steps: Steps) -> None:
    from certdesk.lab.dns_server import LabDns
    from certdesk.lab.elb import LabElb

    with (
        LabDns() as dns,
        LabElb(folder / "elb", ((f"www.{DOMAIN}", DOMAIN), (f"shop.{DOMAIN}",))) as elb,
        Installation(
            folder / "home",
            dns_resolvers=f"127.0.0.1:{dns.port}",
            target_folders=str(elb.folder),
            allow_networks="127.0.0.0/8",
        ) as home,
    ):
        with steps.step("first set-up: folder, KEK, database, built-in CA, people") as say:
            key = home.set_up()
            officer_key = home.access_key("officer")
            say(f"data in {home.folder}, a lab DNS server on 127.0.0.1:{dns.port}")
        with steps.step("web and worker start") as say:
            home.start()
            say(f"first answer of {home.url} after {home.wait_ready():.2f} s")
        with (
            Client(home.url, key["access_key"], key["secret_key"]) as admin,
            Client(home.url, officer_key["access_key"], officer_key["secret_key"]) as officer,
            _roots(home) as roots,
        ):
            single = _domain_validated(admin, dns, steps, roots)
            name = f"www.{DOMAIN}"
            take_to_balancer(admin, elb, steps, roots, single, name)
            take_to_replacing(admin, elb, steps, roots, name, single, lambda one: _prove(admin, dns, one))
            _organization_validated(admin, officer, dns, steps, roots)
            issued = _issue_now(admin, steps, roots)
            take_to_revocation(admin, steps, roots, issued)
            _aftermath(home, admin, steps, single)


@contextmanager
def _roots(home: Installation) -> Iterator[Path]:
    """The roots' PEM as an operator gets it: `./certdesk ca root`."""
    done = subprocess.run(
        [sys.executable, "-m", "certdesk", "ca", "root"],
        env=home.environment,
        capture_output=True,
        check=True,
    )
    path = home.folder / "roots.pem"
    path.write_bytes(done.stdout)
    yield path


def _buy(client: Client, **wanted: Any) -> str:
    answer = client.post(
        "/v3/scm/certificates/buy",
        {
            "cert_brand": "GEOTRUST",
            "effective_time": 1,
            "domain_numbers": 1,
            "order_number": 1,
            "agree_privacy_protection": True,
            "is_auto_pay": True,
            **wanted,
        },
    )
    return str(answer["cert"][0]["cert_id"])


def _apply(client: Client, certificate_id: str, **form: Any) -> None:
    body = {"agree_privacy_protection": True, "domain_method": "DNS", **PEOPLE, **form}
    answer = client.post(f"/v3/scm/certificates/{certificate_id}/apply", body)
    expect(answer.get("request_info") == "success", f"apply answered {answer}")


def _prove(client: Client, dns: Any, certificate_id: str) -> list[str]:
    """Puts the asked records into the lab zone and presses Verify; answers what was asked."""
    info = client.get(f"/v3/scm/certificates/{certificate_id}/domain-verification")
    asked = []
    for domain in info["domains"]:
        dns.set(domain["record_name"], domain["record_type"], [domain["record_value"].strip('"')])
        asked.append(f"{domain['record_name']} {domain['record_type']} {domain['record_value']}")
    seen = client.post(f"/v3/scm/certificates/{certificate_id}/verify")
    expect(all(domain["status"] == "VERIFIED" for domain in seen["domains"]), f"not all are verified: {seen}")
    return list(dict.fromkeys(asked))


def _wait(client: Client, certificate_id: str, status: str, within: float = 30.0) -> dict[str, Any]:
    """The certificate once it has the status."""
    until = time.monotonic() + within
    while True:
        shown = client.get(f"/v3/scm/certificates/{certificate_id}")
        if shown["status"] == status:
            return shown
        if time.monotonic() > until:
            raise TourFailed(f"{certificate_id} is {shown['status']}, not {status}, after {within:.0f} s")
        time.sleep(0.05)


def _domain_validated(client: Client, dns: Any, steps: Steps, roots: Path) -> str:
    with steps.step("buy a DV certificate for one domain, paid from the balance") as say:
        certificate_id = _buy(client, cert_type="DV_SSL_CERT", domain_type="SINGLE_DOMAIN")
        shown = client.get(f"/v3/scm/certificates/{certificate_id}")
        expect(shown["status"] == "PAID", f"bought, but {shown['status']}")
        say(f"{certificate_id}: Pending application, {shown['progress']} %")
    with steps.step("apply: system-generated CSR, EC P-256") as say:
        _apply(client, certificate_id, domain=f"www.{DOMAIN}", key_algorithm="EC_P256")
        say(f"{_wait(client, certificate_id, 'CHECKING')['next_step']}")
    with steps.step("look before the record is there") as say:
        seen = client.post(f"/v3/scm/certificates/{certificate_id}/verify")["domains"][0]
        expect(seen["status"] != "VERIFIED", "verified without a record")
        say(seen["seen"])
    with steps.step("add the record to the zone, press Verify") as say:
        for line in _prove(client, dns, certificate_id):
            say(line)
    with steps.step("issued by the built-in CA") as say:
        shown = _wait(client, certificate_id, "ISSUED")
        say(f"valid {shown['not_before']} to {shown['not_after']}")
    with steps.step("export; checked by openssl verify and by pkilint") as say:
        exported = client.post(f"/v3/scm/certificates/{certificate_id}/export")
        say(_check(exported, f"www.{DOMAIN}", roots))
    return certificate_id


def _organization_validated(client: Client, officer: Client, dns: Any, steps: Steps, roots: Path) -> None:
    names = [f"example-{DOMAIN}", f"a.example-{DOMAIN}", f"*.example-{DOMAIN}"]
    with steps.step("buy an OV certificate: 3 names, one a wildcard") as say:
        certificate_id = _buy(
            client,
            cert_brand="SYMANTEC",
            cert_type="OV_SSL_CERT",
            domain_type="MULTI_DOMAIN",
            primary_domain_type="SINGLE_DOMAIN",
            domain_numbers=3,
            single_domain_number=1,
            wildcard_domain_number=1,
        )
        say(certificate_id)
    with steps.step("apply with an uploaded CSR, prove the domain") as say:
        _apply(client, certificate_id, domain=names[0], sans=";".join(names[1:]), csr=_csr(names), **COMPANY)
        for line in _prove(client, dns, certificate_id):
            say(line)
        _wait(client, certificate_id, "CHECKING_ORG")
    with steps.step("the RA officer checks the organization and approves") as say:
        asked = officer.get(f"/v3/scm/organization-verifications/{certificate_id}")
        decided = officer.post(
            f"/v3/scm/organization-verifications/{certificate_id}/decision",
            {"decision": "approve", "checked": [item["id"] for item in asked["checklist"]], "reason": "tour"},
        )
        say(f"{len(asked['checklist'])} points checked; now {decided['status']}")
        _wait(client, certificate_id, "ISSUED")
    with steps.step("download the archive; checked by openssl verify and by pkilint") as say:
        exported = client.post(f"/v3/scm/certificates/{certificate_id}/export")
        say(_check(exported, names[1], roots))
        answer = client.send("GET", f"/v3/scm/certificates/{certificate_id}/download?server=all")
        with zipfile.ZipFile(BytesIO(answer.content)) as archive:
            expect(not any(name.endswith(".key") for name in archive.namelist()), "a key that we never had")
            say(f"{len(archive.namelist())} files, no key: it stays with who made the CSR")


def _issue_now(client: Client, steps: Steps, roots: Path) -> dict[str, Any]:
    with steps.step("issue at once for a name already proved") as say:
        name = f"www.{DOMAIN}"
        issued = client.post(
            "/v3/scm/certificates/issue",
            {
                "cert_brand": "GEOTRUST",
                "cert_type": "DV_SSL_CERT",
                "domain": name,
                "csr": _csr([name]),
                "effective_time": 1,
                "agree_privacy_protection": True,
            },
        )
        expect(issued["status"] == "ISSUED", f"not issued at once: {issued}")
        say(_check(issued, name, roots))
    return issued


def _aftermath(home: Installation, client: Client, steps: Steps, certificate_id: str) -> None:
    with steps.step("every issued certificate verified from the records alone") as say:
        report = home.run("verify-issued")
        expect(not report["problems"], f"verify-issued: {report}")
        say(f"{report['checked']} checked, no problem")
    with steps.step("the audit log's chain and signatures") as say:
        report = home.run("audit", "verify")
        expect(not report["problems"], f"audit verify: {report}")
        say(f"{report['events']} events, no problem")
    with steps.step("stopped cleanly") as say:
        home.stop()
        say("SIGTERM to web and worker; both ended by themselves")


def _csr(names: list[str]) -> str:
    """A CSR as an application owner would make it: P-256 key, the names as SANs."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
    )
    request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _check(exported: dict[str, Any], name: str, roots: Path) -> str:
    """What openssl and pkilint say of an exported certificate.

    Raises:
        TourFailed: either refuses it.
    """
    leaf, chain = roots.with_name("leaf.pem"), roots.with_name("chain.pem")
    leaf.write_text(exported["certificate"], encoding="ascii")
    chain.write_text(exported["certificate_chain"], encoding="ascii")
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", name]
    command += ["-CAfile", str(roots), "-untrusted", str(chain), str(leaf)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(verified.returncode == 0, f"openssl verify: {verified.stdout}{verified.stderr}")
    found = _lint(leaf)
    expect(not found, f"pkilint: {found}")
    return f"{name}: openssl verify OK; pkilint: nothing beyond the waived codes of the private profile"


def _lint(leaf: Path) -> list[str]:
    """pkilint's own command on the file; findings of ERROR or worse that are not waived."""
    from certdesk.pki.authority.lint import lint_pem

    return lint_pem(leaf.read_bytes(), "private")
