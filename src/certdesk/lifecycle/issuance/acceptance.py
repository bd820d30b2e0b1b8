"""Whether what a CA outside sent is what was ordered. Pure; before this has said yes nothing is issued."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certdesk.foundation.common.errors import CertdeskError
from certdesk.pki.x509 import certificates, chains
from certdesk.pki.x509.certificates import CertificateFacts
from certdesk.pki.x509.names import authorization_domain, parse_name

CLOCKS_DIFFER = timedelta(minutes=5)
"""A certificate whose validity begins within this is taken: the CA's clock goes before ours."""
WHOLE_DAY = timedelta(days=1)
ISSUER_LIMIT = 40  # characters of `Version.issuer`


@dataclass(frozen=True, slots=True)
class Expected:
    """What was ordered.

    Attributes:
        names: canonical, the primary one first.
        spki_sha256: 32 bytes.
        domains: authorisation domains that the applicant has proved as a whole: names under the same proof
            that the CA adds of its own accord (`www.` and the name without it) are taken.
        longest_days: of validity that the policy allows on this day.
        organization, country: as verified here; empty for DV.
    """

    names: tuple[str, ...]
    spki_sha256: bytes
    level: str
    longest_days: int
    domains: frozenset[str] = field(default_factory=frozenset)
    organization: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A certificate that may be recorded.

    Attributes:
        names: the ordered ones in their order, then what the CA added.
        authority: the name of the certificate that signed it.
    """

    leaf: bytes
    chain: tuple[bytes, ...]
    facts: CertificateFacts
    names: tuple[str, ...]
    authority: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why it is not taken: one sentence about the certificate, e.g. `It is for another key.`"""

    sentence: str


def check(sent: Sequence[bytes], expected: Expected, now: datetime) -> Accepted | Wrong:
    """The certificate and its chain against the order.

    Args:
        sent: DER, the leaf first.
        now: business time.
    """
    try:
        return _checked(tuple(sent), expected, now)
    except _Refused as refused:
        return Wrong(str(refused))
    except CertdeskError as error:  # cannot be read, or the chain does not hold
        return Wrong(error.message)
    except ValueError as error:
        return Wrong(f"It cannot be read: {error}.")


class _Refused(Exception):
    pass


def _checked(sent: tuple[bytes, ...], expected: Expected, now: datetime) -> Accepted:
    if not sent:
        raise _Refused("The CA says that it is issued, but sent no certificate.")
    facts = certificates.facts(sent[0])
    if facts.spki_sha256 != expected.spki_sha256:
        raise _Refused("It is for another key than the one that was ordered.")
    names = _names(facts, expected)
    parsed = [x509.load_der_x509_certificate(one) for one in sent]
    _refuse_use(parsed[0])
    if expected.level != "DV":
        _refuse_organization(parsed[0], expected)
    _refuse_time(facts, expected, now)
    chains.check_chain(parsed, max(now, min(facts.not_before, now + CLOCKS_DIFFER)))
    return Accepted(sent[0], sent[1:], facts, names, authority_of(parsed[0]))


def _names(facts: CertificateFacts, expected: Expected) -> tuple[str, ...]:
    """Each name that was ordered, and none that nobody proved."""
    held = tuple(dict.fromkeys(name.lower() for name in facts.names))
    lacking = next((name for name in expected.names if name not in held), "")
    if lacking:
        raise _Refused(f"The name {lacking} was ordered and is not in it.")
    added = tuple(name for name in held if name not in expected.names)
    foreign = next((name for name in added if not _is_proved(name, expected.domains)), "")
    if foreign:
        raise _Refused(
            f"The name {foreign[:255]!r} is in it; it was not ordered and nobody here has proved it."
        )
    return (*expected.names, *added)


def _is_proved(name: str, domains: frozenset[str]) -> bool:
    try:
        parsed = parse_name(name)
    except CertdeskError:
        return False
    return not parsed.wildcard and authorization_domain(parsed) in domains


def _refuse_use(leaf: x509.Certificate) -> None:
    usage = chains.extension(leaf, x509.ExtendedKeyUsage)
    if usage is None or ExtendedKeyUsageOID.SERVER_AUTH not in usage.value:
        raise _Refused("It is not for servers: the extended key usage serverAuth is missing.")
    constraints = chains.extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        raise _Refused("It is a CA certificate, not one of a server.")


def _refuse_organization(leaf: x509.Certificate, expected: Expected) -> None:
    """It names the organization that was verified and no other; case and spaces aside."""
    named = _values(leaf, NameOID.ORGANIZATION_NAME)
    if not named:
        raise _Refused(f"It names no organization, but {expected.level} was ordered.")
    foreign = next((one for one in named if _plain(one) != _plain(expected.organization)), "")
    if foreign:
        raise _Refused(f"It names the organization {foreign[:64]!r}, which is not the one that was verified.")
    countries = _values(leaf, NameOID.COUNTRY_NAME)
    other = next((one for one in countries if _plain(one) != _plain(expected.country)), "")
    if other:
        raise _Refused(f"It names the country {other[:2]!r}, which is not the one that was verified.")


def _values(leaf: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(one.value) for one in leaf.subject.get_attributes_for_oid(oid)]


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def _refuse_time(facts: CertificateFacts, expected: Expected, now: datetime) -> None:
    if facts.not_before > now + CLOCKS_DIFFER:
        raise _Refused(f"It is not valid before {facts.not_before:%Y-%m-%d %H:%M:%S} UTC.")
    if facts.not_after <= now:
        raise _Refused(f"It expired on {facts.not_after:%Y-%m-%d %H:%M:%S} UTC.")
    if facts.not_after - facts.not_before > timedelta(days=expected.longest_days) + WHOLE_DAY:
        days = (facts.not_after - facts.not_before).days
        raise _Refused(f"It is valid for {days} days; the policy allows {expected.longest_days}.")


def authority_of(leaf: x509.Certificate) -> str:
    """The name of its issuer: common name, else organization."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        found = leaf.issuer.get_attributes_for_oid(oid)
        if found:
            return str(found[0].value)
    return "?"


def issuer_of(slug: str, authority: str) -> str:
    """As a version keeps it, `<slug>:<name of the CA>`, cut to what the column takes."""
    room = ISSUER_LIMIT - len(slug) - 1
    kept = "".join(letter for letter in authority if letter.isprintable())
    return f"{slug}:{kept[:room].strip()}"
