"""What proves that a private key is known to others, and what does not."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certdesk.pki.x509 import key_proofs, keys, pem
from certdesk.pki.x509.errors import BadCsr

KEY = ec.generate_private_key(ec.SECP256R1())
DIGEST = keys.spki_sha256(KEY.public_key())
WORDS = key_proofs.words("scs1")


def proof(words: str = WORDS, key: ec.EllipticCurvePrivateKey = KEY, names: int = 1) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)] * names)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


def text(der: bytes, label: str = "CERTIFICATE REQUEST") -> str:
    return pem.write_block(label, der)


def flipped(der: bytes) -> bytes:
    """Another signature: its last octet changed."""
    return der[:-1] + bytes([der[-1] ^ 1])


def other_curve(der: bytes) -> bytes:
    """The curve's name spoilt, so that the key cannot be read."""
    curve = bytes.fromhex("06082a8648ce3d030107")
    assert curve in der
    return der.replace(curve, curve[:-1] + b"\x7f")


@pytest.mark.parametrize("label", ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"])
def test_a_csr_with_the_words_signed_with_the_key(label: str) -> None:
    key_proofs.check(text(proof(), label), "scs1", DIGEST)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("", "is not one CSR in PEM"),
        ("hello", "is not one CSR in PEM"),
        (text(proof()) * 2, "is not one CSR in PEM"),
        (text(b"\x30\x00"), "is not one CSR in PEM"),
        ("x" * (key_proofs.TEXT_LIMIT + 1), "at most 16384 are read"),
        (text(proof(), "CERTIFICATE"), "is no CSR"),
        (text(proof(key=ec.generate_private_key(ec.SECP256R1()))), "is for another key"),
        (text(flipped(proof())), "is not signed with its key"),
        (text(proof("key compromise scs2")), "has another common name"),
        (text(proof(names=0)), "has another common name"),
        (text(other_curve(proof())), "cannot be read"),
    ],
)
def test_what_proves_nothing(given: str, fault: str) -> None:
    with pytest.raises(BadCsr, match=fault) as caught:
        key_proofs.check(given, "scs1", DIGEST)
    assert caught.value.field == "key_proof"
    assert 'openssl req -new -key server.key -subj "/CN=key compromise scs1"' in caught.value.next_step
