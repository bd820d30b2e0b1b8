"""acme2certifier, an ACME server in Python, in an environment of its own; on loopback alone."""

import os
import sqlite3
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certdesk.connectors.issuers.protocol import Task
from certdesk.interfaces.cli.installation import free_port
from certdesk.lab.dns_server import LabDns
from certdesk.pki.x509.certificates import facts
from certdesk.pki.x509.renewal_info import certificate_id
from tests.support.needs import need
from tests.support.pebble import LOCAL, Identity, identity

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).with_name("acme2certifier_server")
PLACE = ROOT / ".bench-peers" / "acme2certifier"
PYTHON = PLACE / "bin" / "python"
PATIENCE = 60.0
_CONFIGURATION = """[DEFAULT]
debug: False
dns_server_list: ["127.0.0.1"]

[Nonce]
nonce_check_disable: False

[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: {folder}/ca.key
issuing_ca_cert: {folder}/ca.pem
issuing_ca_crl: {folder}/ca.crl
cert_save_path: {folder}/certificates
cert_validity_days: 30

[DBhandler]
handler: wsgi
dbfile: {folder}/acme.sqlite3

[Certificate]
revocation_reason_check_disable: False

[Challenge]
challenge_validation_disable: False

[Order]
tnauthlist_support: False
"""


def install() -> bool:
    """Its own environment, locked; True where it stands."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=False, capture_output=True)
        wanted = ["--require-hashes", "--only-binary", ":all:", "-r", str(HERE / "requirements.lock")]
        command = [str(PYTHON), "-m", "pip", "install", "-q", *wanted]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            PYTHON.unlink(missing_ok=True)
    return PYTHON.exists()


@dataclass
class Server:
    """A running one. `set_up` does what a dns-01 task asks for."""

    folder: Path
    port: int
    dns: LabDns
    process: subprocess.Popen[bytes]
    identity: Identity | None

    @property
    def directory(self) -> str:
        return f"http{'s' if self.identity else ''}://{LOCAL}:{self.port}/directory"

    def set_up(self, task: Task) -> None:
        self.dns.set(task.where, task.record_type, [task.value])

    def revoked(self) -> set[int]:
        """Serial numbers on its list of revoked certificates."""
        found = x509.load_pem_x509_crl((self.folder / "ca.crl").read_bytes())
        return {one.serial_number for one in found}

    def issued(self) -> list[tuple[str, ...]]:
        """The names of each certificate that its database holds."""
        with closing(sqlite3.connect(f"file:{self.folder}/acme.sqlite3?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT cert_raw FROM certificate WHERE cert_raw <> ''").fetchall()
        return [facts(b64decode(raw)).names for (raw,) in rows]

    def advice(self, certificate: bytes) -> dict[str, dict[str, str]]:
        """What it says of a certificate's renewal (ARI), by the name that our client gives it."""
        trust = self.identity.trusting() if self.identity else True
        with httpx.Client(verify=trust, timeout=20) as client:
            base = client.get(self.directory).json()["renewalInfo"]
            answer = client.get(f"{base}/{certificate_id(certificate)}")
        return dict(answer.raise_for_status().json())


@contextmanager
def running(folder: Path, dns: LabDns, *, tls: bool = True) -> Iterator[Server]:
    """Started and ready; ended afterwards. It asks `dns` for its records."""
    need(PYTHON.exists(), "acme2certifier is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    _authority(folder)
    (folder / "acme_srv.cfg").write_text(_CONFIGURATION.format(folder=folder), encoding="ascii")
    own, port = identity(folder) if tls else None, free_port()
    command = [str(PYTHON), str(HERE / "serve.py"), str(folder), str(port), dns.server.rpartition(":")[2]]
    command += [str(own.certificate), str(own.key)] if own else []
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "HOME": str(folder)}
        )
    try:
        made = Server(folder, port, dns, process, own)
        _wait(made)
        yield made
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _wait(made: Server) -> None:
    until = time.monotonic() + PATIENCE
    while made.process.poll() is None and time.monotonic() < until:
        with suppress(httpx.HTTPError):
            httpx.get(made.directory, timeout=5, verify=made.identity.trusting() if made.identity else True)
            return
        time.sleep(0.05)
    raise AssertionError((made.folder / "log").read_text(encoding="utf-8")[-3000:])


def _authority(folder: Path) -> None:
    """An intermediate of EC P-256, as our own CA has one; its root is kept by nobody."""
    key, above = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.now(UTC)
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"acme2certifier test {what}")])
        for what in ("CA", "root")
    )
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=60))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = builder.add_extension(own, critical=False).sign(above, hashes.SHA256())
    revoked = x509.CertificateRevocationListBuilder().issuer_name(subject)
    revoked = revoked.last_update(now).next_update(now + timedelta(days=30))
    empty = revoked.sign(key, hashes.SHA256())  # it adds to a list that is there
    (folder / "ca.crl").write_bytes(empty.public_bytes(serialization.Encoding.PEM))
    (folder / "certificates").mkdir()
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
