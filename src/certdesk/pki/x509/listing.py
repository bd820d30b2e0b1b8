"""Many certificates in one text, as folders and other inventories give them: the servers' to be watched, the
CAs' to stand above them. Read within limits; one that cannot be taken hinders no other. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from . import certificates, chains, uploads
from .certificates import is_self_issued
from .errors import UploadRefused, shown
from .uploads import Public

MOST = 2_000  # certificates in a text, and
MOST_NAMES = 50_000  # in all of them
TEXT_LIMIT = 12_000_000  # characters of PEM


@dataclass(frozen=True, slots=True)
class Refused:
    """`name`: the first that the certificate says it is for, safe to show; empty where it says none."""

    why: UploadRefused
    name: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a text holds.

    Attributes:
        servers: which certificate of the text it is (1 = the first), and what may be watched, or why not.
        authorities: how many of the text's certificates are CAs' own.
    """

    servers: tuple[tuple[int, Public | Refused], ...]
    authorities: int


_Authority = tuple[bytes, x509.Certificate]


@dataclass(slots=True)
class _Authorities:
    """The CAs' certificates of the text, found by the name and the key that a certificate names as its
    issuer's. Whether they signed it is not looked at."""

    count: int = 0
    by_subject: dict[x509.Name, list[_Authority]] = field(default_factory=dict)
    known: dict[tuple[x509.Name, bytes | None], tuple[bytes, ...]] = field(default_factory=dict)

    def add(self, der: bytes, read: x509.Certificate) -> None:
        self.count += 1
        self.by_subject.setdefault(read.subject, []).append((der, read))

    def above(self, certificate: x509.Certificate) -> tuple[bytes, ...]:
        """What leads upwards from a server's certificate, its issuer first, as far as the text goes."""
        if is_self_issued(certificate):
            return ()
        asked = certificate.issuer, _issuer_key(certificate)
        if asked not in self.known:
            self.known[asked] = tuple(self._upwards(certificate))
        return self.known[asked]

    def _upwards(self, certificate: x509.Certificate) -> Iterator[bytes]:
        taken = set[bytes]()
        while len(taken) < chains.MOST_ABOVE and not is_self_issued(certificate):
            der, certificate = self._issuer(certificate) or (b"", certificate)
            if not der or der in taken:  # the text goes no further, or two CAs vouch for each other
                return
            taken.add(der)
            yield der

    def _issuer(self, certificate: x509.Certificate) -> _Authority | None:
        """Of several with that name and key the one that lasts longest."""
        key = _issuer_key(certificate)
        named = [
            one
            for one in self.by_subject.get(certificate.issuer, ())
            if key is None or _own_key(one[1]) in {None, key}
        ]
        return max(named, key=lambda one: (one[1].not_valid_after_utc, one[0]), default=None)


def read_list(text: str, now: datetime) -> Listing:
    """Sorts and reads what a text holds.

    Args:
        text: PEM; certificates alone, in any order, with anything between them.
        now: aware; the last second of a validity counts.

    Raises:
        UploadRefused: the text as a whole: too long, cut off, no certificate, or something else among them.
    """
    above, now = _Authorities(), now.replace(microsecond=0)
    servers = list[tuple[int, bytes, x509.Certificate | Refused]]()
    for place, der in enumerate(_ders(text), start=1):
        try:
            read, is_authority = _read(der)
        except UploadRefused as refused:
            servers.append((place, der, Refused(refused)))
            continue
        if is_authority:
            above.add(der, read)
        else:
            servers.append((place, der, read))
    return Listing(tuple(_each(servers, above, now)), above.count)


def _each(
    servers: Sequence[tuple[int, bytes, x509.Certificate | Refused]], above: _Authorities, now: datetime
) -> Iterator[tuple[int, Public | Refused]]:
    names = 0
    for place, der, read in servers:
        found = _found(der, read, above, now)
        names += len(found.names) if isinstance(found, Public) else 0
        if names > MOST_NAMES:
            raise _too_much(f"The text has certificates for more than {MOST_NAMES} names.")
        yield place, found


def _ders(text: str) -> list[bytes]:
    found = uploads.ders(text, "certificates", uploads.UNREADABLE, TEXT_LIMIT)
    if len(found) > MOST:
        raise _too_much(f"The text has {len(found)} certificates; at most {MOST} are taken.")
    return found


def _too_much(sentence: str) -> UploadRefused:
    return UploadRefused(
        sentence, next_step="Send it in parts.", code=uploads.UNREADABLE, field="certificates"
    )


def _read(der: bytes) -> tuple[x509.Certificate, bool]:
    """With whether it is a CA's; names and extensions are read here, where damaged ones raise."""
    with uploads.reading("certificate", uploads.UNREADABLE):
        read = x509.load_der_x509_certificate(der)
        _ = read.subject, read.issuer
        constraints = chains.extension(read, x509.BasicConstraints)
        return read, constraints is not None and bool(constraints.value.ca)


def _found(
    der: bytes, read: x509.Certificate | Refused, authorities: _Authorities, now: datetime
) -> Public | Refused:
    if isinstance(read, Refused):
        return read
    try:
        return uploads.of_list(der, read, authorities.above(read), now)
    except UploadRefused as refused:
        return Refused(refused, shown(next(iter(certificates.names_of(read)), "")))


def _issuer_key(certificate: x509.Certificate) -> bytes | None:
    found = chains.extension(certificate, x509.AuthorityKeyIdentifier)
    return found.value.key_identifier if found is not None else None


def _own_key(certificate: x509.Certificate) -> bytes | None:
    found = chains.extension(certificate, x509.SubjectKeyIdentifier)
    return found.value.digest if found is not None else None
