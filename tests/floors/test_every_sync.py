"""One issuance, killed at each of its flushes to the disk in turn: whatever was reached, nothing is wrong."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certdesk.pki.x509.certificates import to_pem
from tests.support import invariants

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
]
ROOT = Path(__file__).parents[2]
PROCESS = Path(__file__).with_name("one_issuance.py")
WANTED = {"certificates.issue": 1, "certificates.batch_issue": 3}  # certificates
OPERATIONS = list(WANTED)[: None if os.environ.get("CERTDESK_SIZE") == "full" else 1]
ORDERS = "SELECT count(*) FROM orders_order"
SYNCS = ("fsync", "fdatasync")  # strace counts each call apart
MANY = 40  # far more than one issuance flushes
OPEN = {"intents INTENDED": 0, "placements PLACED": 0}


class House:
    """A data folder that was prepared once, and a fresh copy of it for each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.pristine = folder / "pristine"
        self.bodies = folder / "bodies.json"
        self.journal = folder / "signatures"
        path = [
            str(ROOT / "tests" / "support" / "journal"),
            *os.environ.get("PYTHONPATH", "").split(os.pathsep),
        ]
        self.environment = {
            # Coverage's own data file would add its syncs to those that are walked.
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("CERTDESK_", "COVERAGE_"))
            },
            "CERTDESK_DATA": str(self.data),
            "PYTHONPATH": os.pathsep.join([*filter(None, path), str(ROOT)]),
            "SIGNER_JOURNAL": str(self.journal),
        }
        self.data.mkdir()
        self.run("prepare")
        self.data.rename(self.pristine)

    def command(self, what: str) -> list[str]:
        return [sys.executable, str(PROCESS), what, str(self.bodies)]

    def run(self, what: str) -> None:
        done = subprocess.run(
            self.command(what), env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def renew(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.pristine, self.data)
        self.journal.unlink(missing_ok=True)

    def issue_killed_at(self, call: str, number: int, operation: str) -> tuple[bool, dict[str, Any] | None]:
        """Whether it was killed at that flush, and the answer, if it came that far."""
        strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
        strace += ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
        done = subprocess.run(
            [*strace, *self.command("issue")],
            env=self.environment | {"ISSUE_OPERATION": operation},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, -9, 137), done.stderr[-3000:]
        return done.returncode != 0, json.loads(done.stdout) if done.stdout else None


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("sync"))


@pytest.fixture
def settler(house: House) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        house.command("settle"),
        env=house.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate()


# rule: ORD-4
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_at_any_flush_leaves_nothing_wrong(
    house: House, settler: subprocess.Popen[str], operation: str
) -> None:
    kills: list[tuple[str, int]] = []
    signed: list[int] = []  # signatures made before each kill
    for call in SYNCS:
        for number in range(1, MANY):
            house.renew()
            before = invariants.count(house.data, ORDERS)
            killed, answer = house.issue_killed_at(call, number, operation)
            made = len(invariants.journalled(house.journal))
            assert invariants.unrecorded(house.data, house.journal) == set()
            check_settled(house, settler)
            bought = invariants.count(house.data, ORDERS) - before
            check_answered(house, answer)
            if not killed:
                break
            kills.append((call, number))
            signed.append(made)
            assert bought in (0, WANTED[operation])  # all of it or nothing
        assert answer is not None, f"still without an answer at {call} {number}"
        assert (answer["status"], bought, made) == (200, WANTED[operation], WANTED[operation])
    assert 0 in signed
    assert WANTED[operation] in signed  # killed between signature and answer, too
    print(f"\n{operation}: killed at {kills}, after {signed} signatures")  # noqa: T201


def check_settled(house: House, settler: subprocess.Popen[str]) -> None:
    assert settler.stdin is not None
    assert settler.stdout is not None
    settler.stdin.write("\n")
    settler.stdin.flush()
    assert json.loads(settler.stdout.readline())["durable"] == ["wal", 2]
    assert invariants.left_open(house.data) == OPEN
    assert invariants.unrecorded(house.data, house.journal) == set()
    assert invariants.certificate_faults(house.data) == []
    assert invariants.ledger_faults(house.data) == []
    states = "SELECT count(*) FROM certificates_certificate WHERE state <> 'ISSUED'"
    assert invariants.count(house.data, states) == 0


def check_answered(house: House, answer: dict[str, Any] | None) -> None:
    """What was answered before the kill, if anything, stands in the records as it was answered."""
    given = answer["answer"].get("items", [answer["answer"]]) if answer else []
    for item in given:
        found = invariants.rows(
            house.data,
            "SELECT serial, der FROM certificates_version WHERE certificate_id = ?",
            item["cert_id"],
        )
        assert [(serial, to_pem(der)) for serial, der in found] == [(item["serial"], item["certificate"])]
