"""What a lab load balancer starts with: self-signed certificates, as nobody has deployed anything yet."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIST = "crt-list.txt"
SOCKET = "admin.sock"
PUSHED = "pushed"
_DAYS = 90


def self_signed(names: Sequence[str]) -> str:
    """Certificate and key in PEM for the names; P-256, 90 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode() + secret.decode()


def furnish(folder: Path, sites: Sequence[Sequence[str]]) -> None:
    """A file a site, and the crt-list with their SNI filters; the first site is the default."""
    (folder / PUSHED).mkdir(parents=True, exist_ok=True)
    lines = []
    for number, names in enumerate(sites, 1):
        file = folder / f"site{number}.pem"
        if not file.exists():
            file.touch(0o600)
            file.write_text(self_signed(names), encoding="ascii")
        lines.append(f"{file} {' '.join(names)}")
    if not (folder / LIST).exists():
        (folder / LIST).write_text("\n".join(lines) + "\n", encoding="ascii")
