"""The gate for uploaded CSRs (APP-12): key, proof of possession and names come out, nothing else.

A certificate is made from the order, never from the CSR, so whatever else the CSR asks for is ignored
and listed. `cryptography` reads fields late and raises many types; here each becomes a `BadCsr`.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AttributeOID, ExtensionOID, NameOID

from . import keys, pem
from .errors import BadCsr, BadName, shown
from .name_sets import NAMES_LIMIT
from .names import Name, parse_name
from .weak_keys import refuse_weak

TEXT_LIMIT = 16 * 1024  # characters of PEM
_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_EXTENSION_REQUEST = x509.ObjectIdentifier("1.2.840.113549.1.9.14")  # RFC 2985 §5.4.2
_MAKE_ANEW = (
    "Make it anew, for example with: "
    "openssl req -new -newkey rsa:2048 -nodes -keyout server.key -out server.csr"
)


@dataclass(frozen=True, slots=True)
class ParsedCsr:
    """What a CSR may decide.

    Attributes:
        der: the request as it was sent.
        public_key: RSA or EC, checked by `refuse_weak`.
        spki: its SubjectPublicKeyInfo, DER, as it stands in the request.
        names: common name first when it is a host name, then the SANs in order, without duplicates.
        ignored: what the CSR also asked for and does not get, one plain phrase each.
    """

    der: bytes
    public_key: keys.PublicKey
    spki: bytes
    names: tuple[Name, ...]
    ignored: tuple[str, ...]

    @property
    def pem(self) -> str:
        """The request alone in PEM, without any text that stood around it."""
        return pem.write_block(_LABELS[0], self.der)

    @property
    def key_description(self) -> str:
        return keys.describe(self.public_key)

    @property
    def spki_sha256(self) -> bytes:
        return hashlib.sha256(self.spki).digest()


def parse_csr(
    text: str,
    *,
    blocked: Callable[[bytes], bool] | None = None,
    allow_internal: bool = False,
    allow_ip: bool = False,
) -> ParsedCsr:
    """The checked content of one PEM CSR (PKCS#10, RFC 2986).

    Args:
        text: the PEM, at most 16 KiB.
        blocked: see `weak_keys.refuse_weak`.
        allow_internal: see `names.parse_name`.
        allow_ip: see `names.parse_name`; IP addresses in the SAN then count as names.

    Raises:
        BadCsr: with what is wrong and what to do. No other exception, whatever the input.
    """
    der = _single_block(text)
    candidates = _Candidates()
    with _reading():
        request = x509.load_der_x509_csr(der)
        sent_key = request.public_key()
    # Before the signature: a huge key or exponent would make verifying dear. Outside `_reading`:
    # a database that fails in `blocked` is no fault of the CSR.
    public_key = refuse_weak(sent_key, blocked=blocked)
    with _reading():
        spki = _usual_form(request, public_key)
        _refuse_bad_signature(request)
        attributes = request.attributes
        _refuse_two_extension_requests(attributes)
        candidates.read_subject(request.subject)
        candidates.read_attributes(attributes)
        candidates.read_extensions(request.extensions, take_ip=allow_ip)
    names = candidates.parse(allow_internal=allow_internal, allow_ip=allow_ip)
    return ParsedCsr(der, public_key, spki, names, tuple(candidates.ignored))


def _bad(what: str, next_step: str = _MAKE_ANEW) -> BadCsr:
    return BadCsr(f"The CSR {what}.", next_step=next_step, field="csr")


def _single_block(text: str) -> bytes:
    if len(text) > TEXT_LIMIT:
        raise _bad(f"has {len(text)} characters; at most {TEXT_LIMIT} are read")
    try:
        blocks = pem.read_blocks(text)
    except pem.BadPem as fault:
        raise _bad(str(fault), "Paste the whole file, from the BEGIN line to the END line.") from fault
    if any("PRIVATE KEY" in block.label for block in blocks):
        raise _bad(
            "text holds a private key, which must never leave your server; it was not stored",
            "Treat that key as known to others: make a new key pair, and send the CSR alone.",
        )
    if len(blocks) != 1:
        raise _bad(f"text has {len(blocks)} PEM blocks; exactly one is needed", "Paste one CSR alone.")
    if blocks[0].label not in _LABELS:
        raise _bad(f"text is a {blocks[0].label}, not a CERTIFICATE REQUEST", "Paste the .csr file.")
    return blocks[0].der


@contextmanager
def _reading() -> Iterator[None]:
    """Turn whatever the parser raises into one refusal; its own words help nobody and may echo input."""
    try:
        yield
    except BadCsr:
        raise
    except Exception as fault:
        raise _bad("cannot be read: it is damaged or not a PKCS#10 request") from fault


def _refuse_two_extension_requests(attributes: x509.Attributes) -> None:
    """Readers differ on which one counts, so a CSR with two says different things to each."""
    asked = [each for each in attributes if each.oid == _EXTENSION_REQUEST]
    if len(asked) > 1:
        raise _bad("asks for extensions twice")


def _usual_form(request: x509.CertificateSigningRequest, public_key: keys.PublicKey) -> bytes:
    """The SPKI, which is refused when it was sent in another form.

    Explicit curve parameters, compressed points and RSA-PSS keys load, but come out written anew.

    The certificate and the blocklist would then hold another SPKI than the one that was sent.
    """
    spki = keys.spki_der(public_key)
    if spki not in request.tbs_certrequest_bytes:
        raise _bad("holds its public key in an unusual form (explicit curve parameters or RSA-PSS)")
    return spki


def _refuse_bad_signature(request: x509.CertificateSigningRequest) -> None:
    algorithm = request.signature_hash_algorithm
    if not isinstance(algorithm, _HASHES):
        used = algorithm.name.upper() if algorithm else "no hash"
        raise _bad(f"is signed with {used}; SHA-256, SHA-384 or SHA-512 is needed")
    if not request.is_signature_valid:
        raise _bad("has a signature that its own key did not make")


class _Candidates:
    """Names that the CSR asks for, before they pass the gate, and what is left aside."""

    def __init__(self) -> None:
        self.ignored: list[str] = []
        self._common_names: list[str] = []
        self._alternative_names: list[str] = []

    def read_subject(self, subject: x509.Name) -> None:
        for attribute in subject:
            value = str(attribute.value)
            if attribute.oid == NameOID.COMMON_NAME and _resembles_host(value):
                self._common_names.append(value)
            else:
                self.ignored.append(f"subject {attribute.rfc4514_attribute_name}: {shown(value)}")

    def read_attributes(self, attributes: x509.Attributes) -> None:
        """Values stay out of the list: a challenge password is a secret."""
        others = (each.oid for each in attributes if each.oid != _EXTENSION_REQUEST)
        self.ignored += [f"attribute {_oid_name(oid)}" for oid in others]

    def read_extensions(self, extensions: x509.Extensions, *, take_ip: bool) -> None:
        for extension in extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                self._read_alternative_names(extension.value, take_ip=take_ip)
            else:
                self.ignored.append(f"extension {_oid_name(extension.oid)}")

    def _read_alternative_names(self, names: x509.SubjectAlternativeName, *, take_ip: bool) -> None:
        for name in names:
            if isinstance(name, x509.DNSName) or (take_ip and isinstance(name, x509.IPAddress)):
                self._alternative_names.append(str(name.value))
            else:
                self.ignored.append(f"alternative name {type(name).__name__}: {shown(str(name.value))}")

    def parse(self, *, allow_internal: bool, allow_ip: bool) -> tuple[Name, ...]:
        texts = [*self._common_names, *self._alternative_names]
        if not texts:
            raise _bad("names no host, neither as common name nor as alternative DNS name")
        count = len({text.lower() for text in texts})
        if count > NAMES_LIMIT:
            raise _bad(f"has {count} names; at most {NAMES_LIMIT} are allowed", "Ask for fewer names.")
        try:
            parsed = [parse_name(text, allow_internal=allow_internal, allow_ip=allow_ip) for text in texts]
        except BadName as fault:
            raise BadCsr(
                f"The CSR asks for a refused name. {fault.message}",
                next_step=f"{fault.next_step} Then make a new CSR.",
                field="csr",
            ) from fault
        return tuple(dict.fromkeys(parsed))


def _resembles_host(common_name: str) -> bool:
    """Whether a common name is meant as a host: `Example Ltd` is not, `exa_mple.com` is (and is refused)."""
    return "." in common_name and " " not in common_name


def _oid_name(oid: x509.ObjectIdentifier) -> str:
    return _OID_NAMES.get(oid, oid.dotted_string)


_OID_NAMES = {
    value: name.lower().replace("_", " ")
    for table in (ExtensionOID, AttributeOID)
    for name, value in vars(table).items()
    if isinstance(value, x509.ObjectIdentifier)
}
