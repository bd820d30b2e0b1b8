"""May these issuers issue for a name? CAA, RFC 8659, with the parameters of RFC 8657 (DOM-12).

Strict across servers: where they disagree, each server's record set must permit. A failure (SERVFAIL,
time-out, refusal, loop) is never permission; it can be tried again.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dns.name
import dns.rdatatype

from certdesk.connectors.dns.ask import Budget
from certdesk.connectors.dns.lookup import (
    Answer,
    Found,
    definitive,
    look_up,
    parse_name,
    printable,
    show,
)
from certdesk.connectors.dns.roots import ROOT, Hints
from certdesk.connectors.dns.walk import route
from certdesk.connectors.egress import Network

CHECK_SECONDS = 30.0
_QUESTIONS = 400  # in all: every level costs questions to all servers of its zone

# Tags whose meaning we know: the critical flag of any other one refuses (RFC 8659 §4.1). The contact tags
# (Baseline Requirements A.1) and issuemail (RFC 9495) say nothing about TLS certificates.
_KNOWN_TAGS = frozenset({"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail"})
_CRITICAL = 128

_LABEL = r"[A-Za-z0-9](?:-*[A-Za-z0-9])*"
_ISSUER = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_PARAMETER = re.compile(rf"({_LABEL})[ \t]*=[ \t]*([\x21-\x3A\x3C-\x7E]*)\Z")


@dataclass(frozen=True, slots=True)
class Property:
    """One CAA record: `tag` in lower case, `value` whole, a character a byte."""

    critical: bool
    tag: str
    value: str

    def __str__(self) -> str:
        return f'{_CRITICAL if self.critical else 0} {self.tag} "{printable(self.value.encode("latin-1"))}"'


@dataclass(frozen=True, slots=True)
class IssueValue:
    """The value of issue or issuewild: `issuer` empty = nobody; `parameters` may repeat a tag."""

    issuer: str
    parameters: tuple[tuple[str, str], ...]

    def all(self, tag: str) -> list[str]:
        return [value for name, value in self.parameters if name == tag]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to issue and how: matched against the records.

    An `accounturi` or `validationmethods` in a record is met only by one of these; with none given, a record
    that has the parameter does not permit (RFC 8657 §3, §4).
    """

    issuer_domains: frozenset[str]
    account_uris: frozenset[str] = frozenset()
    validation_methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CaaResult:
    """`record` = owner and text of the record that decided, if one did; `looked_at` = the names asked.

    `retryable`: refused only because the question failed.
    """

    permitted: bool
    record: str
    sentence: str
    looked_at: tuple[str, ...]
    retryable: bool = False


async def check_caa(
    name: str,
    *,
    wildcard: bool,
    issuer_domains: Collection[str],
    resolvers: Sequence[str],
    allow_networks: Collection[Network],
    account_uris: Collection[str] = (),
    validation_methods: Collection[str] = (),
    hints: Hints = ROOT,
) -> CaaResult:
    """Climb from `name` to the first name with CAA records (RFC 8659 §3) and read them.

    A name may have 127 levels; where time or questions run out before the last one, nothing is permitted.

    Args:
        name: the name to be certified as A-labels; a leading `*.` is left off.
        wildcard: issuewild counts before issue.
        issuer_domains: the names by which records may permit the issuer, e.g. `ca.example.com`.

    Raises:
        ConnectorError: `name` or a resolver is not what it should be (permanent).
    """
    asker = Asker(
        frozenset(domain.lower().rstrip(".") for domain in issuer_domains),
        frozenset(account_uris),
        frozenset(validation_methods),
    )
    path, budget = route(resolvers, allow_networks, hints), Budget(CHECK_SECONDS, _QUESTIONS)
    looked_at: list[str] = []
    current = parse_name(name.removeprefix("*."))
    while current != dns.name.root:  # to the end: a climb cut short would pass by the records above it
        looked_at.append(show(current))
        answers = await look_up(current, dns.rdatatype.CAA, path, budget)
        result = _at(current, answers, asker, wildcard=wildcard, looked_at=tuple(looked_at))
        if result is not None:
            return result
        current = current.parent()
    return CaaResult(True, "", f"No CAA record stands at {', '.join(looked_at)}.", tuple(looked_at))


def _at(
    name: dns.name.Name,
    answers: Sequence[Answer],
    asker: Asker,
    *,
    wildcard: bool,
    looked_at: tuple[str, ...],
) -> CaaResult | None:
    """The decision at one name; none when it has no records and the climb goes on."""
    certain = definitive(answers)
    lost = next((answer for answer in certain if answer.found is Found.CNAME_LOOP), None)
    if not certain or lost is not None:
        failed = lost or (answers[0] if answers else None)
        why = f"{failed.found} from {failed.server}: {failed.detail}" if failed else "no server to ask"
        sentence = f"The CAA records of {show(name)} cannot be read ({why}), so nothing may be issued now."
        return CaaResult(False, "", sentence, looked_at, retryable=True)
    permitted: CaaResult | None = None
    for answer in certain:
        if answer.records:
            ok, record, sentence = decide(answer.owner, _properties(answer), asker, wildcard=wildcard)
            permitted = CaaResult(ok, record, sentence, looked_at)
            if not ok:
                return permitted
    return permitted


def _properties(answer: Answer) -> tuple[Property, ...]:
    return tuple(
        Property(
            bool(record.flags & _CRITICAL),  # type: ignore[attr-defined]
            printable(record.tag).lower(),  # type: ignore[attr-defined]
            record.value.decode("latin-1"),  # type: ignore[attr-defined]
        )
        for record in answer.records
    )


def decide(
    owner: dns.name.Name, properties: Sequence[Property], asker: Asker, *, wildcard: bool
) -> tuple[bool, str, str]:
    """Permitted or not, the deciding record and a sentence that names it. Pure."""
    place = show(owner)
    for one in properties:
        if one.critical and one.tag not in _KNOWN_TAGS:
            sentence = f"The CAA record {one} at {place} is critical and unknown: nothing may be issued."
            return False, f"{place} CAA {one}", sentence
    relevant = _relevant(properties, wildcard=wildcard)
    if not relevant:
        return True, "", f"The CAA records at {place} do not restrict who may issue such a name."
    for one in relevant:
        if not _objection(one, asker):
            return True, f"{place} CAA {one}", f"The CAA record {one} at {place} permits the issuer."
    first = min(relevant, key=lambda one: parse_issue(one.value).issuer not in asker.issuer_domains)
    sentence = f"The CAA record {first} at {place} does not permit the issuer: {_objection(first, asker)}."
    return False, f"{place} CAA {first}", sentence


def _relevant(properties: Sequence[Property], *, wildcard: bool) -> list[Property]:
    """RFC 8659 §4.3: for a wildcard, issuewild where there is any, else issue."""
    wild = [one for one in properties if one.tag == "issuewild"]
    if wildcard and wild:
        return wild
    return [one for one in properties if one.tag == "issue"]


def _objection(one: Property, asker: Asker) -> str:
    """Why the record does not permit; empty when it does."""
    value = parse_issue(one.value)
    if not value.issuer:
        return "it permits nobody"
    if value.issuer not in asker.issuer_domains:
        return f"it names {value.issuer}, not {' or '.join(sorted(asker.issuer_domains)) or 'our issuer'}"
    accounts, methods = value.all("accounturi"), value.all("validationmethods")
    if accounts and (len(accounts) > 1 or accounts[0] not in asker.account_uris):
        return "its accounturi is not the issuer's account"
    if methods and (len(methods) > 1 or not asker.validation_methods & set(methods[0].split(","))):
        return "its validationmethods do not have the method used"
    return ""


def parse_issue(value: str) -> IssueValue:
    """The grammar of RFC 8659 §4.2; what does not fit it names nobody. Parameter tags in lower case."""
    issuer, separator, rest = value.partition(";")
    issuer, rest = issuer.strip(" \t"), rest.strip(" \t")
    nobody = IssueValue("", ())
    if issuer and not _ISSUER.match(issuer):
        return nobody
    if not separator or not rest:
        return IssueValue(issuer.lower(), ())
    found = [_PARAMETER.match(part.strip(" \t")) for part in rest.split(";")]
    if not all(found):
        return nobody
    return IssueValue(issuer.lower(), tuple((one[1].lower(), one[2]) for one in found if one))
