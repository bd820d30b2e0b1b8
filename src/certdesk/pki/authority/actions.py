"""Makes the hierarchy of the built-in CA, and hands out its roots."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from certdesk.foundation.common import clock, settings, sql
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import hierarchy, issuers, ocsp, shapes
from .hierarchy import Place
from .models import Authority, Level

AUTHORITY_KEY = "authority"
MakeKey = Callable[[KeyAlgorithm], PrivateKey]


def bootstrap(now: datetime, make_key: MakeKey = keys.generate) -> int:
    """Make what is missing of the hierarchy; answers how many authorities were made. Idempotent.

    Takes some seconds the first time (RSA-4096 keys); they are made in threads, before the transaction.

    Args:
        now: business time, from which the certificates of the hierarchy count.
    """
    missing = _missing()
    if not missing:
        return 0
    with ThreadPoolExecutor(max_workers=2) as threads:
        made = dict(threads.map(lambda place: (place.slug, make_key(place.algorithm)), missing))
    with sql.short_transaction():
        still_missing = [place for place in _missing() if place.slug in made]
        installation = _installation()
        for place in still_missing:
            _add(place, made[place.slug], installation, now)
    issuers.forget()
    shapes.forget()
    ocsp.forget()
    return len(still_missing)


def _missing() -> list[Place]:
    present = set(Authority.objects.values_list("slug", flat=True))
    return [place for place in hierarchy.places() if place.slug not in present]


def _installation() -> str:
    """Tells the private CA of this installation from every other one's: the words after the common prefix."""
    first = Authority.objects.filter(level=Level.ROOT).order_by("created_at", "slug").first()
    if first is None:
        return secrets.token_hex(4).upper()
    return hierarchy.installation_of(bytes(first.certificate_der))


def _add(place: Place, key: PrivateKey, installation: str, now: datetime) -> None:
    begin = now - (hierarchy.LAB_BACKDATED if settings.get().lab else hierarchy.BACKDATED)
    if place.parent is None or place.level is None:
        der = hierarchy.certify_root(place, key, installation, begin)
    else:
        root = Authority.objects.get(slug=place.parent)
        der = hierarchy.certify_issuing(
            place,
            place.level,
            key.public_key(),
            installation,
            begin,
            root_der=bytes(root.certificate_der),
            root_key=issuers.key_of(root.key_id),
            base=settings.get().pki_base_url,
        )
    Authority.objects.create(
        slug=place.slug,
        level=place.level or Level.ROOT,
        algorithm=place.algorithm.value,
        parent_id=place.parent,
        key=keystore.store_made(keystore.HOUSE, key, AUTHORITY_KEY),
        certificate_der=der,
        not_after=certificates.facts(der).not_after,
        created_at=clock.real_now(),
    )


def roots_pem() -> str:
    """The roots of the built-in CA in PEM, for trust stores; empty before `bootstrap`."""
    roots = Authority.objects.filter(level=Level.ROOT).order_by("slug")
    return certificates.chain_to_pem(bytes(root.certificate_der) for root in roots)
