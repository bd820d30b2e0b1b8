"""Reads of scans and endpoints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.deployment.models import Binding

from . import rules
from .errors import NoEndpoint, NoScan
from .models import Endpoint, Repeat, Scan, ScanState
from .rules import Facts, Place, Plan, Verdict

LIST, GET = "scm:scan:list", "scm:scan:get"
MOST_BINDINGS = 2_000
MOST_PLACES_OF_TARGETS = 5_000
_MOST_NAMES = 100


def resource_of(account_id: str, scan_id: str = "") -> Resource:
    return Resource("scan", scan_id, account_id)


def listed(principal: Principal) -> "QuerySet[Scan]":
    """The account's scans, newest first."""
    principal.require(LIST, resource_of(principal.account_id))
    return Scan.objects.filter(account_id=principal.account_id).order_by("-created_at", "-id")


def behind(found: "QuerySet[Scan]", last: Scan) -> "QuerySet[Scan]":
    """What stands behind `last` in the list."""
    return found.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.id))


def fetch(principal: Principal, action: str, scan_id: str) -> Scan:
    """The scan, if the principal may do `action` with it (law 5).

    Raises:
        NoScan: missing or of another account. Forbidden: no policy allows the action.
    """
    found = Scan.objects.filter(id=scan_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NoScan
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def fetch_endpoint(principal: Principal, action: str, endpoint_id: str) -> Endpoint:
    """Raises: NoEndpoint, Forbidden, as `fetch`."""
    found = Endpoint.objects.filter(id=endpoint_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NoEndpoint
    principal.require(action, resource_of(found.account_id, found.scan_id))
    return found


def endpoints(
    principal: Principal, now: datetime, *, verdict: str = "", scan_id: str = "", text: str = ""
) -> "QuerySet[Endpoint]":
    """The account's endpoints, those first that end first; what is gone only where it is asked for.

    Args:
        verdict: one of `rules.Verdict`, all of which an endpoint may have several.
        text: a part of host, name or address.

    Raises:
        BadParameter: no such verdict.
    """
    principal.require(LIST, resource_of(principal.account_id))
    if verdict and verdict not in set(Verdict):
        raise BadParameter(
            f"There is no verdict {verdict[:20]!r}.", next_step=f"Use {', '.join(Verdict)}.", field="verdict"
        )
    found = Endpoint.objects.filter(account_id=principal.account_id, gone=verdict == Verdict.GONE)
    if verdict not in ("", Verdict.GONE):
        found = found.filter(having(Verdict(verdict), now))
    if scan_id:
        found = found.filter(scan_id=scan_id)
    if text:
        found = found.filter(Q(host__icontains=text) | Q(name__icontains=text) | Q(address__contains=text))
    return found.order_by("not_after", "id")


def having(verdict: Verdict, now: datetime) -> Q:
    """The same as `rules.verdicts`, for the database."""
    ours = ~Q(certificate_id="")
    conditions = {
        Verdict.REVOKED: Q(revoked=True),
        Verdict.EXPIRED: Q(not_after__lt=now),
        Verdict.MISMATCHED: Q(mismatched=True),
        Verdict.EXPIRING: Q(not_after__gte=now, not_after__lt=now + rules.SOON),
        Verdict.SELF_SIGNED: Q(self_signed=True),
        Verdict.CHAIN: ~Q(chain_problem=""),
        Verdict.OLD: ours & Q(current=False, revoked=False),
        Verdict.UNKNOWN: Q(certificate_id=""),
    }
    good = ours & Q(
        current=True,
        revoked=False,
        mismatched=False,
        self_signed=False,
        chain_problem="",
        not_after__gte=now + rules.SOON,
    )
    return conditions.get(verdict, good)


def after(found: "QuerySet[Endpoint]", marker: str) -> "QuerySet[Endpoint]":
    """The page behind `marker`, as `marker_of` gave it.

    Raises:
        BadParameter: a marker that no list gave.
    """
    moment, _, last = marker.partition("-")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 18 and last.isalnum()):
        raise BadParameter(
            "marker is not one that this list gave.", next_step="Start without a marker.", field="marker"
        )
    until = clock.from_micros(int(moment))
    return found.filter(Q(not_after__gt=until) | Q(not_after=until, id__gt=last))


def marker_of(last: Endpoint) -> str:
    return f"{clock.to_micros(last.not_after)}-{last.id}"


def facts_of(one: Endpoint) -> Facts:
    return Facts(
        not_after=one.not_after,
        known=bool(one.certificate_id),
        current=one.current,
        revoked=one.revoked,
        mismatched=one.mismatched,
        self_signed=one.self_signed,
        chain_problem=bool(one.chain_problem),
        gone=one.gone,
    )


def counts(principal: Principal, now: datetime) -> dict[str, int]:
    """How many endpoints have each verdict, in one statement; the key "" counts all that are not gone."""
    principal.require(LIST, resource_of(principal.account_id))
    found = Endpoint.objects.filter(account_id=principal.account_id)
    asked = {
        one.value: Count("id", filter=having(one, now) & Q(gone=False))
        for one in Verdict
        if one is not Verdict.GONE
    }
    told: dict[str, int] = found.aggregate(
        **asked, gone_ones=Count("id", filter=Q(gone=True)), every=Count("id", filter=Q(gone=False))
    )
    told[Verdict.GONE.value], told[""] = told.pop("gone_ones"), told.pop("every")
    return told


def plan_of(scan: Scan) -> Plan:
    """Raises: BadParameter, as `rules.plan`: the operator may have closed a network since."""
    return rules.plan(scan.ranges, scan.ports, scan.sni, scan.protocol, settings.get().allow_networks)


def places_of_targets(account_id: str) -> list[Place]:
    """What the account's connected targets serve, by their listeners and names; in a steady order."""
    rows = Binding.objects.filter(account_id=account_id, gone=False).order_by("id")
    found = [
        place
        for one in rows.only("id", "names", "listeners")[:MOST_BINDINGS]
        for listener in one.listeners
        for name in one.names or [""]
        if (place := rules.place_of(listener, name)) is not None
    ]
    return list(dict.fromkeys(found))[:MOST_PLACES_OF_TARGETS]


def known_places(account_id: str, places: Sequence[Place]) -> frozenset[Place]:
    """Those of a page's places where an endpoint was seen before and is not gone."""
    rows = Endpoint.objects.filter(
        account_id=account_id,
        host__in={one.host for one in places},
        port__in={one.port for one in places},
        gone=False,
    )
    seen = set(rows.values_list("host", "port", "name", "protocol"))
    return frozenset(one for one in places if (one.host, one.port, one.name, one.protocol.value) in seen)


def bindings(account_id: str) -> dict[tuple[str, int, str], str]:
    """Ids of bindings by host, port and name of what they serve."""
    rows = Binding.objects.filter(account_id=account_id, gone=False).order_by("id")[:MOST_BINDINGS]
    return {
        (place.host, place.port, place.name): one.id
        for one in rows
        for listener in one.listeners
        for name in one.names or [""]
        if (place := rules.place_of(listener, name)) is not None
    }


@dataclass(frozen=True, slots=True)
class Known:
    """A version of one of the account's certificates."""

    certificate_id: str
    number: int
    current: bool
    revoked: bool


def known(account_id: str, fingerprint: str, names: Sequence[str]) -> Known | None:
    """The account's certificate with that fingerprint, whoever may look at it: found by its names."""
    given = [one.lower() for one in names[:_MOST_NAMES]]
    if not given:
        return None
    found = sql.row(
        "SELECT c.id, v.number, c.current_version, v.revoked_at FROM certificates_version v"
        " JOIN certificates_certificate c ON c.id = v.certificate_id"
        " WHERE v.fingerprint_sha256 = %s AND c.state <> 'DELETED' AND c.id IN"
        f" (SELECT n.certificate_id FROM certificates_certificatename n WHERE n.account_id = %s"
        f" AND n.name IN ({sql.marks(given)})) ORDER BY c.id LIMIT 1",
        [fingerprint, account_id, *given],
    )
    if found is None:
        return None
    return Known(str(found[0]), int(found[1]), found[1] == found[2], found[3] is not None)


def seen(account_ids: Iterable[str], serials: Iterable[str]) -> "QuerySet[Endpoint]":
    """Where scans saw versions with these serial numbers when they looked last; by host and port."""
    found = Endpoint.objects.filter(account_id__in=set(account_ids), serial__in=set(serials), gone=False)
    return found.order_by("host", "port")


def serving(certificates: Sequence[Certificate]) -> frozenset[str]:
    """Ids of those among these of which a scan saw any version served somewhere last."""
    if not certificates:
        return frozenset()
    ids = [one.id for one in certificates]
    serials = Version.objects.filter(certificate_id__in=ids).values_list("serial", flat=True)
    found = seen((one.account_id for one in certificates), serials).filter(certificate_id__in=ids)
    return frozenset(found.order_by().values_list("certificate_id", flat=True))


def brought_up_to_date(found: Iterable[Endpoint]) -> list[Endpoint]:
    """A page of them, with what the inventory says of their versions now; nothing is written."""
    page = list(found)
    ours = {one.certificate_id for one in page if one.certificate_id}
    rows = Version.objects.filter(certificate_id__in=ours).values_list(
        "certificate_id", "number", "revoked_at", "certificate__current_version"
    )
    now = {(one, number): (number == current, revoked is not None) for one, number, revoked, current in rows}
    for one in page:
        if one.certificate_id:
            one.current, one.revoked = now.get((one.certificate_id, one.number), (one.current, one.revoked))
    return page


def due(now: datetime, most: int) -> list[Scan]:
    """Scans whose time has come."""
    found = Scan.objects.filter(next_at__lte=now).exclude(repeat=Repeat.ONCE)
    return list(found.exclude(state=ScanState.RUNNING).order_by("next_at", "id")[:most])
