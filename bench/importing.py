"""G9: certificates from elsewhere, taken in one by one (no bulk import yet), against parse and insert."""

import secrets
import sqlite3
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.report import Report, Row

Made = tuple[str, str, str]


def measure(report: Report, seconds: float) -> None:
    """On the scratch database of this process; CPU seconds on both sides."""
    made = _make(max(20, int(seconds * 100)))
    lean = _lean(made)
    ours = _ours(made)
    report.add(Row("lean parse and insert, 100 a commit", lean, "/s core"))
    report.add(Row("G9 hosting one by one", ours, "/s core", "lean", ours / lean, goal=0.6, floor=0.3))


def _make(count: int) -> list[Made]:
    """Leaf, chain and key in PEM, of a CA made here."""
    from certdesk.foundation.common import clock

    now, authority = clock.real_now().replace(microsecond=0), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench Import CA")])
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    root = _signed(authority, issuer, authority, issuer, now, constraints)
    chain, made = root.public_bytes(Encoding.PEM).decode(), list[Made]()
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.DNSName(f"import{number}.example.com")
        leaf = _signed(key, x509.Name([]), authority, issuer, now, x509.SubjectAlternativeName([name]))
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        made.append((leaf.public_bytes(Encoding.PEM).decode(), chain, plain))
    return made


def _signed(key: Any, subject: x509.Name, by: Any, issuer: x509.Name, now: Any, own: Any) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    return (
        builder.not_valid_after(now + timedelta(days=90)).add_extension(own, True).sign(by, hashes.SHA256())
    )


def _lean(made: list[Made]) -> float:
    """Parse, eight fields, an insert; 100 rows a commit."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        closing(sqlite3.connect(Path(folder) / "import.sqlite3", isolation_level=None)) as own,
    ):
        own.execute("PRAGMA journal_mode=WAL")
        own.execute("PRAGMA synchronous=FULL")
        own.execute("CREATE TABLE c (id INTEGER PRIMARY KEY, a, b, c, d, e, f, g, h, der)")
        began = time.process_time()
        for start in range(0, len(made), 100):
            own.execute("BEGIN")
            rows = [_fields(text) for text, _, _ in made[start : start + 100]]
            own.executemany("INSERT INTO c (a,b,c,d,e,f,g,h,der) VALUES (?,?,?,?,?,?,?,?,?)", rows)
            own.execute("COMMIT")
        return len(made) / (time.process_time() - began)


def _fields(text: str) -> tuple[object, ...]:
    read = x509.load_pem_x509_certificate(text.encode())
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        read.subject.rfc4514_string(),
        ";".join(str(name.value) for name in names),
        f"{read.serial_number:x}",
        read.issuer.rfc4514_string(),
        read.not_valid_before_utc.isoformat(),
        read.not_valid_after_utc.isoformat(),
        read.fingerprint(hashes.SHA256()).hex(),
        type(read.public_key()).__name__,
        read.public_bytes(Encoding.DER),
    )


def _ours(made: list[Made]) -> float:
    from certdesk.foundation.common import clock, settings
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.principal import system_principal
    from certdesk.lifecycle.certificates import uploading

    settings.install(settings.get().model_copy(update={"upload_quota": 1_000_000}))
    account = iam.create_account(f"import-{secrets.token_hex(4)}")
    principal = system_principal(account.id)
    began = time.process_time()
    for number, (leaf, chain, key) in enumerate(made):
        given = uploading.Given(f"import-{number}", leaf, key, chain)
        uploading.upload(principal, given, clock.now())
    return len(made) / (time.process_time() - began)
