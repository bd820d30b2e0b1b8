"""One row of a list, and the pieces of SQL that lists share. No DER, no chain."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam.predicates import Columns
from certdesk.lifecycle.catalogue.queries import reissue_days

from . import name_search, states
from .models import NO_EXPIRY
from .states import State

LIST = "scm:cert:list"
EXPIRY = f"COALESCE(c.not_after, {NO_EXPIRY})"
"""The very expression of the index `certificates_by_expiry`: what has no expiry sorts last."""

EXPIRY_UNINDEXED = f"({EXPIRY} + 0)"
"""The same for a condition beside a better index: planners take a range for more selective than it is."""

_EXPIRING = ", ".join(f"'{one.value}'" for one in sorted(states.EXPIRING))
_COLUMNS = """c.id, c.name, c.domain, c.sans, c.description, c.source, c.brand, c.type, c.level,
 c.domain_type, c.primary_domain_type, c.domain_quota, c.wildcard_quota, c.validity_months, c.free, c.state,
 c.not_after, c.account_id, c.owner_id, c.enterprise_project_id, c.auto_renewal, c.updated_at, c.last_failure,
 COALESCE(v.signature_algorithm, ''), COALESCE(v.key_id, ''), c.state_since, c.created_at, c.personal_data,
 c.not_before, c.paid_until, c.owner_group_id, c.single_quota, c.first_issued_at"""
_FROM = (
    "certificates_certificate c LEFT JOIN certificates_version v"
    " ON v.certificate_id = c.id AND v.number = c.current_version"
)


def columns(alias: str = "c", *, by_id: bool = False) -> Columns:
    """Where policies find what they ask of a certificate.

    Args:
        alias: of `certificates_certificate` in the statement.
        by_id: another condition names few ids, so the account's index is to stay out of the way.
    """
    account = f"({alias}.account_id || '')" if by_id else f"{alias}.account_id"
    return Columns(
        f"{alias}.enterprise_project_id",
        account,
        f"{alias}.id",
        f"{alias}.owner_id",
        "cert",
        f"{alias}.type",
        (f"certificates_certificatename pn WHERE pn.certificate_id = {alias}.id", "pn.name"),
        (f"certificates_tag pt WHERE pt.certificate_id = {alias}.id", "pt.key", "pt.value"),
    )


COLUMNS = columns()


@dataclass(frozen=True, slots=True)
class Row:
    """A certificate in a list. `state` is what people see (Expired computed), `stored` what is written.

    Attributes:
        sans: all names, `;`-separated.
        domain_quota: names bought; wildcard_quota: additional wildcard names bought.
        key_held: the service has the private key, so it can be deployed.
    """

    id: str
    name: str
    domain: str
    sans: str
    description: str
    source: str
    brand: str
    type: str
    level: str
    domain_type: str
    primary_domain_type: str
    domain_quota: int
    wildcard_quota: int
    validity_months: int
    free: bool
    stored: State
    not_after: datetime | None
    account_id: str
    owner_id: str
    enterprise_project_id: str
    auto_renewal: bool
    updated_at: datetime
    last_failure: str
    signature_algorithm: str
    key_held: bool
    state_since: datetime
    created_at: datetime
    personal_data: bool
    not_before: datetime | None
    paid_until: datetime | None
    owner_group_id: str
    single_quota: int
    first_issued_at: datetime | None
    state: State

    @property
    def expiry_micros(self) -> int:
        return NO_EXPIRY if self.not_after is None else clock.to_micros(self.not_after)

    @property
    def wildcard_count(self) -> int:
        """Wildcard names bought, the primary included."""
        return self.wildcard_quota + (self.primary_domain_type == "WILDCARD_DOMAIN")

    def tag_pairs(self) -> tuple[tuple[str, str], ...]:
        """Its tags, read when a policy asks for them."""
        return tuple(sql.rows("SELECT key, value FROM certificates_tag WHERE certificate_id = %s", [self.id]))

    @property
    def reissue_days(self) -> int:
        return reissue_days(self.brand, self.type, self.domain_type, free=self.free)

    @property
    def deploy_support(self) -> bool:
        """DEP-1: issued or hosted, or a reissue unconfirmed (REI-9), and the key is here."""
        return self.key_held and self.state in (State.ISSUED, State.UPLOAD, State.REISSUING)


def row_of(values: sql.Row, now: datetime) -> Row:
    """The row from the columns of `select`."""
    not_after, stored = sql.moment(values[16]), State(values[15])
    fields = (
        *values[:14],
        bool(values[14]),
        stored,
        not_after,
        *values[17:20],
        bool(values[20]),
        clock.from_micros(values[21]),
        *values[22:24],
        bool(values[24]),
        clock.from_micros(values[25]),
        clock.from_micros(values[26]),
        bool(values[27]),
        sql.moment(values[28]),
        sql.moment(values[29]),
        values[30],
        int(values[31]),
        sql.moment(values[32]),
        states.effective(stored, not_after, now),
    )
    return Row(*fields)


def select(where: str, order: str, extra: str = "") -> str:
    """SELECT of list rows; `extra` are further columns at the end."""
    return f"SELECT {_COLUMNS}{extra} FROM {_FROM} WHERE {where} ORDER BY {order}"


def rows_of(
    where: str, params: list[object], order: str, limit: int, now: datetime, *, offset: int = 0
) -> list[Row]:
    found = sql.rows(f"{select(where, order)} LIMIT %s OFFSET %s", [*params, limit, offset])
    return [row_of(values, now) for values in found]


def status_condition(state: State, now: datetime) -> tuple[str, list[object]]:
    """Certificates that people see in `state`; LST-7 as SQL."""
    if state is State.EXPIRED:
        return f"(c.state IN ({_EXPIRING}) AND {EXPIRY} < %s)", [clock.to_micros(now)]
    if state in states.EXPIRING:
        return f"(c.state = %s AND {EXPIRY_UNINDEXED} >= %s)", [state.value, clock.to_micros(now)]
    return "c.state = %s", [state.value]


def effective_state(now: datetime) -> str:
    """The state that people see, as SQL for an ORDER BY; LST-7."""
    over = f"c.state IN ({_EXPIRING}) AND {EXPIRY} < {clock.to_micros(now)}"
    return f"CASE WHEN {over} THEN '{State.EXPIRED.value}' ELSE c.state END"


def name_condition(account_id: str, keyword: str) -> tuple[str, list[object]]:
    """The keyword anywhere in the certificate's name or in one of its domain names, in any case."""
    text, params = named_like(keyword)
    few = name_search.candidates(account_id, keyword, like_pattern(keyword))
    if few is None:
        return text, params
    if not few:
        return "1 = 0", []
    return f"(c.id IN ({sql.marks(few)}) AND {text})", [*few, *params]


def named_like(keyword: str) -> tuple[str, list[object]]:
    """The same, read on the certificate itself."""
    pattern = like_pattern(keyword)
    text = (
        "(LOWER(c.name) LIKE %s ESCAPE '!' OR EXISTS (SELECT 1 FROM certificates_certificatename n"
        " WHERE n.certificate_id = c.id AND n.name LIKE %s ESCAPE '!'))"
    )
    return text, [pattern, pattern]


def like_pattern(keyword: str) -> str:
    """The keyword anywhere, for `LIKE %s ESCAPE '!'` on text in lower case."""
    escaped = keyword.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
