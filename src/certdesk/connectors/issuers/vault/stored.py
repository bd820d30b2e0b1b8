"""What the engine has stored: one certificate, or the one that an earlier try of an order left there."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from cryptography import x509

from certdesk.connectors.issuers.protocol import IssuerError, Reason, Wanted
from certdesk.connectors.issuers.vault import rules
from certdesk.connectors.issuers.vault.access import Access
from certdesk.connectors.targets.calling import BadShape
from certdesk.pki.x509 import certificates, keys
from certdesk.pki.x509.certificates import CertificateFacts
from certdesk.pki.x509.errors import BadCertificate

PAGE = 1000
_MOST_PAGES = 200
_MOST_READ = 2000
_AT_ONCE = 8
_NO_SUCH_LIST = frozenset({400, 403, 404, 405})  # Vault, or a policy without it, or nothing stored yet


@dataclass(frozen=True, slots=True)
class Stored:
    """One certificate, DER, as the engine has it now."""

    serial: str
    der: bytes
    revoked: bool


def fits(facts: CertificateFacts, wanted: Wanted) -> bool:
    """A certificate for the key and the names of this order."""
    key = keys.spki_sha256(x509.load_der_x509_csr(wanted.csr).public_key())
    return facts.spki_sha256 == key and {one.lower() for one in facts.names} == set(wanted.names)


async def read(access: Access, mount: str, serial: str) -> Stored | None:
    """None where it is not there, e.g. since its role stores nothing, or the engine was tidied.

    Raises:
        IssuerError: as every call.
    """
    row = await access.found(f"{mount}/cert/{quote(serial, safe=':')}", "The look at the certificate")
    if row is None:
        return None
    try:
        (der,) = certificates.load_chain_pem(str(row["certificate"]))
        return Stored(serial, der, bool(row.get("revocation_time")))
    except (*BadShape, BadCertificate):
        raise access.bad_answer() from None


async def left_by(access: Access, mount: str, wanted: Wanted, now: datetime) -> Stored | None:
    """The newest certificate that an earlier `place` of this order made; None also where we may not look.

    Raises:
        IssuerError: as every call.
    """
    found: list[tuple[datetime, Stored]] = []
    try:
        async for serials in _candidates(access, mount, wanted.reference, now):
            for one in await asyncio.gather(*(read(access, mount, serial) for serial in serials)):
                if one is not None and not one.revoked and one.der != wanted.replaces:
                    facts = certificates.facts(one.der)
                    if _ours(facts, wanted, now):
                        found.append((facts.not_before, one))
    except IssuerError as error:
        if error.reason is not Reason.CREDENTIALS:
            raise
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _ours(facts: CertificateFacts, wanted: Wanted, now: datetime) -> bool:
    return facts.not_after > now and rules.bears(facts.not_after, wanted.reference) and fits(facts, wanted)


async def _candidates(access: Access, mount: str, reference: str, now: datetime) -> AsyncIterator[list[str]]:
    """Serial numbers worth a look, some at once.

    OpenBao lists ends of validity too, so that hardly any other certificate has to be read. Vault lists
    numbers alone: each is read, in an engine of so many that this can be done.
    """
    after, listed = "", False
    for _ in range(_MOST_PAGES):
        path = f"{mount}/certs/detailed?list=true&limit={PAGE}&after={quote(after, safe='')}"
        answer = await access.send("GET", path)
        if answer.status in _NO_SUCH_LIST and (not listed or answer.status == 404):
            break  # 404 also where the page before was the last one
        if answer.status != 200:
            raise access.failure(answer, "The list of certificates")
        listed = True
        row = access.read(answer)
        try:
            page = [str(one) for one in row["keys"]]
            ends = {one: _moment(row["key_info"][one]["not_after"]) for one in page}
        except BadShape:
            raise access.bad_answer() from None
        for some in _groups([one for one in page if _may_be(ends[one], reference, now)]):
            yield some
        if len(page) < PAGE:
            return
        after = page[-1]
    if not listed:
        async for some in _each(access, mount):
            yield some


async def _each(access: Access, mount: str) -> AsyncIterator[list[str]]:
    row = await access.found(f"{mount}/certs?list=true", "The list of certificates")
    found = [str(one) for one in (row or {}).get("keys") or ()]
    if len(found) <= _MOST_READ:
        for some in _groups(found):
            yield some


def _groups(serials: list[str]) -> list[list[str]]:
    return [serials[at : at + _AT_ONCE] for at in range(0, len(serials), _AT_ONCE)]


def _may_be(end: datetime, reference: str, now: datetime) -> bool:
    return end > now and rules.bears(end, reference)


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
