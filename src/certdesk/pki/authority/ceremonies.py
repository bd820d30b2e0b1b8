"""The two ends of an offline ceremony in the running installation: what it asks for, and what it takes in."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.models import Held
from certdesk.pki.x509 import certificates
from certdesk.pki.x509.keys import PrivateKey

from . import actions, ceremony, constraints, hierarchy, issuers
from .ceremony import Agenda, Outcome, Wanted
from .constraints import Bounds
from .errors import BadBounds, CeremonyRefused, NoSuchPlace
from .hierarchy import Place
from .models import Authority, Ceremony, Crl, Level

SOON = timedelta(days=30)
ASKED = "authority.ceremony_asked"
TAKEN = "authority.ceremony_taken"


def ask(
    chain: str,
    by: Principal,
    make_key: actions.MakeKey | None = None,
    *,
    list_only: bool = False,
    bounds: Bounds = constraints.NONE,
) -> Agenda:
    """Keys for new authorities of a chain, and the agenda to take to the offline machine.

    The root of the chain is made there, unless an earlier ceremony made it already.

    Args:
        chain: `p256`, `rsa2048`, `p384` or `rsa4096`.
        list_only: a new CRL is all that is wanted of the root of before.
        bounds: the names that the new authorities may certify.

    Raises:
        NoSuchPlace: there is no such chain.
        BadBounds: `list_only` and bounds.
        CeremonyRefused: `list_only`, and no ceremony made its root yet.
        TokenUnavailable: a token is set up and cannot be used.
    """
    root, *below = places(chain)
    if list_only and bounds:
        raise BadBounds(
            "Name constraints bind new authorities, and only a new CRL was asked for.",
            next_step="Leave --list-only out, or --permit and --exclude.",
        )
    maker = make_key or actions.default_maker()
    made = [] if list_only else [(place, maker(place.algorithm)) for place in below]
    with sql.short_transaction():
        held = Authority.objects.filter(place=root.slug, retired_at=None, key__held=Held.ELSEWHERE).first()
        if list_only and held is None:
            raise CeremonyRefused(
                f"The root of the chain {chain} is no offline one, so its CRL is signed here.",
                next_step="Leave --list-only out to make an offline root.",
            )
        top = replace(root, slug=held.slug) if held else actions.numbered(root)
        asked = [(replace(actions.numbered(place), parent=top.slug), key) for place, key in made]
        agenda = Agenda(
            id=secrets.token_hex(8),
            installation=actions.installation(),
            base=settings.get().pki_base_url,
            root=top,
            root_der=bytes(held.certificate_der) if held else b"",
            wanted=tuple(Wanted(place, _request(place, key), bounds) for place, key in asked),
        )
        stored = {
            place.slug: keystore.store_made(keystore.HOUSE, key, actions.AUTHORITY_KEY)
            for place, key in asked
        }
        Ceremony.objects.create(
            id=agenda.id,
            agenda=agenda.as_text(),
            keys=sql.json_text({slug: key.id for slug, key in stored.items()}),
            asked_at=clock.real_now(),
        )
        audit.record(by, ASKED, resource=f"authority:{top.slug}", details={"ceremony": agenda.id})
    return agenda


def places(chain: str) -> list[Place]:
    """The places of a chain, its root first.

    Raises:
        NoSuchPlace: there is no such chain.
    """
    found = [place for place in hierarchy.places() if place.slug.rpartition("-")[2] == chain]
    if not found:
        known = [place.slug.removeprefix("root-") for place in hierarchy.places() if place.parent is None]
        raise NoSuchPlace(f"The hierarchy has no chain {chain}.", next_step=f"Known: {', '.join(known)}.")
    return found


def _request(place: Place, key: PrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, place.slug)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, issuers.hash_of(place.algorithm)).public_bytes(Encoding.DER)


def bring_back(text: str, typed: str, by: Principal) -> Ceremony:
    """Take the outcome of a ceremony in: from now on its authorities sign, and its CRL is served.

    Args:
        text: the outcome, as the offline machine wrote it.
        typed: the check value as it stands on the signed transcript.

    Raises:
        CeremonyRefused: it is not what was asked for, was taken in before, or the check value differs.
    """
    outcome = ceremony.outcome_of(text)
    row = Ceremony.objects.filter(id=outcome.agenda_id).first()
    if row is None:
        raise _refused("this installation never asked for it")
    agenda = ceremony.agenda_of(row.agenda)
    ceremony.refuse_untrue(agenda, outcome)
    if not ceremony.same_value(typed, outcome.check_value):
        raise _refused("the check value that was typed is not the one of this file")
    if len({name.strip().lower() for name in outcome.people if name.strip()}) < 2:
        raise _refused("it names fewer than two people")
    with sql.short_transaction():
        if not Ceremony.objects.filter(id=row.id, taken_at=None).update(
            taken_at=clock.real_now(),
            check_value=outcome.check_value,
            transcript=outcome.transcript,
        ):
            raise _refused("it was taken in before")
        _refuse_overtaken(agenda)
        _take(row, agenda, outcome, by)
    actions.forget()
    row.refresh_from_db()
    return row


def _refuse_overtaken(agenda: Agenda) -> None:
    """Of two requests for the same places the first that comes back counts, as does what was made here."""
    new = [one.place.slug for one in agenda.wanted] + ([] if agenda.root_der else [agenda.root.slug])
    if Authority.objects.filter(slug__in=new).exists():
        raise _refused("authorities of the same names were made since it was asked for")


def _take(row: Ceremony, agenda: Agenda, outcome: Outcome, by: Principal) -> None:
    held = Authority.objects.get(slug=agenda.root.slug) if agenda.root_der else None
    root = held or _add_root(agenda, outcome, by)
    for one in agenda.wanted:
        _add(one.place, root, row.key_of(one.place.slug), outcome.certificates[one.place.slug], by)
    _serve(root, outcome.crl)
    details = {
        "ceremony": row.id,
        "check_value": outcome.check_value,
        "transcript_sha256": hashlib.sha256(outcome.transcript.encode()).hexdigest(),
        "authorities": sorted(outcome.certificates),
    }
    audit.record(by, TAKEN, resource=f"authority:{root.slug}", details=details)


def _add_root(agenda: Agenda, outcome: Outcome, by: Principal) -> Authority:
    public_key = x509.load_der_x509_certificate(outcome.root_der).public_key()
    key = keystore.store_public(public_key, actions.AUTHORITY_KEY)  # type: ignore[arg-type]
    return _add(agenda.root, None, key.id, outcome.root_der, by)


def _add(place: Place, root: Authority | None, key_id: str, der: bytes, by: Principal) -> Authority:
    own = place.slug.partition("-g")[0]
    Authority.objects.filter(place=own, retired_at=None).update(retired_at=clock.real_now())
    made = Authority.objects.create(
        slug=place.slug,
        place=own,
        level=place.level or Level.ROOT,
        algorithm=place.algorithm.value,
        parent=root,
        key_id=key_id,
        certificate_der=der,
        not_after=certificates.facts(der).not_after,
        created_at=clock.real_now(),
    )
    actions.note(made, by)
    return made


def _serve(root: Authority, der: bytes) -> None:
    """The root's CRL as it came; one that is older than the one that is served is left out."""
    held = x509.load_der_x509_crl(der)
    number = held.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    row, _ = Crl.objects.get_or_create(name=root.slug, defaults={"authority": root})
    if row.number < number:
        Crl.objects.filter(name=root.slug).update(
            number=number,
            base=number,
            der=der,
            sha256=hashlib.sha256(der).hexdigest(),
            entries=len(held),
            this_update=held.last_update_utc,
            next_update=held.next_update_utc,
            based_at=held.last_update_utc,
        )


def due(now: datetime) -> Sequence[Crl]:
    """The CRLs of offline roots that end within a month: a ceremony is due."""
    soon = now + SOON
    rows = Crl.objects.filter(authority__key__held=Held.ELSEWHERE, next_update__lte=soon).defer(
        "der", "delta"
    )
    return list(rows.order_by("name"))


def taken() -> Sequence[Ceremony]:
    """Those that were taken in, newest first."""
    return list(Ceremony.objects.exclude(taken_at=None).order_by("-taken_at")[:50])


def _refused(why: str) -> CeremonyRefused:
    return CeremonyRefused(
        f"The outcome of the ceremony is not taken in: {why}.",
        next_step="Compare it with the signed transcript, see docs/pki.md.",
    )
