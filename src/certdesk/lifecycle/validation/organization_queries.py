"""The officers' queue and one organisation in detail (API §10, organisation queue)."""

from dataclasses import dataclass
from datetime import datetime, time

from certdesk.foundation.common import clock, sql
from certdesk.foundation.common.errors import BadParameter, NotFound, WrongState
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.catalogue import queries as catalogues
from certdesk.lifecycle.catalogue import working_days
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.working_days import Promise
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.rows import columns

from . import officers, organization_method, organization_rules, proofs
from .models import (
    OrganizationDecision,
    OrganizationDocument,
    OrganizationReuse,
    OrganizationState,
    OrganizationVerification,
)
from .organization_rules import Item

LIST = "scm:organization:list"
PAGE_SIZES = (10, 20, 50)
COUNT_UP_TO = 1_000
STATUSES = tuple(state.value for state in OrganizationState)
LEVELS = ("OV", "EV")
SEARCH_LIMIT = 100
COLUMNS = columns(by_id=True)
"""The queue leads: by the account's index of certificates a count would read the whole inventory."""
_FROM = (
    "validation_organizationverification v"
    " JOIN certificates_certificate c ON c.id = v.certificate_id AND c.state <> 'DELETED'"
    " JOIN applications_application a ON a.id = v.application_id"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What the queue shows.

    Attributes:
        status: one of `STATUSES`, or several parted by commas.
        level: OV or EV. method: one of `organization_method.METHODS`. Empty = any.
        content: a part of the company's or the domain's name.
        late: only those that wait longer than their type promises.
    """

    status: str = "PENDING"
    level: str = ""
    method: str = ""
    content: str = ""
    late: bool = False

    def check(self) -> None:
        """Raises BadParameter for what the queue cannot be filtered by."""
        offered = (
            ("status", self.status.split(","), STATUSES),
            ("level", [self.level] if self.level else [], LEVELS),
            ("method", [self.method] if self.method else [], organization_method.METHODS),
        )
        for field, given, known in offered:
            if not set(given) <= set(known):
                raise BadParameter(
                    f"The {field} is not known.", next_step=f"Use one of: {', '.join(known)}.", field=field
                )
        if len(self.content) > SEARCH_LIMIT:
            raise BadParameter("The text to look for is too long.", next_step="Shorten it.", field="content")


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """A document as the pages list it; `name` is empty once its content is gone."""

    id: int
    name: str
    kind: str
    size: int
    uploaded_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DecisionLine:
    officer: str
    approved: bool
    checked: tuple[str, ...]
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrganizationInfo:
    """One organisation as an officer sees it.

    Attributes:
        company: name, unit, province, city, country as they were given.
        names: the domain names of the application, primary first.
        ended_at: when it was settled or withdrawn.
        decisions_needed: approvals still wanted; 0 once it is settled.
        decided_by_me: this officer has decided; while it waits, it waits for another one.
        may_decide: False for the applicant and for who has decided already; `why_not` says which.
        method_chosen: the applicant has chosen; else `method` is what is done without a choice.
        promise: the promised period in working days and how much of it has passed, while it waits.
    """

    certificate: Certificate
    certificate_id: str
    domain: str
    names: tuple[str, ...]
    type: str
    level: str
    status: str
    method: str
    company: dict[str, str]
    waiting_since: datetime
    ended_at: datetime | None
    checklist: tuple[Item, ...]
    decisions: tuple[DecisionLine, ...]
    decisions_needed: int
    may_decide: bool
    why_not: str
    decided_by_me: bool
    method_chosen: bool
    documents: tuple[DocumentLine, ...]
    promise: Promise | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    items: list[OrganizationInfo]
    next_marker: str | None


def queue(
    principal: Principal,
    *,
    status: str = "PENDING",
    level: str = "",
    method: str = "",
    content: str = "",
    late: bool = False,
    marker: str | None = None,
    limit: int = 10,
    now: datetime | None = None,
) -> QueuePage:
    """Organisations of the principal's certificates, those that wait longest first.

    Args:
        status, level, method, content, late: see `Filter`.

    Raises:
        BadParameter: a filter, limit or marker that is not one of ours.
    """
    if limit not in PAGE_SIZES:
        raise BadParameter(f"limit {limit} is not offered.", next_step="Use 10, 20 or 50.", field="limit")
    wanted = Filter(status, level, method, content.strip(), late)
    wanted.check()
    moment = now or clock.now()
    where, params = _visible(principal, wanted.status.split(","))
    more, values = _filtered(wanted, moment)
    found = sql.rows(
        f"SELECT v.id FROM {_FROM} WHERE {where}{more} AND v.id > %s ORDER BY v.id LIMIT %s",
        [*params, *values, _from_marker(marker), limit + 1],
    )
    ids = [int(row[0]) for row in found]
    verifications = (
        OrganizationVerification.objects.filter(id__in=ids[:limit])
        .select_related("application__certificate")
        .prefetch_related("decisions", "documents")
        .order_by("id")
    )
    items = [_info(principal, one, moment) for one in verifications]
    return QueuePage(items, str(ids[limit - 1]) if len(ids) > limit else None)


def _filtered(wanted: Filter, now: datetime) -> tuple[str, list[object]]:
    """Further conditions as SQL, each with ` AND ` before it."""
    text, params = "", list[object]()
    if wanted.level:
        text, params = text + " AND v.level = %s", [*params, wanted.level]
    if wanted.method:
        text, params = text + " AND v.method = %s", [*params, wanted.method]
    if wanted.content:
        company = "json_extract(a.company, '$.name')" if sql.is_sqlite() else "(a.company ->> 'name')"
        plain = wanted.content.lower().replace("^", "^^").replace("%", "^%").replace("_", "^_")
        text += f" AND (LOWER({company}) LIKE %s ESCAPE '^' OR a.names LIKE %s ESCAPE '^')"
        params += [f"%{plain}%", f"%{plain}%"]
    if wanted.late:
        cuts = _late_cuts(now)
        text += (
            " AND ("
            + (" OR ".join(["c.brand = %s AND c.type = %s AND v.created_at < %s"] * len(cuts)) or "1 = 0")
            + ")"
        )
        params += [part for cut in cuts for part in cut]
    return text, params


def _late_cuts(now: datetime) -> list[tuple[str, str, int]]:
    """Each brand and type with the moment (microseconds) before which a request is late."""
    cuts = []
    book = catalogue()
    for brand in book.brands:
        region = catalogues.region(brand)
        for code, kind in book.types.items():
            if kind.approval_days is not None:
                day = organization_rules.late_from(kind.approval_days[1], now, region)
                cuts.append((brand, code, clock.to_micros(datetime.combine(day, time(), region.zone))))
    return cuts


def pending(principal: Principal) -> int:
    """How many wait for this officer, counted up to `COUNT_UP_TO`; where he has decided, another one must."""
    where, params = _visible(principal, [OrganizationState.PENDING.value])
    where += (
        " AND NOT EXISTS (SELECT 1 FROM validation_organizationdecision d"
        " WHERE d.verification_id = v.id AND d.officer_id = %s)"
    )
    params = [*params, principal.user_id]
    few = f"SELECT 1 FROM {_FROM} WHERE {where} LIMIT {COUNT_UP_TO}"
    return int((sql.row(f"SELECT COUNT(*) FROM ({few}) few", params) or (0,))[0])


def _visible(principal: Principal, states: list[str]) -> tuple[str, list[object]]:
    text, params = iam.where(principal, LIST, COLUMNS)
    if principal.account_id:
        text, params = f"v.account_id = %s AND {text}", [principal.account_id, *params]
    return f"{text} AND v.state IN ({sql.marks(states)})", [*params, *states]


def _from_marker(marker: str | None) -> int:
    if not marker:
        return 0
    if not (marker.isascii() and marker.isdigit() and len(marker) < 19):
        raise BadParameter(
            "marker is not one that this list gave.", next_step="Start without it.", field="marker"
        )
    return int(marker)


def show(
    principal: Principal, certificate_id: str, action: str = LIST, *, now: datetime | None = None
) -> OrganizationInfo:
    """The last verification of a certificate's organisation.

    Raises:
        NotFound, Forbidden: from `certificates.fetch`, or the organisation was never up for verification.
    """
    certificates.fetch(principal, action, certificate_id)
    found = (
        OrganizationVerification.objects.filter(certificate_id=certificate_id)
        .select_related("application__certificate")
        .prefetch_related("decisions", "documents")
        .order_by("-id")
        .first()
    )
    if found is None:
        raise NotFound(
            "No organization of this certificate was ever up for verification.",
            next_step="Open the queue of organization verifications.",
        )
    return _info(principal, found, now or clock.now())


def _info(principal: Principal, found: OrganizationVerification, now: datetime) -> OrganizationInfo:
    application = found.application
    decisions = sorted(found.decisions.all(), key=lambda one: one.id)
    pending = found.state == OrganizationState.PENDING
    why_not = _why_not(principal, found, decisions) if pending else "It is settled already."
    return OrganizationInfo(
        certificate=application.certificate,
        certificate_id=found.certificate_id,
        domain=application.names.partition(";")[0],
        names=tuple(application.names.split(";")),
        type=application.certificate.type,
        level=found.level,
        status=found.state,
        method=found.method,
        company=dict(application.company),
        waiting_since=found.created_at,
        ended_at=found.ended_at,
        checklist=organization_rules.checklist(
            found.level, numbered=bool(application.company.get("registration_number"))
        ),
        decisions=tuple(_line(one) for one in decisions),
        decisions_needed=organization_rules.approvals_needed(found.level) - len(decisions) if pending else 0,
        may_decide=pending and not why_not,
        why_not=why_not,
        decided_by_me=any(one.officer_id == principal.user_id for one in decisions),
        method_chosen=found.method_at is not None,
        documents=tuple(_document(one) for one in sorted(found.documents.all(), key=lambda one: one.id)),
        promise=_promise(found, now) if pending else None,
    )


def _why_not(
    principal: Principal, found: OrganizationVerification, decisions: list[OrganizationDecision]
) -> str:
    officer, before = officers.acting(principal), [officers.decided(one) for one in decisions]
    sides = (officers.applicant(found.application), *officers.showing(found))
    return next(filter(None, (organization_rules.why_not(officer, one, before) for one in sides)), "")


def _promise(found: OrganizationVerification, now: datetime) -> Promise | None:
    certificate = found.application.certificate
    kind = catalogue().types.get(certificate.type)
    if kind is None or kind.approval_days is None:
        return None
    region = catalogues.region(certificate.brand)
    return working_days.promise(kind.approval_days, found.created_at, now, region)


def _document(one: OrganizationDocument) -> DocumentLine:
    return DocumentLine(one.id, one.name, one.kind, one.size, one.uploaded_at, one.removed_at)


def _line(decision: OrganizationDecision) -> DecisionLine:
    return DecisionLine(
        decision.officer_name,
        decision.approved,
        tuple(decision.checked),
        decision.reason,
        decision.at,
    )


def lock_pending(certificate_id: str) -> OrganizationVerification:
    """The pending verification, held, so that officers decide one after the other.

    The application is held before it, as everywhere: a withdrawal at the same moment makes no deadlock.

    Raises:
        NotFound: the organisation was never up for verification. WrongState: it is not waiting any more.
    """
    newest = OrganizationVerification.objects.filter(certificate_id=certificate_id).order_by("-id")
    verification = newest.first()
    if verification is not None:
        proofs.lock(verification.application_id)
        verification = newest.select_for_update().first()
    if verification is None:
        raise NotFound(
            "No organization of this certificate was ever up for verification.",
            next_step="Open the queue of organization verifications.",
        )
    if verification.state != OrganizationState.PENDING:
        raise WrongState(
            f"The organization is not waiting for a decision: it is {verification.state.lower()}.",
            next_step="Open the queue of organization verifications.",
        )
    return verification


@dataclass(frozen=True, slots=True)
class Leaned:
    """An approval of before that an application leaned on (ORG-4)."""

    certificate_id: str
    approved_at: datetime | None
    officers: tuple[str, ...]


def leaned(application_id: int) -> Leaned | None:
    """Which approval made the check of this application needless, if one did."""
    found = (
        OrganizationReuse.objects.filter(application_id=application_id).select_related("verification").first()
    )
    if found is None:
        return None
    names = found.verification.decisions.order_by("id").values_list("officer_name", flat=True)
    return Leaned(found.verification.certificate_id, found.verification.ended_at, tuple(names))


def approving(application_id: int) -> OrganizationVerification | None:
    """The check that stands for the organisation of an application: its own, or the one it leaned on."""
    own = OrganizationVerification.objects.filter(application_id=application_id).first()
    if own is not None:
        return own
    return OrganizationVerification.objects.filter(reuses__application_id=application_id).first()
