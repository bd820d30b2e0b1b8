"""Two-person rule: a request frozen by hash, decided by other people, run through a job."""

from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField


class State(models.TextChoices):
    """PENDING waits for people, APPROVED for the job, READY for the requester to fetch; the rest is over."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    READY = "READY"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    VOID = "VOID"
    EXPIRED = "EXPIRED"
    DONE = "DONE"
    FAILED = "FAILED"


OPEN = frozenset({State.PENDING, State.APPROVED, State.READY})


class Rule(models.Model):
    """Which kinds of operations of an account need other people, and how many; no row = none."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    operation = models.CharField(max_length=60, help_text="The kind, e.g. delete.")
    approvals = models.SmallIntegerField(default=1, help_text="How many other people: 1 to 3.")
    hours = models.SmallIntegerField(default=168, help_text="For how long it can be decided: 1 to 336.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "operation"], name="approvals_rule_once")
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.operation}"


class Request(models.Model):
    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32, db_index=True)
    operation = models.CharField(max_length=60, help_text="Its name in the registry of operations.")
    kind = models.CharField(max_length=60, default="", help_text="The rule that holds it back.")
    payload = models.JSONField()
    summary = models.TextField(default="", help_text="What exactly will happen, one English sentence.")
    target_type = models.CharField(max_length=20, default="")
    target_id = models.CharField(max_length=80, default="")
    target_version = models.CharField(
        max_length=64, default="", help_text="SHA-256 of the target's state when it was asked for."
    )
    request_hash = models.CharField(
        max_length=64, help_text="SHA-256 of account, operation, payload, target and summary."
    )
    requester_id = models.CharField(max_length=32)
    requester_name = models.CharField(max_length=64, default="")
    requester_key = models.CharField(max_length=40, default="")
    requester_source = models.CharField(max_length=45, default="", help_text="Client address.")
    requester_mfa = models.BooleanField(default=False, help_text="A second factor was shown.")
    needed = models.SmallIntegerField(default=1, help_text="Approvals by the rule of that moment.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    created_at = MomentField()
    expires_at = MomentField()
    decided_by = models.CharField(max_length=32, default="", help_text="Who settled it.")
    decided_at = MomentField(null=True)
    reason = models.CharField(max_length=255, default="")
    fetch_until = MomentField(null=True, help_text="READY: until when the requester may fetch it, once.")
    ended_at = MomentField(null=True)
    outcome = models.TextField(default="")

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "created_at", "id"], name="approvals_by_time"),
            models.Index(fields=["state", "expires_at"], name="approvals_open"),
            models.Index(fields=["target_id", "state"], name="approvals_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.state}"

    @property
    def fetched(self) -> bool:
        """Whether the requester has got what was approved for handing out."""
        return self.state == State.DONE and self.fetch_until is not None


class Decision(models.Model):
    """What one person said about a request; kept for ever."""

    id = models.BigAutoField(primary_key=True)
    request = models.ForeignKey(Request, on_delete=models.CASCADE, related_name="decisions")
    person_id = models.CharField(max_length=32)
    person_name = models.CharField(max_length=64, default="")
    person_key = models.CharField(max_length=40, default="")
    person_source = models.CharField(max_length=45, default="", help_text="Client address.")
    person_mfa = models.BooleanField(default=False, help_text="A second factor was shown.")
    approved = models.BooleanField()
    reason = models.CharField(max_length=255, default="")
    at = MomentField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "person_id"], name="approvals_decision_once")
        ]

    def __str__(self) -> str:
        return f"{self.person_name}: {'approved' if self.approved else 'rejected'}"
