"""Every name that an account has proved or needs, and how each stands (DOM-13). Reads only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certdesk.connectors.dns.seen import DomainSeen
from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import in_force
from certdesk.pki.x509.errors import BadName
from certdesk.pki.x509.names import Name, authorization_domain, parse_name, proof_owner

from . import automatic, dialing, elsewhere, rules
from .models import Challenge, DnsConnection, Evidence

LIST = "scm:domain:list"
SEEN_SECONDS = 25.0
_MOST_NEEDING = 20


@dataclass(frozen=True, slots=True)
class Reuse:
    """Until when the last proof may be used again for one issuer; `until` may lie in the past."""

    issuer: str
    profile: str
    days: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Domain:
    """One name.

    Attributes:
        record_name: where a DNS record that proves it stands; empty where none can.
        chosen: the methods that the applications chose which wait for its proof now.
        needed_by: certificates that wait for its proof now.
        used_by: how many certificates of the account have the name.
        proving: method by which it is being proved ahead of any order; empty when it is not.
        connection: label of the connection that holds its zone, as last told; empty when none does.
    """

    name: str
    authorization_domain: str
    record_name: str
    proved_at: datetime | None
    method: str
    br_method: str
    perspective: str
    seen: str
    reuse: tuple[Reuse, ...]
    chosen: tuple[str, ...]
    needed_by: tuple[str, ...]
    used_by: int
    connection: str
    proving: str = ""

    def status(self, now: datetime) -> str:
        """NEEDED, PROVED, PROVING, ENDED (no issuer takes the proof any more) or NONE."""
        if self.needed_by:
            return "NEEDED"
        if any(one.until >= now for one in self.reuse):
            return "PROVED"
        if self.proving:
            return "PROVING"
        return "NONE" if self.proved_at is None else "ENDED"


def require(principal: Principal, action: str = LIST) -> None:
    """Raises `Forbidden` without the right to the account's names."""
    principal.require(action, Resource("domain", "", principal.account_id))


def listed(
    principal: Principal, limit: int, after: str = "", content: str = "", only: Sequence[str] | None = None
) -> tuple[list[Domain], str]:
    """Names in their order behind `after`, and the marker of what follows; empty at the end.

    Args:
        only: instead of all names one more than `limit` of these, in their order behind `after`.

    Raises:
        Forbidden: no `scm:domain:list`.
    """
    require(principal)
    names = (
        only if only is not None else _names(principal.account_id, after, content.strip().lower(), limit + 1)
    )
    last = names[limit - 1] if len(names) > limit else ""
    return _domains(principal.account_id, names[:limit], clock.now()), last


def show(principal: Principal, name: str) -> Domain:
    """One name.

    Raises:
        Forbidden: no `scm:domain:list`.
        NotFound: the account has never proved it and no certificate of it has it.
    """
    require(principal)
    parsed = _parsed(name.strip())
    found = _domains(principal.account_id, [parsed.text], clock.now()) if parsed else []
    if not found or not (found[0].used_by or found[0].needed_by or found[0].proved_at or found[0].proving):
        raise NotFound(
            f"The account has neither proved nor used the name {name!r:.100}.",
            next_step="Look for it in the list of domains, or run the pre-flight for it.",
        )
    return found[0]


def seen_now(principal: Principal, name: str) -> DomainSeen:
    """What the DNS says at this moment; outside any transaction.

    Raises:
        as `show`; CertdeskError UNAVAILABLE when it took too long.
    """
    found = show(principal, name).name
    return dialing.call(lambda: elsewhere.look(found), f"The look at {found}", SEEN_SECONDS)


def _names(account_id: str, after: str, content: str, limit: int) -> list[str]:
    """From certificates, evidence and proofs ahead of any order; each part by its own index."""
    like = f"%{_escaped(content)}%"
    found = sql.rows(
        "SELECT name FROM (SELECT DISTINCT name FROM certificates_certificatename"
        " WHERE account_id = %s AND name > %s AND name LIKE %s ESCAPE '!' ORDER BY name LIMIT %s) a"
        " UNION SELECT name FROM (SELECT DISTINCT authorization_domain AS name FROM validation_evidence"
        " WHERE account_id = %s AND authorization_domain > %s AND authorization_domain LIKE %s ESCAPE '!'"
        " AND void_at IS NULL ORDER BY authorization_domain LIMIT %s) b"
        " UNION SELECT name FROM (SELECT DISTINCT authorization_domain AS name FROM validation_challenge"
        " WHERE application_id IS NULL AND account_id = %s AND authorization_domain > %s"
        " AND authorization_domain LIKE %s ESCAPE '!' ORDER BY authorization_domain LIMIT %s) c"
        " ORDER BY name LIMIT %s",
        [*(account_id, after, like, limit) * 3, limit],
    )
    return [str(name) for (name,) in found]


def _parsed(name: str) -> Name | None:
    """None for names of uploaded certificates that nobody could prove here, e.g. an address."""
    try:
        return parse_name(name, allow_internal=True)
    except BadName:
        return None


def owner_of(name: Name) -> str:
    """Where its DNS record would stand; empty for addresses and names too long for it."""
    try:
        return proof_owner(name)
    except BadName:
        return ""


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _domains(account_id: str, names: Sequence[str], now: datetime) -> list[Domain]:
    """Everything about a page of names in four statements."""
    parsed = [one for one in map(_parsed, names) if one is not None]
    targets = {one.text: authorization_domain(one) for one in parsed}
    proofs = _latest(account_id, sorted(set(targets.values())))
    used, needed = _used(account_id, names), _needed(account_id, names)
    zones = automatic.zones_of(account_id)
    found = [
        _domain(one.text, targets[one.text], owner_of(one), proofs, now, needed, used, zones)
        for one in parsed
    ]
    proving = _proving(account_id, {one.name for one in found} | set(targets.values()), now)
    return [
        replace(one, proving=proving.get(one.authorization_domain) or proving.get(one.name, ""))
        for one in found
    ]


def _domain(
    name: str,
    target: str,
    owner: str,
    proofs: dict[str, Evidence],
    now: datetime,
    needed: dict[str, list[tuple[str, str]]],
    used: dict[str, int],
    zones: dict[str, DnsConnection],
) -> Domain:
    proof = proofs.get(target)
    if proof is not None and proof.name and proof.name != name:
        proof = None  # it proves one other name only
    zone = automatic.covering(zones, owner.lower()) if owner else None
    return Domain(
        name=name,
        authorization_domain=target,
        record_name=owner,
        proved_at=proof.at if proof else None,
        method=proof.method if proof else "",
        br_method=proof.br_method if proof else "",
        perspective=proof.perspective if proof else "",
        seen=proof.seen if proof else "",
        reuse=reuse_of(proof.at, now) if proof else (),
        chosen=tuple(dict.fromkeys(method for _, method in needed.get(name, ()))),
        needed_by=tuple(one for one, _ in needed.get(name, ()))[:_MOST_NEEDING],
        used_by=used.get(name, 0),
        connection=zones[zone].label if zone else "",
    )


def reuse_of(proved_at: datetime, now: datetime) -> tuple[Reuse, ...]:
    """One line an issuer that something can be bought from, by the policy of today (law 9)."""
    book, found = catalogue(), dict[tuple[str, str], Reuse]()
    for product in book.products:
        if not product.available:
            continue
        title = book.brands[product.brand].issuer_title or product.issuer
        days = in_force(book.profiles[product.profile].reuse, now.date())
        until = proved_at + timedelta(days=days)
        found.setdefault((title, product.profile), Reuse(title, product.profile, days, until))
    return tuple(found.values())


def _latest(account_id: str, domains: Sequence[str]) -> dict[str, Evidence]:
    found = Evidence.objects.filter(
        account_id=account_id, authorization_domain__in=list(domains), void_at__isnull=True
    ).order_by("at", "id")
    return {one.authorization_domain: one for one in found}


def _proving(account_id: str, names: Collection[str], now: datetime) -> dict[str, str]:
    """Authorisation domain -> method by which the account is proving it ahead of any order."""
    waiting = Challenge.objects.filter(
        account_id=account_id,
        application__isnull=True,
        authorization_domain__in=list(names),
        verified_at__isnull=True,
        value_made_at__gte=now - rules.VALUE_LIFE,
    )
    return dict(waiting.values_list("authorization_domain", "method"))


def _used(account_id: str, names: Sequence[str]) -> dict[str, int]:
    if not names:
        return {}
    marks = ",".join(["%s"] * len(names))
    found = sql.rows(
        "SELECT name, count(*) FROM certificates_certificatename"
        f" WHERE account_id = %s AND name IN ({marks}) GROUP BY name",
        [account_id, *names],
    )
    return {str(name): int(count) for name, count in found}


def _needed(account_id: str, names: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Name -> certificates that wait for its proof, each with the method that was chosen."""
    if not names:
        return {}
    marks = ",".join(["%s"] * len(names))
    found = sql.rows(
        "SELECT p.name, a.certificate_id, a.domain_method FROM applications_application a"
        " JOIN certificates_certificate c ON c.id = a.certificate_id"
        " JOIN validation_nameproof p ON p.application_id = a.id"
        f" WHERE c.account_id = %s AND c.state = 'CHECKING' AND a.state = 'OPEN' AND p.name IN ({marks})"
        " AND p.evidence_id IS NULL ORDER BY a.id",
        [account_id, *names],
    )
    waiting: dict[str, list[tuple[str, str]]] = {}
    for name, certificate_id, method in found:
        waiting.setdefault(str(name), []).append((str(certificate_id), str(method)))
    return waiting
