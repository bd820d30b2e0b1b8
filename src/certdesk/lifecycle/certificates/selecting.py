"""Which certificates a search, a view, an export or a bulk action names, as SQL that reads few rows.

Each filter with an index of its own is asked first, up to `FEW` rows, whether it names few certificates.
The fewest of them are then looked up by id, and everything else is checked on those. Where every filter
names many, the list is read in the order of the page, where a page of them is found soon; conditions are
then written so that no planner takes their index and sorts the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import queries as iam
from certdesk.foundation.iam.principal import Principal

from . import name_search, states, tag_rules
from .filters import HOUSE, ME, SearchFilters, Sort
from .rows import EXPIRY, EXPIRY_UNINDEXED, LIST, columns, like_pattern, named_like, status_condition
from .states import State
from .tag_sql import Condition, bears, joined

FEW = 1_000
"""Ids that a statement names at most; a filter with more is one that names many."""
ENOUGH = 50
"""Few enough to ask no further filter."""
_EXPIRING = ", ".join(f"'{one.value}'" for one in sorted(states.EXPIRING))


@dataclass(frozen=True, slots=True)
class Selected:
    """The conditions on `c` with their parameters.

    Attributes:
        few: they name ids; nothing: none at all, so there is nothing to read.
    """

    where: str
    params: list[object]
    few: bool = False
    nothing: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One filter.

    Attributes:
        asked: statements that read ids of certificates from an index; all together name what fits.
            Empty = the filter has no index.
        known: ids that were read already.
        condition: the same on the certificate `c`.
    """

    condition: Condition
    asked: list[Condition] = field(default_factory=list)
    known: list[str] | None = None


def select(
    principal: Principal,
    filters: SearchFilters,
    now: datetime,
    *,
    action: str = LIST,
    ids: list[str] | None = None,
    more: Sequence[Condition] = (),
) -> Selected:
    """What the filters name among the certificates on which the principal may do `action` (law 5).

    Args:
        ids: only these, beside what the filters say.
        more: conditions that must hold beside these, see `narrowing`.
    """
    parts = _parts(principal, filters, now)
    if ids is not None:
        parts.append(_listed(ids))
    conditions: list[Condition] = [*(one.condition for one in parts), *more]
    few = _fewest(parts)
    if few is not None:
        conditions.insert(0, _among(few))
    text, params = iam.where(principal, action, columns(by_id=few is not None))
    words = [text, "c.state <> 'DELETED'", *(one for one, _ in conditions)]
    values = [*params, *(value for _, more in conditions for value in more)]
    return Selected(" AND ".join(words), values, few is not None, few == [])


def _listed(ids: list[str]) -> Part:
    return Part(_among(ids), known=ids)


def _among(few: list[str]) -> Condition:
    return (f"c.id IN ({sql.marks(few)})", list(few)) if few else ("1 = 0", [])


def _fewest(parts: list[Part]) -> list[str] | None:
    """The ids of the filter that names fewest; None when each names many or has no index."""
    best: list[str] | None = None
    for part in parts:
        found = part.known if part.known is not None or not part.asked else _ids(part.asked)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
        if best is not None and len(best) <= ENOUGH:
            break
    return best


def _ids(asked: list[Condition]) -> list[str] | None:
    """What the statements read, each id once; None when that is more than `FEW`."""
    found: set[str] = set()
    for text, params in asked:
        found |= {str(row[0]) for row in sql.rows(f"{text} LIMIT {FEW + 1}", params)}
        if len(found) > FEW:
            return None
    return sorted(found)


def _parts(principal: Principal, filters: SearchFilters, now: datetime) -> list[Part]:
    account = principal.account_id
    found: list[Part] = []
    if filters.domain:
        found.append(_domain(account, filters.domain.lower()))
    if filters.content:
        found.append(_named(account, filters.content))
    if filters.tag:
        found.append(_tag(account, filters.tag))
    if filters.owner:
        found.append(_owner(principal, filters.owner))
    if filters.owner_group:
        found.append(_groups(account, [filters.owner_group]))
    if filters.project:
        found.append(_project(account, filters.project))
    if filters.brand:
        found.append(_column(account, "brand", filters.brand))
    if filters.issuer:
        found.append(_issuer(account, filters.issuer))
    if filters.status != "ALL":
        found.append(_status(account, State(filters.status), now))
    if filters.expires_before is not None:
        found.append(_expiring(account, filters.expires_before, filters.sort))
    return found


def _named(account: str, keyword: str) -> Part:
    """Substrings have trigrams of their own (name_search)."""
    known = name_search.candidates(account, keyword, like_pattern(keyword))
    return Part(named_like(keyword), known=known)


def _domain(account: str, name: str) -> Part:
    text = (
        "EXISTS (SELECT 1 FROM certificates_certificatename n WHERE n.certificate_id = c.id AND n.name = %s)"
    )
    asked = "SELECT certificate_id FROM certificates_certificatename WHERE account_id = %s AND name = %s"
    return Part((text, [name]), [(asked, [account, name])])


def _tag(account: str, text: str) -> Part:
    readings = tag_rules.readings(text)
    asked: list[Condition] = []
    for one in readings:
        statement = "SELECT certificate_id FROM certificates_tag WHERE account_id = %s AND key = %s"
        if one.values:
            statement += " AND value = %s"
        asked.append((statement, [account, one.key, *one.values]))
    return Part(joined([bears(one) for one in readings], " OR "), asked)


def _column(account: str, column: str, value: str) -> Part:
    """`column` comes from code."""
    asked = f"SELECT id FROM certificates_certificate WHERE account_id = %s AND {column} = %s"
    return Part((f"(c.{column} || '') = %s", [value]), [(asked, [account, value])])


def _project(account: str, project: str) -> Part:
    """Most lie in the default project: it has no place in the index, and is read in the page's order."""
    if project == "0":
        return Part(("(c.enterprise_project_id || '') = '0'", []))
    asked = (
        "SELECT id FROM certificates_certificate WHERE account_id = %s AND enterprise_project_id = %s"
        " AND enterprise_project_id <> '0'"
    )
    return Part(("(c.enterprise_project_id || '') = %s", [project]), [(asked, [account, project])])


def _issuer(account: str, slug: str) -> Part:
    """Most come from this house: they have no place in the index, and are read in the page's order."""
    if slug == HOUSE:
        return Part(("(c.issuer || '') = '' AND c.current_version > 0 AND c.source = 'BOUGHT'", []))
    asked = "SELECT id FROM certificates_certificate WHERE account_id = %s AND issuer = %s AND issuer <> ''"
    return Part(("(c.issuer || '') = %s", [slug]), [(asked, [account, slug])])


def _owner(principal: Principal, owner: str) -> Part:
    if owner != ME:
        return _column(principal.account_id, "owner_id", owner)
    mine = _column(principal.account_id, "owner_id", principal.user_id)
    groups = iam.groups_of(principal.user_id, principal.account_id)
    if not groups:
        return mine
    ours = _groups(principal.account_id, groups)
    return Part(joined([mine.condition, ours.condition], " OR "), [*mine.asked, *ours.asked])


def _groups(account: str, groups: list[str]) -> Part:
    marks = sql.marks(groups)
    asked = (
        "SELECT id FROM certificates_certificate WHERE account_id = %s AND owner_group_id <> ''"
        f" AND owner_group_id IN ({marks})"
    )
    return Part((f"(c.owner_group_id || '') IN ({marks})", [*groups]), [(asked, [account, *groups])])


def _status(account: str, state: State, now: datetime) -> Part:
    condition = status_condition(state, now)
    micros = clock.to_micros(now)
    if state is State.EXPIRED:
        asked = _EXPIRED.format(EXPIRY.replace("c.", ""), _EXPIRING)
        text = f"((c.state || '') IN ({_EXPIRING}) AND {EXPIRY_UNINDEXED} < %s)"
        return Part((text, [micros]), [(asked, [account, micros])])
    asked = "SELECT id FROM certificates_certificate WHERE account_id = %s AND state = %s"
    text = condition[0].replace("c.state =", "(c.state || '') =")
    return Part((text, condition[1]), [(asked, [account, state.value])])


_EXPIRED = (
    "SELECT id FROM certificates_certificate WHERE account_id = %s AND {} < %s AND (state || '') IN ({})"
)


def _expiring(account: str, before: datetime, sort: str) -> Part:
    micros = clock.to_micros(before)
    column = EXPIRY if sort == Sort.EXPIRES else EXPIRY_UNINDEXED
    asked = (
        f"SELECT id FROM certificates_certificate WHERE account_id = %s AND {EXPIRY.replace('c.', '')} < %s"
    )
    return Part((f"{column} < %s", [micros]), [(asked, [account, micros])])
