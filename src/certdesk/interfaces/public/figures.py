"""Counts for metrics and heartbeat, from the rooms' tables; no name of anybody in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from certdesk.foundation.audit.models import Event
from certdesk.foundation.jobs.models import Job, Schedule
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.certificates.models import Certificate


def scheduler_late(now: datetime) -> float:
    """Seconds that the most overdue periodic job waits; 0 when none is, or none was ever planned."""
    oldest = Schedule.objects.aggregate(oldest=Min("next_at"))["oldest"]
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


@dataclass(frozen=True, slots=True)
class Beat:
    """How far behind each part is that nobody sees working, in seconds; 0 when it is not."""

    scheduler: float
    worker: float
    sealer: float

    @property
    def late(self) -> tuple[str, ...]:
        """The parts that somebody has to look at."""
        return tuple(name for name, most in LATE.items() if getattr(self, name) > most)


LATE: Mapping[str, float] = {"scheduler": 90.0, "worker": 600.0, "sealer": 60.0}
"""Seconds after which a part is late. A burst of work makes jobs wait for minutes; plans and seals never."""


def beat(now: datetime) -> Beat:
    return Beat(scheduler_late(now), _oldest_job(now), _oldest_unsealed(now))


def _oldest_job(now: datetime) -> float:
    found = Job.objects.filter(state="READY", run_at__lte=now).aggregate(oldest=Min("run_at"))["oldest"]
    return (now - found).total_seconds() if found else 0.0


def _oldest_unsealed(now: datetime) -> float:
    first = Event.objects.filter(sequence=None).order_by("id").values_list("at", flat=True).first()
    return max(0.0, (now - first).total_seconds()) if first else 0.0


def text(now: datetime) -> str:
    """The exposition format of Prometheus, version 0.0.4."""
    return "\n".join(_lines(now)) + "\n"


def _lines(now: datetime) -> Iterator[str]:
    yield from _by("certdesk_certificates", "Certificates by stored state.", Certificate, "state")
    yield from _by("certdesk_jobs", "Jobs by state.", Job, "state")
    yield from _by("certdesk_messages", "Messages of the outbox by state.", Message, "state")
    now_late = beat(now)
    yield from _one(
        "certdesk_oldest_due_job_seconds", "How long the oldest due job has waited.", now_late.worker
    )
    yield from _one(
        "certdesk_unsealed_seconds",
        "How long the oldest audit event has waited for its seal.",
        now_late.sealer,
    )
    yield from _one(
        "certdesk_scheduler_late_seconds", "How late the most overdue periodic job is.", now_late.scheduler
    )


def _by(name: str, meaning: str, model: type[Certificate | Job | Message], column: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for line in model._default_manager.order_by().values(column).annotate(number=Count("pk")):
        yield f'{name}{{{column}="{line[column]}"}} {line["number"]}'


def _one(name: str, meaning: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    yield f"{name} {value:.3f}"
