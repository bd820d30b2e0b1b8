"""Why the record was not seen: the likely causes of table 3-5, each found by looking, not by guessing.

Wrong platform, old record left, wrong record (value, type or owner), TTL not yet passed.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import dns.name
import dns.rdata
import dns.rdatatype

from certdesk.connectors.dns.ask import Budget
from certdesk.connectors.dns.lookup import Answer, Found, look_up, printable, show
from certdesk.connectors.dns.walk import Route

_SECONDS = 6.0
_QUESTIONS = 80


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked and seen. `without`: (server, detail) of those that lack what others already have."""

    owner: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    expected: str
    values: tuple[str, ...]
    answers: tuple[Answer, ...]
    without: tuple[tuple[str, str], ...]
    ttl: int | None

    @property
    def type_text(self) -> str:
        return dns.rdatatype.to_text(self.rdtype)

    @property
    def domain(self) -> dns.name.Name:
        """The authorization domain: the owner without its `_dnsauth` label."""
        return self.owner.parent() if self.owner.labels[0].startswith(b"_") else self.owner

    @property
    def zone(self) -> dns.name.Name:
        """The zone's apex where a negative answer named it, else the authorization domain."""
        named = [one.zone for one in self.answers if one.zone is not None and not one.aliases]
        return named[0] if named else self.domain

    @property
    def cached(self) -> bool:
        return any(answer.cached for answer in self.answers)

    def is_expected(self, record: dns.rdata.Rdata) -> bool:
        """The value stands in this TXT record, or as this CNAME's target."""
        if record.rdtype == dns.rdatatype.CNAME:
            return show(record.target).lower() == self.expected.lower().removesuffix(".")  # type: ignore[attr-defined]
        return txt_bytes(record) == self.expected.encode("utf-8")


def txt_bytes(record: dns.rdata.Rdata) -> bytes:
    """A TXT record's character-strings joined (RFC 7208 §3.3 and every CA do the same)."""
    return b"".join(record.strings)  # type: ignore[attr-defined]


async def find(question: Question, route: Route) -> str:
    """One plain sentence: the likely cause and what to do."""
    if question.without:
        return _not_everywhere(question)
    found = {answer.found for answer in question.answers}
    if Found.RECORDS in found:
        return _wrong_value(question)
    if found & {Found.NO_RECORD, Found.NXDOMAIN, Found.CNAME_LOOP}:
        return await _missing(question, route)
    return _trouble(question, found)


def _not_everywhere(question: Question) -> str:
    servers = [server for server, _ in question.without]
    one = len(servers) == 1
    start = f"Server {servers[0]} does not" if one else f"Servers {', '.join(servers[:4])} do not"
    return f"{start} have it yet: wait until the change has reached every server{_wait(question)}."


def _wait(question: Question) -> str:
    """How long what was seen may be remembered."""
    if not question.ttl:
        return ""
    if question.cached:
        return f" (the resolver keeps what it has for {question.ttl} s more)"
    return f" (resolvers may keep what they have for up to {question.ttl} s, the TTL)"


def _trouble(question: Question, found: set[Found]) -> str:
    details = next((answer.detail for answer in question.answers if answer.detail), "")
    if "CERTDESK_ALLOW_NETWORKS" in details:
        return "The name servers of the domain have private addresses: the operator has not allowed them."
    if Found.REFUSED in found or "lame" in details:
        return (
            f"The servers to which {show(question.domain)} is delegated do not serve it: a wrong DNS "
            "platform was selected, or the domain's NS records at the registrar are old."
        )
    if Found.SERVFAIL in found:
        return (
            f"The name servers of {show(question.domain)} are broken: ask the DNS provider, then try again."
        )
    return f"The name servers of {show(question.domain)} cannot be reached at present: try again later."


def _wrong_value(question: Question) -> str:
    aliased = next((answer for answer in question.answers if answer.aliases), None)
    if question.rdtype == dns.rdatatype.CNAME:
        return (
            f"A foreign CNAME stands at {show(question.owner)}, pointing to {question.values[0]}: an old "
            f"record or another service's; replace its value{_wait(question)}."
        )
    for value in question.values:
        spelled = _misspelled(value, question.expected)
        if spelled:
            return f"The record is set wrongly: {spelled}."
    if aliased is not None:
        return (
            f"A foreign CNAME stands at {show(question.owner)}: the name is an alias of "
            f"{show(aliased.owner)}, whose values count; set the value there or remove the CNAME."
        )
    if any(_shape(value) == _shape(question.expected) for value in question.values):
        return (
            "The record of an earlier application is probably left: delete it, so that the new value counts"
            f"{_wait(question)}."
        )
    return f"The record holds another value: check it against the one shown{_wait(question)}."


_MISSPELLINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (
        "quotation marks stand inside the value; remove them",
        lambda text: text.strip().strip("\"'\u201c\u201d"),
    ),
    ("spaces or line breaks stand in the value; remove them", lambda text: re.sub(r"\s|\\\d{3}", "", text)),
    ("capital and small letters differ from the value shown", str.lower),
    ("a dot was added at the value's end; remove it", lambda text: text.rstrip(".")),
)


def _misspelled(value: str, expected: str) -> str:
    for sentence, repair in _MISSPELLINGS:
        if value != expected and repair(value) == (expected.lower() if repair is str.lower else expected):
            return sentence
    if expected in value:
        return "more text than the value stands in the record; leave only the value"
    if len(value) >= 8 and expected.startswith(value):
        return "the value was cut; copy the whole of it"
    return ""


def _shape(value: str) -> str:
    return re.sub(r"[0-9a-fA-F]", "x", value)


async def _missing(question: Question, route: Route) -> str:
    """The record is not there: look where it may have landed."""
    lost = next((answer for answer in question.answers if answer.found is Found.CNAME_LOOP), None)
    if lost is not None:
        return f"The CNAME records are set wrongly: {lost.detail}; remove the one at {show(question.owner)}."
    if question.zone.is_absolute() and len(question.zone) <= 2 < len(question.domain):
        return f"The domain {show(question.domain)} is not registered, or not delegated by its parent."
    budget = Budget(_SECONDS, _QUESTIONS)
    places = _places(question)
    looks = [look_up(name, rdtype, route, budget) for name, rdtype, _ in places]
    servers, *seen = await asyncio.gather(look_up(question.zone, dns.rdatatype.NS, route, budget), *looks)
    for (_, _, sentence), answers in zip(places, seen, strict=True):
        if any(question.is_expected(record) for answer in answers for record in answer.records):
            return sentence
    return _aliased(question) or _nowhere(question, servers)


def _places(question: Question) -> list[tuple[dns.name.Name, dns.rdatatype.RdataType, str]]:
    """Owner, type and the sentence to say when the value stands there."""
    owner, domain, asked = question.owner, question.domain, question.rdtype
    right = show(owner)
    other = dns.rdatatype.TXT if asked == dns.rdatatype.CNAME else dns.rdatatype.CNAME
    wrong_type = (
        f"a {dns.rdatatype.to_text(other)} record with the value was set; it must be {question.type_text}"
    )
    places = [(owner, other, f"The record has the wrong type: {wrong_type}.")]
    for zone in dict.fromkeys((question.zone, domain)):
        doubled = _join(owner, zone)
        if doubled is not None:
            host = show(owner.relativize(zone))
            sentence = (
                f"The record stands at {show(doubled)}: the platform adds the zone {show(zone)} by itself; "
                f"enter {host} as host record."
            )
            places.append((doubled, asked, sentence))
    for place in (domain, _join(dns.name.Name((owner.labels[0], b"www")), domain), _bare(owner)):
        if place is not None and place != owner:
            places.append((place, asked, f"The record stands at {show(place)}; it must stand at {right}."))
    return places


def _bare(owner: dns.name.Name) -> dns.name.Name | None:
    """The owner without its underscore, which some platforms' forms swallow."""
    label = owner.labels[0].lstrip(b"_")
    return dns.name.Name((label, *owner.labels[1:])) if label and label != owner.labels[0] else None


def _join(front: dns.name.Name, zone: dns.name.Name) -> dns.name.Name | None:
    labels = front.labels[:-1] if front.is_absolute() else front.labels
    try:
        return dns.name.Name((*labels, *zone.labels))
    except dns.name.NameTooLong:
        return None


def _aliased(question: Question) -> str:
    answer = next((one for one in question.answers if one.aliases), None)
    if answer is None:
        return ""
    return (
        f"A foreign CNAME stands at {show(question.owner)}: the name is an alias of "
        f"{show(answer.owner)}, which has no {question.type_text} record; set the value there "
        "or remove the CNAME."
    )


def _nowhere(question: Question, servers: tuple[Answer, ...]) -> str:
    names = sorted(
        {show(record.target) for one in servers for record in one.records if hasattr(record, "target")}
    )
    held = (
        f" ({', '.join(printable(name.encode('ascii', 'replace')) for name in names[:4])})" if names else ""
    )
    return (
        f"The name servers of {show(question.zone)}{held} do not have the record: it was set on another DNS "
        f"platform, or not saved, or only just now{_wait(question)}."
    )
