"""What a page of a scan saw becomes rows: new ones, seen again, gone.

Who took a connection and did not answer in time is not gone: the row stays as it was, and says so.
"""

from collections.abc import Iterable
from datetime import datetime

from certdesk.foundation.common import clock

from . import queries, scans, telling
from .models import Endpoint, Scan, ScanState
from .rules import Place
from .work import LONGEST_TEXT, Looked, Page, Shown

Key = tuple[str, str, int, str, str]
MOST_NAMED = 20
"""Places that a run's note names."""
_COLUMNS = (
    *("scan_id", "fingerprint", "serial", "subject", "issuer", "names", "not_before", "not_after", "der"),
    *("chain", "version", "self_signed", "mismatched", "chain_problem", "certificate_id", "number"),
    *("current", "revoked", "binding_id", "gone", "reason", "last_seen"),
)


def keep(scan: Scan, page: Page, looked: tuple[Looked, ...]) -> None:
    """One page, in the caller's transaction; asks for the next one, or ends the run."""
    now = clock.now()
    seen = _write(scan, looked, now)
    marker = page.start + len(page.places)
    note = _note(scan.note, [one for one in looked if one.late])
    over = not page.places or marker >= scan.total
    Scan.objects.filter(id=scan.id, run=page.run, state=ScanState.RUNNING).update(
        marker=marker,
        found=scan.found + seen,
        note=note,
        **({"state": ScanState.DONE, "finished_at": now} if over else {}),
    )
    if over:
        telling.send(scan)
    else:
        scans.send(scan)


def _write(scan: Scan, looked: tuple[Looked, ...], now: datetime) -> int:
    """Answers how many certificates were seen."""
    before = _before(scan, looked)
    bound = queries.bindings(scan.account_id)
    new, again = dict[Key, Endpoint](), dict[Key, Endpoint]()
    for one in looked:
        for shown in one.shown:
            key = (one.place.host, shown.address, one.place.port, one.place.name, one.place.protocol.value)
            row = before.get(key) or new.get(key) or _row(scan, key, now)
            _fill(row, scan, shown, now)
            row.binding_id = _binding(bound, key)
            (again if key in before else new)[key] = row
    Endpoint.objects.bulk_create(new.values())
    Endpoint.objects.bulk_update(again.values(), _COLUMNS, batch_size=20)
    _lose({key: row for key, row in before.items() if key not in again and not row.gone}, looked)
    return len(new) + len(again)


def _before(scan: Scan, looked: Iterable[Looked]) -> dict[Key, Endpoint]:
    """The rows of these places, among them those that nobody answers for any more."""
    places = {_of(one.place) for one in looked}
    rows = Endpoint.objects.filter(
        account_id=scan.account_id,
        host__in={one[0] for one in places},
        port__in={one[1] for one in places},
    )
    return {
        (row.host, row.address, row.port, row.name, row.protocol): row
        for row in rows
        if (row.host, row.port, row.name, row.protocol) in places
    }


def _row(scan: Scan, key: Key, now: datetime) -> Endpoint:
    host, address, port, name, protocol = key
    return Endpoint(
        account_id=scan.account_id,
        host=host,
        address=address,
        port=port,
        name=name,
        protocol=protocol,
        first_seen=now,
    )


def _fill(row: Endpoint, scan: Scan, shown: Shown, now: datetime) -> None:
    facts = shown.facts
    if row.fingerprint != facts.sha256:
        row.told = ""  # another certificate is another thing to be told
    row.scan_id, row.last_seen, row.gone, row.reason = scan.id, now, False, ""
    row.fingerprint, row.serial = facts.sha256, facts.serial[:80]
    row.subject, row.issuer = facts.subject[:LONGEST_TEXT], facts.issuer[:LONGEST_TEXT]
    row.names, row.not_before, row.not_after = list(facts.names[:500]), facts.not_before, facts.not_after
    row.der, row.chain, row.version = shown.der, shown.chain.encode("ascii"), shown.version
    row.self_signed, row.mismatched = shown.self_signed, shown.mismatched
    row.chain_problem = shown.chain_problem[:1000]
    known = queries.known(scan.account_id, facts.sha256, facts.names)
    row.certificate_id = known.certificate_id if known else ""
    row.number = known.number if known else 0
    row.current, row.revoked = bool(known and known.current), bool(known and known.revoked)


def _binding(bound: dict[tuple[str, int, str], str], key: Key) -> str:
    host, address, port, name, _ = key
    return bound.get((host, port, name)) or bound.get((address, port, name)) or ""


def _lose(lost: dict[Key, Endpoint], looked: Iterable[Looked]) -> None:
    """These rows were not seen: gone, but for those whose own address was late; each says why."""
    places = {_of(one.place): one for one in looked}
    for key, row in lost.items():
        host, address, *_ = key
        one = places[key[0], *key[2:]]
        left = one.reason or f"{host} has not the address {address} any more."
        row.gone, row.reason = address not in one.late, one.why.get(address, left)[:1000]
    Endpoint.objects.bulk_update(lost.values(), ("gone", "reason"), batch_size=20)


def _of(place: Place) -> tuple[str, int, str, str]:
    """A `Key` without its address."""
    return place.host, place.port, place.name, place.protocol.value


def _note(before: str, late: Iterable[Looked]) -> str:
    """The run's note with these places too, as far as there is room for them."""
    begin, end, more = "No answer in time: ", ".", ", and more"
    named = [
        one for one in before.removeprefix(begin).removesuffix(end).removesuffix(more).split(", ") if one
    ]
    named += [f"{one.place.host}:{one.place.port}" for one in late]
    if not named:
        return ""
    cut = more if len(named) > MOST_NAMED or before.endswith(f"{more}{end}") else ""
    return f"{begin}{', '.join(named[:MOST_NAMED])}{cut}{end}"
