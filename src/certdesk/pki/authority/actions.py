"""Makes the hierarchy of the built-in CA, and hands out its roots."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography import x509
from django.db import DatabaseError

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import token_keys, tokens
from certdesk.pki.keystore.errors import TokenUnavailable
from certdesk.pki.keystore.models import Held, Key
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import constraints, hierarchy, issuers, ocsp, shapes
from .constraints import Bounds
from .errors import BadBounds, HierarchyChanged, NoSuchPlace
from .hierarchy import Place
from .models import Authority, Level

AUTHORITY_KEY = "authority"
CREATED = "authority.created"
MakeKey = Callable[[KeyAlgorithm], PrivateKey]


@dataclass(frozen=True, slots=True)
class _Certified:
    """An authority that is signed and not recorded yet. `parent`: slug of the root that signed it."""

    place: Place
    slug: str
    parent: str | None
    key: PrivateKey = field(repr=False)
    der: bytes


def bootstrap(now: datetime, make_key: MakeKey | None = None) -> int:
    """Make what is missing of the hierarchy; answers how many authorities were made. Idempotent.

    Takes some seconds the first time (RSA-4096 keys); they are made in threads. All is signed before the
    transaction, as a token is slow and may fail; what was not recorded is destroyed in it.

    Args:
        now: business time, from which the certificates of the hierarchy count.
        make_key: default: in the token when one is set up, else here.

    Raises:
        TokenUnavailable: a token is set up and cannot be used.
        HierarchyChanged: another process made a part of it meanwhile.
    """
    missing = _missing()
    if not missing:
        return 0
    with _keys(missing, make_key or default_maker()) as made:
        signed = _certified(missing, made, now)
        with sql.short_transaction():
            still_missing = {place.slug for place in _missing()}
            added = [_add(one) for one in signed if one.place.slug in still_missing]
    forget()
    return len(added)


def create(
    places: Sequence[str],
    now: datetime,
    by: Principal,
    make_key: MakeKey | None = None,
    bounds: Bounds = constraints.NONE,
) -> list[Authority]:
    """A new authority with a new key at each of these places; it signs there from now on.

    The one before is retired: it signs no more certificates, its CRLs and OCSP answers go on. Other
    processes follow within a minute. A new root has to be put into trust stores before it is of use.

    Args:
        places: e.g. `dv-p256`; of a root and what is under it, give both.
        now, make_key: as `bootstrap` takes them.
        bounds: the names that the new authorities may certify; a root among them has none.

    Raises:
        NoSuchPlace: the hierarchy has no such place.
        BadBounds: bounds, and roots alone.
        KeyElsewhere: its root is kept outside this installation.
        TokenUnavailable: a token is set up and cannot be used.
        HierarchyChanged: another process put a new authority there meanwhile.
    """
    chosen = _chosen(places)
    _refuse_bounds(chosen, bounds)
    _refuse_elsewhere(chosen)
    with _keys(chosen, make_key or default_maker()) as made:
        signed = _certified(chosen, made, now, bounds)
        with sql.short_transaction():
            created = [_replace(one, by) for one in signed]
    forget()
    return created


def default_maker() -> MakeKey:
    """Where the keys of new authorities are made."""
    return keys.generate if tokens.place() is None else token_keys.generate


def forget() -> None:
    """Drop what this process holds of the hierarchy."""
    issuers.forget()
    shapes.forget()
    ocsp.forget()


def _chosen(slugs: Iterable[str]) -> list[Place]:
    wanted = set(slugs)
    chosen = [place for place in hierarchy.places() if place.slug in wanted]
    unknown = sorted(wanted - {place.slug for place in chosen})
    if unknown or not chosen:
        raise NoSuchPlace(
            f"The hierarchy has no place {', '.join(unknown) or '(none was named)'}.",
            next_step=f"Known: {', '.join(place.slug for place in hierarchy.places())}.",
        )
    return chosen


def _refuse_bounds(places: Sequence[Place], bounds: Bounds) -> None:
    """A root is believed as it is: clients need not look at constraints in it (RFC 5280 §6.1)."""
    if bounds and not any(place.level for place in places):
        raise BadBounds(
            "Name constraints bind an authority under a root, and only roots were named.",
            next_step="Name an authority too, for example dv-p256.",
        )


def _refuse_elsewhere(places: Sequence[Place]) -> None:
    """Before a key is made for nothing: what an offline root has to sign is signed in a ceremony."""
    needed = {place.parent for place in places} - {place.slug for place in places}
    for root in Authority.objects.filter(place__in=needed - {None}, retired_at=None).order_by("slug"):
        issuers.key_of(root.key_id)


@contextmanager
def _keys(places: Sequence[Place], make_key: MakeKey) -> Iterator[dict[str, PrivateKey]]:
    """A new key for each place; those in the token that are on no record at the end are destroyed."""
    made: dict[str, PrivateKey] = {}

    def make(place: Place) -> None:
        made[place.slug] = make_key(place.algorithm)

    try:
        with ThreadPoolExecutor(max_workers=2) as threads:
            list(threads.map(make, places))
        yield made
    finally:
        _remove_unrecorded(made.values())


def _remove_unrecorded(made: Iterable[PrivateKey]) -> None:
    """The records decide, not how the run ended: a commit whose answer was lost has its keys in use."""
    in_token = {token_keys.id_of(key) for key in made} - {""}
    if in_token:
        with suppress(DatabaseError, TokenUnavailable):
            recorded = Key.objects.filter(object_id__in=in_token).values_list("object_id", flat=True)
            token_keys.remove(sorted(in_token - set(recorded)))


def _missing() -> list[Place]:
    """What an offline root would have to sign is not missed: it comes from a ceremony."""
    held = dict(Authority.objects.filter(retired_at=None).values_list("place", "key__held"))
    return [
        place
        for place in hierarchy.places()
        if place.slug not in held and held.get(place.parent or "") != Held.ELSEWHERE
    ]


def installation() -> str:
    """Tells the private CA of this installation from every other one's: the words after the common prefix."""
    first = Authority.objects.filter(level=Level.ROOT).order_by("created_at", "slug").first()
    if first is None:
        return secrets.token_hex(4).upper()
    return hierarchy.installation_of(bytes(first.certificate_der))


def _replace(one: _Certified, by: Principal) -> Authority:
    Authority.objects.filter(place=one.place.slug, retired_at=None).update(retired_at=clock.real_now())
    made = _add(one)
    note(made, by)
    return made


def note(made: Authority, by: Principal) -> None:
    """An audit row that names the new authority, its key and where that is, in the caller's transaction."""
    certificate = x509.load_der_x509_certificate(bytes(made.certificate_der))
    bounds = constraints.of(certificate)
    details = {
        "place": made.place,
        "parent": made.parent_id or "",
        "algorithm": made.algorithm,
        "key": made.key.spki_sha256,
        "held": str(made.key.held),
    }
    if bounds:
        details |= {"permitted": " ".join(bounds.permitted), "excluded": " ".join(bounds.told)}
    audit.record(by, CREATED, resource=f"authority:{made.slug}", details=details)


def _certified(
    places: Iterable[Place],
    made: Mapping[str, PrivateKey],
    now: datetime,
    bounds: Bounds = constraints.NONE,
) -> list[_Certified]:
    """Signs for the new keys, roots first, so that what is new under a new root is signed by it."""
    word, found = installation(), dict[str, _Certified]()
    for place in places:
        root = found.get(place.parent or "") or (_root_at(place.parent) if place.parent else None)
        found[place.slug] = _certify(place, made[place.slug], root, word, now, bounds)
    return list(found.values())


def _root_at(slug: str) -> _Certified:
    row = Authority.objects.get(place=slug, retired_at=None)
    place = next(one for one in hierarchy.places() if one.slug == slug)
    return _Certified(place, row.slug, None, issuers.key_of(row.key_id), bytes(row.certificate_der))


def _certify(
    place: Place,
    key: PrivateKey,
    root: _Certified | None,
    installation: str,
    now: datetime,
    bounds: Bounds,
) -> _Certified:
    """A self-signed root, or an authority under the root of its chain; its slug is a free one."""
    begin, own = begin_of(now), numbered(place)
    if root is None or place.level is None:
        der = hierarchy.certify_root(own, key, installation, begin)
        return _Certified(place, own.slug, None, key, der)
    der = hierarchy.certify_issuing(
        replace(own, parent=root.slug),
        place.level,
        key.public_key(),
        installation,
        begin,
        root_der=root.der,
        root_key=root.key,
        base=settings.get().pki_base_url,
        bounds=bounds,
    )
    return _Certified(place, own.slug, root.slug, key, der)


def _add(one: _Certified) -> Authority:
    """Records what was signed, if the hierarchy is still the one that it was signed for."""
    taken = Authority.objects.filter(slug=one.slug).exists()
    if taken or (one.parent and not Authority.objects.filter(slug=one.parent, retired_at=None).exists()):
        raise HierarchyChanged(
            f"Another process changed the hierarchy while the authority {one.slug} was made.",
            next_step="Look at what it holds now; if a new authority is still wanted, run this again.",
        )
    return Authority.objects.create(
        slug=one.slug,
        place=one.place.slug,
        level=one.place.level or Level.ROOT,
        algorithm=one.place.algorithm.value,
        parent_id=one.parent,
        key=keystore.store_made(keystore.HOUSE, one.key, AUTHORITY_KEY),
        certificate_der=one.der,
        not_after=certificates.facts(one.der).not_after,
        created_at=clock.real_now(),
    )


def begin_of(now: datetime) -> datetime:
    """The notBefore of an authority that is made now."""
    return now - (hierarchy.LAB_BACKDATED if settings.get().lab else hierarchy.BACKDATED)


def numbered(place: Place) -> Place:
    """The place with the first slug that no authority has yet."""
    used = set(Authority.objects.filter(slug__startswith=place.slug).values_list("slug", flat=True))
    one, number = place, 2
    while one.slug in used:
        one, number = hierarchy.later(place, number), number + 1
    return one


def roots_pem() -> str:
    """The roots of the built-in CA in PEM, for trust stores; empty before `bootstrap`."""
    roots = Authority.objects.filter(level=Level.ROOT).order_by("slug")
    return certificates.chain_to_pem(bytes(root.certificate_der) for root in roots)
