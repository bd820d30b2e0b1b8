"""The worker: one event loop holds hundreds of `perform` in flight, threads do the database's part."""

import asyncio
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, connection, connections

from certdesk.foundation.audit import actions as audit
from certdesk.foundation.common import checkpoint, clock, sql

from . import actions, orphans, queries, registry, running
from .errors import LeaseLost
from .models import Job

T = TypeVar("T")
_log = structlog.get_logger("worker")


@dataclass(frozen=True)
class Pace:
    """Seconds. A stop takes at most `grace` + `cut` and the end of one transaction."""

    lease: float = 60.0
    first_poll: float = 0.2
    longest_poll: float = 1.0
    schedules: float = 1.0
    sealing: float = 0.5
    folding: float = 1.0
    grace: float = 5.0
    cut: float = 2.0


def run(
    stop: threading.Event, *, concurrency: int = 200, pace: Pace | None = None, threads: int | None = None
) -> None:
    """Works until `stop` is set; unfinished jobs are then handed back to the next worker.

    Args:
        concurrency: jobs in flight at once.
        threads: database connections; default 1 on SQLite, whose writers would only wait for each
            other, and 4 on PostgreSQL.
    """
    registry.discover()
    worker = _Worker(concurrency, pace or Pace(), threads or (1 if sql.is_sqlite() else 4))
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(worker.main(stop))
    finally:
        worker.close()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()  # does not wait for threads that `perform` left behind: a stop has a limit


def main(concurrency: int = 200, pace: Pace | None = None) -> None:
    """The worker as a process: SIGTERM and SIGINT stop it, within ten seconds."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(stop, concurrency=concurrency, pace=pace)
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(0)  # a thread that hangs in somebody's network must not hold the stop


class _Worker:
    def __init__(self, concurrency: int, pace: Pace, threads: int) -> None:
        self.name = orphans.name()
        self.concurrency = concurrency
        self.pace = pace
        self.lease = timedelta(seconds=pace.lease)
        self.threads = threads
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="jobs-db")
        self.flying: dict[tuple[int, int], tuple[Job, asyncio.Task[None]]] = {}
        self.wake = asyncio.Event()
        self.stopping = False

    async def main(self, stop: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, args=(stop, loop), daemon=True, name="jobs-stop").start()
        end_waking = actions.on_wake(lambda: _call(loop, self.wake.set))
        ticks = [
            asyncio.create_task(
                self._tick(min(self.lease, registry.SHORT_LEASE).total_seconds() / 3, self._renew)
            ),
            asyncio.create_task(self._tick(self.pace.schedules, self._schedules)),
            asyncio.create_task(self._tick(self.pace.sealing, self._seal)),
            asyncio.create_task(self._tick(self.pace.folding, self._fold)),
        ]
        _log.info("worker started", worker=self.name)
        try:
            await self._guarded(orphans.free)
            await self._guarded(actions.fire_at_start)
            await self._claiming()
            await self._land()
        finally:
            end_waking()
            for tick in ticks:
                tick.cancel()
            await asyncio.gather(*ticks, return_exceptions=True)
        await self._guarded(audit.seal_pending)
        _log.info("worker stopped", worker=self.name)

    def _watch(self, stop: threading.Event, loop: asyncio.AbstractEventLoop) -> None:
        stop.wait()
        self.stopping = True
        _call(loop, self.wake.set)

    async def _claiming(self) -> None:
        poll = self.pace.first_poll
        jobs: list[Job] | None = None
        while not self.stopping:
            self.wake.clear()
            look = self._claim if jobs else self._claim_if_due
            free = min(self.concurrency - len(self.flying), running.BATCH)
            jobs = await self._guarded(partial(look, free)) if free else None
            for job in jobs or ():
                self._launch(job)
            if jobs:
                poll = self.pace.first_poll
                await asyncio.sleep(0)
            elif not self.stopping:
                await self._wait(poll)
                poll = min(poll * 1.5, self.pace.longest_poll)

    def _claim(self, free: int) -> list[Job]:
        return running.claim(self.name, free, lease=self.lease)

    def _claim_if_due(self, free: int) -> list[Job]:
        """An idle worker only reads: a claim takes the write lock."""
        return self._claim(free) if queries.is_due(clock.real_now()) else []

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except TimeoutError:
            return

    def _launch(self, job: Job) -> None:
        key = (job.id, job.fence)
        task = asyncio.create_task(self._one(job))
        self.flying[key] = (job, task)
        task.add_done_callback(lambda _: self._landed(job))

    def _landed(self, job: Job) -> None:
        full = len(self.flying) >= self.concurrency
        self.flying.pop((job.id, job.fence), None)
        if full or job.lock_key:
            self.wake.set()  # there is room again, or the next one of this lock may go

    async def _one(self, job: Job) -> None:
        if self.stopping:
            await self._guarded(partial(running.hand_back, job))
            return
        try:
            loaded = await self._db(partial(running.start, job, self.lease))
            if loaded is not None:
                result = await loaded.handler.perform(loaded.work)
                await self._db(partial(running.finish, loaded, result))
        except LeaseLost:
            _log.warning("late writer turned away", job=job.id, kind=job.kind, fence=job.fence)
        except Exception as error:  # noqa: BLE001 whatever a handler raises becomes the job's last error
            await self._guarded(partial(running.fail, job, error))

    async def _land(self) -> None:
        """Lets what flies end; then cuts it short and hands it back."""
        await self._wait_for_tasks(self.pace.grace)
        left = list(self.flying.values())
        for _, task in left:
            task.cancel()
        await self._wait_for_tasks(self.pace.cut)
        for job, _ in left:
            await self._guarded(partial(running.hand_back, job))

    async def _wait_for_tasks(self, seconds: float) -> None:
        tasks = [task for _, task in self.flying.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _tick(self, every: float, work: Callable[[], Any]) -> None:
        while True:
            started = time.monotonic()
            await work()
            await asyncio.sleep(max(0.0, every - (time.monotonic() - started)))

    async def _renew(self) -> None:
        """Makes the leases of all flying jobs longer; one that is no longer ours is broken off."""
        keys = list(self.flying)
        for start in range(0, len(keys), 100):
            part = keys[start : start + 100]
            until = running.lease_from(clock.real_now(), self.lease)
            ours = await self._guarded(partial(queries.renew, self.name, [key[0] for key in part], until))
            for key in part:
                if ours is not None and key not in ours and key in self.flying:
                    self.flying[key][1].cancel()

    async def _schedules(self) -> None:
        await self._guarded(lambda: actions.fire_schedules(clock.real_now()))

    async def _seal(self) -> None:
        await self._guarded(audit.seal_pending)

    async def _fold(self) -> None:
        """In a thread of its own: it is the disk's work and must not hold up the jobs."""
        if not sql.is_sqlite():
            return
        try:
            await asyncio.to_thread(checkpoint.fold, str(connection.settings_dict["NAME"]))
        except sqlite3.Error as error:
            _log.error("the database's log was not folded in", error=str(error))

    async def _guarded(self, work: Callable[[], T]) -> T | None:
        """Runs database work whose failure must not end the worker: the next round tries again."""
        try:
            return await self._db(work)
        except Exception as error:  # noqa: BLE001 logged; the database may be away for a while
            _log.error("worker's database work failed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self.pace.first_poll)
            return None

    async def _db(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, _with_connection, work)

    def close(self) -> None:
        """Closes the threads' connections, each in its own thread."""
        meeting = threading.Barrier(self.threads)
        for future in [self.pool.submit(_hang_up, meeting) for _ in range(self.threads)]:
            future.result()
        self.pool.shutdown()


def _hang_up(meeting: threading.Barrier) -> None:
    meeting.wait(timeout=30)
    connections.close_all()


def _with_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    except (DatabaseError, InterfaceError):
        connection.close_if_unusable_or_obsolete()  # a broken connection is replaced at the next use
        raise


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        return  # the loop is closed already
