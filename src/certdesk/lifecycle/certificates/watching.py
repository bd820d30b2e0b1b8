"""Certificates from elsewhere without their keys: shown, told about before they end, never deployed (DEP-1).

One that a server was seen to serve, or a whole list of them.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import settings, sql
from certdesk.foundation.common.baton import baton
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.pki.keystore import queries as keys
from certdesk.pki.x509 import listing, uploads
from certdesk.pki.x509.uploads import Public

from . import actions, editing, elsewhere, queries
from .errors import SameCertificate, UploadQuota
from .uploading import UPLOAD, Uploaded

NAMES = 1_000  # of all of them; one certificate may have a quarter of that
AT_ONCE = 250  # certificates a transaction: four rows each, and nothing is sealed
PAUSE = 0.002  # seconds between them, for other writers
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]")
_SHORTEST, _LONGEST = 3, 63  # characters of a certificate's name
_ABSENT = {"key": "absent"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one certificate of a list.

    Attributes:
        place: which certificate of the text it is, 1 = the first.
        name: its first name; of a refused one as it stands there, empty where it has none.
        certificate_id: under which it is watched; empty where it was refused.
        there: it was in the inventory before.
        refused: why it is not watched.
    """

    place: int
    name: str = ""
    certificate_id: str = ""
    there: bool = False
    refused: CertdeskError | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """`authorities`: CAs' own certificates in the text. They stand above the others and are not listed."""

    outcomes: tuple[Outcome, ...]
    authorities: int


@dataclass(frozen=True, slots=True)
class _Ready:
    place: int
    found: Public

    @property
    def name(self) -> str:
        return self.found.names[0].text

    @property
    def sha256(self) -> str:
        return self.found.facts.sha256


def watch(
    principal: Principal, name: str, leaf: bytes, above: tuple[bytes, ...], project: str, now: datetime
) -> Uploaded:
    """Hosts a certificate that a server was seen to serve.

    Args:
        leaf, above: DER; what leads to the root.

    Raises:
        as `uploading.upload`, but for the key.
    """
    project = project or "0"
    principal.require(UPLOAD)
    editing.check_name(name)
    found = uploads.check_public(leaf, above, now, blocked=keys.is_blocked)
    _require_names(principal, found, project)
    elsewhere.check_project(principal, project)
    notes = {"findings": sorted({one.code for one in found.findings}), **_ABSENT}
    hosted = elsewhere.hosted(name, found, project, notes)
    with sql.short_transaction():
        if elsewhere.room(principal.account_id) <= 0:
            raise UploadQuota(settings.get().upload_quota)
        same = queries.same_certificate(principal.account_id, found.names[0].text, found.facts.sha256)
        if same:
            raise SameCertificate(same)
        certificate_id = actions.create_hosted(principal, [hosted], now)[0]
    return Uploaded(certificate_id, found.findings)


def watch_list(principal: Principal, text: str, project: str, now: datetime) -> Taken:
    """Takes in what is in force and not there yet, each by itself: one that is refused hinders no other, and
    a list that comes again changes nothing.

    Written by `AT_ONCE` a transaction, with a pause after each but the last (law 13).

    Args:
        text: PEM of many certificates, in any order; see `listing`.

    Raises:
        Forbidden: no `scm:cert:upload` anywhere.
        BadParameter: a project that there is not. UploadRefused: the text as a whole.
    """
    project = project or "0"
    principal.require(UPLOAD)
    elsewhere.check_project(principal, project)
    found = listing.read_list(text, now)
    blocked = keys.blocked_among(
        [one.facts.spki_sha256 for _, one in found.servers if isinstance(one, Public)]
    )
    outcomes, ready = list[Outcome](), list[_Ready]()
    for place, one in found.servers:
        if isinstance(one, listing.Refused):
            outcomes.append(Outcome(place, one.name, refused=one.why))
            continue
        try:
            uploads.refuse_blocked(one.facts, blocked.__contains__)
            _require_names(principal, one, project)
        except CertdeskError as refused:
            outcomes.append(Outcome(place, one.names[0].text, refused=refused))
        else:
            ready.append(_Ready(place, one))
    outcomes += _written(principal, ready, project, now)
    return Taken(tuple(sorted(outcomes, key=lambda one: one.place)), found.authorities)


def _require_names(principal: Principal, found: Public, project: str) -> None:
    names = tuple(one.text for one in found.names)
    principal.require(UPLOAD, Resource("cert", "", principal.account_id, project, principal.user_id, names))


def _written(principal: Principal, ready: Sequence[_Ready], project: str, now: datetime) -> list[Outcome]:
    outcomes, room = list[Outcome](), 0
    for number, some in enumerate(_chunks(ready)):
        if number:
            with baton.aside():
                time.sleep(PAUSE)
        with sql.short_transaction():
            if room < listing.MOST:  # far from the limit it is not counted again
                room = elsewhere.room(principal.account_id)
            outcomes += (chunk := _chunk(principal, some, room, project, now))
        room -= sum(not one.there and one.refused is None for one in chunk)
    return outcomes


def _chunks(ready: Sequence[_Ready]) -> Iterator[list[_Ready]]:
    """What one transaction takes each."""
    chunk, names = list[_Ready](), 0
    for one in ready:
        if chunk and (len(chunk) == AT_ONCE or names + len(one.found.names) > NAMES):
            yield chunk
            chunk, names = [], 0
        chunk.append(one)
        names += len(one.found.names)
    if chunk:
        yield chunk


def _chunk(
    principal: Principal, chunk: Sequence[_Ready], room: int, project: str, now: datetime
) -> list[Outcome]:
    """In one transaction. What stands in the list twice is there when it comes the second time."""
    ids = queries.by_fingerprint(principal.account_id, {one.sha256: one.name for one in chunk})
    new = [one for one in {one.sha256: one for one in reversed(chunk)}.values() if one.sha256 not in ids]
    new = sorted(new, key=lambda one: one.place)[:room]
    hosted = [elsewhere.hosted(_called(one.name), one.found, project, _ABSENT) for one in new]
    made = actions.create_hosted(principal, hosted, now)
    ids |= {one.sha256: certificate_id for one, certificate_id in zip(new, made, strict=True)}
    first = {one.place for one in new}
    return [_outcome(one, ids.get(one.sha256, ""), there=one.place not in first) for one in chunk]


def _outcome(one: _Ready, certificate_id: str, *, there: bool) -> Outcome:
    if not certificate_id:
        return Outcome(one.place, one.name, refused=UploadQuota(settings.get().upload_quota))
    return Outcome(one.place, one.name, certificate_id, there)


def _called(name: str) -> str:
    """A host's name or address as the name of a certificate."""
    text = name.replace("*", "wildcard")
    return _NOT_IN_A_NAME.sub("-", text)[:_LONGEST].ljust(_SHORTEST, "-")
