"""Durable jobs in our own table: written in the caller's transaction, leased, fenced, retried."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class State(models.TextChoices):
    READY = "READY"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"  # given up: permanent error or out of attempts


class Job(models.Model):
    """One piece of work. All times are real time (TIM-2)."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=60, help_text="room.verb, e.g. validation.check.")
    payload = models.JSONField(default=dict)
    subject = models.CharField(
        max_length=64, default="", help_text="What it is about, for people: a certificate id."
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.READY)
    run_at = MomentField()
    attempts = models.IntegerField(default=0)
    max_attempts = models.IntegerField(default=20)
    lease_until = MomentField(null=True)
    fence = models.BigIntegerField(
        default=0, help_text="Rises with each claim; a late writer is turned away."
    )
    worker = models.CharField(max_length=80, default="")
    dedupe_key = models.CharField(  # noqa: DJ001 null is outside the unique index
        max_length=120, null=True, help_text="At most one waiting job has it."
    )
    lock_key = models.CharField(  # noqa: DJ001 null is outside the unique index
        max_length=120, null=True, help_text="At most one running job has it."
    )
    last_error = models.TextField(default="")
    created_at = MomentField()
    finished_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["run_at", "id"], name="jobs_ready", condition=models.Q(state="READY")),
            models.Index(fields=["lease_until"], name="jobs_running", condition=models.Q(state="RUNNING")),
            models.Index(fields=["subject", "id"], name="jobs_by_subject"),
            models.Index(
                fields=["lock_key", "run_at", "id"],
                name="jobs_locked",
                condition=models.Q(state="READY", lock_key__isnull=False),
            ),
            models.Index(fields=["finished_at"], name="jobs_done", condition=models.Q(state="DONE")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"], name="jobs_dedupe", condition=models.Q(state="READY")
            ),
            models.UniqueConstraint(
                fields=["lock_key"], name="jobs_lock", condition=models.Q(state="RUNNING")
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.id} {self.kind} {self.state}"


class Schedule(models.Model):
    """When a periodic job was last put into the table; the row is its own lock."""

    name = models.CharField(primary_key=True, max_length=60)
    next_at = MomentField()
    last_at = MomentField(null=True)

    def __str__(self) -> str:
        return self.name
