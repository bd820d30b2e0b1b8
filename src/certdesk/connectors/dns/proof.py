"""Is the domain owner's record there? (DOM-4, DOM-16; guide §3.2, steps 4 and 5)

Strict across servers: the record counts when at least one authoritative server (or operator's resolver) has
it and no server that answered for the zone says otherwise. A server that has it not yet makes the answer
NO_RECORD and is named as the cause: the CA may ask any of them. Failing or silent servers do not count.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

import dns.name
import dns.rdata
import dns.rdatatype

from certdesk.connectors.dns import causes
from certdesk.connectors.dns.ask import Budget
from certdesk.connectors.dns.dnssec import Trust
from certdesk.connectors.dns.lookup import Answer, Found, look_up, parse_name, printable, show
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.walk import route
from certdesk.connectors.egress import Network

CHECK_SECONDS = 20.0
"""The most that the questions of one check take; looking for the cause takes up to 6 s more."""

MOST_VALUES = 20

RecordType = Literal["TXT", "CNAME"]


class SeenAnswer(StrEnum):
    """What a check, or one server, saw."""

    MATCH = "MATCH"
    WRONG_VALUE = "WRONG_VALUE"
    NO_RECORD = "NO_RECORD"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    TIMEOUT = "TIMEOUT"
    REFUSED = "REFUSED"
    CNAME_LOOP = "CNAME_LOOP"


# which answer speaks for all where no server has the value: the one that tells the reader most
_WEIGHT = (
    SeenAnswer.WRONG_VALUE,
    SeenAnswer.CNAME_LOOP,
    SeenAnswer.NO_RECORD,
    SeenAnswer.NXDOMAIN,
    SeenAnswer.SERVFAIL,
    SeenAnswer.REFUSED,
    SeenAnswer.TIMEOUT,
)
_IN_TROUBLE = frozenset({SeenAnswer.SERVFAIL, SeenAnswer.REFUSED, SeenAnswer.TIMEOUT})


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """What one server answered; `values` as in `Seen`."""

    server: str
    answer: SeenAnswer
    values: tuple[str, ...]
    ttl: int | None
    detail: str
    trust: Trust = Trust.UNCHECKED


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of one check.

    `values` are at most 20 texts of at most 255 printable characters; `ttl` the seconds for which what was
    seen may still be remembered; `cause` the likely cause of table 3-5, empty for MATCH; `sentence` what was
    seen.
    """

    answer: SeenAnswer
    values: tuple[str, ...]
    servers: tuple[ServerSeen, ...]
    ttl: int | None
    cause: str
    sentence: str
    at: datetime


async def check_record(
    *,
    owner: str,
    record_type: RecordType,
    expected: str,
    resolvers: Sequence[str],
    allow_networks: Collection[Network],
    now: datetime,
    hints: Hints = ROOT,
) -> Seen:
    """Ask all servers of `owner` for the record. CNAMEs are followed for TXT and compared for CNAME.

    Args:
        owner: the whole owner name, e.g. `_dnsauth.example.com`, as A-labels.
        resolvers: `ip:port` of the operator's resolvers; none = the authoritative servers, from `hints` on.
        now: stands in the result as `at`; nothing is decided by it.

    Raises:
        ConnectorError: `owner`, a CNAME's `expected` or a resolver is not what it should be (permanent).
    """
    name, rdtype = parse_name(owner), dns.rdatatype.from_text(record_type)
    wanted = _Wanted(rdtype, expected, parse_name(expected) if record_type == "CNAME" else None)
    path = route(resolvers, allow_networks, hints)
    answers = await look_up(name, rdtype, path, Budget(CHECK_SECONDS))
    servers = tuple(_judge(answer, wanted) for answer in answers)
    answer = _verdict(servers)
    values = _values(servers)
    ttl = min((one.ttl for one in servers if one.ttl is not None), default=None)
    cause = ""
    if answer is not SeenAnswer.MATCH:
        without = tuple(
            (one.server, one.detail) for one in servers if one.answer not in _IN_TROUBLE | {SeenAnswer.MATCH}
        )
        partly = any(one.answer is SeenAnswer.MATCH for one in servers)
        question = causes.Question(name, rdtype, expected, values, answers, without if partly else (), ttl)
        cause = await causes.find(question, path)
    return Seen(answer, values, servers, ttl, cause, _sentence(name, record_type, answer, servers), now)


@dataclass(frozen=True, slots=True)
class _Wanted:
    rdtype: dns.rdatatype.RdataType
    text: str
    target: dns.name.Name | None

    def fits(self, record: dns.rdata.Rdata) -> bool:
        if self.target is not None:
            return bool(record.target == self.target)  # type: ignore[attr-defined]
        return causes.txt_bytes(record) == self.text.encode("utf-8")


def _judge(answer: Answer, wanted: _Wanted) -> ServerSeen:
    if answer.found is not Found.RECORDS:
        return ServerSeen(
            answer.server, SeenAnswer(answer.found.value), (), answer.ttl, answer.detail, answer.trust
        )
    matches = any(wanted.fits(record) for record in answer.records)
    values = tuple(value_text(record) for record in answer.records[:MOST_VALUES])
    seen = SeenAnswer.MATCH if matches else SeenAnswer.WRONG_VALUE
    return ServerSeen(answer.server, seen, values, answer.ttl, answer.detail, answer.trust)


def value_text(record: dns.rdata.Rdata) -> str:
    """A TXT record's joined strings, or a CNAME's target, as bounded printable text."""
    if record.rdtype == dns.rdatatype.CNAME:
        return printable(show(record.target).encode("ascii", "replace"))  # type: ignore[attr-defined]
    return printable(causes.txt_bytes(record))


def _verdict(servers: Sequence[ServerSeen]) -> SeenAnswer:
    seen = {one.answer for one in servers}
    if SeenAnswer.MATCH in seen:
        return SeenAnswer.NO_RECORD if seen - _IN_TROUBLE - {SeenAnswer.MATCH} else SeenAnswer.MATCH
    return next((answer for answer in _WEIGHT if answer in seen), SeenAnswer.SERVFAIL)


def _values(servers: Sequence[ServerSeen]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for one in servers for value in one.values))[:MOST_VALUES]


def _sentence(
    name: dns.name.Name, record_type: RecordType, answer: SeenAnswer, servers: Sequence[ServerSeen]
) -> str:
    """One plain sentence of what was seen, without guesses."""
    owner, having = show(name), [one for one in servers if one.answer is SeenAnswer.MATCH]
    answered = [one for one in servers if one.answer not in _IN_TROUBLE]
    first = next((one for one in servers if one.answer is answer), None)
    told = f"{first.server}: {first.detail}" if first and first.detail else first.server if first else ""
    if having and answer is SeenAnswer.NO_RECORD:
        return f"{len(having)} of {len(answered)} servers have the expected {record_type} record at {owner}."
    if answer is SeenAnswer.MATCH:
        told = f"The {record_type} record at {owner} has the expected value (seen at {_names(having)})."
        return f"{told} {_SIGNED.get(having[0].trust, '')}".strip()
    if answer is SeenAnswer.WRONG_VALUE:
        return f"The {record_type} record at {owner} has {_quoted(_values(servers))}, not the expected value."
    return {
        SeenAnswer.NO_RECORD: f"The name {owner} has no {record_type} record (asked {_names(answered)}).",
        SeenAnswer.NXDOMAIN: f"The name {owner} does not exist: NXDOMAIN from {_names(answered)}.",
        SeenAnswer.SERVFAIL: f"The question for {owner} failed: SERVFAIL from {told}.",
        SeenAnswer.REFUSED: f"The question for {owner} was refused: REFUSED from {told}.",
        SeenAnswer.TIMEOUT: f"The question for {owner} got no answer in time from {told}.",
        SeenAnswer.CNAME_LOOP: f"The name {owner} leads nowhere: {first.detail if first else ''}.",
    }[answer]


_SIGNED = {
    Trust.SECURE: "DNSSEC: secure.",
    Trust.INSECURE: "DNSSEC: the zone is not signed.",
}


def _names(servers: Sequence[ServerSeen]) -> str:
    shown = list(dict.fromkeys(one.server for one in servers))
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")


def _quoted(values: Sequence[str]) -> str:
    more = f" and {len(values) - 1} more values" if len(values) > 1 else ""
    return f'"{values[0] if values else ""}"{more}'
