"""The calendar: what is replaced when, by whom, and what stands in the way. In the order of expiry."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import endings
from certdesk.lifecycle.certificates.filters import Marker, check_limit, read_marker
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.queries import visible
from certdesk.lifecycle.certificates.rows import EXPIRY, Row, rows_of
from certdesk.lifecycle.enrolment import succession
from certdesk.lifecycle.enrolment.rules import renewal_window

from . import blockers, schedule, switch
from . import facts as fact_reads
from .causes import Blocker
from .facts import Facts
from .schedule import Kind

ORDER = "calendar"
_IN_FORCE = "c.state IN ('ISSUED', 'REISSUING', 'UPLOAD')"
_MACHINE = "(c.auto_renewal OR c.paid_until > c.not_after)"
_OTHERS = "NOT c.auto_renewal AND (c.paid_until IS NULL OR c.paid_until <= c.not_after)"


class By(StrEnum):
    """Who replaces it."""

    MACHINE = "MACHINE"
    CLIENT = "CLIENT"  # the ACME client that ordered it
    PERSON = "PERSON"


_WHOSE = {
    By.MACHINE: _MACHINE,
    By.CLIENT: f"({_OTHERS} AND {succession.OF_CLIENT})",
    By.PERSON: f"({_OTHERS} AND {succession.NOT_OF_CLIENT})",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate in force. `at`: from then on it is replaced; `action` BUY, ROLLOVER, or empty where an
    ACME client orders the next one, or it can only be replaced by another certificate."""

    row: Row
    at: datetime
    action: str
    by: By
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Entry]
    next_marker: str | None


def page(principal: Principal, now: datetime, *, by: str = "", marker: str = "", limit: int = 20) -> Page:
    """A page of what the principal may see, what ends first before the rest; keyset.

    Args:
        by: one of `By`; empty = all.

    Raises:
        BadParameter: by, limit or marker is not one that the calendar gives.
    """
    check_limit(limit)
    conditions, params = visible(principal)
    conditions += [_IN_FORCE, f"{EXPIRY} >= %s"]
    params = [*params, clock.to_micros(now)]
    if by:
        conditions.append(_by(by))
    if marker:
        last = read_marker(marker, [ORDER])
        conditions.append(f"({EXPIRY}, c.id) > (%s, %s)")
        params += [last.value, last.id]
    found = rows_of(" AND ".join(conditions), params, f"{EXPIRY}, c.id", limit + 1, now)
    shown = found[:limit]
    certificates = Certificate.objects.in_bulk([row.id for row in shown])
    facts = fact_reads.of(list(certificates.values()))
    clients = succession.of_clients(list(certificates))
    items = [_entry(facts, row, certificates[row.id], now, client=row.id in clients) for row in shown]
    if len(found) <= limit:
        return Page(items, None)
    end = found[limit - 1]
    return Page(items, Marker(ORDER, end.expiry_micros, end.id).text())


def _by(by: str) -> str:
    if by not in list(By):
        raise BadParameter(
            f"by {by!r:.20} is unknown.", next_step="Use MACHINE, CLIENT or PERSON.", field="by"
        )
    return _WHOSE[By(by)]


def _entry(facts: Facts, row: Row, certificate: Certificate, now: datetime, *, client: bool) -> Entry:
    end = endings.paid_end(row) or now
    coming = switch.next_of(facts, certificate, now)
    if coming.action and coming.at is not None:
        found = blockers.of(facts, certificate, Kind(coming.action), coming.at)
        return Entry(row, coming.at, coming.action, By.MACHINE, tuple(found))
    if client and certificate.not_before and certificate.not_after:
        told = facts.advice.get(certificate.id)  # its CA's window, which our server tells clients, too
        usual = renewal_window(certificate.not_before, certificate.not_after, now=now, hurry=False)
        return Entry(row, max(now, told.start if told else usual[0]), "", By.CLIENT, ())
    action = "" if row.source == "UPLOADED" or row.free else Kind.BUY.value
    return Entry(row, max(now, end - schedule.BUY_BEFORE), action, By.PERSON, ())
