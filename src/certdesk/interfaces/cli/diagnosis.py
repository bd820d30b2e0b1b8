"""What `doctor` looks at: settings that are weak, parts that are missing, work that is late."""

import shutil
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from certdesk.foundation.common import clock, settings, sql
from certdesk.foundation.common.errors import CertdeskError

LATE = timedelta(minutes=5)
OLD = timedelta(days=2)


@dataclass(frozen=True)
class Finding:
    """`level`: ok, warning or problem."""

    level: str
    subject: str
    sentence: str


def examine() -> list[Finding]:
    """Every finding, problems included; nothing is changed."""
    looks = (_database, _kek, _backup, _disk, _authority, _lists, _jobs, _mail, _addresses, _clock)
    return [look() for look in looks]


def _database() -> Finding:
    if not sql.is_sqlite():
        return Finding("ok", "database", f"PostgreSQL, {connection.settings_dict['NAME']}.")
    journal = sql.row("PRAGMA journal_mode")
    synchronous = sql.row("PRAGMA synchronous")
    if journal != ("wal",) or synchronous != (2,):
        return Finding(
            "problem", "database", f"SQLite runs {journal}, {synchronous}; WAL and FULL are needed."
        )
    return Finding("ok", "database", "SQLite with WAL and synchronous=FULL: a commit survives a power cut.")


def _kek() -> Finding:
    from certdesk.foundation.sealing import kek

    try:
        ring = kek.load()
    except CertdeskError as refused:
        return Finding("problem", "key-encryption key", str(refused))
    return Finding("ok", "key-encryption key", f"Version {ring.current}, mode 0600, outside the data folder.")


def _backup() -> Finding:
    from certdesk.foundation.backup.lately import last

    found = last()
    if found is None:
        return Finding("warning", "backup", "None was ever made: run ./certdesk backup FOLDER every day.")
    if found.lost_keks:
        return Finding(
            "warning",
            "backup",
            f"The last one needs KEK version {found.lost_keks[0]}, which the KEK file no longer holds:"
            " make a new backup, and keep the older KEK file as long as the older backups.",
        )
    hours = round((clock.real_now() - found.at).total_seconds() / 3600)
    level = "warning" if hours > OLD.total_seconds() / 3600 else "ok"
    return Finding(level, "backup", f"The last one, {found.file}, is {hours} hours old.")


def _disk() -> Finding:
    free = shutil.disk_usage(settings.get().data).free // 2**20
    level = "problem" if free < 100 else "warning" if free < 1000 else "ok"
    return Finding(level, "disk", f"{free} MiB free under {settings.get().data}.")


def _authority() -> Finding:
    from certdesk.pki.authority import ceremonies, watching
    from certdesk.pki.authority.models import Authority

    first = Authority.objects.order_by("not_after").first()
    if first is None:
        return Finding("problem", "built-in CA", "It does not exist yet: run ./certdesk migrate.")
    lost = watching.lost()
    if lost:
        sentence = f"The token lacks the keys of {', '.join(lost)}: nothing is signed with them."
        return Finding("problem", "built-in CA", f"{sentence} Connect it, see docs/pki.md.")
    due = ceremonies.due(clock.now())
    if due:
        names = ", ".join(f"{one.name} ({one.next_update:%d %b %Y})" for one in due)
        sentence = f"The CRL of an offline root ends soon: {names}."
        return Finding("warning", "built-in CA", f"{sentence} Hold a ceremony: ./certdesk ca request.")
    return Finding("ok", "built-in CA", f"The first of its certificates ends on {first.not_after:%d %b %Y}.")


def _lists() -> Finding:
    from certdesk.pki.authority import publishing

    name, entries = publishing.longest()
    most, nearly = publishing.LONGEST, publishing.NEARLY
    if entries >= nearly:
        level = "problem" if entries > most else "warning"
        sentence = (
            f"{name} has {entries} entries, and {most} is the most that clients should have to load:"
            " see docs/pki.md, Revocation."
        )
        return Finding(level, "CRLs", sentence)
    return Finding("ok", "CRLs", f"The longest has {entries} entries; {most} is the most.")


def _jobs() -> Finding:
    from certdesk.foundation.jobs.models import Job, State

    failed = Job.objects.filter(state=State.FAILED).count()
    late = Job.objects.filter(state=State.READY, run_at__lt=clock.real_now() - LATE).count()
    if late:
        return Finding("problem", "jobs", f"{late} jobs wait longer than 5 minutes: is a worker running?")
    if failed:
        return Finding(
            "warning", "jobs", f"{failed} jobs were given up; their last error is in the table jobs_job."
        )
    return Finding("ok", "jobs", "None late, none given up.")


def _mail() -> Finding:
    if not settings.get().smtp_url:
        return Finding("warning", "mail", "CERTDESK_SMTP_URL is empty: messages are kept in the outbox only.")
    return Finding("ok", "mail", "Messages leave by SMTP.")


def _addresses() -> Finding:
    held = settings.get()
    listener = held.http.rpartition(":")[0]
    if listener not in ("127.0.0.1", "localhost", "[::1]", "") and not held.trusted_proxies:
        return Finding(
            "warning", "listeners", f"HTTP without TLS listens on {listener}; put a proxy before it."
        )
    return Finding("ok", "listeners", f"http {held.http or 'off'}, https {held.https or 'off'}.")


def _clock() -> Finding:
    moved = clock.offset()
    if moved:
        return Finding("warning", "lab clock", f"Business time is moved by {moved.total_seconds():.0f} s.")
    return Finding("ok", "clock", "Business time is real time.")
