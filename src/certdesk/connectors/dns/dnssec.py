"""Signatures of DNS answers (RFC 4035, RFC 5155). Pure: a message and the zone's keys in, a verdict out.

Absence must be proved too: an answer without records counts in a signed zone only with NSEC or NSEC3 records
that deny the name or the type, else a stripped answer would look like an unsigned zone.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_ALGORITHMS = frozenset(
    {8, 10, 13, 14, 15, 16}
)  # RSA/SHA-2, ECDSA, EdDSA; with others a zone counts as unsigned
_DIGESTS = frozenset({2, 4})
_MOST_ITERATIONS = 150  # RFC 9276: more is an attack on who validates
_NSEC, _NSEC3, _DS = dns.rdatatype.NSEC, dns.rdatatype.NSEC3, dns.rdatatype.DS


class Trust(StrEnum):
    """What signatures say of a zone or an answer."""

    SECURE = "SECURE"  # an unbroken chain of signatures from the trust anchor
    INSECURE = "INSECURE"  # a signed parent says that the zone below has no keys
    BOGUS = "BOGUS"  # it should be signed, but its signatures are missing, wrong or over
    UNCHECKED = "UNCHECKED"  # nobody looked: no trust anchor


@dataclass(frozen=True, slots=True)
class Keys:
    """A zone's trust; `keys` only of a secure one. `problem` is half a sentence, of a bogus one."""

    zone: dns.name.Name
    trust: Trust
    keys: dns.rrset.RRset | None = None
    problem: str = ""


class Bogus(Exception):
    """The signatures do not hold; the text says what is wrong."""


def keys_by_ds(zone: dns.name.Name, ds: Iterable[Any], message: dns.message.Message) -> Keys:
    """The zone's keys: one that a DS record of the parent names must have signed them all."""
    known = [one for one in ds if one.algorithm in _ALGORITHMS and one.digest_type in _DIGESTS]
    if not known:
        return Keys(zone, Trust.INSECURE)
    found = _records(message.answer, zone, dns.rdatatype.DNSKEY)
    if found is None:
        return Keys(
            zone, Trust.BOGUS, problem=f"the zone {_text(zone)} shows no keys, though its parent has DS"
        )
    named = [key for key in found if any(_names(zone, key, one) for one in known)]
    try:
        if not named:
            raise Bogus(f"no key of the zone {_text(zone)} is named by the DS records of its parent")
        verify(found, message.answer, Keys(zone, Trust.SECURE, dns.rrset.from_rdata_list(zone, 0, named)))
    except Bogus as bogus:
        return Keys(zone, Trust.BOGUS, problem=str(bogus))
    return Keys(zone, Trust.SECURE, found)


def _names(zone: dns.name.Name, key: Any, ds: Any) -> bool:
    if key.algorithm != ds.algorithm or dns.dnssec.key_id(key) != ds.key_tag:
        return False
    try:
        return bool(dns.dnssec.make_ds(zone, key, ds.digest_type, validating=True) == ds)
    except (dns.exception.DNSException, ValueError):
        return False


def verify(rrset: dns.rrset.RRset, section: Sequence[dns.rrset.RRset], keys: Keys) -> int:
    """Checks the signature of one record set; answers how many labels its signed owner has.

    Raises:
        Bogus: no signature, or none that holds now.
    """
    signatures = _signatures(section, rrset)
    shown = f"{dns.rdatatype.to_text(rrset.rdtype)} records of {_text(rrset.name)}"
    if signatures is None:
        raise Bogus(f"the {shown} are not signed")
    try:
        dns.dnssec.validate(rrset, signatures, {keys.zone: keys.keys})  # type: ignore[dict-item]
    except dns.exception.ValidationFailure as failure:
        raise Bogus(f"the signature of the {shown} does not hold ({failure or 'wrong'})") from None
    except (dns.exception.DNSException, ValueError):
        raise Bogus(f"the signature of the {shown} cannot be checked") from None
    return min(int(one.labels) for one in signatures)


def judge(
    message: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, keys: Keys
) -> None:
    """Checks the part of an authoritative answer of a secure zone that is used: records, CNAME, or absence.

    Raises:
        Bogus: it is not signed as it must be.
    """
    used = _records(message.answer, name, rdtype) or _records(message.answer, name, dns.rdatatype.CNAME)
    if used is None:
        if not _denied(name, rdtype, _Denial(message, keys)):
            raise Bogus(
                f"nothing signed says that {_text(name)} has no {dns.rdatatype.to_text(rdtype)} record"
            )
        return
    made = _made_by_dname(used, message, keys)
    labels = len(name) if made else verify(used, message.answer, keys)
    own = len(name) - 1 - name.is_wild()
    if labels < own:  # from a wildcard: the name itself must be denied
        _Denial(message, keys).require_absent(name, labels)


def without_keys(message: dns.message.Message, apex: dns.name.Name, parent: Keys) -> None:
    """Checks that the parent zone really says that `apex` has no DS.

    Raises:
        Bogus: it does not.
    """
    denial = _Denial(message, parent)
    exact = denial.matching(apex)
    bare = exact is not None and _is_delegation(exact) and not _has(exact, _DS)
    if not bare and (exact is not None or not _opted_out(apex, denial)):
        raise Bogus(f"nothing signed says that the zone {_text(apex)} is not signed")


def ds_records(message: dns.message.Message, apex: dns.name.Name) -> dns.rrset.RRset | None:
    return _records(message.answer, apex, _DS)


def _made_by_dname(used: dns.rrset.RRset, message: dns.message.Message, keys: Keys) -> bool:
    """An unsigned CNAME that follows from a signed DNAME above it (RFC 6672 §5.3.1)."""
    for rrset in message.answer:
        above = used.name != rrset.name and used.name.is_subdomain(rrset.name)
        if rrset.rdtype == dns.rdatatype.DNAME and above and _signatures(message.answer, used) is None:
            verify(rrset, message.answer, keys)
            target: dns.name.Name = rrset[0].target
            return bool(used.name.relativize(rrset.name).derelativize(target) == used[0].target)
    return False


class _Denial:
    """The signed NSEC and NSEC3 records of an answer's authority section."""

    def __init__(self, message: dns.message.Message, keys: Keys) -> None:
        self.zone = keys.zone
        self.nsec: list[tuple[dns.name.Name, Any]] = []
        self.nsec3: list[tuple[str, Any]] = []
        for rrset in message.authority:
            if rrset.rdtype not in (_NSEC, _NSEC3) or not rrset.name.is_subdomain(keys.zone):
                continue
            verify(rrset, message.authority, keys)
            if rrset.rdtype == _NSEC:
                self.nsec.append((rrset.name, rrset[0]))
            elif rrset[0].iterations <= _MOST_ITERATIONS and rrset.name.parent() == keys.zone:
                self.nsec3.append((rrset.name.labels[0].decode("ascii", "replace").upper(), rrset[0]))

    def matching(self, name: dns.name.Name) -> Any:
        """The record at that very name."""
        for owner, record in self.nsec:
            if owner == name:
                return record
        return next((record for owner, record in self.nsec3 if owner == _hash(name, record)), None)

    def covering(self, name: dns.name.Name) -> Any:
        """The record in whose gap the name would stand."""
        for owner, record in self.nsec:
            cut = name.is_subdomain(owner) and _is_cut(record)
            if not cut and _in_gap(name, owner, record.next, self.zone):
                return record
        for label, record in self.nsec3:
            after = _base32(record.next)
            hashed = _hash(name, record)
            if (label < hashed < after) if label < after else (hashed > label or hashed < after):
                return record
        return None

    def require_absent(self, name: dns.name.Name, labels: int) -> None:
        """That a wildcard with so many labels may answer for `name` (RFC 4035 §5.3.4, RFC 5155 §8.8)."""
        next_closer = dns.name.Name(name.labels[-(labels + 2) :])
        if self.covering(name if self.nsec else next_closer) is None:
            raise Bogus(f"a wildcard answers for {_text(name)}, but nothing signed says that it is absent")


def _denied(name: dns.name.Name, rdtype: dns.rdatatype.RdataType, denial: _Denial) -> bool:
    """Whether signed records say that `name` has no record of the type."""
    exact = denial.matching(name)
    if exact is not None:
        parent_side = _is_delegation(exact)
        if parent_side != (rdtype == _DS) and (parent_side or _has(exact, dns.rdatatype.SOA)):
            return False  # it speaks for the other side of a zone cut
        return not _has(exact, rdtype) and not _has(exact, dns.rdatatype.CNAME)
    return _denied_by_nsec(name, rdtype, denial) if denial.nsec else _denied_by_nsec3(name, rdtype, denial)


def _denied_by_nsec(name: dns.name.Name, rdtype: dns.rdatatype.RdataType, denial: _Denial) -> bool:
    cover = denial.covering(name)
    if cover is None:
        return False
    if cover.next.is_subdomain(name):
        return True  # only names below it exist
    owner = next(owner for owner, record in denial.nsec if record is cover)
    closest = max((_common(name, owner), _common(name, cover.next)), key=len)
    return _no_wildcard(closest, rdtype, denial)


def _denied_by_nsec3(name: dns.name.Name, rdtype: dns.rdatatype.RdataType, denial: _Denial) -> bool:
    closest, cover = _closest(name, denial)
    if closest is None:
        return False
    return (rdtype == _DS and bool(cover.flags & 1)) or _no_wildcard(closest, rdtype, denial)


def _opted_out(name: dns.name.Name, denial: _Denial) -> bool:
    """In a gap in which unsigned delegations may stand (RFC 5155 §6)."""
    closest, cover = _closest(name, denial)
    return closest is not None and bool(cover.flags & 1)


def _closest(name: dns.name.Name, denial: _Denial) -> tuple[dns.name.Name | None, Any]:
    """The closest ancestor that exists, and the NSEC3 record over the name below it (RFC 5155 §8.3)."""
    below = name
    while below != denial.zone and below != dns.name.root:
        closest = below.parent()
        exact = denial.matching(closest)
        if exact is not None:
            cover = denial.covering(below)
            return (None, None) if cover is None or _is_cut(exact) else (closest, cover)
        below = closest
    return None, None


def _no_wildcard(closest: dns.name.Name, rdtype: dns.rdatatype.RdataType, denial: _Denial) -> bool:
    wild = dns.name.Name((b"*", *closest.labels))
    exact = denial.matching(wild)
    if exact is not None:
        return not _has(exact, rdtype) and not _has(exact, dns.rdatatype.CNAME)
    return denial.covering(wild) is not None


def _in_gap(name: dns.name.Name, owner: dns.name.Name, after: dns.name.Name, zone: dns.name.Name) -> bool:
    """In canonical order (RFC 4034 §6.1), as dnspython compares names; the last gap ends at the apex."""
    return bool(owner < name and (name < after or after == zone))


def _is_cut(record: Any) -> bool:
    """A delegation or DNAME: the zone says nothing of names below it."""
    return _is_delegation(record) or _has(record, dns.rdatatype.DNAME)


def _is_delegation(record: Any) -> bool:
    return _has(record, dns.rdatatype.NS) and not _has(record, dns.rdatatype.SOA)


def _common(one: dns.name.Name, other: dns.name.Name) -> dns.name.Name:
    count = one.fullcompare(other)[2]
    return dns.name.Name(one.labels[len(one.labels) - count :])


def _has(record: Any, rdtype: dns.rdatatype.RdataType) -> bool:
    number = int(rdtype)
    for window, bits in record.windows:
        if window == number >> 8:
            place = (number & 0xFF) // 8
            return place < len(bits) and bool(bits[place] & (0x80 >> number % 8))
    return False


def _hash(name: dns.name.Name, record: Any) -> str:
    return dns.dnssec.nsec3_hash(name, record.salt, record.iterations, record.algorithm)


def _base32(digest: bytes) -> str:
    plain, extended = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHIJKLMNOPQRSTUV"
    return base64.b32encode(digest).decode().rstrip("=").translate(str.maketrans(plain, extended))


def _records(
    section: Sequence[dns.rrset.RRset], name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    for rrset in section:
        if rrset.name == name and rrset.rdtype == rdtype and rrset.rdclass == dns.rdataclass.IN:
            return rrset
    return None


def _signatures(section: Sequence[dns.rrset.RRset], rrset: dns.rrset.RRset) -> dns.rrset.RRset | None:
    for one in section:
        if one.name == rrset.name and one.rdtype == dns.rdatatype.RRSIG and one.covers == rrset.rdtype:
            return one
    return None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
