"""A certificate from elsewhere, its chain and its key: read within limits, checked, put in order (UPL-1..6).

Sizes are looked at before anything is parsed. Refused is what cannot be used: formats, keys, names, time,
order. What is merely odd becomes a finding. Pure: trust in a root is nobody's business here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from . import certificates, chains, foreign_formats, keys, names, pem, uploaded_keys, weak_keys
from .certificates import CertificateFacts
from .errors import BadName, UploadRefused, WeakKey
from .findings import Finding, alone, findings
from .keys import KeyAlgorithm, PrivateKey

TEXT_LIMIT = 64_000  # characters of PEM: a leaf of 250 names and ten certificates above it fit
MOST_NAMES = 250
UNREADABLE, CHAIN_UNREADABLE = "SCM.0006", "SCM.0013"
NO_MARKERS, NO_CONTENT, NO_NAMES = "SCM.0053", "SCM.0054", "SCM.0009"
BAD_KEY = "SCM.9061"
_LABEL = "CERTIFICATE"


@dataclass(frozen=True, slots=True)
class Public:
    """What may be hosted, without its key.

    Attributes:
        chain: DER of the certificates above the leaf, its issuer first.
        names: DNS names and addresses as the inventory writes them, the primary first.
    """

    leaf: bytes
    chain: tuple[bytes, ...]
    facts: CertificateFacts
    names: tuple[names.Name, ...]
    algorithm: KeyAlgorithm
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Upload(Public):
    """With the private key, which does not show in `repr`."""

    key: PrivateKey

    def __repr__(self) -> str:
        return f"Upload({self.facts.subject!r}, {len(self.chain)} above)"


def check_upload(
    certificate: str, chain: str, private_key: str, now: datetime, *, blocked: Callable[[bytes], bool]
) -> Upload:
    """Reads and checks an upload.

    Args:
        certificate: PEM of the leaf; the chain may stand below it.
        chain: PEM of the chain; when it is given, of `certificate` the first alone is taken (API §1.4).
        private_key: PEM, without a password.
        blocked: says whether an SPKI's SHA-256 is on a list of compromised keys.

    Raises:
        UploadRefused: with field, code and advice; no other exception for whatever is uploaded.
    """
    uploaded_keys.check_length(private_key)
    leaf, above = _in_order(certificate, chain)
    parsed, public_key, found_names, facts = _parsed(leaf, above)
    algorithm = _algorithm(public_key)
    refuse_blocked(facts, blocked)
    key = uploaded_keys.read(private_key, public_key)
    return Upload(leaf, above, facts, found_names, algorithm, _checked(parsed, now), key)


def check_public(
    leaf: bytes, above: tuple[bytes, ...], now: datetime, *, blocked: Callable[[bytes], bool]
) -> Public:
    """The same for a certificate whose key stays where it is: one that a server was seen to serve.

    Raises:
        UploadRefused: as `check_upload`.
    """
    parsed, public_key, found_names, facts = _parsed(leaf, above)
    algorithm = _algorithm(public_key)
    refuse_blocked(facts, blocked)
    return Public(leaf, above, facts, found_names, algorithm, _checked(parsed, now))


def of_list(leaf: bytes, read: x509.Certificate, above: tuple[bytes, ...], now: datetime) -> Public:
    """One of many that are only to be watched: its names, key and time. Whether `above` signed it is looked
    at when somebody opens its page (`findings_of`), whether its key is blocked by `refuse_blocked`.

    Args:
        read: the leaf.

    Raises:
        UploadRefused: as `check_public`, but for those two.
    """
    with reading("certificate", UNREADABLE):
        chains.refuse_over(read, 1, now)
        found_names, public_key = _names(read), read.public_key()
        facts = certificates.facts(leaf, read, public_key)
        algorithm = _algorithm(public_key)
    return Public(leaf, above, facts, found_names, algorithm, ())


def refuse_blocked(facts: CertificateFacts, blocked: Callable[[bytes], bool]) -> None:
    """Raises:
    UploadRefused: the key is on a list of compromised ones.
    """
    try:
        weak_keys.refuse_blocked(facts.spki_sha256, blocked)
    except WeakKey as fault:
        raise _weak(fault) from fault


def _parsed(
    leaf: bytes, above: tuple[bytes, ...]
) -> tuple[list[x509.Certificate], CertificatePublicKeyTypes, tuple[names.Name, ...], CertificateFacts]:
    with reading("certificate", UNREADABLE):
        own = x509.load_der_x509_certificate(leaf)
        public_key = own.public_key()
        facts = certificates.facts(leaf, own, public_key)
        return [own, *map(_above, above)], public_key, _names(own), facts


@lru_cache(maxsize=256)
def _above(der: bytes) -> x509.Certificate:
    """A CA's certificate, which comes again with each upload of what the CA issued."""
    return x509.load_der_x509_certificate(der)


def _checked(parsed: list[x509.Certificate], now: datetime) -> tuple[Finding, ...]:
    with reading("certificate_chain", CHAIN_UNREADABLE):
        chains.check_chain(parsed, now)
        return findings(parsed, list(_general_names(parsed[0])), now)


def findings_of(leaf: bytes, chain: str, now: datetime) -> tuple[Finding, ...]:
    """The findings about what is hosted already, by the eyes of today; also what is wrong with its chain,
    which nobody looked at before where the certificate is only watched."""
    above = certificates.load_chain_pem(chain) if chain else ()
    parsed = [x509.load_der_x509_certificate(der) for der in (leaf, *above)]
    wrong = chains.fault(parsed, now)
    if wrong:
        each = [one for place in range(1, len(parsed) + 1) for one in alone(parsed, place)]
        return (Finding("chain", 1, wrong), *each)
    return findings(parsed, list(_general_names(parsed[0])), now)


def _in_order(certificate: str, chain: str) -> tuple[bytes, tuple[bytes, ...]]:
    own = ders(certificate, "certificate", UNREADABLE)
    above = _chain_blocks(chain) if chain.strip() else tuple(own[1:])
    if above and above[0] == own[0]:  # a "full chain" file in the field of the chain
        above = above[1:]
    return own[0], above


@lru_cache(maxsize=16)
def _chain_blocks(chain: str) -> tuple[bytes, ...]:
    """The same for all that one CA issued, which comes one after the other."""
    return tuple(ders(chain, "certificate_chain", CHAIN_UNREADABLE))


def ders(text: str, field: str, code: str, limit: int = TEXT_LIMIT) -> list[bytes]:
    """The DER of each certificate of a text.

    Args:
        field, code: of the refusal.
        limit: characters.

    Raises:
        UploadRefused: too long, cut off, no certificate, or something else among them.
    """
    if len(text) > limit:
        raise UploadRefused(
            f"The text has {len(text)} characters; at most {limit} are taken.",
            next_step="Leave out the text around the certificates.",
            code=code,
            field=field,
        )
    if not text.strip():
        raise UploadRefused(
            "The certificate is missing.", next_step="Add it as PEM text.", code=NO_CONTENT, field=field
        )
    try:
        blocks = pem.read_blocks(text)
    except pem.BadPem as fault:
        raise UploadRefused(
            f"The text {fault}.",
            next_step="Copy the whole file, from BEGIN to END.",
            code=NO_MARKERS,
            field=field,
        ) from fault
    if not blocks:
        raise _foreign(foreign_formats.of_text(text), field, NO_MARKERS)
    for block in blocks:
        _refuse_label(block.label, field, code)
    return [block.der for block in blocks]


def _refuse_label(label: str, field: str, code: str) -> None:
    if label == _LABEL:
        return
    advice = foreign_formats.of_label(label)
    if advice is not None:
        raise _foreign(advice, field, code)
    raise UploadRefused(
        f"A {label} stands among the certificates.",
        next_step="Leave certificates alone in this text; private keys do not belong in it.",
        code=code,
        field=field,
    )


def _foreign(advice: foreign_formats.Advice, field: str, code: str) -> UploadRefused:
    return UploadRefused(f"The certificate is {advice[0]}.", next_step=advice[1], code=code, field=field)


def refuse_bytes(content: bytes, field: str) -> UploadRefused:
    """The refusal of a file that is no text at all."""
    advice = foreign_formats.of_bytes(content, key=field == "private_key")
    code = uploaded_keys.NO_MARKERS if field == "private_key" else NO_MARKERS
    return UploadRefused(f"The file is {advice[0]}.", next_step=advice[1], code=code, field=field)


@contextmanager
def reading(field: str, code: str) -> Iterator[None]:
    """Parsers raise many types for foreign bytes; here each becomes one refusal, our own stay."""
    try:
        yield
    except UploadRefused:
        raise
    except BadName as fault:
        raise UploadRefused(
            fault.message, next_step="Such a name cannot be hosted.", code="SCM.0015", field=field
        ) from fault
    except Exception as fault:
        raise UploadRefused(
            "The certificate cannot be read: it is damaged, or not made by the rules of X.509.",
            next_step="Take the file from the CA again.",
            code=code,
            field=field,
        ) from fault


def _general_names(leaf: x509.Certificate) -> Iterator[chains.HostName]:
    found = chains.extension(leaf, x509.SubjectAlternativeName)
    if found is not None:
        yield from (name for name in found.value if isinstance(name, x509.DNSName | x509.IPAddress))


def _names(leaf: x509.Certificate) -> tuple[names.Name, ...]:
    """The host names and addresses, each once; others (mail addresses) are nobody's host."""
    given = [str(name.value) for name in _general_names(leaf)]
    if not given:
        raise UploadRefused(
            "No domain name is bound to the certificate: its subjectAltName has none.",
            next_step="Upload a certificate for a server.",
            code=NO_NAMES,
            field="certificate",
        )
    if len(given) > MOST_NAMES:
        raise UploadRefused(
            f"The certificate has {len(given)} names; at most {MOST_NAMES} are taken.",
            next_step="Split it.",
            code="SCM.0015",
            field="certificate",
        )
    parsed = (names.parse_name(one, allow_internal=True, allow_ip=True, allow_suffix=True) for one in given)
    return tuple(dict.fromkeys(parsed))


def _algorithm(public_key: CertificatePublicKeyTypes) -> KeyAlgorithm:
    """The key's algorithm, when it is not weak and of a kind that is kept here."""
    try:
        weak_keys.refuse_weak(public_key)
    except WeakKey as fault:
        raise _weak(fault) from fault
    algorithm = keys.algorithm_of(public_key)
    if algorithm is None:
        raise UploadRefused(
            f"Keys of the kind {keys.describe(public_key)} are not kept here.",
            next_step=f"Kept are: {', '.join(one.value for one in KeyAlgorithm)}.",
            code=BAD_KEY,
            field="certificate",
        )
    return algorithm


def _weak(fault: WeakKey) -> UploadRefused:
    return UploadRefused(
        fault.message,
        next_step="Have a new certificate made for a new key.",
        code=BAD_KEY,
        field="certificate",
    )
