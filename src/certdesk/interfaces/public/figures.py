"""Counts for metrics and heartbeat, from the rooms' tables; no name of anybody in them."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min

from certdesk.foundation.jobs.models import Job, Schedule
from certdesk.foundation.outbox.models import Message
from certdesk.lifecycle.certificates.models import Certificate


def scheduler_late(now: datetime) -> float:
    """Seconds that the most overdue periodic job waits; 0 when none is, or none was ever planned."""
    oldest = Schedule.objects.aggregate(oldest=Min("next_at"))["oldest"]
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


def text(now: datetime) -> str:
    """The exposition format of Prometheus, version 0.0.4."""
    return "\n".join(_lines(now)) + "\n"


def _lines(now: datetime) -> Iterator[str]:
    yield from _by("certdesk_certificates", "Certificates by stored state.", Certificate, "state")
    yield from _by("certdesk_jobs", "Jobs by state.", Job, "state")
    yield from _by("certdesk_messages", "Messages of the outbox by state.", Message, "state")
    waiting = Job.objects.filter(state="READY", run_at__lte=now).aggregate(oldest=Min("run_at"))["oldest"]
    seconds = (now - waiting).total_seconds() if waiting else 0.0
    yield from _one("certdesk_oldest_due_job_seconds", "How long the oldest due job has waited.", seconds)
    yield from _one(
        "certdesk_scheduler_late_seconds", "How late the most overdue periodic job is.", scheduler_late(now)
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
