"""A backup put back on an empty machine: all of it opens and verifies, and nothing happens twice.

Each installation has processes and a database of its own, on SQLite or on PostgreSQL.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.fresh import Fresh, fresh

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.postgres]

PLANT = r"""
import json
from datetime import timedelta
from django.contrib.sessions.models import Session
from certdesk.foundation.audit.actions import seal_pending
from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam import links, sessions
from certdesk.foundation.iam.models import User
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.outbox.models import Message
from certdesk.pki.authority import publishing, revocation
from certdesk.pki.authority.models import Reason
from tests.support.authority import request, signed

now = clock.real_now()
serials = []
for number in range(3):
    serials.append(signed(request((f"w{number}.example.com",), now=now), now).serial)
with sql.short_transaction():
    revocation.revoke(serials[0], Reason.SUPERSEDED, now)
Job.objects.all().delete()
row = {"kind": "outbox.deliver", "run_at": now, "created_at": now, "payload": {"message_id": 1}}
held = {"worker": "old", "lease_until": now, "dedupe_key": "one"}
Job.objects.create(state="RUNNING", fence=7, attempts=1, **held, **row)
Job.objects.create(state="READY", dedupe_key="one", **row)
Message.objects.create(account_id="a", template="t", recipient="a@example.com", subject="s", text="t",
                       state="QUEUED", dedupe_key="m1", created_at=now)
alice = User.objects.get(name="alice")
Session.objects.create(session_key="s1", session_data="", expire_date=now + timedelta(days=1))
sessions.note(alice.id, "s1", "127.0.0.1", "Firefox", now)
links.make(alice, links.Purpose.PASSWORD, now)
publishing.publish_all(now)
while seal_pending():
    pass
print(json.dumps(serials))
"""
LATER = r"""
import json, sys
from certdesk.foundation.audit.actions import record, seal_pending
from certdesk.foundation.common import clock, sql
from certdesk.foundation.iam.principal import system_principal
from certdesk.pki.authority import publishing
from certdesk.pki.authority.models import Crl

for _ in range(3):  # as many within a second as a crowd of revocations makes
    with sql.short_transaction():
        publishing.take_numbers(["root-p256"], clock.now())
record(system_principal(""), "house.later")
while seal_pending():
    pass
print(json.dumps({row.name: row.number for row in Crl.objects.only("name", "number")}))
"""
STATE = r"""
import json
from django.contrib.sessions.models import Session
from certdesk.foundation.iam.models import SignInLink, UserSession
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.queries import renew, Lease
from certdesk.foundation.outbox.models import Attempt, Message
from certdesk.foundation.common import clock, ids
from certdesk.pki.authority import issue, ocsp
from certdesk.pki.authority.models import Crl, Revocation

jobs = list(Job.objects.order_by("id").values_list("state", "fence", "worker", "dedupe_key"))
now = clock.real_now()
print(json.dumps({
    "jobs": jobs,
    "renewed": len(renew("old", [job.id for job in Job.objects.all()], Lease(now, now))),
    "messages": list(Message.objects.values_list("state", flat=True)),
    "attempts": list(Attempt.objects.values_list("answer", flat=True)),
    "signed_in": Session.objects.count() + UserSession.objects.count() + SignInLink.objects.count(),
    "crls": {row.name: row.number for row in Crl.objects.only("name", "number")},
    "bases": Crl.objects.filter(base__lt=1).count(),
    "listed": Revocation.objects.filter(listed_in__isnull=False).count(),
    "serial": f"{issue.new_serial():032x}",
    "order": ids.order_id(),
}))
"""


@dataclass
class Drill:
    old: Fresh
    new: Fresh
    file: Path
    made: dict[str, Any]
    serials: list[str]
    later: dict[str, int]
    report: dict[str, Any]
    state: dict[str, Any]


def keys(old: Fresh, new: Fresh, *endings: str) -> None:
    for ending in endings:
        shutil.copy2(old.data.with_suffix(ending), new.data.with_suffix(ending))


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    folder = tmp_path_factory.mktemp("drill")
    with fresh(folder / "old") as old, fresh(folder / "new") as new:
        password = folder / "password"
        password.write_text("correct horse battery\n", encoding="ascii")
        set_up = ("init", "--account", "acme", "--admin", "alice", "--password-file", str(password))
        assert old.run(*set_up).status == 0
        serials = old.python(PLANT).answer
        made = old.run("backup", str(folder / "kept")).answer
        later = old.python(LATER).answer
        keys(old, new, ".kek", ".heads")
        restored = new.run("restore", made["file"], "--verify", "0")
        assert restored.status == 0, restored.out + restored.err
        state = new.python(STATE).answer
        yield Drill(old, new, Path(made["file"]), made, serials, later, restored.answer, state)


def test_all_of_it_opens_and_verifies(drill: Drill) -> None:
    report = drill.report
    assert (report["secrets_broken"], report["audit_problems"], report["certificate_problems"]) == (
        [],
        [],
        [],
    )
    assert report["secrets_opened"] == drill.made["counts"]["sealing_secret"] > 10
    assert report["certificates_verified"] == len(drill.serials)
    assert report["counts"] == drill.made["counts"]
    audit = drill.new.run("audit", "verify")
    assert (audit.status, audit.answer["problems"], audit.answer["unsealed"]) == (0, [], 0)
    issued = drill.new.run("verify-issued")
    assert (issued.status, issued.answer["checked"]) == (0, len(drill.serials))


def test_what_the_backup_lacks_is_said(drill: Drill) -> None:
    lacks = {one["account_id"]: one for one in drill.report["lacks"]}
    assert set(lacks) == {"system"}  # the backup itself, and what came after it
    assert lacks["system"]["last"] - lacks["system"]["first"] == 1
    kept = Path(drill.report["heads_kept"])
    assert kept.read_bytes() == drill.old.data.with_suffix(".heads").read_bytes()
    named = drill.new.run("audit", "verify", "--heads", str(kept))
    assert named.status == 1


def test_no_number_comes_again(drill: Drill) -> None:
    assert len(drill.later) == len(drill.state["crls"]) == drill.report["crls_signed"]
    assert min(drill.state["crls"].values()) > max(drill.later.values())
    assert (drill.state["bases"], drill.state["listed"]) == (0, 1)
    assert drill.state["serial"] not in drill.serials
    assert drill.state["order"].startswith("CS")


def test_the_old_time_does_nothing_twice(drill: Drill) -> None:
    assert (drill.report["jobs_taken_back"], drill.report["messages_held"]) == (1, 1)
    taken, waiting = drill.state["jobs"]
    assert taken == ["READY", 1_000_007, "", None]
    assert waiting == ["READY", 0, "", "one"]
    assert drill.state["renewed"] == 0
    assert drill.state["messages"] == ["KEPT"]
    assert drill.state["attempts"] == ["Held back after a restore: it may have been sent before."]
    assert drill.state["signed_in"] == 0
    assert drill.report["ended"]["sessions"] == drill.report["ended"]["links"] == 1


def test_the_file_says_nothing_without_its_key(drill: Drill) -> None:
    content = drill.file.read_bytes()
    key = json.loads(drill.old.data.with_suffix(".kek").read_text())["key"]
    for text in (b"alice", b"w1.example.com", key.encode(), b"INSERT", b"CREATE TABLE"):
        assert text not in content
    assert drill.file.stat().st_mode & 0o077 == 0


def test_nothing_is_put_over_something(drill: Drill) -> None:
    again = drill.new.run("restore", str(drill.file))
    assert (again.status, "replaces nothing" in again.err) == (2, True)


def test_a_damaged_or_strange_file_leaves_nothing_behind(drill: Drill, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.backup"
    content = bytearray(drill.file.read_bytes())
    content[-100] ^= 1
    damaged.write_bytes(content)
    with fresh(tmp_path / "empty") as empty:
        assert "KEK file" in empty.run("restore", str(drill.file)).err
        empty.data.with_suffix(".kek").write_text(
            json.dumps({"version": 1, "key": "A" * 43 + "="}) + "\n", encoding="ascii"
        )
        empty.data.with_suffix(".kek").chmod(0o600)
        assert "not the one" in empty.run("restore", str(drill.file)).err
        keys(drill.old, empty, ".kek")
        broken = empty.run("restore", str(damaged))
        assert (broken.status, broken.answer["restored"]) == (1, False)
        assert empty.run("restore", str(tmp_path / "absent")).status == 2
        heads = empty.run("restore", str(drill.file), "--heads", str(damaged))
        assert (heads.status, "heads" in heads.err) == (2, True)
        assert not (empty.data / "certdesk.sqlite3").exists()
        assert "None" in empty.python(NOTHING_THERE).out


NOTHING_THERE = r"""
from certdesk.foundation.backup import unfinished
unfinished.refuse()
print("None")
"""
OTHER_KIND = r"""
import sys
from pathlib import Path
from certdesk.foundation.backup import head, making, restoring, target
from certdesk.foundation.backup.archive import Writer
from certdesk.foundation.backup.errors import BackupRefused
from certdesk.foundation.backup.manifest import Schema, text
from certdesk.foundation.backup.stream import SealedWriter

path = Path(sys.argv[1])
def write(kind, migrations):
    made, key = head.make(kind, "now", "i")
    with path.open("wb") as file:
        file.write(made.line + b"\n")
        with SealedWriter(file, key, made.line) as sealed:
            writer = Writer(sealed)
            writer.add("schema.json", [text(Schema(migrations, {}))])
            writer.close()
said = []
for kind, migrations in (("oracle", {}), (target.kind(), {"iam": ["9999_later"]}), (target.kind(), {})):
    write(kind, migrations)
    try:
        with target.building():
            restoring.fill(path, "")
    except Exception as error:
        said.append(str(error))
import json
print(json.dumps(said))
"""


def test_another_kind_or_a_later_release_is_refused(drill: Drill, tmp_path: Path) -> None:
    with fresh(tmp_path / "empty") as empty:
        keys(drill.old, empty, ".kek")
        other, later, bare = empty.python(OTHER_KIND, str(tmp_path / "f")).answer
        assert "The backup is of oracle" in other
        assert "does not know the step iam 9999_later" in later
        assert bare


KILLED = r"""
import json, os, signal, sys
from pathlib import Path
from django.db import connections
from certdesk.foundation.backup import making, target, unfinished
from certdesk.foundation.backup.errors import BackupRefused
from certdesk.interfaces.cli import restored
from certdesk.pki.authority import publishing

file, sqlite = Path(sys.argv[1]), target.kind() == "sqlite"
steps = [(target, "_put_file" if sqlite else "_put_lines"), (publishing, "publish_all"),
         (target, "_fold") if sqlite else (unfinished, "unmark")]

def killed_at(module, name):
    real = getattr(module, name)
    def step(*args, **kwargs):
        if module is target and name != "_fold":
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(module, name, step)

seen = []
for module, name in steps:
    connections.close_all()
    child = os.fork()
    if child == 0:
        killed_at(module, name)
        restored.restore(file, None, 1)
        os._exit(0)
    killed = os.waitpid(child, 0)[1] == signal.SIGKILL
    try:
        unfinished.refuse()
        refused = False
    except BackupRefused:
        refused = True
    seen.append([name, killed, refused, unfinished.database().exists()])
connections.close_all()
report = restored.restore(file, None, 0)
print(json.dumps({"seen": seen, "good": report.good, "opened": report.secrets_opened,
                  "left": sorted(one.name for one in unfinished.database().parent.iterdir())}))
"""


def test_a_restore_that_is_killed_anywhere_begins_anew(drill: Drill, tmp_path: Path) -> None:
    with fresh(tmp_path / "empty") as empty:
        keys(drill.old, empty, ".kek")
        found = empty.python(KILLED, str(drill.file)).answer
        assert [one[1:] for one in found["seen"]] == [[True, True, False]] * 3, found["seen"]
        assert (found["good"], found["opened"]) == (True, drill.report["secrets_opened"])
        assert not any("restoring" in name and "lock" not in name for name in found["left"])
        web = empty.run("audit", "verify")
        assert web.status == 0


KILLED_BACKUP = r"""
import os, signal, sys
from certdesk.foundation.backup import making
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
making.check = kill
making.make(__import__("pathlib").Path(sys.argv[1]))
"""


def test_a_backup_that_is_killed_leaves_none_that_looks_whole(drill: Drill, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert drill.old.python(KILLED_BACKUP, str(kept)).status == -9
    assert [one.suffix for one in kept.iterdir()] == [".part"]
    made = drill.old.run("backup", str(kept)).answer
    assert [str(one) for one in kept.iterdir()] == [made["file"]]
    assert not (drill.old.data / "backup.snapshot").exists()


PAIRS = r"""
import select, sys
from certdesk.foundation.audit.actions import record
from certdesk.foundation.common import sql
from certdesk.foundation.iam.principal import system_principal
from certdesk.foundation.audit.models import Event

print(Event.objects.count(), flush=True)
written = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    with sql.short_transaction():
        record(system_principal(""), "house.first")
        record(system_principal(""), "house.second")
    written += 1
    if written == 1:
        print("writing", flush=True)
print(written)
"""


def test_it_shows_one_moment_while_others_write(drill: Drill, tmp_path: Path) -> None:
    writer = drill.old.start(PAIRS)
    assert writer.stdout is not None
    before = int(writer.stdout.readline())
    assert writer.stdout.readline() == "writing\n"
    made = drill.old.run("backup", str(tmp_path / "kept"))
    out, _ = writer.communicate("")
    assert made.status == 0, made.err
    seen = made.answer["counts"]["audit_event"] - before
    assert seen % 2 == 0  # both events of each transaction, or neither
    assert 2 <= seen <= 2 * int(out)


def test_only_the_newest_are_kept_and_strangers_stay(drill: Drill, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    stranger = kept / "certdesk-20200101T000000.000000Z.backup"
    stranger.write_bytes(b"another's\n")
    first = drill.old.run("backup", str(kept)).answer["file"]
    second = drill.old.run("backup", str(kept), "--keep", "1").answer
    assert second["removed"] == [first]
    assert {one.name for one in kept.iterdir()} == {stranger.name, Path(second["file"]).name}


def test_a_passphrase_seals_it_instead_of_the_kek(drill: Drill, tmp_path: Path) -> None:
    phrase = tmp_path / "phrase"
    phrase.write_text("a long enough passphrase\n", encoding="utf-8")
    made = drill.old.run("backup", str(tmp_path / "kept"), "--passphrase-file", str(phrase)).answer
    without = drill.new.run("backup", "--check", made["file"])
    assert (without.status, "--passphrase-file" in without.err) == (2, True)
    looked = drill.new.run("backup", "--check", made["file"], "--passphrase-file", str(phrase))
    assert (looked.status, looked.answer["counts"]) == (0, made["counts"])


def test_wrong_use_is_refused(drill: Drill, tmp_path: Path) -> None:
    inside = drill.old.run("backup", str(drill.old.data / "kept"))
    assert (inside.status, "inside the data folder" in inside.err) == (2, True)
    assert drill.old.run("backup").status == 2
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert drill.old.run("backup", str(file)).status == 2
    not_one = drill.old.run("backup", "--check", str(file))
    assert (not_one.status, not_one.answer["whole"]) == (1, False)
    with fresh(tmp_path / "empty") as empty:
        nothing = empty.run("backup", str(tmp_path / "kept"))
        assert (nothing.status, "There is no database" in nothing.err or "no tables" in nothing.err) == (
            2,
            True,
        )


def test_the_doctor_knows_the_last_backup(drill: Drill) -> None:
    found = {one["subject"]: one for one in drill.old.run("doctor").answer["findings"]}
    assert (found["backup"]["level"], "is 0 hours old" in found["backup"]["sentence"]) == ("ok", True)
    found = {one["subject"]: one for one in drill.new.run("doctor").answer["findings"]}
    assert (found["backup"]["level"], "None was ever made" in found["backup"]["sentence"]) == (
        "warning",
        True,
    )
