"""Pebble, the test server of Let's Encrypt, with its small DNS and challenge server; on loopback alone."""

import json
import os
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from shutil import which
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certdesk.connectors.issuers.protocol import Task
from certdesk.interfaces.cli.installation import free_port
from tests.support.needs import need

LOCAL = "127.0.0.1"
KEY_ID, MAC_KEY = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
PATIENCE = 30.0
_TRIES = 3


@dataclass(frozen=True)
class Identity:
    """A certificate for loopback that is its own CA, in files."""

    certificate: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text(encoding="ascii")

    def serving(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem)


def identity(folder: Path) -> Identity:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOCAL))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    found = Identity(folder / "loopback.pem", folder / "loopback.key")
    found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return found


@dataclass
class Pebble:
    """A running server. `set_up` does what a task asks for; `process` is its id."""

    identity: Identity
    port: int
    management: int
    helper: int
    process: int

    @property
    def directory(self) -> str:
        return f"https://{LOCAL}:{self.port}/dir"

    def set_up(self, task: Task) -> None:
        match task.method:
            case "dns-01":
                self.publish(task.where, task.value)
            case "http-01":
                token = task.where.rpartition("/")[2]
                self._help("add-http01", {"token": token, "content": task.value})
            case "tls-alpn-01":
                self._help("add-tlsalpn01", {"host": task.where, "content": task.value})

    def publish(self, owner: str, value: str) -> None:
        """Sets a TXT record."""
        self._help("set-txt", {"host": f"{owner}.", "value": value})

    def _help(self, what: str, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        with urllib.request.urlopen(f"http://{LOCAL}:{self.helper}/{what}", data, 10) as answer:
            assert answer.status == 200

    def _managed(self, path: str) -> bytes:
        url = f"https://{LOCAL}:{self.management}/{path}"
        with urllib.request.urlopen(url, timeout=10, context=self.identity.trusting()) as answer:
            return bytes(answer.read())

    def root(self, number: int = 0) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._managed(f"roots/{number}"))

    def status_of(self, certificate: bytes) -> dict[str, Any]:
        serial = x509.load_der_x509_certificate(certificate).serial_number
        found: dict[str, Any] = json.loads(self._managed(f"cert-status-by-serial/{serial:x}"))
        return found


@contextmanager
def running(folder: Path, *, eab: bool = False, **environment: str) -> Iterator[Pebble]:
    """Started and ready; ended afterwards. `environment`: of Pebble, e.g. `PEBBLE_ALTERNATE_ROOTS="1"`."""
    program, helper = which("pebble"), which("pebble-challtestsrv")
    need(program is not None and helper is not None, "pebble is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    own = identity(folder)
    with ExitStack() as stack:
        for left in reversed(range(_TRIES)):  # somebody may take a port that was free a moment ago
            with ExitStack() as tried:
                made = _started(tried, folder, own, (str(program), str(helper)), eab, environment)
                if made is not None:
                    stack.enter_context(tried.pop_all())
                    break
            assert left, (folder / "log").read_text(encoding="utf-8")[-3000:]
        assert made is not None
        yield made


def _started(
    stack: ExitStack,
    folder: Path,
    own: Identity,
    programs: tuple[str, str],
    eab: bool,
    environment: dict[str, str],
) -> Pebble | None:
    port, management, helper, dns, http, tls = (free_port() for _ in range(6))
    config = {
        "listenAddress": f"{LOCAL}:{port}",
        "managementListenAddress": f"{LOCAL}:{management}",
        "certificate": str(own.certificate),
        "privateKey": str(own.key),
        "httpPort": http,
        "tlsPort": tls,
        "ocspResponderURL": "",
        "certificateValidityPeriod": 90 * 86_400,
        "externalAccountBindingRequired": eab,
        "externalAccountMACKeys": {KEY_ID: MAC_KEY},
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": config}), encoding="ascii")
    log = stack.enter_context((folder / "log").open("ab"))
    usual = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    helping = ["-management", f"{LOCAL}:{helper}", "-dns01", f"{LOCAL}:{dns}", "-http01", f"{LOCAL}:{http}"]
    helping += ["-tlsalpn01", f"{LOCAL}:{tls}", "-https01", "", "-defaultIPv4", LOCAL, "-defaultIPv6", ""]
    serving = ["-config", str(folder / "pebble.json"), "-dnsserver", f"{LOCAL}:{dns}", "-strict"]
    started = []
    for command in ([programs[1], *helping], [programs[0], *serving]):
        process = subprocess.Popen(
            command, env={**os.environ, **usual, **environment}, stdout=log, stderr=log, cwd=folder
        )
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        started.append(process)
    made = Pebble(own, port, management, helper, started[1].pid)
    return made if _ready(made, started) else None


def _ready(made: Pebble, processes: list[subprocess.Popen[bytes]]) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and all(one.poll() is None for one in processes):
        with suppress(OSError):
            made._help("clear-txt", {"host": "nobody.example.test."})
            made.root()
            return True
    return False
