"""The verbs of cross-certification, and the other chains that come of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.pki.x509 import certificates

from . import actions, crossing, issuers
from .errors import CrossRefused, NoSuchPlace
from .models import Authority, Cross

MADE = "authority.cross_signed"
ASKED = "authority.cross_asked"
TAKEN = "authority.cross_taken"


@dataclass(frozen=True, slots=True)
class Alternate:
    """Another chain to one leaf.

    Attributes:
        name: the cross-certificate that it goes over.
        root: where it ends, for people.
        pem: the certificates above the leaf, its issuer first, without the root.
    """

    name: str
    root: str
    pem: str


def sign(slug: str, by_slug: str, now: datetime, by: Principal) -> Cross:
    """Another root of this installation certifies an authority or root, so that those who trust it alone do.

    Raises:
        NoSuchPlace: there is no such authority or root.
        CrossRefused: it signed that certificate already, is no root, or one of the two has ended.
        KeyElsewhere: the root's key is kept outside this installation.
    """
    row, root = _authority(slug), _authority(by_slug)
    if root.parent_id or by_slug in (slug, row.parent_id):
        raise _refused(f"{by_slug} is not another root than the one that {slug} has")
    if row.retired_at or root.retired_at:
        raise _refused("one of the two is retired")
    if min(row.not_after, root.not_after) <= now:
        raise _refused("one of the two has expired")
    name = crossing.name_of(_certificate(root))
    _refuse_second(row, _held(row), name)  # before a root signs what would be thrown away
    base = settings.get().pki_base_url
    der = crossing.certify(_certificate(row), issuers.holder(by_slug), actions.begin_of(now), base)
    with sql.short_transaction():
        made = _add(row, der, root=name, issuer=root, ends=certificates.facts(der).not_after)
        audit.record(by, MADE, resource=f"authority:{slug}", details=_told(made))
    issuers.forget()
    return made


def ask(slug: str, by: Principal) -> str:
    """The CSR with which a root outside can certify this authority, PEM.

    Raises:
        NoSuchPlace: there is no such authority.
        KeyElsewhere: its key is kept outside this installation.
    """
    row = _authority(slug)
    asked = crossing.request(_certificate(row), issuers.key_of(row.key_id))
    with sql.short_transaction():
        audit.record(by, ASKED, resource=f"authority:{slug}", details={"key": row.key.spki_sha256})
    return asked


def take(slug: str, pem: str, now: datetime, by: Principal) -> Cross:
    """The certificate that a root outside made, taken in.

    Args:
        pem: the certificate, then its issuers up to the root.

    Raises:
        NoSuchPlace: there is no such authority.
        BadCertificate: it is no PEM of certificates.
        CrossRefused: it is not this authority's, does not hold, binds it less than its own certificate,
            ends at a root of ours, or was taken before.
    """
    row = _authority(slug)
    found = crossing.brought(_certificate(row), certificates.load_chain_pem(pem), now)
    if Authority.objects.filter(key__spki_sha256=found.root_key).exists():
        raise _refused(f"{found.root} is no root outside but one of this installation")
    with sql.short_transaction():
        between = certificates.chain_to_pem(found.between)
        made = _add(row, found.der, root=found.root, between=between, ends=found.ends)
        audit.record(by, TAKEN, resource=f"authority:{slug}", details=_told(made))
    issuers.forget()
    return made


def _add(
    row: Authority,
    der: bytes,
    *,
    root: str,
    issuer: Authority | None = None,
    between: str = "",
    ends: datetime,
) -> Cross:
    """In the caller's transaction; one at a time for an authority, as each is numbered after the others."""
    Authority.objects.select_for_update().get(slug=row.slug)
    held = _held(row)
    _refuse_second(row, held, root, None if issuer else der)
    return Cross.objects.create(
        slug=f"{row.slug}-x{len(held) + 1}",
        authority=row,
        issuer=issuer,
        root=root,
        certificate_der=der,
        between=between,
        not_after=ends,
        created_at=clock.real_now(),
    )


def _held(row: Authority) -> list[Cross]:
    return list(Cross.objects.filter(authority=row))


def _refuse_second(row: Authority, held: Sequence[Cross], root: str, der: bytes | None = None) -> None:
    """A root of ours certifies an authority once; one outside may do it anew, but not with the same bytes."""
    if any(one.root == root and der in (None, bytes(one.certificate_der)) for one in held):
        raise _refused(f"{row.slug} has one of {root} already")


def _told(made: Cross) -> dict[str, str]:
    digest = certificates.facts(bytes(made.certificate_der)).sha256
    return {"cross": made.slug, "root": made.root, "certificate_sha256": digest}


def _authority(slug: str) -> Authority:
    row = Authority.objects.select_related("key").filter(slug=slug).first()
    if row is None:
        raise NoSuchPlace(
            f"The built-in CA has no authority {slug}.", next_step="See them all: certdesk ca list."
        )
    return row


def _certificate(row: Authority) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(row.certificate_der))


def alternates(slug: str, now: datetime) -> tuple[Alternate, ...]:
    """The other chains of what an authority signed, oldest first: over it and over its root.

    What another process made is seen within a minute.
    """
    if not issuers.has_other_chains(slug):
        return ()  # nearly always: nothing is read
    row = Authority.objects.filter(slug=slug).first()
    return tuple(_chains(row, now)) if row is not None else ()


def _chains(row: Authority, now: datetime) -> Iterator[Alternate]:
    own = certificates.to_pem(bytes(row.certificate_der))
    held = Cross.objects.filter(authority__in=[row.slug, row.parent_id], not_after__gt=now)
    for one in held.order_by("created_at", "slug"):
        below = own if one.authority_id == row.parent_id else ""
        cross = certificates.to_pem(bytes(one.certificate_der))
        yield Alternate(one.slug, one.root, below + cross + one.between)


def bundle(slug: str, now: datetime) -> bytes | None:
    """The certificates of an authority's name and key, for who follows the pointer: certs-only CMS, DER.

    Without cross-certificates whose path has ended; None for an authority that is not known.
    """
    row = Authority.objects.filter(slug=slug).first()
    if row is None:
        return None
    held = row.crosses.filter(not_after__gt=now).order_by("slug")
    ders = [row.certificate_der, *held.values_list("certificate_der", flat=True)]
    return serialize_certificates([x509.load_der_x509_certificate(bytes(der)) for der in ders], Encoding.DER)


def _refused(why: str) -> CrossRefused:
    return CrossRefused(f"No cross-certificate is made: {why}.", next_step="See: certdesk ca list.")
