"""The certificate tools: what it is, whether the key belongs to it, another form. Nothing is kept or logged.

A private key that somebody brings stays in the memory of this request: no row, no file, no audit, no answer
but the file that was asked for.
"""

from dataclasses import dataclass

from cryptography import x509

from certdesk.foundation.common import clock
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import recognising
from certdesk.lifecycle.certificates.recognising import Known
from certdesk.pki.keystore import queries as keystore
from certdesk.pki.keystore.containers import open_container
from certdesk.pki.x509 import converting, explaining, keys, reading, whole_text
from certdesk.pki.x509.converting import Converted, Form
from certdesk.pki.x509.errors import CannotRead
from certdesk.pki.x509.explaining import CertificateTold, ChainTold, KeyTold, RequestTold
from certdesk.pki.x509.reading import Content

USE = "scm:tool:use"


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate with its whole text, and which of ours it is."""

    told: CertificateTold
    text: str
    known: Known | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """Everything in a content. Keys are told by their public half alone.

    Attributes:
        format: what it came as.
        chain: whether the certificates hold together; None where there is none.
    """

    format: str
    certificates: tuple[Shown, ...]
    chain: ChainTold | None
    requests: tuple[tuple[RequestTold, str], ...]
    keys: tuple[KeyTold, ...]


@dataclass(frozen=True, slots=True)
class Matched:
    """Whether a key belongs to a certificate or CSR.

    Attributes:
        what: CERTIFICATE or REQUEST.
        theirs, own: the kind of the certificate's key, and of the one that was given.
    """

    matches: bool
    what: str
    theirs: str
    own: str
    sentence: str


def decode(principal: Principal, content: bytes, password: str = "") -> Decoded:
    """Everything about a certificate, chain, CSR or key.

    Raises:
        Forbidden: no `scm:tool:use`. CannotRead: what it cannot be, and what to do.
    """
    principal.require(USE)
    found = reading.read(content, password, open_container)
    return decoded(principal, found, reading.in_order(found.certificates))


def decoded(principal: Principal, found: Content, ordered: tuple[x509.Certificate, ...]) -> Decoded:
    """Everything about what was read; the certificates in the order in which they are told."""
    return Decoded(
        format=found.format,
        certificates=tuple(_shown(principal, ordered, place) for place in range(1, len(ordered) + 1)),
        chain=explaining.chain(ordered) if ordered else None,
        requests=tuple(
            (explaining.request(one, keystore.is_blocked), whole_text.of_request(one))
            for one in found.requests
        ),
        keys=tuple(explaining.key(one, keystore.is_blocked) for one in found.keys),
    )


def _shown(principal: Principal, ordered: tuple[x509.Certificate, ...], place: int) -> Shown:
    told = explaining.certificate(ordered, place, clock.now(), keystore.is_blocked)
    known = recognising.recognised(principal, told.facts.sha256, told.facts.names)
    return Shown(told, whole_text.of_certificate(ordered[place - 1]), known)


def match(principal: Principal, content: bytes, private_key: bytes, password: str = "") -> Matched:
    """Whether the private key belongs to the first certificate, or to the CSR.

    Args:
        content: a certificate (with its chain or without) or a CSR; the key may stand in it too.
        private_key: the key; empty where it stands in the content.
        password: the key's, or the store's.

    Raises:
        Forbidden; CannotRead: no certificate or CSR, or not exactly one key.
    """
    principal.require(USE)
    found = reading.read(content, password, open_container)
    held = _key_of(private_key, password) if private_key.strip() else found
    if len(held.keys) != 1:
        raise CannotRead(
            f"There are {len(held.keys)} private keys; exactly one is needed.",
            next_step="Paste the key in PEM, or choose its file.",
            field="private_key",
        )
    ordered = reading.in_order(found.certificates)
    if not ordered and not found.requests:
        raise CannotRead(
            "There is no certificate and no CSR to compare the key with.",
            next_step="Paste the certificate or the CSR in PEM.",
            field="text",
        )
    theirs = (ordered or found.requests)[0].public_key()
    own = held.keys[0].public_key()
    same = keys.spki_der(theirs) == keys.spki_der(own)
    what = "CERTIFICATE" if ordered else "REQUEST"
    return Matched(same, what, keys.describe(theirs), keys.describe(own), _SENTENCES[what, same])


def _key_of(private_key: bytes, password: str) -> Content:
    try:
        return reading.read(private_key, password, open_container)
    except CannotRead as fault:
        field = "private_key" if fault.field == "text" else fault.field
        raise CannotRead(fault.message, next_step=fault.next_step, field=field) from None


_SENTENCES = {
    ("CERTIFICATE", True): "The private key belongs to this certificate.",
    ("CERTIFICATE", False): "The private key belongs to another certificate.",
    ("REQUEST", True): "The private key belongs to this CSR.",
    ("REQUEST", False): "The private key belongs to another CSR.",
}


def convert(
    principal: Principal, content: bytes, form: Form, *, password: str = "", new_password: str = ""
) -> Converted:
    """The same certificates, CSR and key in another form.

    Args:
        new_password: of the new store; empty = one is made.

    Raises:
        Forbidden; CannotRead: what cannot be read, or what the form cannot hold.
    """
    principal.require(USE)
    found = reading.read(content, password, open_container)
    return converting.convert(found, form, new_password, clock.now())
