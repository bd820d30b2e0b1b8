"""Jobs of a killed worker go on as soon as another one starts here, not when the lease runs out."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions, orphans, queries, registry, running, testing
from certdesk.foundation.jobs.models import Job

pytestmark = pytest.mark.django_db(transaction=True)


class Note(registry.Handler[int, None]):
    """Does nothing."""


def name_of_another_process(*, killed: bool) -> tuple[str, subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = orphans._started(process.pid)
    if killed:
        process.kill()
        process.communicate()
    here = orphans.name().split("/")
    return "/".join([*here[:2], f"{process.pid}-{started}", "0" * 8]), process


def test_a_name_fits_and_its_own_process_lives() -> None:
    assert len(orphans.name()) <= 80
    assert not orphans.is_dead(orphans.name())


@pytest.mark.parametrize(
    "name", ["", "in-process", "elsewhere/4026531836/1-1/00000000", "a/b/c/d", "vm/{pid}/1234"]
)
def test_what_cannot_be_known_counts_as_alive(name: str) -> None:
    assert not orphans.is_dead(name.format(pid=os.getpid()))


def test_a_host_of_the_same_name_is_another_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dead, _ = name_of_another_process(killed=True)
    assert orphans.is_dead(dead)
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("another-boot\n", encoding="ascii")
    (tmp_path / "self").symlink_to("/proc/self")
    monkeypatch.setattr(orphans, "_PROC", tmp_path)
    assert not orphans.is_dead(dead)


def test_what_settles_a_crash_is_taken_over_within_seconds_wherever_it_ran() -> None:
    from certdesk.lifecycle.issuance.actions import SIGN
    from certdesk.lifecycle.issuance.jobs import RECONCILE

    with testing.registered("orphans.note", Note):
        for kind in (SIGN, RECONCILE, "orphans.note"):
            actions.enqueue(kind, subject=kind)
        jobs = running.claim("elsewhere", 10)
        queries.renew(
            "elsewhere", [job.id for job in jobs], running.lease_from(clock.real_now(), running.LEASE)
        )
    for kind, most in ((SIGN, 6), (RECONCILE, 6), ("orphans.note", 60)):
        left = Job.objects.get(kind=kind).lease_until - clock.real_now()
        assert timedelta(seconds=most - 2) < left <= timedelta(seconds=most)


def test_a_process_id_used_again_is_another_process() -> None:
    host, namespace, process, _ = orphans.name().split("/")
    pid, started = process.split("-")
    assert orphans.is_dead(f"{host}/{namespace}/{pid}-{int(started) - 1}/00000000")


def test_only_the_leases_of_the_dead_run_out() -> None:
    dead, _ = name_of_another_process(killed=True)
    alive, process = name_of_another_process(killed=False)
    try:
        with testing.registered("orphans.note", Note):
            for worker in (dead, alive):
                actions.enqueue("orphans.note", {"worker": worker})
                (job,) = running.claim(worker, 1)
                assert job.payload == {"worker": worker}
            assert orphans.free() == 1
            assert orphans.free() == 0
            assert [job.payload["worker"] for job in running.claim("next", 10)] == [dead]
    finally:
        process.communicate(b"\n")
    held = Job.objects.get(worker=alive)
    assert held.lease_until is not None
    assert held.lease_until > clock.real_now() + timedelta(seconds=30)
