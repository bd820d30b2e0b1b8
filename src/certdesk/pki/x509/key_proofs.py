"""Proof that somebody holds a private key who should not: a CSR signed with it, made for the purpose.

Its common name must say what it proves, so that the CSR of an old application proves nothing.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from . import keys, pem
from .errors import BadCsr

TEXT_LIMIT = 16 * 1024  # characters of PEM
_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")


def words(what: str) -> str:
    """The common name that the proof about `what`, e.g. a certificate's id, must have; at most 64 bytes."""
    return f"key compromise {what}"


def check(text: str, what: str, spki_sha256: bytes) -> None:
    """Raises unless the text is one CSR with the right words, signed with the key of that digest.

    Args:
        spki_sha256: 32 bytes, of the key in question.

    Raises:
        BadCsr: with what is wrong and how to make it; no other exception, whatever the input.
    """
    request = _read(text, what)
    try:
        common = [str(one.value) for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        public_key = request.public_key()
        same = keys.spki_sha256(public_key) == spki_sha256
        signed = same and request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        raise _bad("cannot be read", what) from None
    if not same:
        raise _bad("is for another key than the certificate's", what)
    if not signed:
        raise _bad("is not signed with its key", what)
    if common != [words(what)]:
        raise _bad(f"has another common name than {words(what)!r}", what)


def _read(text: str, what: str) -> x509.CertificateSigningRequest:
    if len(text) > TEXT_LIMIT:
        raise _bad(f"has {len(text)} characters; at most {TEXT_LIMIT} are read", what)
    try:
        (block,) = pem.read_blocks(text)
        if block.label not in _LABELS:
            raise _bad("is no CSR", what)
        return x509.load_der_x509_csr(block.der)
    except (pem.BadPem, ValueError, UnsupportedAlgorithm):
        raise _bad("is not one CSR in PEM", what) from None


def _bad(fault: str, what: str) -> BadCsr:
    return BadCsr(
        f"The proof of key compromise {fault}.",
        next_step=f'Make it with: openssl req -new -key server.key -subj "/CN={words(what)}"',
        field="key_proof",
    )
