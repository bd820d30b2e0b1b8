"""One action on many certificates: first looked at, then done; what became of each is kept."""

from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField


class State(models.TextChoices):
    LOOKING = "LOOKING"  # the selection is read and each certificate judged
    READY = "READY"  # the preview stands; nothing was done
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELED = "CANCELED"
    FAILED = "FAILED"  # who asked for it is gone


class Verdict(models.TextChoices):
    WILL = "WILL"  # it will be done
    SAME = "SAME"  # it is so already
    REFUSED = "REFUSED"  # refused when it was looked at
    DONE = "DONE"
    FAILED = "FAILED"  # refused when it was to be done


class BulkAction(models.Model):
    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=32, help_text="Whose rights count: who made or started it.")
    user_name = models.CharField(max_length=120)
    via = models.CharField(max_length=8, help_text="By which door: some doors allow less (DEL-1).")
    action = models.CharField(max_length=16, help_text="rules.Action")
    options = models.JSONField(default=dict)
    certificate_ids = models.JSONField(null=True, help_text="Named one by one; null = by filters.")
    filters = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.LOOKING)
    marker = models.CharField(max_length=600, default="", help_text="How far the selection was read.")
    created_at = MomentField()
    started_at = MomentField(null=True)
    finished_at = MomentField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account_id", "created_at", "id"], name="bulk_by_account")]

    def __str__(self) -> str:
        return f"{self.action} {self.state}"


class BulkRow(models.Model):
    """One certificate of an action."""

    id = models.BigAutoField(primary_key=True)
    bulk = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="rows", db_index=False)
    certificate_id = models.CharField(max_length=16)
    name = models.CharField(max_length=63)
    domain = models.CharField(max_length=255, default="")
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    before = models.CharField(max_length=400, default="", help_text="How it was, for people.")
    why = models.CharField(max_length=500, default="", help_text="Why it was refused.")
    next_step = models.CharField(max_length=500, default="")

    class Meta:
        indexes = [models.Index(fields=["bulk", "verdict", "id"], name="bulk_rows")]
        constraints = [models.UniqueConstraint(fields=["bulk", "certificate_id"], name="bulk_row_once")]

    def __str__(self) -> str:
        return f"{self.certificate_id} {self.verdict}"
