"""Whether an uploaded chain holds together: leaf first, each signed by the next, all in force (UPL-4..6).

No root is trusted or fetched: the topmost certificate of the upload is the anchor. What is refused here no
client would accept; what some clients accept is a finding (`findings.py`).
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import verification
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

from .errors import UploadRefused, shown

MOST_ABOVE = 10  # certificates above the leaf; clients give up at about as many
NO_RESOLVE, OUT_OF_TIME, WRONG_ORDER = "SCM.0013", "SCM.9060", "SCM.0079"
_ORDER = "Put the server's certificate first, then its issuer, then that one's issuer, and nothing else."
_ALONE = "It came without the certificates of its CA, so nobody can tell whether that CA signed it."
_SELF_SIGNED = "It names itself as its issuer: no CA stands behind it."

Chain = Sequence[x509.Certificate]
HostName = x509.DNSName | x509.IPAddress


def check_chain(chain: Chain, now: datetime) -> None:
    """Refuses a chain that cannot be right.

    Args:
        chain: the leaf, then the certificates above it in the order of the upload.
        now: aware; both ends of a validity count, as whole seconds.

    Raises:
        UploadRefused: with the certificate at fault by its place, 1 = the leaf.
    """
    _refuse_length(len(chain))
    now = now.replace(microsecond=0)
    for place, certificate in enumerate(chain, start=1):
        _refuse_time(certificate, place, now)
    whole = _holds(chain, now)
    for place in range(1, len(chain)):
        if not whole:
            _refuse_link(chain[place - 1], chain[place], place)
        _refuse_no_ca(chain[place], place + 1)
    if not whole:
        _refuse_path(chain, now)


def fault(chain: Chain, now: datetime) -> str:
    """What is wrong with a chain, as a sentence; empty when it holds."""
    if len(chain) == 1:
        return _ALONE if chain[0].issuer != chain[0].subject else _SELF_SIGNED
    try:
        check_chain(chain, now)
    except UploadRefused as refused:
        return refused.message
    return ""


def _holds(chain: Chain, now: datetime) -> bool:
    """Whether the library's path is this very chain: then each link's name and signature was looked at.

    One look instead of one a link and another at the whole; whatever does not hold is looked at link by link
    for what is wrong with it.
    """
    try:
        return _client_verifier(chain, now).verify(chain[0], list(chain[1:-1])).chain == list(chain)
    except (verification.VerificationError, ValueError):
        return False


def _refuse_length(length: int) -> None:
    if length == 1:
        raise UploadRefused(
            "The certificate comes without the certificates of its CA: a chain of length 1 is not taken.",
            next_step="Add the CA's certificates below the server's own, or in the field of the chain.",
            code=NO_RESOLVE,
            field="certificate_chain",
        )
    if length > MOST_ABOVE + 1:
        raise UploadRefused(
            f"The chain has {length} certificates; at most {MOST_ABOVE + 1} are taken.",
            next_step=_ORDER,
            code=NO_RESOLVE,
            field="certificate_chain",
        )


def _refuse_time(certificate: x509.Certificate, place: int, now: datetime) -> None:
    refuse_over(certificate, place, now)
    if now < certificate.not_valid_before_utc:
        raise UploadRefused(
            f"{_which(place)} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC.",
            next_step="Upload it from then on.",
            code=OUT_OF_TIME,
            field=_field(place),
        )


def refuse_over(certificate: x509.Certificate, place: int, now: datetime) -> None:
    """Refuses what has expired (UPL-4).

    Args:
        place: of the certificate in its chain, 1 = the leaf.
    """
    if now > certificate.not_valid_after_utc:
        raise UploadRefused(
            f"{_which(place)} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC.",
            next_step="Upload its successor." if place == 1 else "Take the CA's present certificates.",
            code=OUT_OF_TIME,
            field=_field(place),
        )


def _refuse_link(lower: x509.Certificate, upper: x509.Certificate, place: int) -> None:
    if lower.issuer != upper.subject:
        raise UploadRefused(
            f"{_which(place + 1)} ({_name(upper.subject)}) did not issue certificate {place},"
            f" whose issuer is {_name(lower.issuer)}.",
            next_step=_ORDER,
            code=WRONG_ORDER,
            field="certificate_chain",
        )
    try:
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError) as fault:
        raise UploadRefused(
            f"{_which(place + 1)} has the name of the issuer of certificate {place}, but did not sign it.",
            next_step="Take the chain from the CA that issued the certificate.",
            code=NO_RESOLVE,
            field="certificate_chain",
        ) from fault


def _refuse_no_ca(certificate: x509.Certificate, place: int) -> None:
    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    if constraints is None or not constraints.value.ca or not (usage is None or usage.value.key_cert_sign):
        raise UploadRefused(
            f"{_which(place)} ({_name(certificate.subject)}) is no CA certificate: it cannot issue others.",
            next_step=_ORDER,
            code=NO_RESOLVE,
            field="certificate_chain",
        )


def _refuse_path(chain: Chain, now: datetime) -> None:
    """Path lengths, name constraints and critical extensions that nobody knows (RFC 5280 §6)."""
    try:
        _client_verifier(chain, now).verify(chain[0], list(chain[1:-1]))
    except verification.VerificationError as fault:
        raise UploadRefused(
            f"The chain does not hold: {_reason(fault)}.",
            next_step="Take the chain from the CA that issued the certificate.",
            code=NO_RESOLVE,
            field="certificate_chain",
        ) from fault


def _client_verifier(chain: Chain, now: datetime) -> verification.ClientVerifier:
    builder = _builder(chain, now).extension_policies(ca_policy=_AUTHORITY, ee_policy=_ANYTHING)
    return builder.build_client_verifier()


_ANYTHING = ExtensionPolicy.permit_all()
_AUTHORITY = _ANYTHING.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)


def strict_refusal(chain: Chain, names: Sequence[HostName], now: datetime) -> str:
    """What a strict client by the rules of the web says against a chain that holds; empty = nothing."""
    try:
        verifier = _builder(chain, now).build_server_verifier(_subject(names[0]))
        verifier.verify(chain[0], list(chain[1:-1]))
    except (verification.VerificationError, ValueError) as fault:
        return _reason(fault)
    return ""


def _builder(chain: Chain, now: datetime) -> PolicyBuilder:
    when = now.replace(tzinfo=None, microsecond=0)
    return PolicyBuilder().store(Store([chain[-1]])).time(when).max_chain_depth(MOST_ABOVE)


def _subject(name: HostName) -> HostName:
    """A host that the certificate should cover; for a wildcard one label stands in its place."""
    if isinstance(name, x509.DNSName):
        return x509.DNSName(name.value.replace("*.", "a.", 1))
    return name


def _reason(fault: Exception) -> str:
    """The library's words without its technical tail."""
    text = str(fault).partition(" (encountered processing")[0].partition(": AlgorithmIdentifier")[0]
    return shown(text.removeprefix("validation failed: ").removeprefix("candidates exhausted: "))


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension | None:  # type: ignore[type-arg]
    """The certificate's extension of that kind, if it has one."""
    one: x509.Extension  # type: ignore[type-arg]
    for one in certificate.extensions:
        if type(one.value) is kind:  # asked a dozen times a certificate: `isinstance` of an ABC is slow
            return one
    return None


def _name(name: x509.Name) -> str:
    return f"'{shown(name.rfc4514_string())}'"


def _which(place: int) -> str:
    return "The certificate" if place == 1 else f"Certificate {place} of the chain"


def _field(place: int) -> str:
    return "certificate" if place == 1 else "certificate_chain"
