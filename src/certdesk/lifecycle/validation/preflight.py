"""What will fail and why, said before ordering: names, product, quota, CAA, CNAME, name servers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from certdesk.connectors.dns.caa import check_caa
from certdesk.connectors.dns.providers import zones as provider_zones
from certdesk.connectors.dns.providers.delegation import find_place
from certdesk.connectors.dns.providers.protocol import DnsError, Provider, Reason, Zone
from certdesk.connectors.dns.seen import DomainSeen
from certdesk.connectors.protocol import ConnectorError
from certdesk.foundation.common import clock, settings
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.common.sql import short_transaction
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.applications.methods import check_method
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product, check_for_sale
from certdesk.lifecycle.issuers import queries as issuers
from certdesk.lifecycle.orders import queries as orders
from certdesk.lifecycle.orders.rules import check_free_quota
from certdesk.pki.x509.names import Name, authorization_domain, parse_name, proof_owner

from . import automatic, caa, dialing, domains, elsewhere, queries, rules
from .models import DnsConnection

PROVE = "scm:domain:prove"
SECONDS = 45.0
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be ordered; `brand` empty = whatever, so only names and DNS are looked at."""

    domains: tuple[str, ...]
    brand: str = ""
    cert_type: str = "DV_SSL_CERT"
    method: str = "DNS"
    auto_dns: bool = False
    free: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """`blocking`: it will fail; else it only may, or takes a step more."""

    code: str
    sentence: str
    fix: str
    blocking: bool = True


@dataclass(slots=True)
class Verdict:
    """One name. `proved`: an earlier proof counts, so there is nothing to set up."""

    domain: str
    record_name: str = ""
    proved: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not any(one.blocking for one in self.problems)


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` are of the order as a whole."""

    problems: tuple[Problem, ...]
    domains: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        return not any(one.blocking for one in self.problems) and all(one.ok for one in self.domains)


def look(principal: Principal, question: Question) -> Report:
    """Everything that can be known before ordering; asks the DNS, outside any transaction.

    Raises:
        Forbidden: no `scm:domain:prove`.
        CertdeskError: UNAVAILABLE when it took too long.
    """
    domains.require(principal, PROVE)
    product, general = _product(question)
    internal = product is not None and product.allow_internal
    verdicts, names = _names(question.domains, internal, question.method.upper() or "DNS")
    general += _whole(principal, question, product, names)
    _reuse(principal, product, verdicts, names)
    wanted = [(verdicts[name.text], name) for name in names if not verdicts[name.text].proved]
    connections = _connections(principal) if wanted else []
    if question.auto_dns:
        general += _rights(principal, connections)
    record_type = product.record_type if product else "TXT"
    watch = _Watch(question, product, record_type, connections)
    if wanted:
        dialing.call(lambda: watch.all(wanted), "The pre-flight", SECONDS)
    order = dict.fromkeys(map(_plain, question.domains))
    return Report(tuple(general), tuple(verdicts[text] for text in order))


def _plain(text: str) -> str:
    return text.strip().lower()


def _product(question: Question) -> tuple[Product | None, list[Problem]]:
    """The line of the catalogue, or why there is none to buy."""
    if not question.brand:
        return None, []
    plain = [_plain(one) for one in question.domains]
    kind = "MULTI_DOMAIN" if len(plain) > 1 else "WILDCARD" if plain[0].startswith("*.") else "SINGLE_DOMAIN"
    try:
        product = catalogue().product(question.brand, question.cert_type, kind, free=question.free)
        catalogue().check_buyer(product, by_acme=False)
        check_for_sale(issuers.offered(product))
    except CertdeskError as error:
        return None, [_of(error, "NOT_FOR_SALE")]
    return product, []


def _of(error: CertdeskError, code: str) -> Problem:
    return Problem(code, error.message, error.next_step)


def _names(given: Sequence[str], allow_internal: bool, method: str) -> tuple[dict[str, Verdict], list[Name]]:
    """The gate of APP-6 and APP-7 for each name; those that pass go on to the DNS."""
    verdicts: dict[str, Verdict] = {}
    names: list[Name] = []
    for text in map(_plain, given):
        if text in verdicts:
            continue
        verdict = verdicts[text] = Verdict(text)
        try:
            name = parse_name(text, allow_internal=allow_internal)
            if method == "DNS":
                verdict.record_name = proof_owner(name)
        except CertdeskError as error:
            verdict.problems.append(_of(error, "BAD_NAME"))
        else:
            names.append(name)
    return verdicts, names


def _whole(
    principal: Principal, question: Question, product: Product | None, names: Sequence[Name]
) -> list[Problem]:
    """Quantity, wildcards, method and quota of the order."""
    found: list[Problem] = []
    if product is None:
        return found
    wild = [name.text for name in names if name.wildcard]
    if len(names) > 1 and wild[1 if names[0].wildcard else 0 :] and not product.wildcard_in_multi:
        sentence = f"{product.type_title} takes no wildcard name among several ({wild[-1]})."
        found.append(Problem("WILDCARD_IN_MULTI", sentence, "Choose OV or OV Pro, or order it by itself."))
    if len(question.domains) > product.names[1]:
        sentence = f"{len(question.domains)} names are more than the {product.names[1]} of one certificate."
        found.append(Problem("TOO_MANY_NAMES", sentence, "Order several certificates."))
    found += _method(question, product, names)
    if product.free:
        with short_transaction():  # the account's row is locked where the quota is counted
            facts = orders.account_facts(principal.account_id, free=True)
        try:
            check_free_quota(product, facts)
        except CertdeskError as error:
            found.append(_of(error, "QUOTA"))
    return found


def _method(question: Question, product: Product, names: Sequence[Name]) -> list[Problem]:
    """What the application will say about the method (APP-13)."""
    ended = catalogue().ended_methods(product, clock.now().date())
    try:
        check_method(question.method, product, names, automatic=question.auto_dns, ended=ended)
    except CertdeskError as error:
        return [_of(error, "METHOD")]
    return []


def _rights(principal: Principal, connections: Sequence[DnsConnection]) -> list[Problem]:
    if not principal.may(automatic.RIGHT, Resource("recordset", "", principal.account_id)):
        sentence = f"Automatic DNS needs the right {automatic.RIGHT}, which no policy of yours allows."
        return [Problem("NO_RIGHT", sentence, "Ask for the policy DNS Administrator, or set the records.")]
    if not connections:
        sentence = "The account has no DNS connection."
        return [Problem("NO_CONNECTION", sentence, "Connect the DNS provider, or set the records yourself.")]
    return []


def _reuse(
    principal: Principal, product: Product | None, verdicts: dict[str, Verdict], names: Sequence[Name]
) -> None:
    if product is None:
        return
    now = clock.now()
    since = rules.reuse_since(catalogue().reuse_days(product, now.date()), now)
    ended = catalogue().ended_methods(product, now.date())
    found = queries.reusable(principal.account_id, rules.plan(names), since, now, ended=ended)
    for name in names:
        verdicts[name.text].proved = found.of(name.text, authorization_domain(name)) is not None


def _connections(principal: Principal) -> list[DnsConnection]:
    return list(DnsConnection.objects.filter(account_id=principal.account_id).order_by("created_at", "id"))


class _Watch:
    """The questions to the outside world."""

    def __init__(
        self,
        question: Question,
        product: Product | None,
        record_type: str,
        connections: Sequence[DnsConnection],
    ) -> None:
        self.question, self.product, self.record_type = question, product, record_type
        self.providers: dict[str, tuple[str, Provider]] = {}
        self.refused: list[Problem] = []
        for one in connections:
            try:
                self.providers[one.id] = (one.label, dialing.provider_of(one))
            except DnsError as error:
                self.refused.append(self._connection_problem(one.label, error))
        self.zones: dict[Zone, str] = {}

    def _connection_problem(self, label: str, error: ConnectorError) -> Problem:
        fix = dialing.step_of(error) or "Test the connection on the DNS page."
        return Problem("CONNECTION_FAILS", f"{label}: {error.message}", fix, self.question.auto_dns)

    async def all(self, wanted: Sequence[tuple[Verdict, Name]]) -> None:
        await asyncio.gather(*(self._list(key) for key in self.providers))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(verdict: Verdict, name: Name) -> None:
            async with gate:
                try:
                    await self._name(verdict, name)
                except ConnectorError as error:
                    verdict.problems.append(Problem("DNS_FAILS", error.message, "Try again later.", False))

        await asyncio.gather(*(one(verdict, name) for verdict, name in wanted))

    async def _list(self, key: str) -> None:
        label, provider = self.providers[key]
        try:
            for zone in await provider_zones.all_zones(provider):
                self.zones.setdefault(zone, key)
        except DnsError as error:
            self.refused.append(self._connection_problem(label, error))

    async def _name(self, verdict: Verdict, name: Name) -> None:
        domain = authorization_domain(name)
        seen = await elsewhere.look(domain)
        if seen.problem:
            verdict.problems.append(
                Problem("DNS_FAILS", f"{domain}: {seen.problem}", "Repair the name servers of the domain.")
            )
            return
        if not seen.exists:
            sentence = f"The domain {domain} is not registered, or not delegated by its parent."
            verdict.problems.append(Problem("NO_SUCH_DOMAIN", sentence, "Check the spelling; register it."))
            return
        verdict.problems += await self._caa(name)
        if self.question.method.upper() == "DNS":
            verdict.problems += await self._record(verdict.record_name, seen)

    async def _caa(self, name: Name) -> list[Problem]:
        """Only where the issuer asks CAA: profile `public`, or domains named in the catalogue."""
        product, configured = self.product, settings.get()
        if product is None or (product.profile != "public" and not product.caa_domains):
            return []
        method = caa.METHODS.get(self.question.method.upper())
        result = await check_caa(
            name.text,
            wildcard=name.wildcard,
            issuer_domains=product.caa_domains,
            resolvers=configured.dns_resolvers,
            allow_networks=configured.allow_networks,
            validation_methods=[method] if method else [],
        )
        if result.permitted:
            return []
        if result.retryable:
            return [Problem("CAA_UNREADABLE", result.sentence, "Make the name servers answer for CAA.")]
        permit = product.caa_domains[0] if product.caa_domains else "the issuer"
        return [Problem("CAA_FORBIDS", result.sentence, f'Add a CAA record: 0 issue "{permit}".')]

    async def _record(self, owner: str, seen: DomainSeen) -> list[Problem]:
        """CNAME at the proof's own name, and whether a connection really holds its zone."""
        found = await self._cname(owner)
        place = await self._place(owner)
        if isinstance(place, Problem):
            return [*found, *self.refused, place] if self.question.auto_dns else found
        if place is not None:
            found += await self._elsewhere(place, seen)
        return found

    async def _cname(self, owner: str) -> list[Problem]:
        at_owner = await elsewhere.look(owner)
        if not at_owner.cname:
            return []
        if self.record_type == "CNAME":
            sentence = f"A CNAME stands at {owner} already, pointing to {at_owner.cname}."
            return [Problem("CNAME_IN_THE_WAY", sentence, "Delete it, or replace its value later.")]
        sentence = f"A CNAME stands at {owner}: the TXT record must be set at {at_owner.cname}."
        return [Problem("CNAME_IN_THE_WAY", sentence, "Set it there, or remove the CNAME.", blocking=False)]

    async def _place(self, owner: str) -> Zone | Problem | None:
        configured = settings.get()
        try:
            place = await find_place(
                owner,
                "CNAME" if self.record_type == "CNAME" else "TXT",
                self.zones,
                resolvers=configured.dns_resolvers,
                allow_networks=configured.allow_networks,
            )
        except DnsError as error:
            code = "NO_CONNECTION" if error.reason is Reason.NO_ZONE else str(error.reason)
            return Problem(code, error.message, error.next_step, self.question.auto_dns)
        return place.zone

    async def _elsewhere(self, zone: Zone, seen: DomainSeen) -> list[Problem]:
        """Whether the world asks other name servers than those of the connection (table 3-5, row 1)."""
        label, provider = self.providers[self.zones[zone]]
        try:
            found = await elsewhere.sentence(provider, zone, label, seen)
        except DnsError as error:
            return [self._connection_problem(label, error)] if self.question.auto_dns else []
        return [Problem("NS_ELSEWHERE", found, elsewhere.FIX, self.question.auto_dns)] if found else []
