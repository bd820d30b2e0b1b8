"""Answers of the certificate tools."""

from typing_extensions import TypedDict

from .certificates import CertificateId
from .common import Moment


class ToolFinding(TypedDict):
    code: str
    sentence: str


class KnownCertificate(TypedDict):
    """Which of the account's certificates it is; `current` = the newest version."""

    certificate_id: CertificateId
    name: str
    version: int
    current: bool
    revoked: bool


class DecodedCertificate(TypedDict):
    """`force`: IN_FORCE, NOT_YET or EXPIRED; `text`: everything in it; `certificate`: PEM."""

    subject: str
    issuer: str
    common_name: str
    names: list[str]
    not_before: Moment
    not_after: Moment
    force: str
    serial: str
    fingerprint: str
    fingerprint_sha1: str
    key: str
    spki_sha256: str
    signature_algorithm: str
    is_ca: bool
    self_signed: bool
    usages: list[str]
    ocsp: list[str]
    findings: list[ToolFinding]
    known: KnownCertificate | None
    text: str
    certificate: str


class DecodedChain(TypedDict):
    """`linked`: each is signed by the next; `complete`: the last one signed itself."""

    linked: bool
    complete: bool
    sentence: str


class DecodedCsr(TypedDict):
    subject: str
    names: list[str]
    key: str
    spki_sha256: str
    findings: list[ToolFinding]
    text: str


class DecodedKey(TypedDict):
    """The public half's facts alone."""

    key: str
    spki_sha256: str
    findings: list[ToolFinding]


class Decoded(TypedDict):
    """`format`: what it came as: PEM, DER, PKCS7, PKCS12 or JKS."""

    format: str
    certificates: list[DecodedCertificate]
    chain: DecodedChain | None
    csrs: list[DecodedCsr]
    private_keys: list[DecodedKey]


class Matched(TypedDict):
    """`what`: CERTIFICATE or REQUEST; `key` and `private_key`: the kinds of the two keys."""

    matches: bool
    what: str
    key: str
    private_key: str
    sentence: str


class Converted(TypedDict):
    """`content`: Base64 of the file; `password`: of a store, else empty."""

    file_name: str
    content_type: str
    content: str
    password: str
    has_private_key: bool


class ServedLook(TypedDict):
    """`verdict`: GOOD, ATTENTION, BAD, REFUSED or UNREACHABLE; `served`: null where nothing was."""

    address: str
    verdict: str
    sentences: list[str]
    tls_version: str
    cipher: str
    served: Decoded | None


class NamedCertificate(TypedDict):
    id: CertificateId
    name: str


class ServedLooks(TypedDict):
    name: str
    port: int
    looks: list[ServedLook]
    certificates_for_name: list[NamedCertificate]


ANSWERS: dict[str, object] = {
    "tools.decode": Decoded,
    "tools.match": Matched,
    "tools.convert": Converted,
    "tools.served": ServedLooks,
}
