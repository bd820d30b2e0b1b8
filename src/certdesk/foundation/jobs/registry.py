"""Who handles which kind of job, who listens to which topic, what runs by the clock.

Filled when the rooms' `jobs.py` are imported; read by actions and worker.
"""

import importlib
import importlib.util
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

from django.apps import AppConfig, apps

from .errors import UnknownKind
from .models import Job

W = TypeVar("W")
R = TypeVar("R")
H = TypeVar("H", bound="type[Handler[Any, Any]]")


class Handler(Generic[W, R]):
    """One kind of job. Every step may run more than once; only one run's `store` is ever committed.

    `load` and `store` run in a short database transaction in a thread; `perform` runs on the
    worker's event loop and touches no database (law 2). A handler without `perform` does its work
    in one transaction: `load`, then `store` with the result None.
    """

    kind: ClassVar[str] = ""
    max_attempts: ClassVar[int] = 20
    lock: ClassVar[str | None] = None
    short_lease: ClassVar[bool] = False

    def load(self, job: Job) -> W | None:
        """Reads what `perform` needs; None means that nothing is left to do and ends the job."""
        raise NotImplementedError

    async def perform(self, work: W) -> R:
        raise NotImplementedError

    def store(self, job: Job, work: W, result: R) -> None:
        """Writes the outcome, in the transaction that ends the job."""

    def failed(self, job: Job, error: BaseException) -> None:
        """Called in the transaction that gives the job up."""

    @classmethod
    def performs(cls) -> bool:
        return cls.perform is not Handler.perform

    @classmethod
    def lock_key(cls, subject: str, payload: Mapping[str, Any]) -> str | None:
        return cls.lock.format(**{**payload, "subject": subject}) if cls.lock else None


SHORT_LEASE = timedelta(seconds=6)


@dataclass(frozen=True)
class Period:
    every_seconds: float
    at_start: bool


handlers: dict[str, Handler[Any, Any]] = {}
topics: dict[str, list[str]] = {}
periods: dict[str, Period] = {}
_discovered = False
_discovering = threading.RLock()


def handler(
    kind: str, *, max_attempts: int = 20, lock: str | None = None, short_lease: bool = False
) -> Callable[[H], H]:
    """Declares a handler class for `kind` ("room.verb").

    Args:
        lock: at most one running job has the same lock, e.g. "certificate:{subject}"; the names in
            braces are `subject` and the keys of the payload.
        short_lease: `SHORT_LEASE` instead of the worker's usual one, for what must be taken over within
            seconds wherever it was killed.
    """

    def declare(cls: H) -> H:
        if kind in handlers:
            raise ValueError(f"two handlers of the kind {kind}: {cls} and {type(handlers[kind])}")
        cls.kind, cls.max_attempts, cls.lock, cls.short_lease = kind, max_attempts, lock, short_lease
        handlers[kind] = cls()
        return cls

    return declare


def short_kinds() -> tuple[str, ...]:
    return tuple(kind for kind, one in handlers.items() if one.short_lease)


def subscribe(topic: str, kind: str) -> None:
    """Each `emit(topic, …)` puts one job of `kind` into the table."""
    kinds = topics.setdefault(topic, [])
    if kind not in kinds:
        kinds.append(kind)


def periodic(kind: str, every_seconds: float, *, at_start: bool = False) -> None:
    """Runs `kind` once a period, whatever the number of workers; with `at_start` also when one starts."""
    periods[kind] = Period(every_seconds, at_start)


def discover() -> None:
    """Imports `jobs.py` of every installed room, once a process."""
    global _discovered
    if _discovered:
        return
    with _discovering:
        for app in apps.get_app_configs():
            _import_jobs(app)
        _discovered = True


def _import_jobs(app: AppConfig) -> None:
    if app.name.startswith("certdesk.") and importlib.util.find_spec(f"{app.name}.jobs"):
        importlib.import_module(f"{app.name}.jobs")


def find(kind: str) -> Handler[Any, Any]:
    """The handler of `kind`; of a kind `room.verb` the room is looked at first.

    Raises:
        UnknownKind: this process has none.
    """
    if kind not in handlers:
        for app in apps.get_app_configs():
            if app.label == kind.partition(".")[0]:
                _import_jobs(app)
    if kind not in handlers:
        discover()
    if kind not in handlers:
        raise UnknownKind(kind)
    return handlers[kind]


def subscribers(topic: str) -> tuple[str, ...]:
    discover()
    return tuple(topics.get(topic, ()))
