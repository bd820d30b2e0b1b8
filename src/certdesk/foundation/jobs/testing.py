"""Runs jobs in this process, at once and in order, without waiting: for tests and for the tour."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from . import registry, running
from .errors import LeaseLost

_NAME = "in-process"


def run_due(limit: int = 500, *, strict: bool = False) -> int:
    """Runs the jobs that are due until none is; answers how many runs there were.

    Args:
        limit: stops after so many runs, against jobs that never cease to add jobs.
        strict: lets the first error of a handler through instead of recording it.
    """
    return _run(timedelta(0), limit, strict)


def run_all(horizon: timedelta, limit: int = 500, *, strict: bool = False, alone: int | None = None) -> int:
    """As `run_due`, and jobs that are due within `horizon` count as due.

    Args:
        alone: stops after so many runs of one kind one after the other: it looks again and again, and
            nothing else is left to do.
    """
    return _run(horizon, limit, strict, alone)


def _run(horizon: timedelta, limit: int, strict: bool, alone: int | None = None) -> int:
    done, kind, same = 0, "", 0
    with ThreadPoolExecutor(1) as loop:  # a thread of its own: the caller may be inside an event loop
        while done < limit and same != alone:
            jobs = running.claim(_NAME, 1, horizon=horizon)
            if not jobs:
                break
            _one(jobs[0], loop, strict)
            done += 1
            same = same + 1 if jobs[0].kind == kind else 1
            kind = jobs[0].kind
    return done


def _one(job: Any, loop: ThreadPoolExecutor, strict: bool) -> None:
    try:
        loaded = running.start(job)
        if loaded is not None:
            running.finish(loaded, loop.submit(asyncio.run, loaded.handler.perform(loaded.work)).result())
    except LeaseLost:
        return
    except Exception as error:
        running.fail(job, error)
        if strict:
            raise


@contextmanager
def registered(
    kind: str, handler: type[registry.Handler[Any, Any]], *, max_attempts: int = 20, lock: str | None = None
) -> Iterator[registry.Handler[Any, Any]]:
    """Declares a handler for the length of a test."""
    registry.handler(kind, max_attempts=max_attempts, lock=lock)(handler)
    try:
        yield registry.handlers[kind]
    finally:
        del registry.handlers[kind]
        registry.periods.pop(kind, None)
        for kinds in registry.topics.values():
            if kind in kinds:
                kinds.remove(kind)
