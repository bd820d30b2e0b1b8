"""Record values: plain text ↔ zone-file text, compared by meaning; what may be written at all. Pure."""

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

from certdesk.connectors.dns.lookup import parse_name, show
from certdesk.connectors.dns.providers.protocol import DnsError, Reason, RecordSet, Zone

MOST_VALUES = 100
MOST_CHARACTERS = 4096
LONGEST_TTL = 2**31 - 1  # RFC 2181 §8
# What a person keeps in a zone; signatures, SOA and questions belong to the server.
WRITABLE = frozenset(
    ("A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SRV", "SSHFP", "SVCB", "TLSA", "TXT")
)


def normal(name: str) -> str:
    """Lower-case A-labels without the last dot.

    Raises:
        ConnectorError: it is no DNS name.
    """
    return show(parse_name(name)).lower()


def inside(zone: Zone, name: str) -> str:
    """The normal form of a name that belongs into the zone by its ending.

    Raises:
        DnsError: NO_ZONE when it does not.
    """
    text = normal(name)
    if not parse_name(text).is_subdomain(parse_name(zone.name)):
        raise DnsError(
            Reason.NO_ZONE, f"{text} is not in the zone {zone.name}.", "Choose its own zone.", field="name"
        )
    return text


def written(record_type: str, value: str) -> str:
    """Zone-file text of a plain value: TXT quoted and cut into strings of 255 bytes, CNAME with its dot.

    Raises:
        DnsError: OPTIONS when it is no such value.
    """
    if record_type != "TXT":
        return canonical(record_type, value if value.endswith(".") else f"{value}.")
    data = value.encode()
    if not data or len(data) > MOST_CHARACTERS:
        raise _bad(record_type)
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, parts).to_text()


def canonical(record_type: str, text: str) -> str:
    """Zone-file text in one spelling. Names without a last dot are taken as whole names.

    Raises:
        DnsError: OPTIONS when it cannot be read.
    """
    try:
        found = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.from_text(record_type),
            text,
            origin=dns.name.root,
            relativize=False,
        )
    except (dns.exception.DNSException, ValueError):
        raise _bad(record_type) from None
    return found.to_text()


def same(record_type: str, one: str, other: str) -> bool:
    """Two zone-file texts mean the same: strings joined for TXT, letter case apart for CNAME."""
    return _meaning(record_type, one) == _meaning(record_type, other)


def _meaning(record_type: str, text: str) -> object:
    try:
        spelled = canonical(record_type, text)
    except DnsError:
        return text  # a value of the provider's own kind: only the same text is the same
    if record_type == "TXT":
        return txt_bytes(spelled)
    return spelled.lower() if record_type in ("CNAME", "NS", "PTR") else spelled


def txt_bytes(text: str) -> bytes:
    """The joined strings of a TXT value in zone-file text."""
    found = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, text)
    return b"".join(found.strings)  # type: ignore[attr-defined]


def checked(zone: Zone, record_set: RecordSet) -> RecordSet:
    """The record set in one spelling, if it may be written into the zone.

    Raises:
        DnsError: NO_ZONE, or OPTIONS with the rule that is broken.
    """
    name, record_type = inside(zone, record_set.name), record_set.type.upper()
    check_writable(zone, name, record_type)
    values = tuple(dict.fromkeys(canonical(record_type, value) for value in record_set.values))
    if not 0 < len(values) <= MOST_VALUES or any(len(value) > 2 * MOST_CHARACTERS for value in values):
        raise _wrong(f"a record set has 1 to {MOST_VALUES} values of bounded length")
    if record_type == "CNAME" and len(values) > 1:
        raise _wrong("a name has one CNAME at most")
    if not 1 <= record_set.ttl <= LONGEST_TTL:
        raise _wrong(f"the TTL is 1 to {LONGEST_TTL} seconds", "ttl")
    return RecordSet(name, record_type, record_set.ttl, values)


def check_writable(zone: Zone, name: str, record_type: str) -> None:
    """Raises OPTIONS for types that belong to the server and for the zone's own NS records."""
    if record_type not in WRITABLE:
        raise _wrong(f"records of type {record_type!r:.20} are not written here", "type")
    if record_type in ("NS", "CNAME") and name == zone.name:
        raise _wrong(f"the {record_type} record of the zone {zone.name} itself is not written here", "type")


def _bad(record_type: str) -> DnsError:
    return _wrong(f"the value is not one of type {record_type}")


def _wrong(rule: str, field: str = "values") -> DnsError:
    return DnsError(Reason.OPTIONS, f"The record is not valid: {rule}.", "Correct the record.", field=field)
