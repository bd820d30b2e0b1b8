"""Shapes: what a lint result can depend on besides the values that our own check compares (law 3).

Before the first certificate of a shape is signed, one is signed with a throw-away key and linted whole.
"""

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

from cryptography.x509.oid import NameOID
from django.db import transaction

from certdesk.foundation.common import clock
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm
from certdesk.pki.x509.names import Name

from . import issuers, lint, queries
from .built import Built
from .errors import LintRefused
from .issuers import Issuer, Sign
from .models import Shape as ShapeRow
from .profiles import Profile
from .subjects import Attributes
from .types import LevelName, ProfileName

_PROVED_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Attributes:
    issuer: slug; `constant` is the digest of its signature algorithm and constant extensions.
    names: the classes present: plain or wildcard, of one label, internationalised; address.
    organisation: digest of the verified subject of OV and EV: the linter judges its values too.
    """

    profile: ProfileName
    version: int
    linter: str
    level: LevelName
    issuer: str
    constant: str
    key_algorithm: KeyAlgorithm
    names: tuple[str, ...]
    common_name: bool
    organisation: str

    def describe(self) -> str:
        name = "common name" if self.common_name else "no common name"
        return (
            f"{self.profile} {self.version}, {self.level}, {self.issuer}, {self.key_algorithm}, "
            f"{'+'.join(self.names)}, {name}"
        )

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


# What `Shape` is made of, in a form that is quick to build and to look up.
_Key = tuple[str, str, str, KeyAlgorithm, frozenset[str], bool, Attributes]


_proved: dict[_Key, str] = {}
_throw_away: dict[KeyAlgorithm, Sign] = {}
_making = threading.Lock()
_linter_version: list[str] = []


def require(built: Built) -> tuple[str, bool]:
    """The digest of the proved shape, and whether it was proved just now with this very TBS.

    Raises:
        LintRefused: the linter has errors that the profile does not waive.
    """
    key = _key(built)
    held = _proved.get(key)
    if held is not None:
        return held, False
    shape = _shape(built.profile, built.issuer, key)
    digest = shape.digest()
    new = not queries.shape_is_proved(digest)
    if new:
        keep(shape, examine(shape, built.tbs, built.issuer))
    transaction.on_commit(partial(_hold, key, digest))  # a rollback takes the record along
    return digest, new


def _hold(key: _Key, digest: str) -> None:
    if len(_proved) >= _PROVED_LIMIT:
        _proved.clear()
    _proved[key] = digest


@dataclass(frozen=True, slots=True)
class Sample:
    """A built certificate of a shape that no lint run has proved yet."""

    shape: Shape
    tbs: bytes
    issuer: Issuer

    def examine(self) -> tuple[lint.Finding, ...]:
        """A whole lint, 3 to 28 ms and a second for the first one of a process. No database; as `examine`."""
        return examine(self.shape, self.tbs, self.issuer)

    def keep(self, findings: Sequence[lint.Finding]) -> None:
        """Record it as proved, in the caller's transaction."""
        keep(self.shape, findings)


def unproved(built: Built) -> Sample | None:
    """What a whole lint run has to look at before anything of this shape is prepared; None when one did."""
    key = _key(built)
    if key in _proved:
        return None
    shape = _shape(built.profile, built.issuer, key)
    return None if queries.shape_is_proved(shape.digest()) else Sample(shape, built.tbs, built.issuer)


def examine(shape: Shape, tbs: bytes, issuer: Issuer) -> tuple[lint.Finding, ...]:
    """A whole lint of these bytes under a throw-away signature. No database; for a worker's thread.

    Raises:
        LintRefused: as in `require`.
    """
    sample = issuer.assemble(tbs, _throw_away_sign(issuer.algorithm)(tbs))
    findings = lint.whole(sample, shape.level)
    refuse_findings(lint.errors(findings, shape.profile))
    return findings


def keep(shape: Shape, findings: Sequence[lint.Finding]) -> None:
    """Record that the shape was proved, with the waived findings that were seen."""
    ShapeRow.objects.get_or_create(
        digest=shape.digest(),
        defaults={
            "description": shape.describe(),
            "profile": shape.profile,
            "proved_at": clock.real_now(),
            "linter": shape.linter,
            "findings": json.dumps([finding.code for finding in findings]),
        },
    )


def _key(built: Built) -> _Key:
    subject, issuer = built.subject, built.issuer
    has_name = bool(subject) and subject[-1][0] == NameOID.COMMON_NAME
    organisation = subject[:-1] if has_name else subject
    classes = frozenset([_class(name) for name in built.names])
    algorithm = built.key_algorithm
    return (built.profile.name, issuer.slug, issuer.constant, algorithm, classes, has_name, organisation)


def _shape(profile: Profile, issuer: Issuer, key: _Key) -> Shape:
    _, slug, constant, key_algorithm, classes, has_name, organisation = key
    return Shape(
        profile.name,
        profile.version,
        _linter(),
        issuer.level,
        slug,
        constant,
        key_algorithm,
        tuple(sorted(classes)),
        has_name,
        _digest(organisation) if organisation else "",
    )


def _linter() -> str:
    if not _linter_version:
        _linter_version.append(lint.linter())
    return _linter_version[0]


def _class(name: Name) -> str:
    if name.ip:
        return "address"
    kind = "wildcard" if name.wildcard else "plain"
    if "xn--" in name.text:
        kind += " idn"
    return kind if "." in name.base else f"{kind} single label"


def _digest(organisation: Attributes) -> str:
    text = "\0".join(f"{oid.dotted_string}={value}" for oid, value in organisation)
    return hashlib.sha256(text.encode()).hexdigest()


def forget() -> None:
    _proved.clear()


def refuse_findings(findings: Sequence[lint.Finding]) -> None:
    if findings:
        codes = ", ".join(finding.code for finding in findings)
        raise LintRefused(
            f"The certificate was not made: it would break rules for certificates ({codes}).",
            next_step="Correct the names or the organisation's details; else tell the operator.",
            details={"codes": codes},
        )


def _throw_away_sign(algorithm: KeyAlgorithm) -> Sign:
    """A key of this process that nothing trusts. RSA: 2048 bits for all, the linter does not look at it."""
    with _making:
        if algorithm not in _throw_away:
            made = keys.generate(KeyAlgorithm.RSA_2048 if algorithm.is_rsa else algorithm)
            _throw_away[algorithm] = issuers.signer(made, algorithm)
    return _throw_away[algorithm]
