"""Reads of campaigns; the certificates of a query, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam.principal import Principal, Resource
from certdesk.lifecycle.applications.models import Application, ApplicationState, Purpose
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates import rules as certificate_rules
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.certificates.rows import like_pattern
from certdesk.lifecycle.certificates.states import ROLLS_OVER
from certdesk.lifecycle.deployment import queries as deployment
from certdesk.lifecycle.discovery import queries as endpoints
from certdesk.lifecycle.issuance.models import OutsideOrder
from certdesk.lifecycle.issuance.revocation_rules import Code
from certdesk.lifecycle.issuers.models import Issuer
from certdesk.lifecycle.issuers.rules import BUILT_IN
from certdesk.pki.authority import queries as authority
from certdesk.pki.authority.queries import Listing

from .errors import NoCampaign
from .models import Campaign, Item
from .rules import KEY_OF_A_CSR, Action, Query
from .states import AT_WORK, STARTED, UNDER_WAY, ItemState

LIST, GET = "scm:campaign:list", "scm:campaign:get"
SEE = "scm:cert:get"
SCANNED = 100
"""Certificates looked at in one page: a query that finds few is still many short transactions."""

_IN_FORCE = (
    "EXISTS (SELECT 1 FROM certificates_version f WHERE f.certificate_id = c.id AND f.revoked_at IS NULL"
    " AND f.not_after >= %s AND "
)


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate of a query, with its current version and at how many places it is served."""

    certificate_id: str
    owner_id: str
    domain: str
    issuer: str
    serial: str
    version: int
    places: int


def resource_of(account_id: str, campaign_id: str = "") -> Resource:
    return Resource("campaign", campaign_id, account_id)


def fetch(principal: Principal, action: str, campaign_id: str) -> Campaign:
    """Raises `NoCampaign` or Forbidden, as everywhere (law 5)."""
    found = Campaign.objects.filter(id=campaign_id).first()
    if found is None or not principal.owns(found.account_id):
        raise NoCampaign
    principal.require(action, resource_of(found.account_id, found.id))
    return found


def listed(principal: Principal) -> QuerySet[Campaign]:
    """The account's campaigns, newest first; the caller has asked for `scm:campaign:list`."""
    return Campaign.objects.filter(account_id=principal.account_id).order_by("-created_at", "-id")


def matching(principal: Principal, query: Query, after: str, now: datetime) -> tuple[list[Found], str]:
    """The next certificates of a query that the principal may see, and where the page ended; empty = no more.

    Args:
        after: where the page before ended.
    """
    visible, params = certificates.visible(principal, by_id=True)
    page = _page(principal.account_id, query, after)
    if not page:
        return [], ""
    conditions = [*visible, f"c.id IN ({sql.marks(page)})"]
    params = [*params, *page]
    for text, more in _conditions(principal.account_id, query, now):
        conditions.append(text)
        params += more
    where = " AND ".join(conditions)
    rows = sql.rows(
        "SELECT c.id, c.owner_id, c.domain, v.issuer, v.serial, v.number FROM certificates_certificate c"
        " JOIN certificates_version v ON v.certificate_id = c.id AND v.number = c.current_version"
        f" WHERE {where} ORDER BY c.id",
        params,
    )
    places = deployment.serving_counts(principal.account_id, [str(row[0]) for row in rows])
    found = [Found(*(*row, places.get(str(row[0]), 0))) for row in rows]
    return found, page[-1] if len(page) == SCANNED else ""


def _page(account_id: str, query: Query, after: str) -> list[str]:
    """Ids to look at next: those with the key, which an index names, or all of the account's."""
    keyed, params = "", [account_id, after]
    if query.key:
        keyed = " AND id IN (SELECT certificate_id FROM certificates_version WHERE spki_sha256 = %s)"
        params.append(query.key)
    found = sql.rows(
        f"SELECT id FROM certificates_certificate WHERE account_id = %s AND id > %s{keyed}"
        " ORDER BY id LIMIT %s",
        [*params, SCANNED],
    )
    return [str(row[0]) for row in found]


def _conditions(account_id: str, query: Query, now: datetime) -> list[tuple[str, list[object]]]:
    found: list[tuple[str, list[object]]] = []
    moment = clock.to_micros(now)
    if query.issuer:
        own = "f.issuer = %s" if ":" in query.issuer else "f.issuer LIKE %s"
        wanted = query.issuer if ":" in query.issuer else f"{query.issuer}:%"
        found.append((f"{_IN_FORCE}{own})", [moment, wanted]))
    if query.key:
        found.append((f"{_IN_FORCE}f.spki_sha256 = %s)", [moment, query.key]))
    if query.profile:
        profile, _, level = query.profile.partition(":")
        found.append(_of_profile(profile, moment))
        if level:
            found.append(("c.level = %s", [level.upper()]))
    if query.name:
        under = like_pattern(f".{query.name}").removesuffix("%")
        found.append(
            (
                "EXISTS (SELECT 1 FROM certificates_certificatename n WHERE n.certificate_id = c.id"
                " AND (n.name = %s OR n.name LIKE %s ESCAPE '!'))",
                [query.name, under],
            )
        )
    return found


def _of_profile(profile: str, moment: int) -> tuple[str, list[object]]:
    """What the built-in CA recorded with each, and what is known of an issuer outside as a whole."""
    outside = list(Issuer.objects.filter(profile=profile).order_by("slug").values_list("slug", flat=True))
    theirs = "".join(" OR f.issuer LIKE %s" for _ in outside)
    own = "EXISTS (SELECT 1 FROM authority_intent i WHERE i.serial = f.serial AND i.profile = %s)"
    return f"{_IN_FORCE}({own}{theirs}))", [moment, profile, *(f"{slug}:%" for slug in outside)]


def items(campaign: Campaign, state: str = "") -> QuerySet[Item]:
    """The frozen list, by id; the whole of it, or what stands in one state."""
    found = Item.objects.filter(campaign=campaign, round=campaign.round)
    return (found.filter(state=state) if state else found).order_by("id")


def to_leave(campaign: Campaign, *, replacing: bool) -> QuerySet[Item]:
    """What a cancelled campaign leaves as it is: what has not begun, and what waits for people or clients.

    Args:
        replacing: what is being replaced as well.
    """
    begun = Q(state__in=(ItemState.REPLACING, ItemState.DEPLOYING))
    idle = Q(state__in=(ItemState.WAITING, ItemState.RENEWING))
    return items(campaign).filter(idle | (begun if replacing else begun & ~Q(why="")))


def wants_replaced(account_id: str, certificate_id: str, version: int) -> bool:
    """Whether a campaign that was started wants this very version replaced or revoked, by the service or,
    where its key is elsewhere, by whoever has it; or asks the client once more that has got it."""
    mine = Q(state__in=(ItemState.WAITING, *UNDER_WAY, ItemState.DONE)) | Q(why=KEY_OF_A_CSR)
    mine |= Q(client=True, state=ItemState.FAILED, begun_at__isnull=False)
    mine &= Q(certificate_id=certificate_id, version=version)
    again = ~Q(asked_again="") & Q(asked_again=certificate_id)  # as the index says it
    found = Item.objects.filter(
        mine | again,
        round=F("campaign__round"),
        campaign__account_id=account_id,
        campaign__state__in=STARTED,
    )
    return found.exclude(campaign__action=Action.DRILL).exists()


def begun_since(campaign: Campaign, since: datetime, issuer: str = "") -> int:
    """How many the service itself has begun since then: of those that ACME clients renew, their revocations
    alone; what is asked of clients, and what they get, costs the campaign nothing."""
    ours = Q(client=False)
    if campaign.action == Action.REPLACE_AND_REVOKE:
        ours |= Q(state__in=(ItemState.REVOKING, ItemState.DONE))
    found = Item.objects.filter(ours, campaign=campaign, begun_at__gt=since)
    return (found.filter(issuer=issuer) if issuer else found).count()


def at_work(campaign: Campaign) -> tuple[int, int]:
    """How many are under way here, and how many wait at CAs outside.

    An ACME client's count nowhere, and what stands still (for a proof) keeps no place from others here.
    """
    away = Q(Exists(_at_a_ca(OuterRef("certificate_id")))) | _to_be_revoked_outside()
    found = items(campaign).filter(state__in=AT_WORK).order_by().annotate(away=away)
    counted = found.aggregate(
        here=Count("id", filter=Q(away=False, why="")), there=Count("id", filter=Q(away=True))
    )
    return counted["here"], counted["there"]


def is_at_work(campaign: Campaign) -> bool:
    """Whether anything is under way here that does not stand still."""
    return items(campaign).filter(~_to_be_revoked_outside(), state__in=AT_WORK, why="").exists()


def _to_be_revoked_outside() -> Q:
    """Items whose CA outside still has to revoke them: it takes its time, and is asked again by itself."""
    in_force = Version.objects.filter(
        certificate_id=OuterRef("certificate_id"), revoked_at=None, not_after__gte=clock.now()
    )
    outside = in_force.exclude(issuer__startswith=f"{BUILT_IN}:")
    return Q(state=ItemState.REVOKING) & Q(Exists(outside))


def is_outside(certificate_id: str) -> bool:
    """Whether a CA outside has its order; what that one waits for, its own pages and mails say."""
    return _at_a_ca(certificate_id).exists()


def _at_a_ca(certificate_id: object) -> QuerySet[OutsideOrder]:
    """Orders that CAs outside have and may still fulfil; of one certificate, or of an outer query's."""
    return OutsideOrder.objects.filter(certificate_id=certificate_id, live=True, asked_at__isnull=False)


def gives_up(campaign: Campaign, version: Version) -> bool:
    """Whether the campaign takes the version's key out of use, so that nothing with it is a replacement: its
    query names the key, or keys are compromised and something on its list has this one."""
    if version.spki_sha256 == campaign.query.get("key"):
        return True
    if campaign.reason_code != Code.KEY_COMPROMISE:
        return False
    mine = items(campaign).filter(certificate_id=OuterRef("certificate_id"), version__gte=OuterRef("number"))
    return Version.objects.filter(Exists(mine), spki_sha256=version.spki_sha256).exists()


def seen_at(account_id: str, serial: str) -> int:
    """At how many places scans see a certificate that no target of ours has."""
    return endpoints.seen([account_id], [serial]).filter(binding_id="").count()


def to_advance(campaign: Campaign) -> QuerySet[Item]:
    """Replacements with something to do now: the new version is there, or nothing asks for one any more."""
    wanted = Application.objects.filter(
        certificate_id=OuterRef("certificate_id"), state=ApplicationState.OPEN, purpose=Purpose.ROLLOVER
    )
    open_ones = items(campaign).filter(state__in=(ItemState.REPLACING, ItemState.DEPLOYING))
    there = Q(certificate__current_version__gt=F("version"))
    otherwise = ~Q(certificate__state__in=ROLLS_OVER)
    return (
        open_ones.filter(there | otherwise | ~Exists(wanted))
        .select_related("certificate")
        .order_by("looked_at", "id")
    )


def owners(campaign: Campaign) -> list[tuple[str, int]]:
    """(owner, how many certificates) of those that the campaign touches."""
    rows = items(campaign).exclude(state=ItemState.CANNOT).values_list("owner_id").annotate(Count("id"))
    return [(str(owner), int(count)) for owner, count in rows.order_by("owner_id")]


def reasons(campaign: Campaign) -> list[tuple[str, int]]:
    """Why certificates are left out or failed, and how many for each, most first."""
    told = items(campaign).exclude(why="").values_list("why").annotate(many=Count("id"))
    return [(str(why), int(count)) for why, count in told.order_by("-many", "why")[:20]]


def seen(principal: Principal, found: Sequence[Item]) -> list[Item]:
    """Those whose certificate the principal may look at; deleted ones count as well, for the record."""
    rows = Certificate.objects.in_bulk([one.certificate_id for one in found])
    return [
        one for one in found if principal.may(SEE, certificate_rules.resource_of(rows[one.certificate_id]))
    ]


def revoked_at(found: Sequence[Item]) -> Mapping[str, datetime]:
    """By serial: when a version was revoked, whoever its CA is."""
    ids = {one.certificate_id for one in found}
    rows = Version.objects.filter(certificate_id__in=ids).values_list("serial", "revoked_at")
    return {serial: moment for serial, moment in rows if moment is not None}


def proofs(found: Sequence[Item]) -> Mapping[str, Listing]:
    """By serial: since when the world is told, by OCSP, and the number of the CRL that shows it."""
    return authority.listings([one.serial for one in found])
