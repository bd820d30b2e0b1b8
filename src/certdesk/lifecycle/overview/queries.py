"""The figures of one principal, each counted by the very conditions of the list that it leads to.

Counts stop at `COUNT_UP_TO`, so that a figure costs the same in an inventory of any size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from certdesk.foundation.approvals import queries as approvals
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import attention, narrowing
from certdesk.lifecycle.certificates.attention import Condition, Tab, console_page
from certdesk.lifecycle.certificates.narrowing import Narrow
from certdesk.lifecycle.certificates.rows import LIST, Row, status_condition
from certdesk.lifecycle.certificates.states import ROWS, State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.issuance import queries as issuance
from certdesk.lifecycle.validation import ending, organization_queries
from certdesk.lifecycle.validation.domains import LIST as LIST_DOMAINS

from . import links, rules
from .rules import NEAR, WEEK, Span

MOST_NEEDS = 20
WAYS = ("on", "client", "off")
STATES = tuple(state for state in ROWS if state is not State.DELETED)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and the list that shows what it counts.

    Attributes:
        count: exact below `attention.COUNT_UP_TO`; at it "this many or more".
        path: of the console, with the filter set.
    """

    count: int
    path: str

    @property
    def more(self) -> bool:
        return self.count >= attention.COUNT_UP_TO


@dataclass(frozen=True, slots=True)
class Week:
    """Certificates in force that end in the span."""

    span: Span
    figure: Figure


@dataclass(frozen=True, slots=True)
class Overview:
    """What a principal may see; what it may not see is None, or missing.

    Attributes:
        needs: certificates that wait for the applicant, the most urgent first, at most `MOST_NEEDS`.
        tabs: as the list's tabs.
        states: those that there are.
        by_itself, by_client, by_hand: ending within 30 days; auto-renewal replaces them, the ACME clients
            that ordered them do, or nothing does.
        proofs: authorisation domains whose last proof can be reused for 30 days more at most.
        unserved: certificates that some place should serve and does not.
        drifted: places that serve something else than they should, where there is one.
        issued: issued or renewed within seven days; `served`: deployments that succeeded in them.
        at_ca: certificates that wait for the CA; `ca_since`: since when the first of them waits.
        organizations, decisions: requests that wait for this officer, or for this person's decision.
    """

    at: datetime
    needs: tuple[Row, ...] = ()
    tabs: dict[Tab, Figure] | None = None
    states: tuple[tuple[State, Figure], ...] = ()
    weeks: tuple[Week, ...] = ()
    by_itself: Figure | None = None
    by_client: Figure | None = None
    by_hand: Figure | None = None
    proofs: Figure | None = None
    unserved: Figure | None = None
    drifted: Figure | None = None
    issued: Figure | None = None
    served: Figure | None = None
    at_ca: Figure | None = None
    ca_since: datetime | None = None
    organizations: Figure | None = None
    decisions: Figure | None = None

    @property
    def anything(self) -> bool:
        """Whether the principal may see any part."""
        return any((self.tabs, self.proofs, self.organizations, self.served))

    @property
    def empty(self) -> bool:
        """Whether there is no certificate yet of those that it may see."""
        return self.tabs is not None and not self.tabs[Tab.ALL].count

    @property
    def ca_late(self) -> bool:
        return self.ca_since is not None and self.at - self.ca_since > rules.CA_LATE


def take(principal: Principal, now: datetime) -> Overview:
    """All figures at one moment; the parts that the principal has no right to are left out."""
    may = principal.may
    found = Overview(
        at=now,
        proofs=_proofs(principal, now) if may(LIST_DOMAINS) else None,
        served=_served(principal, now) if may(deployments.DEPLOY) else None,
        organizations=_organizations(principal) if may(organization_queries.LIST) else None,
        decisions=_decisions(principal),
    )
    if not may(LIST):
        return found
    unserved = _unserved(principal, now) if may(deployments.LIST_BINDINGS) else None
    drifted = _drifted(principal) if may(deployments.LIST_BINDINGS) else None
    return replace(_with_certificates(found, principal), unserved=unserved, drifted=drifted)


def _with_certificates(found: Overview, principal: Principal) -> Overview:
    """What one statement counts over the inventory, and what waits for somebody."""
    now, today = found.at, rules.midnight(found.at)
    near, since, spans = Span(today, today + NEAR), today - WEEK, rules.weeks(now)
    wanted = [
        *([*_ends(near, now), *renewing(way)] for way in WAYS),
        narrowing.conditions(Narrow(issued_since=since), now),
        *(_ends(span, now) for span in spans),
        *([status_condition(state, now)] for state in STATES),
    ]
    by_itself, by_client, by_hand, issued, *rest = narrowing.bounded(principal, wanted)
    held = issuance.at_the_ca(principal)
    return replace(
        found,
        by_itself=Figure(by_itself, links.ends(near, renewal="on")),
        by_client=Figure(by_client, links.ends(near, renewal="client")) if by_client else None,
        by_hand=Figure(by_hand, links.ends(near, renewal="off")),
        issued=Figure(issued, links.issued(since)),
        weeks=_weeks(spans, rest[: len(spans)]),
        states=_states(rest[len(spans) :]),
        tabs={tab: Figure(count, links.tab(tab)) for tab, count in attention.counts(principal, now).items()},
        needs=tuple(console_page(principal, Tab.YOU, limit=MOST_NEEDS, now=now).items),
        at_ca=Figure(held.count, links.status(State.ISSUING)),
        ca_since=held.since,
    )


def _weeks(spans: Sequence[Span], counts: Sequence[int]) -> tuple[Week, ...]:
    return tuple(
        Week(span, Figure(count, links.ends(span))) for span, count in zip(spans, counts, strict=True)
    )


def _organizations(principal: Principal) -> Figure:
    return Figure(organization_queries.pending(principal), "/organization-verifications")


def _decisions(principal: Principal) -> Figure | None:
    count = approvals.waiting_count(principal)
    return Figure(count, "/approvals") if count else None


def _ends(span: Span, now: datetime) -> list[Condition]:
    return narrowing.conditions(Narrow(span.start, span.end), now)


def renewing(way: str) -> list[Condition]:
    """Who replaces it: auto-renewal (`on`), the ACME client that ordered it (`client`), or nobody by itself
    (`off`)."""
    if way == "on":
        return [("c.auto_renewal", [])]
    return [
        ("NOT c.auto_renewal", []),
        (succession.OF_CLIENT if way == "client" else succession.NOT_OF_CLIENT, []),
    ]


def _states(counts: Sequence[int]) -> tuple[tuple[State, Figure], ...]:
    found = zip(STATES, counts, strict=True)
    return tuple((state, Figure(count, links.status(state))) for state, count in found if count)


def _unserved(principal: Principal, now: datetime) -> Figure:
    ids = deployments.unserved(principal.account_id)
    count = narrowing.bounded(principal, [narrowing.conditions(Narrow(ids=ids), now)])[0] if ids else 0
    return Figure(count, links.unserved())


def _drifted(principal: Principal) -> Figure | None:
    count = deployments.drifting(principal)[: attention.COUNT_UP_TO].count()
    return Figure(count, links.drifted()) if count else None


def _proofs(principal: Principal, now: datetime) -> Figure:
    return Figure(ending.count(principal.account_id, now, NEAR), links.proofs_ending())


def _served(principal: Principal, now: datetime) -> Figure:
    since = rules.midnight(now) - WEEK
    return Figure(deployments.committed(principal, since), links.served(since))
