"""Two-person rule: a request frozen by hash, decided by somebody else, run through a job."""

from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField


class State(models.TextChoices):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DONE = "DONE"
    FAILED = "FAILED"


class Rule(models.Model):
    """Which operations of an account need a second person."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    operation = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "operation"], name="approvals_rule_once")
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.operation}"


class Request(models.Model):
    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32, db_index=True)
    operation = models.CharField(max_length=60)
    payload = models.JSONField()
    request_hash = models.CharField(max_length=64, help_text="SHA-256 of operation and canonical payload.")
    requester_id = models.CharField(max_length=32)
    requester_key = models.CharField(max_length=40, default="")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    created_at = MomentField()
    expires_at = MomentField()
    decided_by = models.CharField(max_length=32, default="")
    decided_at = MomentField(null=True)
    reason = models.CharField(max_length=255, default="")
    outcome = models.TextField(default="")

    def __str__(self) -> str:
        return f"{self.operation} {self.state}"
