"""G9: certificates from elsewhere in bulk, against parse and batched insert.

A list that is only to be watched (no keys) is what the goal is about: ours reads, checks and sorts it, looks
for what is there already, and writes four rows each. The lean side reads a certificate and stores one row.

Hosting with keys is measured beside it. It also proves each link of the chain and the path, opens the key and
tries it against the certificate, and seals it under a data key of its own; so a second lean side does that
much by hand, in as few lines as it takes: link, key and seal alone leave 0.2 of the first, whoever writes
them.
"""

import gc
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from bench.report import Report, Row

if TYPE_CHECKING:
    from certdesk.foundation.iam.principal import Principal

Made = tuple[str, str, str]


def measure(report: Report, seconds: float) -> None:
    """On the scratch database of this process; CPU seconds on both sides."""
    made = _make(max(20, int(seconds * 1_000)))
    some = made[: max(20, int(seconds * 100))]
    gc.collect()
    gc.freeze()  # as a serving process does, for both sides
    gc.set_threshold(20_000, 20, 20)
    lean, duties = _lean(made, _fields), _lean(some, _duties)
    watched, many, single = _watched(made), _hosted(some, 100), _hosted(some, 1)
    report.add(Row("lean parse and insert, 100 a commit", lean, "/s core"))
    report.add(Row("the same with link, key and seal", duties, "/s core"))
    report.add(
        Row("G9 watched, a list of 1,000", watched, "/s core", "lean", watched / lean, goal=0.6, floor=0.3)
    )
    report.add(Row("G9 hosting with keys, 100 at once", many, "/s core", "lean", many / lean))
    report.add(Row("G9 against the same duties", many, "/s core", "lean, with duties", many / duties))
    report.add(Row("G9 hosting one by one", single, "/s core", "lean", single / lean))


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


def _lean(made: list[Made], read: Callable[[Made], tuple[object, ...]]) -> float:
    """Parse, eight fields, an insert into a table with the indexes of an inventory; 100 rows a commit."""
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder,
        closing(sqlite3.connect(Path(folder) / "import.sqlite3", isolation_level=None)) as own,
    ):
        own.execute("PRAGMA journal_mode=WAL")
        own.execute("PRAGMA synchronous=FULL")
        own.execute(
            "CREATE TABLE c (id INTEGER PRIMARY KEY, status DEFAULT 'active', subject, names, serial, issuer,"
            " not_before, not_after, fingerprint, key, der)"
        )
        for number, columns in enumerate(("status, id", "not_after", "status, not_after, id", "names")):
            own.execute(f"CREATE INDEX c{number} ON c ({columns})")
        fields = "subject, names, serial, issuer, not_before, not_after, fingerprint, key, der"
        began = time.process_time()
        for start in range(0, len(made), 100):
            own.execute("BEGIN")
            rows = [read(one) for one in made[start : start + 100]]
            own.executemany(f"INSERT INTO c ({fields}) VALUES ({','.join('?' * 9)})", rows)
            own.execute("COMMIT")
        return len(made) / (time.process_time() - began)


def _duties(made: Made) -> tuple[object, ...]:
    """Also: the issuer's signature, the key and that it is the certificate's, and a seal."""
    leaf, chain, key = made
    read, issuer = (x509.load_pem_x509_certificate(text.encode()) for text in (leaf, chain))
    read.verify_directly_issued_by(issuer)
    private_key: Any = load_pem_private_key(key.encode(), None)
    if private_key.public_key() != read.public_key():
        raise RuntimeError("not its key")
    plain = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = AESGCM(secrets.token_bytes(32)).encrypt(secrets.token_bytes(12), plain, b"bench")
    *fields, der = _fields(made)
    assert isinstance(der, bytes)  # noqa: S101
    return (*fields, b"".join((issuer.public_bytes(Encoding.DER), sealed, der)))


def _fields(made: Made) -> tuple[object, ...]:
    read = x509.load_pem_x509_certificate(made[0].encode())
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


def _watched(made: list[Made]) -> float:
    """Lists as `batch-watch` takes them, the CA's certificate among them."""
    from certdesk.foundation.common import clock
    from certdesk.lifecycle.certificates import watching

    principal = _principal()
    lists = [
        made[0][1] + "".join(leaf for leaf, _, _ in made[start : start + 1_000])
        for start in range(0, len(made), 1_000)
    ]
    began = time.process_time()
    for text in lists:
        taken = watching.watch_list(principal, text, "0", clock.now())
        if any(one.refused or one.there for one in taken.outcomes):
            raise RuntimeError(f"refused: {taken}")
    return len(made) / (time.process_time() - began)


def _hosted(made: list[Made], at_once: int) -> float:
    from certdesk.foundation.common import clock
    from certdesk.lifecycle.certificates import uploading

    principal = _principal()
    given = [
        uploading.Given(f"import-{number}", leaf, key, chain)
        for number, (leaf, chain, key) in enumerate(made)
    ]
    began = time.process_time()
    for start in range(0, len(given), at_once):
        outcomes = uploading.upload_many(principal, given[start : start + at_once], clock.now())
        if not all(isinstance(one, uploading.Uploaded) for one in outcomes):
            raise RuntimeError(f"refused: {outcomes}")
    return len(made) / (time.process_time() - began)


def _principal() -> "Principal":
    """Of an account of its own, with room for all that is imported."""
    from certdesk.foundation.common import settings
    from certdesk.foundation.iam import actions as iam
    from certdesk.foundation.iam.principal import system_principal
    from certdesk.foundation.jobs import registry

    settings.install(settings.get().model_copy(update={"upload_quota": 1_000_000}))
    registry.discover()  # imports every room, once a process
    return system_principal(iam.create_account(f"import-{secrets.token_hex(4)}").id)
