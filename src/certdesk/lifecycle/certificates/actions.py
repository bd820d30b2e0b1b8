"""The only writers of the inventory. Each runs inside the caller's transaction, or in one of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import clock, ids, sql
from certdesk.foundation.iam.principal import Principal
from certdesk.foundation.jobs import actions as jobs

from . import rules, states, versions
from .errors import NoCertificate, StateChanged
from .rules import Bought, VersionFacts
from .states import Event, State, Step, Via
from .versions import add_version, set_names

__all__ = [
    "Hosted",
    "Issued",
    "Known",
    "New",
    "add_version",
    "create_bought",
    "create_hosted",
    "create_many",
    "issue_first",
    "move",
    "move_through",
    "note_failure",
    "set_names",
]

BOUGHT = "certificate.bought"
"""The first event of a certificate that stands in Pending application."""

UPLOADED = "certificate.uploaded"
"""The first event of a certificate that came from elsewhere; it stands in Hosted from its first moment."""

_TABLE = "certificates_certificate"

SETTABLE = frozenset(
    {
        "last_failure",
        "current_version",
        "not_before",
        "not_after",
        "domain",
        "sans",
        "auto_renewal",
        "personal_data",
    }
)
"""Columns that may change together with a state; `state` itself is written here alone (law 1)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the caller has just written or locked in the same transaction; saves reading it again."""

    account_id: str
    state: State
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class New:
    """Certificates of one order. `names` and `steps` are for purchases that apply in the same moment."""

    order_id: str
    bought: Bought
    count: int = 1
    names: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A certificate from elsewhere.

    Attributes:
        name: as `editing.check_name` passed it.
        notes: for the audit, beside serial and fingerprint; no personal data.
    """

    name: str
    kind: Bought
    facts: VersionFacts
    notes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Move:
    """A certificate that went from one state to another, for audit and topics."""

    certificate_id: str
    was: Known
    after: State
    steps: Sequence[Step]
    request_id: str = ""


def create_bought(
    principal: Principal, order_id: str, bought: Bought, count: int, now: datetime
) -> list[str]:
    """Inserts `count` certificates in Pending application (ORD-3); answers their ids.

    Runs in the transaction of the payment, so there is never one without the other (ORD-4).
    """
    return create_many(principal, [New(order_id, bought, count)], now)[order_id]


def create_many(principal: Principal, orders: Sequence[New], now: datetime) -> dict[str, list[str]]:
    """The certificates of several orders by one INSERT; answers ids by order.

    Those with `steps` go in at the state that the steps lead to, with one audit row each that lists
    them; so a purchase for names already proved needs no UPDATE before it is signed.
    """
    made: dict[str, list[str]] = {one.order_id: [] for one in orders}
    missing = [one for one in orders for _ in range(one.count)]
    while missing:
        missing = _insert_new(principal, missing, made, now)
    versions.insert_names(
        [
            (certificate_id, principal.account_id, name)
            for one in orders
            if one.names
            for certificate_id in made[one.order_id]
            for name in one.names
        ]
    )
    moves, bought = list[_Move](), list[audit.Line]()
    for one in orders:
        if one.steps:
            was = Known(principal.account_id, State.PAID)
            after = _walk(was, one.steps, now)
            moves += [_Move(each, was, after, one.steps, one.request_id) for each in made[one.order_id]]
        else:
            for certificate_id in made[one.order_id]:
                jobs.emit("certificate.paid", certificate_id)
                details = {"order": one.order_id}
                bought.append(audit.Line(BOUGHT, f"cert:{certificate_id}", details, one.request_id))
    _tell(principal, principal.account_id, moves, more=bought)
    return made


def _insert_new(
    principal: Principal, wanted: list[New], made: dict[str, list[str]], now: datetime
) -> list[New]:
    """One INSERT; answers those whose id another process has just taken, to be made anew."""
    rows = {str(row["id"]): (one, row) for one in wanted for row in [_new_row(principal, one, now)]}
    inserted = sql.insert(
        "certificates_certificate", [row for _, row in rows.values()], "ON CONFLICT (id) DO NOTHING"
    )
    mine = set(rows) if inserted == len(rows) else _owned(rows)
    for certificate_id in sorted(mine):
        made[rows[certificate_id][0].order_id].append(certificate_id)
    return [one for certificate_id, (one, _) in rows.items() if certificate_id not in mine]


def create_hosted(principal: Principal, hosted: Sequence[Hosted], now: datetime) -> list[str]:
    """Certificates from elsewhere with their first versions, Hosted; in the caller's transaction (UPL-7).

    One INSERT for each table, however many there are; answers the ids in the same order.
    """
    if not hosted:
        return []
    common = {
        **_new_row(principal, New("", hosted[0].kind), now),
        "source": "UPLOADED",
        "state": State.UPLOAD.value,
    }
    rows = [_hosted_row(common, one) for one in hosted]
    missing = rows
    while missing := _insert_missing(missing):
        for row in missing:  # another process has just taken this id
            row["id"] = ids.certificate_id()
    made = [str(row["id"]) for row in rows]
    pairs = list(zip(made, hosted, strict=True))
    sql.insert("certificates_version", [versions.version_row(each, 1, one.facts, now) for each, one in pairs])
    versions.insert_names(
        [(each, principal.account_id, name) for each, one in pairs for name in one.facts.names]
    )
    lines = [audit.Line(UPLOADED, f"cert:{each}", _uploaded(one)) for each, one in pairs]
    audit.record_many(principal, lines, account_id=principal.account_id)
    for each in made:
        jobs.emit(f"certificate.{State.UPLOAD.value.lower()}", each, event=UPLOADED)
    return made


def _hosted_row(common: Mapping[str, object], one: Hosted) -> dict[str, object]:
    return {
        **common,
        "id": ids.certificate_id(),
        **_kind_columns(one.kind),
        **rules.version_columns(one.facts, 1),
        "first_issued_at": one.facts.not_before,
        "name": one.name,
    }


def _insert_missing(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """One INSERT; answers the rows whose id was there already."""
    columns = tuple(rows[0]) if rows else ()
    if not columns:
        return []
    text = sql.insert_text(_TABLE, columns, len(rows), "ON CONFLICT (id) DO NOTHING RETURNING id")
    went = {row[0] for row in sql.rows(text, sql.flat(columns, rows))}
    return [row for row in rows if row["id"] not in went]


def _uploaded(one: Hosted) -> dict[str, object]:
    facts = one.facts
    found = {"to": State.UPLOAD.value, "serial": facts.serial, "sha256": facts.fingerprint_sha256}
    return {**found, **one.notes}


def _owned(rows: Mapping[str, tuple[New, Mapping[str, object]]]) -> set[str]:
    """Which of the rows really went in: the others belong to another order."""
    marks = ",".join(["%s"] * len(rows))
    found = sql.rows(f"SELECT id, order_id FROM certificates_certificate WHERE id IN ({marks})", list(rows))
    return {row[0] for row in found if row[1] == rows[row[0]][0].order_id}


def _new_row(principal: Principal, new: New, now: datetime) -> dict[str, object]:
    bought, after = new.bought, _walk(Known(principal.account_id, State.PAID), new.steps, now)
    return {
        "id": ids.certificate_id(),
        "account_id": principal.account_id,
        "owner_id": principal.user_id,
        "order_id": new.order_id,
        "source": "BOUGHT",
        "name": ids.certificate_name(),
        "description": "",
        **_kind_columns(bought),
        "state": after.value,
        "state_since": now,
        "last_failure": "",
        **rules.name_columns(new.names),
        "current_version": 0,
        "not_before": None,
        "not_after": None,
        "first_issued_at": None,
        "auto_renewal": False,
        "paid_until": None,
        "notices": True,
        "personal_data": False,
        "created_at": now,
        "updated_at": now,
        "deleted_at": None,
    }


def _kind_columns(bought: Bought) -> dict[str, object]:
    return {
        "brand": bought.brand,
        "type": bought.type,
        "level": bought.level,
        "domain_type": bought.domain_type,
        "primary_domain_type": bought.primary_domain_type,
        "domain_quota": bought.domain_quota,
        "single_quota": bought.single_quota,
        "wildcard_quota": bought.wildcard_quota,
        "validity_months": bought.validity_months,
        "free": bought.free,
        "enterprise_project_id": bought.enterprise_project_id,
        "renews_id": bought.renews,
    }


def move(
    certificate_id: str,
    event: Event,
    now: datetime,
    *,
    via: Via = Via.ANY,
    principal: Principal,
    note: str = "",
    set: Mapping[str, object] | None = None,  # noqa: A002 reads as SQL's SET at the call
    known: Known | None = None,
) -> State:
    """Takes the certificate one step along the state table.

    Args:
        note: why, one sentence without personal data; a failure's note is shown on the certificate.
        set: further columns of `SETTABLE` for the same UPDATE.
        known: what the caller knows for certain in this transaction.

    Raises:
        NoCertificate: there is none with this id.
        WrongState: the table has no such line; nothing is written.
        StateChanged: another request moved it first; nothing is written.
    """
    return move_through(
        certificate_id, [(event, via)], now, principal=principal, note=note, set=set, known=known
    )


def move_through(
    certificate_id: str,
    steps: Sequence[Step],
    now: datetime,
    *,
    principal: Principal,
    note: str = "",
    set: Mapping[str, object] | None = None,  # noqa: A002
    known: Known | None = None,
) -> State:
    """Several steps at once: one UPDATE, one audit row that lists them, one topic, that of the last state.

    Raises:
        as `move`.
    """
    with sql.short_transaction():
        was = known or _read(certificate_id)
        after = _walk(was, steps, now)
        columns = _columns(was.state, after, steps[-1][0], now, note, set or {})
        assignments = ", ".join(f"{column} = %s" for column in columns)
        touched = sql.execute(
            f"UPDATE certificates_certificate SET {assignments} WHERE id = %s AND state = %s",
            [*sql.plain_values(columns), certificate_id, was.state.value],
        )
        if not touched:
            raise StateChanged(certificate_id)
        _tell(principal, was.account_id, [_Move(certificate_id, was, after, steps)], note)
    return after


def note_failure(certificate_id: str, state: State, words: str, now: datetime) -> bool:
    """Shows why a step that is tried again has not worked yet; False when `state` was left meanwhile.

    The next step that works, or that fails for good, takes it away.
    """
    touched = sql.execute(
        "UPDATE certificates_certificate SET last_failure = %s, updated_at = %s WHERE id = %s AND state = %s",
        [words[:500], clock.to_micros(now), certificate_id, state.value],
    )
    return touched > 0


def keep_personal(certificate_id: str) -> None:
    """Something personal is kept for it now: the privacy authorisation can be cancelled (PRV-4)."""
    sql.execute(
        "UPDATE certificates_certificate SET personal_data = %s WHERE id = %s", [True, certificate_id]
    )


def forget_personal(certificate_id: str, now: datetime) -> None:
    """Nothing personal is kept any more, so it renews itself no more either (PRV-5, REN-10)."""
    sql.execute(
        "UPDATE certificates_certificate SET personal_data = %s, auto_renewal = %s, updated_at = %s"
        " WHERE id = %s",
        [False, False, clock.to_micros(now), certificate_id],
    )


def _read(certificate_id: str) -> Known:
    row = sql.row(
        "SELECT account_id, state, not_after FROM certificates_certificate WHERE id = %s", [certificate_id]
    )
    if row is None:
        raise NoCertificate(certificate_id)
    return Known(row[0], State(row[1]), sql.moment(row[2]))


def _walk(was: Known, steps: Sequence[Step], now: datetime) -> State:
    state = was.state
    for event, via in steps:
        if event not in rules.AFTER_EXPIRY:
            states.check_not_expired(state, was.not_after, now, event)
        state = states.step(state, event, via)
    return state


def _columns(
    before: State, after: State, event: Event, now: datetime, note: str, extra: Mapping[str, object]
) -> dict[str, object]:
    unknown = extra.keys() - SETTABLE
    if unknown:
        raise ValueError(f"not settable with a state: {', '.join(sorted(unknown))}")
    columns: dict[str, object] = {"state": after.value, "updated_at": now}
    if after is not before:
        columns["state_since"] = now
    if event in rules.FAILURES:
        columns["last_failure"] = note[:500]
    elif event in rules.FRESH_STARTS:
        columns["last_failure"] = ""
    if after is State.DELETED:
        columns["deleted_at"] = now
    return columns | dict(extra)


def _tell(
    principal: Principal,
    account_id: str,
    moves: Sequence[_Move],
    note: str = "",
    more: Sequence[audit.Line] = (),
) -> None:
    """An audit row and a topic for each move of one account's; `more` are further audit rows for the
    same INSERT."""
    lines = [*more]
    for one in moves:
        details: dict[str, object] = {
            "from": one.was.state.value,
            "to": one.after.value,
            "events": [f"{event.value} ({via.value})" if via else event.value for event, via in one.steps],
        }
        if note:
            details["note"] = note[:500]
        action = f"certificate.{one.steps[-1][0].name.lower()}"
        lines.append(audit.Line(action, f"cert:{one.certificate_id}", details, one.request_id))
    audit.record_many(principal, lines, account_id=account_id)
    for one in moves:
        jobs.emit(f"certificate.{one.after.value.lower()}", one.certificate_id, event=one.steps[-1][0].value)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that stands in To be issued, and what was signed for it."""

    certificate_id: str
    facts: VersionFacts
    request_id: str = ""


def issue_first(principal: Principal, issued: Sequence[Issued], now: datetime) -> None:
    """First versions of the principal's certificates whose names are written already: all → Issued.

    In the caller's transaction; one INSERT and one UPDATE a pair of dates, however many there are.

    Raises:
        StateChanged: one of them is no longer in To be issued; roll back.
    """
    after = states.step(State.ISSUING, Event.ISSUE)
    by_dates: dict[_Dates, list[str]] = {}
    for one in issued:
        dates = (one.facts.not_before, one.facts.not_after, one.facts.paid_until)
        by_dates.setdefault(dates, []).append(one.certificate_id)
    for dates, certificate_ids in by_dates.items():
        _issue_update(certificate_ids, dates, after, now)
    rows = [versions.version_row(one.certificate_id, 1, one.facts, now) for one in issued]
    sql.insert("certificates_version", rows)
    was = Known(principal.account_id, State.ISSUING)
    steps = [(Event.ISSUE, Via.ANY)]
    moves = [_Move(one.certificate_id, was, after, steps, one.request_id) for one in issued]
    _tell(principal, principal.account_id, moves)


_Dates = tuple[datetime, datetime, datetime | None]


def _issue_update(certificate_ids: list[str], dates: _Dates, after: State, now: datetime) -> None:
    columns = _columns(State.ISSUING, after, Event.ISSUE, now, "", {"current_version": 1})
    columns |= {"not_before": dates[0], "not_after": dates[1]}
    columns |= {"first_issued_at": dates[0], "paid_until": dates[2]}
    marks = ",".join(["%s"] * len(certificate_ids))
    touched = sql.execute(
        f"UPDATE certificates_certificate SET {', '.join(f'{column} = %s' for column in columns)}"
        f" WHERE id IN ({marks}) AND state = %s AND current_version = 0",
        [*sql.plain_values(columns), *certificate_ids, State.ISSUING.value],
    )
    if touched != len(certificate_ids):
        raise StateChanged(certificate_ids[0])
