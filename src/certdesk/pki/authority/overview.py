"""What people see of the hierarchy: authorities, where their keys are, their CRLs and responders."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Length

from certdesk.foundation.common import clock

from . import constraints
from .constraints import Bounds
from .models import Authority, Crl, Cross, Responder


@dataclass(frozen=True, slots=True)
class Lists:
    """The CRLs of one authority together.

    Attributes:
        number: the highest; `entries` of all; `size` of the longest, bytes.
        next_update: when the first of them ends; None before all were signed.
    """

    count: int = 0
    number: int = 0
    entries: int = 0
    size: int = 0
    next_update: datetime | None = None


@dataclass(frozen=True, slots=True)
class Crossed:
    """An authority's name and key as certified by another root. `issuer`: that root's slug, if it is ours."""

    slug: str
    authority: str
    issuer: str
    root: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One authority.

    Attributes:
        parent: slug of its root; empty for a root.
        held: SEALED, TOKEN or ELSEWHERE.
        lost_at: since when the token lacks its key.
        bounds: the names that it may certify.
        crosses: its certificates by other roots, oldest first.
        answered_until: end of the certificate that answers OCSP for it; None: it answers itself, or nobody.
    """

    slug: str
    place: str
    parent: str
    name: str
    algorithm: str
    held: str
    lost_at: datetime | None
    not_after: datetime
    retired_at: datetime | None
    lists: Lists
    answered_until: datetime | None
    bounds: Bounds
    crosses: tuple[Crossed, ...]

    def as_dict(self) -> dict[str, object]:
        """For the command line."""
        return {
            "slug": self.slug,
            "place": self.place,
            "parent": self.parent,
            "algorithm": self.algorithm,
            "key": self.held.lower(),
            "key_lost": self.lost_at is not None,
            "not_after": clock.wire(self.not_after),
            "signs": self.retired_at is None,
            "revoked": self.lists.entries,
            "crl_next_update": clock.wire(self.lists.next_update),
            "permitted": list(self.bounds.permitted),
            "excluded": list(self.bounds.told),
            "crosses": {one.slug: one.root for one in self.crosses},
        }


def lines() -> list[Line]:
    """Every authority, each root before those under it, retired ones last among theirs."""
    lists, answered, crosses = _lists(), _answered(), _crosses()
    rows = Authority.objects.select_related("key").order_by("slug")
    found = [
        _line(row, lists.get(row.slug, Lists()), answered.get(row.slug), tuple(crosses.get(row.slug, ())))
        for row in rows
    ]
    return sorted(
        found, key=lambda one: (one.parent or one.slug, bool(one.parent), bool(one.retired_at), one.slug)
    )


def _line(
    row: Authority, lists: Lists, answered_until: datetime | None, crosses: tuple[Crossed, ...]
) -> Line:
    certificate = x509.load_der_x509_certificate(bytes(row.certificate_der))
    return Line(
        slug=row.slug,
        place=row.place,
        parent=row.parent_id or "",
        name=str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value),
        algorithm=row.algorithm,
        held=row.key.held,
        lost_at=row.key.lost_at,
        not_after=row.not_after,
        retired_at=row.retired_at,
        lists=lists,
        answered_until=answered_until,
        bounds=constraints.of(certificate),
        crosses=crosses,
    )


def _lists() -> dict[str, Lists]:
    """The lists that are served; their bytes stay in the database."""
    figures = (
        Crl.objects.exclude(this_update=None)
        .values("authority_id")
        .annotate(
            lists=Count("name"),
            highest=Max("number"),
            listed=Sum("entries"),
            longest=Max(Length("der")),
            first=Min("next_update"),
        )
    )
    return {
        one["authority_id"]: Lists(one["lists"], one["highest"], one["listed"], one["longest"], one["first"])
        for one in figures
    }


def _answered() -> dict[str, datetime]:
    ends = Responder.objects.values("authority_id").annotate(end=Max("not_after"))
    return {one["authority_id"]: one["end"] for one in ends}


def _crosses() -> dict[str, list[Crossed]]:
    found: dict[str, list[Crossed]] = {}
    for row in Cross.objects.defer("certificate_der", "between").order_by("created_at", "slug"):
        one = Crossed(row.slug, row.authority_id, row.issuer_id or "", row.root, row.not_after)
        found.setdefault(row.authority_id, []).append(one)
    return found
