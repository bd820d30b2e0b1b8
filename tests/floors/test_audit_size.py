"""A long audit log, verified offline: every tampering named at its row, in time and in little memory.

`CERTDESK_SIZE=full` takes a million rows, the small form fifty thousand.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction

from certdesk.foundation.audit import exporting, sealer, verify
from certdesk.foundation.audit.filters import Filters
from certdesk.foundation.audit.models import Checkpoint, Event, Head
from certdesk.foundation.audit.verify import canonical, checkpoint_text, digest
from certdesk.foundation.audit.verify_database import public_keys, verify_database
from certdesk.foundation.common import clock, sql

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
ROWS = 1_000_000 if os.environ.get("CERTDESK_SIZE") == "full" else 50_000
SECONDS_A_MILLION = 60
MOST_MEMORY = 150 * 1024  # KiB, Python and its packages included
ACCOUNT = "a" * 32
LOT = 100  # rows from checkpoint to checkpoint, as the sealer's chunks
HERE = ROWS // 2 + 50  # where the log is tampered with: in the middle of a lot
FIRST, LAST = HERE // LOT * LOT + 1, HERE // LOT * LOT + LOT


def rows() -> Iterator[dict[str, object]]:
    previous, at = verify.GENESIS, clock.to_micros(clock.real_now())
    for place in range(1, ROWS + 1):
        row: dict[str, object] = {
            "id": place, "account_id": ACCOUNT, "at": at + place, "actor": f"user:u{place % 97}",
            "actor_name": "alice", "via": "api", "key_id": "AK1", "source": "192.0.2.1",
            "request_id": "r" * 32,
            "action": "scm:cert:delete", "resource": f"cert:scs{place:013d}", "sequence": place,
            "details": canonical({"name": "certificate", "number": place}),
        }  # fmt: skip
        previous = row["digest"] = digest(previous, place, row)
        yield row


def fill() -> None:
    """Sealed rows and signed checkpoints as the sealer leaves them, written in bulk."""
    sealer._signer()
    lot: list[dict[str, object]] = []
    for row in rows():
        lot.append(row)
        if len(lot) == LOT or row["sequence"] == ROWS:
            sql.insert("audit_event", lot)
            place, head, at = int(str(row["sequence"])), str(row["digest"]), int(str(row["at"]))
            signature = sealer.sign(checkpoint_text(ACCOUNT, place, head, at))
            sql.insert(
                "audit_checkpoint",
                [{"account_id": ACCOUNT, "sequence": place, "digest": head, "at": at, "signature": signature,
                  "public_key": bytes.fromhex(sealer.public_key())}],
            )  # fmt: skip
            lot = []
    Head.objects.create(account_id=ACCOUNT, sequence=ROWS, digest=head)


_made: list[tuple[Path, str]] = []


@pytest.fixture
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The file and the key that signed it; made once, as the tests leave it alone."""
    if not _made:
        fill()
        path = tmp_path_factory.mktemp("export") / "audit.jsonl"
        with path.open("wb") as file:
            file.writelines(exporting.export(ACCOUNT, Filters(), clock.real_now()))
        _made.append((path, public_keys()[-1]))
    return _made[0]


# A process begins with the memory that its parent had, in the system's figures; so a small one starts it.
MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, done.stdout, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


def offline(path: Path, key: str) -> tuple[int, list[str], float, int]:
    """Status, findings, CPU seconds and KiB of the verifier as a process of its own, without the database."""
    command = [sys.executable, "-I", verify.__file__, str(path), "--key", key]
    measured = [sys.executable, "-I", "-c", MEASURED, *command]
    done = subprocess.run(measured, stdout=subprocess.PIPE, text=True, check=True)
    status, told, seconds, memory = orjson.loads(done.stdout)
    return status, told.splitlines(), seconds, memory


def test_a_long_export_is_verified_in_time_and_in_little_memory(exported: tuple[Path, str]) -> None:
    status, told, seconds, memory = offline(*exported)
    assert (status, f"{ROWS} rows" in told[-1]) == (0, True)
    assert seconds < 1 + SECONDS_A_MILLION * ROWS / 1_000_000
    assert memory < MOST_MEMORY


# --- the six tamperings, in the file -------------------------------------------------------------


def _edited(line: bytes, **changes: object) -> bytes:
    [(kind, row)] = orjson.loads(line).items()
    return canonical({kind: row | changes}).encode() + b"\n"


def _chained_anew(lines: list[bytes]) -> list[bytes]:
    """The row changed and all behind it up to the checkpoint chained anew, without the key."""
    found = [orjson.loads(line)["event"] for line in lines]
    previous = found[0]["digest"]
    for row in found[1:]:
        if row["sequence"] == HERE:
            row["actor"] = "user:mallory"
        row["digest"] = previous = digest(previous, row["sequence"], row)
    return [canonical({"event": row}).encode() + b"\n" for row in found]


def _with(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> Path:
    """The file with the lines of `HERE` - 1 to `LAST` changed."""
    other = path.with_name("other.jsonl")
    held: list[bytes] = []
    with path.open("rb") as source, other.open("wb") as target:
        for line in source:
            place = orjson.loads(line)["event"]["sequence"] if line.startswith(b'{"event"') else 0
            if HERE - 1 <= place <= LAST:
                held.append(line)
                if place == LAST:
                    target.writelines(change(held))
            elif not held or place or change is not _cut:
                target.write(line)
            if held and change is _cut and place == LAST:
                break
    return other


def _edit(lines: list[bytes]) -> list[bytes]:
    return [lines[0], _edited(lines[1], actor="user:mallory"), *lines[2:]]


def _delete(lines: list[bytes]) -> list[bytes]:
    return [lines[0], *lines[2:]]


def _swap(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def _cut(lines: list[bytes]) -> list[bytes]:
    return lines[:1]


def _insert(lines: list[bytes]) -> list[bytes]:
    return [lines[0], _edited(lines[1], id=ROWS * 2, actor="user:mallory"), *lines[1:]]


IN_FILE = [
    (_edit, "changed", f"row {HERE} "),
    (_delete, "missing", f"rows {HERE} are missing"),
    (_swap, "reordered", f"row {HERE} stands behind row {HERE + 1}"),
    (_cut, "truncated", f"rows {HERE} to {ROWS} are cut off"),
    (_insert, "inserted", f"row id {ROWS * 2} was put in before row {HERE}"),
    (_chained_anew, "rechained", f"rows {FIRST} to {LAST} were sealed anew"),
]


def test_every_tampering_with_the_file_is_named_at_its_row(exported: tuple[Path, str]) -> None:
    path, key = exported
    for change, kind, words in IN_FILE:
        status, told, *_ = offline(_with(path, change), key)
        assert status == 1, kind
        assert any(line.startswith(f"{kind}: ") and words in line for line in told), (kind, told)
        assert len(told) < 10, (kind, told[:20])  # nothing else is blamed but the file as a whole


# --- and in the database -------------------------------------------------------------------------


def _raw(place: int) -> dict[str, object]:
    found = sql.row(
        f"SELECT {', '.join([*verify.FIELDS, 'digest'])} FROM audit_event WHERE sequence = %s", [place]
    )
    return dict(zip([*verify.FIELDS, "digest"], found or (), strict=True))


def _change_row() -> None:
    Event.objects.filter(sequence=HERE).update(actor="user:mallory")


def _delete_row() -> None:
    Event.objects.filter(sequence=HERE).delete()


def _swap_rows() -> None:
    one, other = Event.objects.get(sequence=HERE), Event.objects.get(sequence=HERE + 1)
    Event.objects.filter(id=one.id).update(sequence=None)
    Event.objects.filter(id=other.id).update(sequence=HERE)
    Event.objects.filter(id=one.id).update(sequence=HERE + 1)


def _cut_rows() -> None:
    Event.objects.filter(sequence__gte=HERE).delete()
    Checkpoint.objects.filter(sequence__gte=HERE, sequence__lt=ROWS).delete()


def _insert_row() -> None:
    sql.execute("UPDATE audit_event SET sequence = -sequence - 1 WHERE sequence >= %s", [HERE])
    sql.execute("UPDATE audit_event SET sequence = -sequence WHERE sequence < 0")
    one = _raw(HERE - 1) | {"id": ROWS * 2, "actor": "user:mallory", "sequence": HERE, "digest": "f" * 64}
    sql.insert("audit_event", [one])


def _chain_rows_anew() -> None:
    _change_row()
    previous = str(_raw(HERE - 1)["digest"])
    for place in range(HERE, LAST + 1):
        previous = digest(previous, place, _raw(place))
        Event.objects.filter(sequence=place).update(digest=previous)


IN_DATABASE = [
    (_change_row, [("changed", HERE, HERE)]),
    (_delete_row, [("missing", HERE, HERE)]),
    (_swap_rows, [("reordered", HERE + 1, HERE + 1)]),
    (_cut_rows, [("truncated", HERE, ROWS)]),
    (_insert_row, [("inserted", HERE, HERE)]),
    (_chain_rows_anew, [("rechained", FIRST, LAST)]),
]


def test_every_tampering_with_the_database_is_named_at_its_row() -> None:
    fill()
    assert verify_database(ACCOUNT).ok
    for tamper, expected in IN_DATABASE:
        with transaction.atomic():
            tamper()
            found = [(one.kind, one.first, one.last) for one in verify_database(ACCOUNT).findings]
            transaction.set_rollback(True)
        assert found == expected, tamper.__name__
    _forge()
    assert ("forged", ROWS) in [(one.kind, one.first) for one in verify_database(ACCOUNT).findings]


def _forge() -> None:
    """The last checkpoint, signed with another key."""
    forger = Ed25519PrivateKey.generate()
    last = Checkpoint.objects.get(sequence=ROWS)
    text = checkpoint_text(ACCOUNT, ROWS, last.digest, clock.to_micros(last.at))
    Checkpoint.objects.filter(id=last.id).update(
        signature=forger.sign(text), public_key=forger.public_key().public_bytes_raw()
    )
