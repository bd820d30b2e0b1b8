"""G2: issuance over REST with everything that a real request pays, against F and R of the same run."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bench import load, processes
from bench.report import Report, Row
from certdesk.foundation.iam import signature
from certdesk.interfaces.cli.client import Client
from certdesk.interfaces.cli.installation import Installation
from certdesk.lab.dns_server import LabDns

NAME = "bench-shop.com"
ISSUE = "/v3/scm/certificates/issue"
BATCH = "/v3/scm/certificates/batch-issue"


def measure(report: Report, seconds: float) -> None:
    """Starts an installation with one web process, proves a name through real DNS, issues under load."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        LabDns() as dns,
        Installation(Path(folder), dns_resolvers=f"127.0.0.1:{dns.port}", workers="1") as home,
    ):
        key = home.set_up("100000000")
        home.start()
        home.wait_ready()
        prove(Client(home.url, key["access_key"], key["secret_key"]), dns)
        _single(report, home, key, "EC_P256", seconds)
        _single(report, home, key, "RSA_2048", seconds)
        _batch(report, home, key, seconds)


def prove(client: Client, dns: LabDns) -> None:
    """One certificate by the whole path, so that its evidence can be used again."""
    bought = client.post(
        "/v3/scm/certificates/buy",
        {
            "cert_brand": "GEOTRUST",
            "cert_type": "DV_SSL_CERT",
            "domain_type": "SINGLE_DOMAIN",
            "effective_time": 1,
            "domain_numbers": 1,
            "order_number": 1,
            "agree_privacy_protection": True,
            "is_auto_pay": True,
        },
    )
    path = f"/v3/scm/certificates/{bought['cert'][0]['cert_id']}"
    person = {
        "applicant_name": "Bench Person",
        "applicant_phone": "+1 202 555 0101",
        "applicant_email": f"a@{NAME}",
    }
    client.post(
        f"{path}/apply",
        {
            "domain": NAME,
            "agree_privacy_protection": True,
            "domain_method": "DNS",
            "key_algorithm": "EC_P256",
            **person,
        },
    )
    for domain in client.get(f"{path}/domain-verification")["domains"]:
        dns.set(domain["record_name"], domain["record_type"], [domain["record_value"].strip('"')])
    seen = client.post(f"{path}/verify")
    if any(domain["status"] != "VERIFIED" for domain in seen["domains"]):
        raise RuntimeError(f"the name was not proved: {seen}")


def csrs(algorithm: str, count: int) -> list[str]:
    made = []
    for _ in range(count):
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        if algorithm == "EC_P256":
            key = ec.generate_private_key(ec.SECP256R1())
        else:
            key = rsa.generate_private_key(65537, 2048)
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        made.append(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
    return made


def body_of(csr: str) -> dict[str, object]:
    return {
        "cert_brand": "GEOTRUST",
        "cert_type": "DV_SSL_CERT",
        "domain": NAME,
        "csr": csr,
        "effective_time": 1,
        "agree_privacy_protection": True,
    }


def signed(home: Installation, key: dict[str, str], path: str, body: bytes) -> bytes:
    headers = signature.sign(
        "POST",
        home.url + path,
        key["access_key"],
        key["secret_key"],
        now=datetime.now(UTC),
        body=body,
        headers={"Content-Type": "application/json"},
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _single(report: Report, home: Installation, key: dict[str, str], algorithm: str, seconds: float) -> None:
    bodies = [
        json.dumps(body_of(csr)).encode() for csr in csrs(algorithm, 256 if algorithm == "EC_P256" else 12)
    ]

    def request(turn: int) -> bytes:
        return signed(home, key, ISSUE, bodies[turn % len(bodies)])

    load.run(home.port, 16, 1.0, request)  # warm, every thread of it
    _issue_rows(report, home, algorithm, load_run=lambda: load.run(home.port, 16, seconds * 2, request))


def _issue_rows(report: Report, home: Installation, algorithm: str, load_run: object) -> None:
    from certdesk.pki.authority import bench as authority

    web = home.processes["web"].pid
    lean = authority.lean_rate(0.5)[algorithm]
    before = processes.cpu_seconds(web)
    seen: load.Load = load_run()  # type: ignore[operator]
    rate = seen.good / (processes.cpu_seconds(web) - before)
    # Right before and right after: the machine's pace varies.
    lean = (lean + authority.lean_rate(0.5)[algorithm]) / 2
    if seen.good < len(seen.latencies):
        raise RuntimeError(f"answers other than 200: {seen.statuses}")
    raw = report.value(f"R raw sign {algorithm}")
    if algorithm == "EC_P256":
        report.add(
            Row(f"G2 REST issue {algorithm}", rate, "/s core", "F", rate / lean, goal=0.30, floor=0.14)
        )
        fsync = report.value("fdatasync 4 kB p99") / 1000
        p99 = seen.quantile(0.99)
        report.add(
            Row(
                "G2 p99 at 16 clients",
                p99 * 1000,
                "ms",
                "fsync p99",
                p99 / fsync,
                goal=40,
                at_most=True,
            )
        )
    else:
        report.add(Row(f"G2 REST issue {algorithm}", rate, "/s core", "R", rate / raw, goal=0.20))
    report.add(Row(f"G2 wall rate {algorithm}, 16 clients", seen.good / seen.seconds, "/s"))


def _batch(report: Report, home: Installation, key: dict[str, str], seconds: float) -> None:
    body = json.dumps({"items": [body_of(csr) for csr in csrs("EC_P256", 100)]}).encode()
    web = home.processes["web"].pid

    def request(turn: int) -> bytes:
        return signed(home, key, BATCH, body)

    load.run(home.port, 1, 0.5, request)
    before = processes.cpu_seconds(web)
    seen = load.run(home.port, 2, seconds * 2, request)
    rate = seen.good * 100 / (processes.cpu_seconds(web) - before)
    lean = report.value("F lean issue EC_P256")
    report.add(Row("G2 batch-issue of 100 EC_P256", rate, "/s core", "F", rate / lean, goal=0.55, floor=0.14))
