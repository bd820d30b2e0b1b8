"""What goes into the authority and what comes out. Pure values.

The path: `prepare(request)` → `intend([prepared])` in a transaction → `sign(prepared)` →
`record([signed])` in a transaction → only then are the bytes released (law 3).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from certdesk.pki.x509.keys import KeyAlgorithm

ProfileName = Literal["private", "public"]
LevelName = Literal["DV", "OV", "EV"]


@dataclass(frozen=True, slots=True)
class Subject:
    """The organisation of an OV or EV certificate, as verified; everything empty for DV.

    The common name is not a field to choose: it is the primary name or absent (ISS-6).
    A unit of the organisation is never certified (Baseline Requirements 7.1.4.2 forbid OU).

    Attributes:
        country, jurisdiction_country: two letters, ISO 3166-1.
        serial_number: the registration number of the organisation (EV).
        business_category: `Private Organization`, `Government Entity`, `Business Entity` or
            `Non-Commercial Entity` (EV).
    """

    country: str = ""
    state: str = ""
    locality: str = ""
    organization: str = ""
    business_category: str = ""
    jurisdiction_country: str = ""
    serial_number: str = ""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The proof, without which nothing is prepared (law 4): who may have which names for which key.

    Attributes:
        reference: the requester's own reference, at most 64 characters; one signature for each.
        names: canonical names, each of them authorised; the set must equal that of the request.
        spki_sha256: 32 bytes; the one key that the authorisation is for.
        evidence: the id of the proof of control of each name, in the order of `names`.
        approved_by: actors that approved the organisation: one for OV, two different ones for EV.
        policy: the decision that allowed it, for the record: e.g. `domain-validation-1`.
    """

    reference: str
    account_id: str
    names: tuple[str, ...]
    spki_sha256: bytes
    evidence: tuple[int, ...]
    approved_by: tuple[str, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A certificate to make, taken from the order and never from a CSR.

    Attributes:
        strong: a Pro type: EC P-384 or RSA-4096, leaf and chain (CAT-4).
        spki: SubjectPublicKeyInfo, DER.
        names: canonical, primary name first.
        not_before, not_after: aware; whole seconds count, both ends included.
        allow_internal, allow_ip: what the catalogue product allows (APP-7); never in `public`.
    """

    authorization: Authorization
    profile: ProfileName
    level: LevelName
    strong: bool
    spki: bytes
    key_algorithm: KeyAlgorithm
    names: tuple[str, ...]
    subject: Subject
    not_before: datetime
    not_after: datetime
    allow_internal: bool = False
    allow_ip: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed certificate; its bytes leave the service after `record` is committed.

    Attributes:
        serial: 32 digits of lower-case hex.
        chain_pem: the certificates above the leaf, leaf's issuer first, without the root.
        issuer: slug of the authority, e.g. `dv-p256`.
    """

    serial: str
    der: bytes
    chain_pem: bytes
    issuer: str
    not_before: datetime
    not_after: datetime
    reference: str
    lint_due: bool
