"""Answers of the lab DNS server: records in, message out. RFC 1034 §4.3.2, RFC 2308, RFC 4592."""

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset

from certdesk.lab.dns_records import Records

_MOST_HOPS = 8


def answer(query: dns.message.Message, records: Records, *, chase: bool) -> dns.message.Message:
    """The authoritative answer to one question.

    Args:
        chase: follow CNAMEs through all the server's zones; false = only inside the owner's, as BIND does.
    """
    response = dns.message.make_response(query)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        response.set_rcode(dns.rcode.NOTIMP)
        return response
    question = query.question[0]
    zone = records.zone_of(question.name)
    if zone is None:
        response.set_rcode(dns.rcode.REFUSED)
        return response
    _fill(response, question.name, question.rdtype, zone, records, chase)
    return response


def _fill(
    response: dns.message.Message,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    zone: dns.name.Name,
    records: Records,
    chase: bool,
) -> None:
    seen: set[dns.name.Name] = set()
    while True:
        cut = records.cut_of(name, zone)
        if cut is not None and not (cut == name and rdtype == dns.rdatatype.DS):
            _refer(response, cut, records)
            return
        response.flags |= dns.flags.AA
        alias = records.get(name, dns.rdatatype.CNAME)
        if alias is None or rdtype in (dns.rdatatype.CNAME, dns.rdatatype.ANY):
            _end(response, name, rdtype, zone, records)
            return
        response.answer.append(_rrset(name, alias))
        seen.add(name)
        name = alias[0].target
        target_zone = records.zone_of(name)
        outside = target_zone is None or (target_zone != zone and not chase)
        if outside or name in seen or len(seen) > _MOST_HOPS:
            return
        zone = target_zone or zone


def _end(
    response: dns.message.Message,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    zone: dns.name.Name,
    records: Records,
) -> None:
    """The records, or which kind of nothing: NXDOMAIN, or a name without such a record."""
    node = records.node(name)
    found = [one for kind, one in node.items() if rdtype in (kind, dns.rdatatype.ANY)]
    made_up = records.made_up(name, rdtype, zone)
    if not found and made_up is not None:
        found = [made_up]
    if found:
        response.answer += [_rrset(name, one) for one in found]
        return
    if not (node or records.exists(name) or name == zone or _is_made_up(name, zone, records)):
        response.set_rcode(dns.rcode.NXDOMAIN)
    response.authority.append(_rrset(zone, records.soa(zone)))


def _is_made_up(name: dns.name.Name, zone: dns.name.Name, records: Records) -> bool:
    return records.made_up(name, dns.rdatatype.A, zone) is not None


def _refer(response: dns.message.Message, cut: dns.name.Name, records: Records) -> None:
    servers = records.get(cut, dns.rdatatype.NS)
    if servers is None:  # removed in between by another thread
        response.set_rcode(dns.rcode.SERVFAIL)
        return
    response.authority.append(_rrset(cut, servers))
    for server in servers:
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            glue = records.get(server.target, rdtype)
            if glue is not None:
                response.additional.append(_rrset(server.target, glue))


def _rrset(name: dns.name.Name, rdataset: dns.rdataset.Rdataset) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
