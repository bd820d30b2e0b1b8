"""An offline root ceremony: what is taken there, what is signed there, and what comes back. No database.

The running installation asks (`ceremonies.ask`) with an agenda of public halves; here, on a machine of its
own, the root signs them; `ceremonies.bring_back` takes the outcome in. A check value guards either way.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey, PublicKey

from . import constraints, crl, hierarchy
from .constraints import Bounds
from .crl import Plan
from .errors import BadBounds, CeremonyRefused
from .hierarchy import Place
from .issuers import Holder
from .queries import Entry
from .types import LevelName

CRL_VALID = timedelta(days=365)  # Baseline Requirements 4.9.7: twelve months for subordinate CAs


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new authority: its place, the request that its key signed, DER, and the names it may certify."""

    place: Place
    csr: bytes
    bounds: Bounds = constraints.NONE


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is to be done. `root_der`: of an earlier ceremony; empty where the root is to be made."""

    id: str
    installation: str
    base: str
    root: Place
    root_der: bytes
    wanted: tuple[Wanted, ...]

    def as_text(self) -> str:
        return json.dumps(
            {
                "ceremony": self.id,
                "installation": self.installation,
                "base": self.base,
                "root": _of_place(self.root),
                "root_certificate": _text(self.root_der),
                "wanted": [_of_wanted(one) for one in self.wanted],
            },
            indent=1,
        )

    @property
    def check_value(self) -> str:
        """Over all that is asked for: who compares it offline sees that nothing was exchanged on the way."""
        return _groups(self.as_text().encode())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was signed, DER; certificates by slug. `transcript` is for people, and names the witnesses."""

    agenda_id: str
    root_der: bytes
    certificates: Mapping[str, bytes]
    crl: bytes
    people: tuple[str, ...] = ()
    transcript: str = ""

    @property
    def check_value(self) -> str:
        """32 digits in groups of four over all that was signed: who compares them compares everything."""
        parts = [self.root_der, *(self.certificates[slug] for slug in sorted(self.certificates)), self.crl]
        return _groups(b"".join(hashlib.sha256(one).digest() for one in parts))

    def as_text(self) -> str:
        return json.dumps(
            {
                "ceremony": self.agenda_id,
                "root_certificate": _text(self.root_der),
                "certificates": {slug: _text(der) for slug, der in self.certificates.items()},
                "crl": _text(self.crl),
                "people": list(self.people),
                "transcript": self.transcript,
            },
            indent=1,
        )


def _groups(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()[:32]
    return " ".join(digest[start : start + 4] for start in range(0, 32, 4))


def agenda_of(text: str) -> Agenda:
    """Raises: CeremonyRefused: it is no agenda."""
    try:
        read = json.loads(text)
        return Agenda(
            str(read["ceremony"]),
            str(read["installation"]),
            str(read["base"]),
            _place(read["root"]),
            _bytes(read["root_certificate"]),
            tuple(Wanted(_place(one), _bytes(one["csr"]), _bounds(one)) for one in read["wanted"]),
        )
    except (ValueError, KeyError, TypeError, BadBounds):
        raise _refused("the file is no agenda of `certdesk ca request`") from None


def outcome_of(text: str) -> Outcome:
    """Raises: CeremonyRefused: it is no outcome."""
    try:
        read = json.loads(text)
        return Outcome(
            str(read["ceremony"]),
            _bytes(read["root_certificate"]),
            {str(slug): _bytes(der) for slug, der in read["certificates"].items()},
            _bytes(read["crl"]),
            tuple(str(one) for one in read["people"]),
            str(read["transcript"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _refused("the file is no outcome of `certdesk ca ceremony`") from None


def hold(
    agenda: Agenda, key: PrivateKey, now: datetime, *, revoked: Sequence[int] = (), last_crl: bytes = b""
) -> Outcome:
    """Sign all that the agenda asks for with the root's key.

    Args:
        revoked: serials of authorities that are not to be trusted any more.
        last_crl: the one of the ceremony before, DER; its entries stay.

    Raises:
        CeremonyRefused: a request is not signed by its own key, or the key is not that of the root.
    """
    begin = now - hierarchy.BACKDATED
    root_der = agenda.root_der or hierarchy.certify_root(agenda.root, key, agenda.installation, begin)
    root = x509.load_der_x509_certificate(root_der)
    if keys.spki_der(root.public_key()) != keys.spki_der(key.public_key()):
        raise _refused("the key in the folder is not that of the root that the agenda names")
    certificates = {
        one.place.slug: hierarchy.certify_issuing(
            one.place,
            _level(one.place),
            _public_key(one),
            agenda.installation,
            begin,
            root_der=root_der,
            root_key=key,
            base=agenda.base,
            answered=False,
            bounds=one.bounds,
        )
        for one in agenda.wanted
    }
    holder = Holder(agenda.root.slug, root, agenda.root.algorithm, key)
    return Outcome(agenda.id, root_der, certificates, _crl(holder, now, revoked, last_crl))


def _public_key(one: Wanted) -> PublicKey:
    try:
        request = x509.load_der_x509_csr(one.csr)
        public_key, good = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise _refused(f"the request of {one.place.slug} cannot be read") from None
    if not good or keys.algorithm_of(public_key) is not one.place.algorithm:
        raise _refused(f"the request of {one.place.slug} was not signed by a key of its own kind")
    return public_key  # type: ignore[return-value]


def _crl(holder: Holder, now: datetime, revoked: Sequence[int], last_crl: bytes) -> bytes:
    moment = now.replace(microsecond=0)
    entries = {
        one.serial_number: Entry(one.serial_number, crl.number_of_reason(one), one.revocation_date_utc, None)
        for one in (x509.load_der_x509_crl(last_crl) if last_crl else ())
    }
    for serial in revoked:
        entries.setdefault(serial, Entry(serial, 0, moment, None))
    number = int(moment.timestamp())
    plan = Plan(holder.slug, holder, number, number, moment, list(entries.values()), True, "", CRL_VALID)
    return crl.alone(plan)


def refuse_untrue(agenda: Agenda, outcome: Outcome) -> None:
    """Refuse what is not exactly what was asked for: other keys, another root, a signature that is wrong.

    Raises:
        CeremonyRefused.
    """
    if outcome.agenda_id != agenda.id:
        raise _refused("the outcome belongs to another request")
    if agenda.root_der and agenda.root_der != outcome.root_der:
        raise _refused("the root is not the one of before")
    if set(outcome.certificates) != {one.place.slug for one in agenda.wanted}:
        raise _refused("it holds other certificates than were asked for")
    try:
        root = x509.load_der_x509_certificate(outcome.root_der)
        root.verify_directly_issued_by(root)
        for one in agenda.wanted:
            _refuse_other(one, x509.load_der_x509_certificate(outcome.certificates[one.place.slug]), root)
        held = x509.load_der_x509_crl(outcome.crl)
        signed = held.issuer == root.subject and held.is_signature_valid(root.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        raise _refused("a certificate or the CRL in it is damaged, or was signed by another key") from None
    if not signed or not _is_authority(root):
        raise _refused("the root or its CRL is not what it should be")


def _refuse_other(one: Wanted, certificate: x509.Certificate, root: x509.Certificate) -> None:
    certificate.verify_directly_issued_by(root)
    if keys.spki_der(certificate.public_key()) != keys.spki_der(_public_key(one)):
        raise _refused(f"the certificate of {one.place.slug} is for another key")
    if not _is_authority(certificate):
        raise _refused(f"the certificate of {one.place.slug} is not one of an authority")
    if _constraints(certificate) != (constraints.extension(one.bounds) if one.bounds else None):
        raise _refused(f"the certificate of {one.place.slug} has other name constraints than were asked for")


def _constraints(certificate: x509.Certificate) -> x509.NameConstraints | None:
    """What binds clients: the extension where it is critical."""
    try:
        held = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return None
    return held.value if held.critical else None


def _is_authority(certificate: x509.Certificate) -> bool:
    return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)


def transcript(agenda: Agenda, outcome: Outcome, people: Sequence[str], now: datetime, kept: str) -> str:
    """The record of the ceremony, to print, sign and keep.

    Args:
        kept: where the root's key lies.
    """
    held = x509.load_der_x509_crl(outcome.crl)
    lines = [
        "Certdesk: ceremony of an offline root",
        "",
        f"Request        {agenda.id}, check value {agenda.check_value}",
        f"Date           {now:%Y-%m-%d %H:%M:%S} UTC",
        f"Root's key     {'made now' if not agenda.root_der else 'of an earlier ceremony'}, {kept}",
        "",
        *_certificate_lines(agenda.root.slug, outcome.root_der),
    ]
    for slug, der in sorted(outcome.certificates.items()):
        lines += _certificate_lines(slug, der)
    lines += [
        f"CRL            number {_number(held)}, {len(held)} revoked, until {held.next_update_utc:%Y-%m-%d}",
        "",
        f"Check value    {outcome.check_value}",
        "",
        "Each of these people read the check value on the screen and typed it:",
        *(f"  {name}" + " " * 8 + "signature: ____________________" for name in people),
    ]
    return "\n".join(lines) + "\n"


def _certificate_lines(slug: str, der: bytes) -> list[str]:
    certificate = x509.load_der_x509_certificate(der)
    bounds = constraints.of(certificate)
    bound = [f"  certifies    {', '.join(bounds.permitted)}"] if bounds.permitted else []
    bound += [f"  never        {', '.join(bounds.told)}"] if bounds.told else []
    return [
        f"{slug}",
        f"  name         {certificate.subject.rfc4514_string()}",
        f"  key          {keys.describe(certificate.public_key())}, SHA-256 {_spki(certificate)}",
        f"  certificate  SHA-256 {certificate.fingerprint(hashes.SHA256()).hex()}",
        f"  valid until  {certificate.not_valid_after_utc:%Y-%m-%d}",
        *bound,
    ]


def _spki(certificate: x509.Certificate) -> str:
    return keys.spki_sha256(certificate.public_key()).hex()


def _number(held: x509.CertificateRevocationList) -> int:
    return held.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def same_value(typed: str, shown: str) -> bool:
    """Whether somebody typed the check value, with or without its spaces."""
    return "".join(typed.split()).lower() == shown.replace(" ", "")


def _level(place: Place) -> LevelName:
    if place.level is None:
        raise _refused(f"{place.slug} has no level")
    return place.level


def _of_wanted(one: Wanted) -> dict[str, object]:
    """The bounds stand there only where there are some: so the check values of older agendas stay."""
    told: dict[str, object] = {**_of_place(one.place), "csr": _text(one.csr)}
    if one.bounds:
        told |= {"permitted": list(one.bounds.permitted), "excluded": list(one.bounds.excluded)}
    return told


def _bounds(read: Mapping[str, Any]) -> Bounds:
    texts = [[str(text) for text in read.get(which, ())] for which in ("permitted", "excluded")]
    return constraints.bounds(*texts)


def _of_place(place: Place) -> dict[str, str]:
    return {
        "slug": place.slug,
        "level": place.level or "",
        "algorithm": place.algorithm.value,
        "parent": place.parent or "",
        "title": place.title,
    }


def _place(read: Mapping[str, Any]) -> Place:
    level: LevelName | None = read["level"] or None
    if level not in (None, "DV", "OV", "EV"):
        raise ValueError("no level")
    return Place(
        str(read["slug"]),
        level,
        KeyAlgorithm(read["algorithm"]),
        str(read["parent"]) or None,
        str(read["title"]),
    )


def _text(der: bytes) -> str:
    return base64.b64encode(der).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _refused(why: str) -> CeremonyRefused:
    return CeremonyRefused(
        f"The ceremony ends without a result: {why}.",
        next_step="Begin again with: certdesk ca request, see docs/pki.md.",
    )
