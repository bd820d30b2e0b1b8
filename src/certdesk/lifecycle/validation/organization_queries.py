"""The officers' queue and one organisation in detail (API §10, organisation queue)."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import sql
from certdesk.foundation.common.errors import BadParameter, NotFound
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import queries as certificates
from certdesk.lifecycle.certificates.models import Certificate

from . import organization_rules
from .models import OrganizationDecision, OrganizationState, OrganizationVerification
from .organization_rules import Item, Officer

LIST = "scm:organization:list"
PAGE_SIZES = (10, 20, 50)
COUNT_UP_TO = 1_000
STATUSES = tuple(state.value for state in OrganizationState)
_FROM = (
    "validation_organizationverification v"
    " JOIN certificates_certificate c ON c.id = v.certificate_id AND c.state <> 'DELETED'"
)


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
        may_decide: False for the applicant and for who has decided already; `why_not` says which.
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


@dataclass(frozen=True, slots=True)
class QueuePage:
    items: list[OrganizationInfo]
    next_marker: str | None


def queue(
    principal: Principal, *, status: str = "PENDING", marker: str | None = None, limit: int = 10
) -> QueuePage:
    """Organisations of the principal's certificates, those that wait longest first.

    Args:
        status: one of `STATUSES`, or several parted by commas.

    Raises:
        BadParameter: a status, limit or marker that is not one of ours.
    """
    if limit not in PAGE_SIZES:
        raise BadParameter(f"limit {limit} is not offered.", next_step="Use 10, 20 or 50.", field="limit")
    wanted = status.split(",")
    if not set(wanted) <= set(STATUSES):
        raise BadParameter(
            "The status is not known.", next_step=f"Use one of: {', '.join(STATUSES)}.", field="status"
        )
    where, params = _visible(principal, wanted)
    found = sql.rows(
        f"SELECT v.id FROM {_FROM} WHERE {where} AND v.id > %s ORDER BY v.id LIMIT %s",
        [*params, _from_marker(marker), limit + 1],
    )
    ids = [int(row[0]) for row in found]
    verifications = (
        OrganizationVerification.objects.filter(id__in=ids[:limit])
        .select_related("application__certificate")
        .prefetch_related("decisions")
        .order_by("id")
    )
    items = [_info(principal, one) for one in verifications]
    return QueuePage(items, str(ids[limit - 1]) if len(ids) > limit else None)


def pending(principal: Principal) -> int:
    """How many wait for an officer, counted up to `COUNT_UP_TO`."""
    where, params = _visible(principal, [OrganizationState.PENDING.value])
    few = f"SELECT 1 FROM {_FROM} WHERE {where} LIMIT {COUNT_UP_TO}"
    return int((sql.row(f"SELECT COUNT(*) FROM ({few}) few", params) or (0,))[0])


def _visible(principal: Principal, states: list[str]) -> tuple[str, list[object]]:
    text, params = iam.where(
        principal,
        LIST,
        project_column="c.enterprise_project_id",
        account_column="c.account_id",
        id_column="c.id",
        owner_column="c.owner_id",
    )
    marks = ",".join(["%s"] * len(states))
    return f"{text} AND v.state IN ({marks})", [*params, *states]


def _from_marker(marker: str | None) -> int:
    if not marker:
        return 0
    if not (marker.isascii() and marker.isdigit() and len(marker) < 19):
        raise BadParameter(
            "marker is not one that this list gave.", next_step="Start without it.", field="marker"
        )
    return int(marker)


def show(principal: Principal, certificate_id: str, action: str = LIST) -> OrganizationInfo:
    """The last verification of a certificate's organisation.

    Raises:
        NotFound, Forbidden: from `certificates.fetch`, or the organisation was never up for verification.
    """
    certificates.fetch(principal, action, certificate_id)
    found = (
        OrganizationVerification.objects.filter(certificate_id=certificate_id)
        .select_related("application__certificate")
        .prefetch_related("decisions")
        .order_by("-id")
        .first()
    )
    if found is None:
        raise NotFound(
            "No organization of this certificate was ever up for verification.",
            next_step="Open the queue of organization verifications.",
        )
    return _info(principal, found)


def _info(principal: Principal, found: OrganizationVerification) -> OrganizationInfo:
    application = found.application
    decisions = sorted(found.decisions.all(), key=lambda one: one.id)
    pending = found.state == OrganizationState.PENDING
    why_not = organization_rules.why_not(
        Officer(principal.user_id, principal.access_key),
        Officer(application.submitted_by, application.submitted_key),
        [Officer(one.officer_id, one.officer_key) for one in decisions],
    )
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
        why_not=why_not if pending else "It is settled already.",
    )


def _line(decision: OrganizationDecision) -> DecisionLine:
    return DecisionLine(
        decision.officer_name,
        decision.approved,
        tuple(decision.checked),
        decision.reason,
        decision.at,
    )
