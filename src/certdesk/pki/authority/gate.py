"""What is asked for, checked before anything is built: proof, names, key. No path goes round it."""

import hashlib
from collections.abc import Callable, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certdesk.pki.x509 import keys, weak_keys
from certdesk.pki.x509.names import Name, parse_name

from .errors import NotAuthorized, RequestRefused
from .profiles import Profile
from .types import Authorization, CertificateRequest

NAMES_LIMIT = 250
REFERENCE_LIMIT = 64
_APPROVALS = {"DV": 0, "OV": 1, "EV": 2}

Blocked = Callable[[bytes], bool]


def refuse_unproved(request: CertificateRequest) -> None:
    """Refuse what the authorisation does not cover to the letter (law 4, promise 9).

    Raises:
        NotAuthorized: other names, another key, no proof for a name, or too few approvals.
    """
    proof = request.authorization
    if not proof.reference or len(proof.reference) > REFERENCE_LIMIT or not proof.account_id:
        raise _unproved("has no reference or no account")
    if not proof.policy:
        raise _unproved("names no policy that allowed it")
    if len(proof.names) != len(request.names) or set(proof.names) != set(request.names):
        raise _unproved("is for other names")
    if len(proof.evidence) != len(proof.names):
        raise _unproved("does not hold the evidence of every name")
    if proof.spki_sha256 != hashlib.sha256(request.spki).digest():
        raise _unproved("is for another key")
    _refuse_unapproved(request, proof)


def _refuse_unapproved(request: CertificateRequest, proof: Authorization) -> None:
    needed = _APPROVALS[request.level]
    if len(set(proof.approved_by)) < needed:
        raise _unproved(f"has too few approvals of the organisation; {request.level} needs {needed}")


def _unproved(what: str) -> NotAuthorized:
    return NotAuthorized(
        f"The authorisation {what}, so nothing is signed.",
        next_step="Prove every name of the application for this key first.",
    )


def checked_names(request: CertificateRequest, profile: Profile) -> tuple[Name, ...]:
    """The names, each through the one gate, in canonical form and without duplicates.

    Raises:
        BadName: from the names gate.
        RequestRefused: too many, twice, not canonical, or not for this profile or level.
    """
    if not 0 < len(request.names) <= NAMES_LIMIT:
        raise _refused(f"{len(request.names)} names were given; 1 to {NAMES_LIMIT} are allowed")
    if profile.public_names_only and (request.allow_internal or request.allow_ip):
        raise _refused(f"the profile {profile.name} takes names of the public DNS only")
    names = tuple(
        parse_name(text, allow_internal=request.allow_internal, allow_ip=request.allow_ip)
        for text in request.names
    )
    _refuse_odd(request.names, names)
    if request.level == "EV" and any(name.wildcard for name in names):
        raise _refused("an EV certificate holds no wildcard (EV Guidelines 9.2.1)")
    return names


def _refuse_odd(given: Sequence[str], names: Sequence[Name]) -> None:
    if len(set(given)) != len(given):
        raise _refused("a name was given twice")
    for text, name in zip(given, names, strict=True):
        if text != name.text:
            raise _refused(f"the name {name.text} was not given in its canonical form")


def refuse_key(request: CertificateRequest, blocked: Blocked) -> None:
    """Refuse a key that is malformed, weak, blocked or other than announced (APP-12, promise 8).

    Raises:
        WeakKey: from the weak key checks, or the key is blocked.
        RequestRefused: the bytes are no SPKI in their usual form, or another algorithm.
    """
    try:
        public_key = load_der_public_key(request.spki)
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("the public key cannot be read", "csr") from None
    if keys.algorithm_of(public_key) is not request.key_algorithm:
        raise _refused(f"the public key is {keys.describe(public_key)}, not {request.key_algorithm}", "csr")
    if keys.spki_der(public_key) != request.spki:
        raise _refused("the public key stands in an unusual form", "csr")
    weak_keys.refuse_weak(public_key)
    weak_keys.refuse_blocked(hashlib.sha256(request.spki).digest(), blocked)


def _refused(what: str, field: str = "domain") -> RequestRefused:
    return RequestRefused(
        f"The certificate cannot be made: {what}.", next_step="Correct the application.", field=field
    )
