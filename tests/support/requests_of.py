"""CSRs with their keys, as somebody makes them on a server."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certdesk.pki.x509.keys import PrivateKey


@dataclass(frozen=True)
class Made:
    key: PrivateKey
    pem: str

    def key_pem(self, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
        return self.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def request_for(*names: str, key: PrivateKey | None = None) -> Made:
    """A CSR for these names; EC P-256 without a key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    made = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    return Made(key, made.public_bytes(Encoding.PEM).decode())


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)
