"""Makes the hierarchy of the built-in CA, and hands out its roots."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore import token_keys, tokens
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import hierarchy, issuers, ocsp, shapes
from .errors import NoSuchPlace
from .hierarchy import Place
from .models import Authority, Level

AUTHORITY_KEY = "authority"
CREATED = "authority.created"
MakeKey = Callable[[KeyAlgorithm], PrivateKey]


def bootstrap(now: datetime, make_key: MakeKey | None = None) -> int:
    """Make what is missing of the hierarchy; answers how many authorities were made. Idempotent.

    Takes some seconds the first time (RSA-4096 keys); they are made in threads, before the transaction.

    Args:
        now: business time, from which the certificates of the hierarchy count.
        make_key: default: in the token when one is set up, else here.

    Raises:
        TokenUnavailable: a token is set up and cannot be used.
    """
    missing = _missing()
    if not missing:
        return 0
    made = _keys(missing, make_key or default_maker())
    with sql.short_transaction():
        still_missing = [place for place in _missing() if place.slug in made]
        installation = _installation()
        for place in still_missing:
            _add(place, made[place.slug], installation, now)
    forget()
    return len(still_missing)


def create(
    places: Sequence[str], now: datetime, by: Principal, make_key: MakeKey | None = None
) -> list[Authority]:
    """A new authority with a new key at each of these places; it signs there from now on.

    The one before is retired: it signs no more certificates, its CRLs and OCSP answers go on. Other
    processes follow within a minute. A new root has to be put into trust stores before it is of use.

    Args:
        places: e.g. `dv-p256`; of a root and what is under it, give both.
        now, make_key: as `bootstrap` takes them.

    Raises:
        NoSuchPlace: the hierarchy has no such place.
        KeyElsewhere: its root is kept outside this installation.
        TokenUnavailable: a token is set up and cannot be used.
    """
    chosen = _chosen(places)
    made = _keys(chosen, make_key or default_maker())
    with sql.short_transaction():
        installation = _installation()
        created = [_replace(place, made[place.slug], installation, now, by) for place in chosen]
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


def _keys(places: Sequence[Place], make_key: MakeKey) -> dict[str, PrivateKey]:
    with ThreadPoolExecutor(max_workers=2) as threads:
        return dict(threads.map(lambda place: (place.slug, make_key(place.algorithm)), places))


def _missing() -> list[Place]:
    present = set(Authority.objects.filter(retired_at=None).values_list("place", flat=True))
    return [place for place in hierarchy.places() if place.slug not in present]


def _installation() -> str:
    """Tells the private CA of this installation from every other one's: the words after the common prefix."""
    first = Authority.objects.filter(level=Level.ROOT).order_by("created_at", "slug").first()
    if first is None:
        return secrets.token_hex(4).upper()
    return hierarchy.installation_of(bytes(first.certificate_der))


def _replace(place: Place, key: PrivateKey, installation: str, now: datetime, by: Principal) -> Authority:
    Authority.objects.filter(place=place.slug, retired_at=None).update(retired_at=clock.real_now())
    made = _add(place, key, installation, now)
    note(made, by)
    return made


def note(made: Authority, by: Principal) -> None:
    """An audit row that names the new authority, its key and where that is, in the caller's transaction."""
    details = {
        "place": made.place,
        "parent": made.parent_id or "",
        "algorithm": made.algorithm,
        "key": made.key.spki_sha256,
        "held": str(made.key.held),
    }
    audit.record(by, CREATED, resource=f"authority:{made.slug}", details=details)


def _add(place: Place, key: PrivateKey, installation: str, now: datetime) -> Authority:
    """A self-signed root, or an authority under the current root of its chain; its slug is a free one."""
    begin = begin_of(now)
    own = numbered(place)
    root = Authority.objects.get(place=place.parent, retired_at=None) if place.parent else None
    if root is None or place.level is None:
        der = hierarchy.certify_root(own, key, installation, begin)
    else:
        der = hierarchy.certify_issuing(
            replace(own, parent=root.slug),
            place.level,
            key.public_key(),
            installation,
            begin,
            root_der=bytes(root.certificate_der),
            root_key=issuers.key_of(root.key_id),
            base=settings.get().pki_base_url,
        )
    return Authority.objects.create(
        slug=own.slug,
        place=place.slug,
        level=place.level or Level.ROOT,
        algorithm=place.algorithm.value,
        parent=root,
        key=keystore.store_made(keystore.HOUSE, key, AUTHORITY_KEY),
        certificate_der=der,
        not_after=certificates.facts(der).not_after,
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
