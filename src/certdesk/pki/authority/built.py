"""A built certificate, between the writer of the TBS, our own check and the proof of its shape."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.pki.x509.keys import KeyAlgorithm
from certdesk.pki.x509.names import Name

from .issuers import Issuer
from .profiles import Profile
from .subjects import Attributes


@dataclass(frozen=True, slots=True)
class Built:
    """TBSCertificate, DER, and what it must hold."""

    profile: Profile
    issuer: Issuer
    key_algorithm: KeyAlgorithm
    names: tuple[Name, ...]
    subject: Attributes
    spki: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    tbs: bytes
