"""The audit log: written with the change, sealed into chains, and every tampering named at its row."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from certdesk.foundation.audit import actions, heads, queries, sealer, verify
from certdesk.foundation.audit.models import Checkpoint, Event, Head, SigningKey
from certdesk.foundation.audit.verify import Finding, digest, verify_file
from certdesk.foundation.audit.verify_database import export, public_keys, verify_database
from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.iam.principal import Principal, Via, system_principal
from certdesk.foundation.sealing import kek

pytestmark = pytest.mark.django_db
ACCOUNT = "a" * 32
ALICE = Principal(ACCOUNT, "u1", "alice", Via.API, access_key="AK1", source="::1", request_id="r1")


def write(count: int, principal: Principal = ALICE) -> None:
    for number in range(count):
        actions.record(principal, "scm:cert:delete", resource=f"cert:{number}", details={"number": number})


def sealed(count: int = 9) -> None:
    """One checkpoint after each event, so that every row can be named."""
    for _ in range(count):
        write(1)
        actions.seal_pending()


def found(report: verify.Report | None = None) -> list[tuple[str, int, int]]:
    report = report or verify_database(ACCOUNT)
    return [(one.kind, one.first, one.last) for one in report.findings]


def event_at(place: int) -> Event:
    return Event.objects.get(account_id=ACCOUNT, sequence=place)


def raw(place: int) -> dict[str, object]:
    rows = queries.rows_until(ACCOUNT, 10**9)
    return next(row for row in rows if row["sequence"] == place)


def exported(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_text("".join(line + "\n" for line in export()))
    return path


def test_an_event_says_who_did_what_from_where() -> None:
    actions.record(ALICE, "scm:cert:delete", resource="cert:scs1", details={"b": 1, "a": "ä"})
    event = queries.events(resource="cert:scs1", account_id=ACCOUNT).get()
    assert (event.actor, event.actor_name, event.via, event.key_id) == ("user:u1", "alice", "api", "AK1")
    assert (event.source, event.request_id, event.action) == ("::1", "r1", "scm:cert:delete")
    assert event.details == '{"a":"\\u00e4","b":1}'
    assert event.sequence is None
    actions.record(system_principal(""), "house.started")
    assert queries.events().first().account_id == "system"
    actions.record(ALICE, "moved", account_id="b" * 32)
    assert queries.events(account_id="b" * 32).count() == 1


def test_no_commit_no_event() -> None:
    with transaction.atomic():
        write(1)
        transaction.set_rollback(True)
    assert not Event.objects.exists()


def test_events_are_sealed_in_chains_per_account_and_signed() -> None:
    write(3)
    write(2, system_principal(""))
    assert actions.seal_pending() == 5
    assert actions.seal_pending() == 0
    assert [event_at(place).sequence for place in (1, 2, 3)] == [1, 2, 3]
    assert dict(Head.objects.values_list("account_id", "sequence")) == {ACCOUNT: 3, "system": 2}
    assert Checkpoint.objects.count() == 2
    assert SigningKey.objects.count() == 1
    report = verify_database()
    assert (report.ok, report.events, report.unsealed, report.checkpoints) == (True, 5, 0, 2)
    assert report.as_dict()["problems"] == []


def test_a_long_queue_is_sealed_in_short_transactions() -> None:
    write(230)
    assert actions.seal_pending(limit=220) == 220
    assert actions.seal_pending() == 10
    assert Checkpoint.objects.count() == 4
    assert verify_database().ok


def test_a_row_committed_late_with_a_lower_id_is_not_lost() -> None:
    write(3)
    late = Event.objects.order_by("id")[0]
    values = Event.objects.filter(id=late.id).values().get()
    late.delete()
    actions.seal_pending()
    Event.objects.create(**values)  # now the transaction that took this id first commits
    assert actions.seal_pending() == 1
    assert Event.objects.get(id=values["id"]).sequence == 3
    assert verify_database().ok


def test_an_unsealed_row_is_named_and_no_fault() -> None:
    sealed(2)
    write(1)
    report = verify_database(ACCOUNT)
    assert (found(report), report.ok, report.unsealed) == ([("unsealed", 0, 0)], True, 1)


def change() -> None:
    Event.objects.filter(id=event_at(5).id).update(actor="user:somebody-else")


def change_the_digest() -> None:
    Event.objects.filter(id=event_at(5).id).update(digest="0" * 64)


def remove() -> None:
    event_at(5).delete()


def remove_and_change_the_next() -> None:
    remove()
    Event.objects.filter(account_id=ACCOUNT, sequence=6).update(action="nothing")


def remove_and_renumber() -> None:
    remove()
    for place in range(6, 10):
        Event.objects.filter(account_id=ACCOUNT, sequence=place).update(sequence=place - 1)


def remove_two_and_renumber() -> None:
    for place in (5, 6):
        event_at(place).delete()
    for place in range(7, 10):
        Event.objects.filter(account_id=ACCOUNT, sequence=place).update(sequence=place - 2)


def cut_off() -> None:
    Event.objects.filter(account_id=ACCOUNT, sequence__gt=7).delete()


def cut_off_with_head() -> None:
    cut_off()
    Head.objects.update(sequence=7, digest=event_at(7).digest)


def unseal() -> None:
    Event.objects.filter(account_id=ACCOUNT, sequence__gt=8).update(sequence=None, digest="")


def swap(first: int, second: int, *, digests: bool) -> None:
    one, other = event_at(first), event_at(second)
    marks = (one.sequence, one.digest), (other.sequence, other.digest)
    Event.objects.filter(id=one.id).update(sequence=None)
    for event, (place, mark) in ((other, marks[0]), (one, marks[1])):
        Event.objects.filter(id=event.id).update(sequence=place, digest=mark if digests else event.digest)


def swap_places() -> None:
    swap(3, 6, digests=False)


def swap_all() -> None:
    swap(3, 6, digests=True)


def swap_neighbours() -> None:
    swap(5, 6, digests=False)


def swap_neighbours_all() -> None:
    swap(5, 6, digests=True)


def put_in(mark: Callable[[str, dict[str, object]], str]) -> None:
    for place in range(9, 4, -1):
        Event.objects.filter(account_id=ACCOUNT, sequence=place).update(sequence=place + 1)
    write(1)
    event = Event.objects.get(account_id=ACCOUNT, sequence=None)
    values = next(row for row in queries.rows_until(ACCOUNT, 0) if row["id"] == event.id)
    Event.objects.filter(id=event.id).update(sequence=5, digest=mark(event_at(4).digest, values))


def put_in_well_chained() -> None:
    put_in(lambda previous, values: digest(previous, 5, values))


def put_in_badly_chained() -> None:
    put_in(lambda previous, values: "f" * 64)


def append() -> None:
    write(1)
    event = Event.objects.get(account_id=ACCOUNT, sequence=None)
    values = next(row for row in queries.rows_until(ACCOUNT, 0) if row["id"] == event.id)
    Event.objects.filter(id=event.id).update(sequence=10, digest=digest(event_at(9).digest, 10, values))


def append_with_head() -> None:
    append()
    Head.objects.update(sequence=10, digest=event_at(10).digest)


def chain_anew(first: int, last: int) -> None:
    change()
    previous = event_at(first - 1).digest
    for place in range(first, last + 1):
        previous = digest(previous, place, raw(place))
        Event.objects.filter(id=event_at(place).id).update(digest=previous)
    if last == 9:
        Head.objects.update(digest=previous)


def chain_anew_to_the_end() -> None:
    chain_anew(5, 9)


def chain_anew_one() -> None:
    chain_anew(5, 5)


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (change, [("changed", 5, 5)]),
        (change_the_digest, [("changed", 5, 5)]),
        (remove, [("missing", 5, 5)]),
        (remove_and_change_the_next, [("missing", 5, 5), ("changed", 6, 6)]),
        (remove_and_renumber, [("missing", 5, 5)]),
        (remove_two_and_renumber, [("missing", 5, 6)]),
        (cut_off, [("truncated", 8, 9)]),
        (cut_off_with_head, [("truncated", 8, 9)]),
        (unseal, [("unsealed", 0, 0), ("truncated", 9, 9)]),
        (swap_places, [("reordered", 3, 3), ("reordered", 6, 6)]),
        (swap_all, [("reordered", 3, 3), ("reordered", 6, 6)]),
        (swap_neighbours, [("reordered", 6, 6)]),
        (swap_neighbours_all, [("reordered", 5, 5), ("reordered", 6, 6)]),
        (put_in_well_chained, [("inserted", 5, 5)]),
        (put_in_badly_chained, [("inserted", 5, 5)]),
        (append, [("unsigned", 10, 10)]),
        (append_with_head, [("unsigned", 10, 10)]),
        (chain_anew_to_the_end, [("rechained", 5, 5)]),
        (chain_anew_one, [("rechained", 5, 5)]),
    ],
)
def test_tampering_is_named_at_its_row(
    tamper: Callable[[], None], expected: list[tuple[str, int, int]], tmp_path: Path
) -> None:
    sealed()
    assert verify_database().ok
    tamper()
    assert found() == expected
    assert not verify_database().ok
    assert found(verify_file(exported(tmp_path), public_keys())) == expected


def test_without_a_checkpoint_on_each_row_the_range_is_named() -> None:
    write(4)
    actions.seal_pending()
    write(5)
    actions.seal_pending()
    chain_anew(5, 9)
    assert found() == [("rechained", 5, 9)]


def test_behind_a_row_sealed_anew_the_others_are_still_told_apart() -> None:
    sealed()
    Event.objects.filter(id=event_at(8).id).update(actor="user:a-third")
    chain_anew(5, 9)
    assert found() == [("rechained", 5, 5), ("rechained", 8, 8)]


def test_a_checkpoint_of_a_foreign_key_or_with_a_wrong_signature_counts_for_nothing(tmp_path: Path) -> None:
    sealed(3)
    foreign = Ed25519PrivateKey.generate()
    last = Checkpoint.objects.get(account_id=ACCOUNT, sequence=3)
    text = verify.checkpoint_text(ACCOUNT, 3, last.digest, clock.to_micros(last.at))
    last.signature, last.public_key = foreign.sign(text), foreign.public_key().public_bytes_raw()
    last.save()
    assert found() == [("forged", 3, 3), ("unsigned", 3, 3)]
    SigningKey.objects.create(
        secret_id=SigningKey.objects.get().secret_id, public_key=last.public_key, created_at=last.at
    )
    assert found() == [("forged", 3, 3), ("unsigned", 3, 3)]
    path = exported(tmp_path)
    assert verify_file(path).ok
    assert not verify_file(path, public_keys()).ok
    Checkpoint.objects.filter(sequence=2).update(signature=b"x" * 64)
    assert not verify_file(exported(tmp_path)).ok


def test_another_account_is_not_touched_by_what_happens_in_one() -> None:
    sealed(3)
    write(2, system_principal(""))
    actions.seal_pending()
    event_at(2).delete()
    assert verify_database("system").ok
    assert {one.account_id for one in verify_database().findings} == {ACCOUNT}


def run_alone(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verifier as a stranger runs it: the one file, an empty environment, isolated from the package."""
    return subprocess.run(
        [sys.executable, "-I", verify.__file__, str(path), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
        timeout=60,
    )


def test_the_verifier_works_alone(tmp_path: Path) -> None:
    sealed(5)
    path = exported(tmp_path)
    result = run_alone(path, "--key", public_keys()[0])
    assert (result.returncode, "sound" in result.stdout) == (0, True)
    assert "no key was named" in run_alone(path).stdout
    lines = path.read_text().splitlines()
    lines[7], lines[9] = lines[9], lines[7].replace("alice", "mallory")
    path.write_text("\n".join(lines))
    result = run_alone(path)
    assert result.returncode == 1
    assert "changed" in result.stdout
    path.write_text("nonsense\n")
    assert run_alone(path).returncode == 2
    assert run_alone(tmp_path / "absent").returncode == 2
    assert run_alone(path, "more").returncode == 2


def test_the_verifier_uses_the_standard_library_only() -> None:
    code = (
        "import runpy, sys; sys.modules['cryptography'] = None; sys.argv = ['verify.py'];"
        f"runpy.run_path({verify.__file__!r}, run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    assert "Usage" in result.stderr


def test_two_sealers_do_not_get_in_each_others_way() -> None:
    write(5)
    if not sql.is_sqlite():
        assert queries.take_sealing_lock()
    assert actions.seal_pending() == 5
    assert sealer.seal_pending() == 0


def test_a_finding_reads_like_a_sentence() -> None:
    assert str(Finding("missing", "x", 1, 1, 0, "row 1 is missing")) == "x: row 1 is missing"
    assert json.loads(verify.canonical({"b": 1, "a": "é"})) == {"a": "é", "b": 1}


def chain_of(count: int) -> list[dict[str, object]]:
    previous, rows = verify.GENESIS, []
    for place in range(1, count + 1):
        row: dict[str, object] = dict.fromkeys(verify.FIELDS, "x") | {"id": place, "sequence": place}
        previous = row["digest"] = digest(previous, place, row)
        rows.append(row)
    return rows


def kinds(rows: list[dict[str, object]], signed: int) -> list[tuple[str, int]]:
    chain = verify.Chain("x", {signed: str(rows[signed - 1]["digest"])} if signed else {})
    for row in rows:
        chain.feed(row)
    return [(one.kind, one.first) for one in chain.finish()]


def test_a_place_given_twice_is_a_row_put_in() -> None:
    rows = chain_of(4)
    assert kinds([*rows[:2], rows[1] | {"id": 77}, *rows[2:]], 4) == [("inserted", 2)]


def test_very_many_changed_rows_are_named_without_looking_for_moves() -> None:
    rows = chain_of(verify.MOST_FAILING + 2)
    changed = [row | {"actor": "y"} for row in rows[:-1]] + rows[-1:]
    assert kinds(changed, len(rows)) == [("changed", place) for place in range(1, len(rows))]


def test_rows_removed_at_the_end_and_hidden_are_found_by_the_checkpoint() -> None:
    rows = chain_of(4)
    assert ("changed", 3) in kinds([*rows[:2], rows[3] | {"sequence": 3}], 0)
    chain = verify.Chain("x", {4: str(rows[3]["digest"])})
    for row in [*rows[:2], rows[3] | {"sequence": 3}]:
        chain.feed(row)
    assert [(one.kind, one.first) for one in chain.finish()] == [("missing", 3)]


def test_the_commands_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sealed(2)
    path = exported(tmp_path)
    assert verify.main([str(path), "--key", public_keys()[0]]) == 0
    assert verify.main([str(path), "--key", "00" * 32]) == 1
    assert "forged" in capsys.readouterr().out
    assert verify.main([]) == 2
    assert verify.main([str(tmp_path)]) == 2


@pytest.fixture
def kept(tmp_path: Path, django_capture_on_commit_callbacks: Any) -> Iterator[Path]:
    """The heads file of an installation of its own: nine rows of Alice's account and two of the house."""
    before = settings.get()
    settings.install(before.model_copy(update={"kek_file": tmp_path / "own.kek"}))
    kek.ensure_kek_file()
    sealer._loaded.clear()
    with django_capture_on_commit_callbacks(execute=True):
        sealed()
        write(2, system_principal(""))
        actions.seal_pending()
    yield heads.path()
    settings.install(before)
    sealer._loaded.clear()


def cut_back_to(place: int) -> None:
    """What only the file outside the database still tells of."""
    Event.objects.filter(account_id=ACCOUNT, sequence__gt=place).delete()
    Checkpoint.objects.filter(account_id=ACCOUNT, sequence__gt=place).delete()
    last = event_at(place).digest if place else verify.GENESIS
    Head.objects.filter(account_id=ACCOUNT).update(sequence=place, digest=last)


def test_the_heads_are_kept_outside_the_database(kept: Path) -> None:
    assert kept.stat().st_mode & 0o777 == 0o600
    assert {one["account_id"]: one["sequence"] for one in heads.read()} == {ACCOUNT: 9, "system": 2}
    report = verify_database(heads=heads.read())
    assert (report.ok, report.heads) == (True, 2)


def test_a_chain_cut_back_to_a_checkpoint_is_named(kept: Path, tmp_path: Path) -> None:
    cut_back_to(6)
    assert verify_database().ok
    assert found(verify_database(heads=heads.read())) == [("truncated", 7, 9)]
    path = exported(tmp_path)
    assert verify.main([str(path), "--key", public_keys()[0]]) == 0
    assert verify.main([str(path), "--key", public_keys()[0], "--heads", str(kept)]) == 1
    assert verify.main([str(path), "--heads", str(tmp_path / "absent")]) == 2


def test_an_account_removed_with_all_that_tells_of_it_is_named(kept: Path) -> None:
    cut_back_to(0)
    Head.objects.filter(account_id=ACCOUNT).delete()
    assert verify_database().ok
    findings = verify_database(heads=heads.read()).findings
    assert [(one.kind, one.account_id, one.first, one.last) for one in findings] == [
        ("truncated", ACCOUNT, 1, 9)
    ]


def test_a_chain_that_went_on_after_being_cut_back_is_named(
    kept: Path, django_capture_on_commit_callbacks: Any
) -> None:
    cut_back_to(6)
    with django_capture_on_commit_callbacks(execute=True):
        sealed(5)
    assert [one["sequence"] for one in heads.read()] == [9, 11, 2]
    assert found(verify_database(ACCOUNT, heads.read())) == [("rechained", 9, 9)]


def test_an_earlier_head_never_replaces_a_later_one(kept: Path) -> None:
    before = kept.read_bytes()
    heads.keep([one | {"sequence": 1} for one in heads.read()])
    assert kept.read_bytes() == before


def test_a_folder_that_cannot_be_written_to_does_not_stop_the_sealer(kept: Path) -> None:
    kept.with_name(kept.name + ".new").mkdir()
    heads.keep([one | {"sequence": 99} for one in heads.read()])
    assert max(one["sequence"] for one in heads.read()) == 9


def test_heads_of_a_database_that_is_gone_are_set_aside_for_a_new_one(kept: Path) -> None:
    assert not heads.set_aside_of_another()
    for model in (Event, Checkpoint, Head):
        model.objects.all().delete()
    assert heads.set_aside_of_another()
    assert (kept.exists(), heads.read()) == (False, [])


def test_rows_that_wait_are_told(kept: Path) -> None:
    write(1)
    report = verify_database(heads=heads.read()).as_dict()
    assert (report["ok"], report["unsealed"], len(report["waiting"])) == (True, 1, 1)
