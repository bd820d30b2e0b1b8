"""Proves the shapes that nearly every certificate has, before anybody asks for one.

A sample is built like any certificate and signed with a throw-away key only.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from certdesk.pki.x509.keys import KeyAlgorithm

from . import issue, profiles
from .errors import NameOutside
from .models import Authority
from .shapes import Sample
from .types import Authorization, CertificateRequest, Subject

_PLAIN = "www.sample.example.com"
_WILDCARD = "*.sample.example.com"
_IDN = "xn--bcher-kva.example.com"
_LONG = f"{'a' * 55}.sample.example.com"  # no common name: over 64 bytes (ISS-6)
NAME_SETS = ((_PLAIN,), (_WILDCARD,), (_PLAIN, _WILDCARD), (_IDN,), (_PLAIN, _IDN), (_LONG,))
KEYS = (KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384, KeyAlgorithm.RSA_2048, KeyAlgorithm.RSA_4096)


def missing(now: datetime) -> list[Sample]:
    """The common DV shapes of `private` that are not proved; none before the CA is made.

    OV and EV subjects differ by organisation, so those are proved with the organisation's first certificate.
    """
    found = []
    for algorithm in KEYS:
        spki = _spki(algorithm)
        for request in _requests(algorithm, spki, now) if spki else ():
            sample = _unproved(request, now)
            if sample is not None:
                found.append(sample)
    return found


def _unproved(request: CertificateRequest, now: datetime) -> Sample | None:
    """An authority that may not certify the sample's names has its shapes proved at their first use."""
    try:
        return issue.unproved(request, now)
    except NameOutside:
        return None


def _requests(algorithm: KeyAlgorithm, spki: bytes, now: datetime) -> Iterator[CertificateRequest]:
    not_before, not_after = profiles.validity("private", 12, now)
    for names in NAME_SETS:
        proof = Authorization(
            reference="sample",
            account_id="system",
            names=names,
            spki_sha256=hashlib.sha256(spki).digest(),
            evidence=(0,) * len(names),
            approved_by=(),
            policy="sample",
        )
        yield CertificateRequest(
            proof, "private", "DV", False, spki, algorithm, names, Subject(), not_before, not_after
        )


def _spki(algorithm: KeyAlgorithm) -> bytes:
    """The public key of an authority of that kind serves as a leaf's; nothing is signed with it."""
    row = Authority.objects.filter(algorithm=algorithm.value).select_related("key").first()
    return bytes(row.key.spki) if row else b""
