"""RFC 2136 dynamic updates, unsigned: the lab server is on loopback only. `nsupdate` works against it."""

import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.update

from certdesk.lab.dns_records import Records


def update(query: dns.update.UpdateMessage, records: Records) -> dns.message.Message:
    """Applies the message as a whole or not at all; answers with the RFC's code."""
    response = dns.message.make_response(query)
    response.set_rcode(_apply(query, records))
    return response


def _apply(query: dns.update.UpdateMessage, records: Records) -> dns.rcode.Rcode:
    if len(query.zone) != 1 or query.zone[0].rdtype != dns.rdatatype.SOA:
        return dns.rcode.FORMERR
    zone = query.zone[0].name
    if records.zones and zone not in records.zones:
        return dns.rcode.NOTAUTH
    if not all(rrset.name.is_subdomain(zone) for rrset in (*query.prerequisite, *query.update)):
        return dns.rcode.NOTZONE
    result = dns.rcode.NOERROR

    def work() -> None:
        nonlocal result
        result = next(filter(None, (_missing(one, records) for one in query.prerequisite)), dns.rcode.NOERROR)
        if result == dns.rcode.NOERROR:
            for rrset in query.update:
                _change(rrset, records)

    records.change(work)
    return result


def _missing(rrset: dns.rrset.RRset, records: Records) -> dns.rcode.Rcode | None:
    """The code when a prerequisite (RFC 2136 §2.4) does not hold."""
    node = records.node(rrset.name)
    kind = rrset.deleting or rrset.rdclass
    any_type = rrset.rdtype == dns.rdatatype.ANY
    there = bool(node) if any_type else rrset.rdtype in node
    if kind == dns.rdataclass.ANY:
        return None if there else dns.rcode.NXDOMAIN if any_type else dns.rcode.NXRRSET
    if kind == dns.rdataclass.NONE:
        return None if not there else dns.rcode.YXDOMAIN if any_type else dns.rcode.YXRRSET
    return None if there and set(node[rrset.rdtype]) == set(rrset) else dns.rcode.NXRRSET


def _change(rrset: dns.rrset.RRset, records: Records) -> None:
    old = records.get(rrset.name, rrset.rdtype)
    if rrset.deleting == dns.rdataclass.ANY:
        records.delete(rrset.name, None if rrset.rdtype == dns.rdatatype.ANY else rrset.rdtype)
        return
    if rrset.deleting == dns.rdataclass.NONE:
        kept = [record for record in old or () if record not in rrset]
        if kept and old is not None:
            records.put(rrset.name, dns.rdataset.from_rdata_list(old.ttl, kept))
        else:
            records.delete(rrset.name, rrset.rdtype)
        return
    together = list(dict.fromkeys([*(old or ()), *rrset]))
    records.put(rrset.name, dns.rdataset.from_rdata_list(rrset.ttl, together))
