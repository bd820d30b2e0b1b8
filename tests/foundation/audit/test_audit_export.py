"""Reading the log by filters and pages, and exports that prove themselves from the file alone."""

import itertools
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import certdesk
from certdesk.foundation.audit import actions, exporting, reading, verify
from certdesk.foundation.audit.filters import KINDS, Filters
from certdesk.foundation.audit.models import Checkpoint, Event
from certdesk.foundation.audit.verify import verify_file
from certdesk.foundation.audit.verify_database import public_keys
from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import CertdeskError
from certdesk.foundation.iam.principal import Principal, Via

pytestmark = pytest.mark.django_db
ACCOUNT = "a" * 32
ALICE = Principal(ACCOUNT, "u1", "alice", Via.API, access_key="AK1", source="::1", request_id="r1")
BOB = Principal(ACCOUNT, "u2", "bob", Via.CONSOLE, agency="auditors")
CHARLIE = Principal("c" * 32, "u3", "charlie", Via.API)
NOW = clock.real_now()
EVERYTHING = Filters()


def write(who: Principal = ALICE, count: int = 1, action: str = "scm:cert:delete") -> None:
    for number in range(count):
        actions.record(who, action, resource=f"cert:{number}", details={"number": number})


def log(seals: int = 5, of_each: int = 4) -> None:
    """Alice's rows, one of Bob's in the middle one, and another account's; a checkpoint after each lot."""
    for lot in range(seals):
        write(ALICE, of_each - (lot == seals // 2))
        if lot == seals // 2:
            write(BOB, 1, "scm:cert:update")
        write(CHARLIE, 2)
        actions.seal_pending()


def exported(folder: Path, filters: Filters = EVERYTHING, account_id: str = ACCOUNT) -> Path:
    path = folder / "audit.jsonl"
    path.write_bytes(b"".join(exporting.export(account_id, filters, NOW)))
    return path


def kinds(path: Path) -> list[str]:
    return [next(iter(json.loads(line))) for line in path.read_text().splitlines()]


def actors(filters: Filters, limit: int = 50) -> list[str]:
    return [one["actor_name"] for one in reading.page(ACCOUNT, filters, limit).events]


# --- pages ---------------------------------------------------------------------------------------


def test_pages_walk_one_accounts_log_newest_first() -> None:
    write(ALICE, 7)
    write(CHARLIE, 3)
    seen, after = list[int](), None
    for size in (3, 3, 1):
        found = reading.page(ACCOUNT, Filters(), 3, after)
        assert len(found.events) == size
        seen += [json.loads(one["details"])["number"] for one in found.events]
        after = found.next
    assert (seen, after) == ([6, 5, 4, 3, 2, 1, 0], None)


def test_filters_by_person_action_resource_and_time() -> None:
    write(ALICE, 3)
    write(BOB, 1, "scm:csr:update")
    assert actors(Filters(actor="bob")) == actors(Filters(actor="user:u2")) == ["bob"]
    assert actors(Filters(actor="nobody")) == []
    assert actors(Filters(action="scm:csr:*")) == actors(Filters(action="scm:csr:update")) == ["bob"]
    assert actors(Filters(action="scm:csr:")) == []
    assert len(actors(Filters(action="*"))) == 4
    assert actors(Filters(actions=("scm:csr:update", "other"))) == ["bob"]
    assert actors(Filters(resource="cert:0")) == actors(Filters(resource="0")) == ["bob", "alice"]
    assert actors(Filters(resource="order:0")) == []
    written = Event.objects.order_by("id")
    first, last = written[0].at, written[3].at
    assert len(actors(Filters(since=first, until=last))) == 4
    assert "bob" not in actors(Filters(until=last - timedelta(microseconds=1)))
    assert len(actors(Filters(since=first + timedelta(microseconds=1)))) <= 3


def test_every_kind_of_resource_is_found_by_the_id_alone() -> None:
    """The kinds that the source writes; what a helper puts together escapes this look."""
    written: set[str] = set()
    for path in Path(certdesk.__path__[0]).rglob("*.py"):
        written |= set(re.findall(r'resource=f"([a-zA-Z-]+):', path.read_text(encoding="utf-8")))
        written |= set(re.findall(r'_record\([^()]*, f"([a-zA-Z-]+):', path.read_text(encoding="utf-8")))
    assert {"cert", "user", "contact"} <= written
    assert written <= set(KINDS)


def test_a_page_looks_at_so_many_events_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_LOOKED_AT", 3)
    write(BOB)
    write(ALICE, 4)
    first = reading.page(ACCOUNT, Filters(actor="bob"), 10)
    assert first.events == []
    assert first.next is not None
    second = reading.page(ACCOUNT, Filters(actor="bob"), 10, first.next)
    assert ([one["actor_name"] for one in second.events], second.next) == (["bob"], None)


def test_one_event_of_ones_own_account_only() -> None:
    write()
    event_id = Event.objects.get().id
    found = reading.event(ACCOUNT, event_id)
    assert found is not None
    assert found["actor_name"] == "alice"
    assert reading.event(CHARLIE.account_id, event_id) is None


def test_the_role_assumed_is_in_the_row() -> None:
    write(BOB)
    assert json.loads(Event.objects.get().details) == {"agency": "auditors", "number": 0}


# --- exports -------------------------------------------------------------------------------------


def test_a_whole_export_proves_itself(tmp_path: Path) -> None:
    log()
    path = exported(tmp_path)
    report = verify_file(path, public_keys())
    assert (report.ok, report.events, report.part["partial"]) == (True, 20, False)
    assert "charlie" not in path.read_text()
    assert kinds(path)[0] == "export"
    assert kinds(path)[-2:] == ["manifest", "checkpoint"]


def test_a_part_says_so_and_proves_its_rows(tmp_path: Path) -> None:
    log()
    path = exported(tmp_path, Filters(actor="bob"))
    found = kinds(path)
    assert (found.count("event"), found.count("neighbour"), found.count("range")) == (1, 3, 1)
    report = verify_file(path, public_keys())
    assert (report.ok, report.events) == (True, 4)
    assert report.part["partial"]
    assert report.part["filters"] == {"actor": "bob"}


def test_stretches_that_touch_are_one_and_others_stay_apart(tmp_path: Path) -> None:
    for who in (BOB, BOB, ALICE, ALICE, BOB):
        write(who)
        actions.seal_pending()
    path = exported(tmp_path, Filters(actor="bob"))
    ranges = [
        (one["range"]["first"], one["range"]["last"])
        for one in map(json.loads, path.read_text().splitlines())
        if "range" in one
    ]
    assert ranges == [(1, 2), (5, 5)]
    assert verify_file(path, public_keys()).ok


def test_others_get_their_turn_after_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    real = reading.next_wanted
    monkeypatch.setattr(reading, "next_wanted", lambda *given: looks.append(1) or real(*given))
    log(seals=8)
    looked = []
    for _ in exporting.export(ACCOUNT, Filters(actor="alice"), NOW):
        looked.append(len(looks))
    assert len(looks) >= 8
    assert max(after - before for before, after in itertools.pairwise([0, *looked])) == 1


def test_a_part_with_nothing_in_it_is_proved_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_LOOKED_AT", 3)
    log()
    path = exported(tmp_path, Filters(action="nothing"))
    report = verify_file(path, public_keys())
    assert (report.ok, report.events) == (True, 0)


def test_times_stand_in_the_export_as_they_were_asked_for(tmp_path: Path) -> None:
    log()
    path = exported(tmp_path, Filters(since=NOW - timedelta(days=1), actions=("a", "b")))
    asked = verify_file(path).part["filters"]
    assert (asked["actions"], asked["from"][:4]) == ("a b", str((NOW - timedelta(days=1)).year))


def test_nothing_sealed_nothing_exported() -> None:
    write()
    with pytest.raises(CertdeskError) as refused:
        exporting.export(ACCOUNT, Filters(), NOW)
    assert refused.value.retry_after


def test_checkpoints_are_thinned_and_the_last_one_stays(tmp_path: Path) -> None:
    for _ in range(120):
        write()
        actions.seal_pending()
    assert Checkpoint.objects.count() == 120
    path = exported(tmp_path)
    assert kinds(path).count("checkpoint") == 3  # row 100, row 120, and the last line
    assert verify_file(path, public_keys()).ok


Lines = list[dict[str, dict[str, object]]]


def place_of(lines: Lines, place: int) -> int:
    return next(
        number
        for number, one in enumerate(lines)
        for kind, value in one.items()
        if kind in ("event", "neighbour") and value["sequence"] == place
    )


def edit(lines: Lines) -> None:
    next(iter(lines[place_of(lines, 10)].values()))["actor"] = "user:mallory"


def delete(lines: Lines) -> None:
    del lines[place_of(lines, 10)]


def swap(lines: Lines) -> None:
    one, other = place_of(lines, 10), place_of(lines, 11)
    lines[one], lines[other] = lines[other], lines[one]


def truncate(lines: Lines) -> None:
    del lines[place_of(lines, 11) :]


def insert(lines: Lines) -> None:
    at = place_of(lines, 10)
    [(kind, row)] = lines[at].items()
    lines.insert(at, {kind: {**row, "id": 4711, "actor": "user:mallory"}})


def chain_anew(lines: Lines) -> None:
    edit(lines)
    last = max(int(str(row["sequence"])) for one in lines for kind, row in one.items() if kind == "event")
    previous = str(next(iter(lines[place_of(lines, 9)].values()))["digest"])
    for place in range(10, last + 1):
        row = next(iter(lines[place_of(lines, place)].values()))
        row["digest"] = previous = verify.digest(previous, place, row)


TAMPERINGS: list[tuple[Callable[[Lines], None], tuple[str, int, int]]] = [
    (edit, ("changed", 10, 10)),
    (delete, ("missing", 10, 10)),
    (swap, ("reordered", 10, 10)),
    (truncate, ("truncated", 11, 12)),
    (insert, ("inserted", 10, 10)),
    (chain_anew, ("rechained", 9, 12)),
]


@pytest.mark.parametrize(("tamper", "expected"), TAMPERINGS)
def test_tampering_with_a_part_is_named_at_its_row(
    tamper: Callable[[Lines], None], expected: tuple[str, int, int], tmp_path: Path
) -> None:
    log()
    path = exported(tmp_path, Filters(actor="bob"))
    lines: Lines = [json.loads(line) for line in path.read_text().splitlines()]
    tamper(lines)
    path.write_text("".join(verify.canonical(line) + "\n" for line in lines))
    findings = verify_file(path, public_keys()).findings
    assert expected in [(one.kind, one.first, one.last) for one in findings]
    assert {one.kind for one in findings} <= {expected[0], "altered", "truncated"}


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (lambda lines: lines.pop(-2), "truncated"),  # no manifest
        (lambda lines: lines[-2]["manifest"].update(signature="00" * 64), "altered"),
        (lambda lines: lines[-2]["manifest"].update(rows=3), "altered"),
        (lambda lines: lines[-2]["manifest"].update(public_key="zz"), "altered"),
        (lambda lines: lines[0]["export"].update(filters={}), "altered"),
        (lambda lines: lines.append(lines[5]), "altered"),
        (lambda lines: lines.pop(1), "inserted"),  # the stretch's own line
        (lambda lines: lines.pop(2), "unsigned"),  # the checkpoint before it
    ],
)
def test_a_part_that_is_not_as_it_was_handed_out_is_refused(
    tamper: Callable[[Lines], None], kind: str, tmp_path: Path
) -> None:
    log()
    path = exported(tmp_path, Filters(actor="bob"))
    lines: Lines = [json.loads(line) for line in path.read_text().splitlines()]
    tamper(lines)
    path.write_text("".join(verify.canonical(line) + "\n" for line in lines))
    report = verify_file(path, public_keys())
    assert not report.ok
    assert kind in [one.kind for one in report.findings]


def test_a_foreign_key_proves_nothing(tmp_path: Path) -> None:
    log()
    report = verify_file(exported(tmp_path), ["00" * 32])
    assert {"forged", "altered"} <= {one.kind for one in report.findings}


def test_leaving_out_a_whole_stretch_is_found(tmp_path: Path) -> None:
    for who in (BOB, ALICE, ALICE, BOB):
        write(who)
        actions.seal_pending()
    path = exported(tmp_path, Filters(actor="bob"))
    lines = path.read_text().splitlines()
    second = [number for number, line in enumerate(lines) if line.startswith('{"range"')][1]
    path.write_text("\n".join(lines[:second] + lines[-2:]) + "\n")
    assert [one.kind for one in verify_file(path, public_keys()).findings] == ["altered"]


@pytest.mark.parametrize(
    "line",
    [
        '{"event": {}}',
        '{"event": 1}',
        "[]",
        '{"range": {"account_id": "a", "first": "x", "last": 1}}',
        '{"manifest": 1}',
        '{"head": {}}',
        '{"head": {"account_id": "a", "sequence": "x"}}',
        '{"checkpoint": {}}',
        '{"checkpoint": 1}',
        '{"export": 1}',
    ],
)
def test_what_is_no_export_is_refused_in_words(line: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1"):
        verify_file(path)


def test_the_command_says_what_part_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log()
    assert verify.main([str(exported(tmp_path, Filters(actor="bob"))), "--key", public_keys()[0]]) == 0
    assert 'a part of the log, asked for: {"actor":"bob"}' in capsys.readouterr().out
    assert verify.main([str(exported(tmp_path))]) == 0
    assert "the whole log" in capsys.readouterr().out
