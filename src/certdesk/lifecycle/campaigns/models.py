"""A campaign: a query frozen into a list of certificates, what is done with each, and what came of it."""

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.lifecycle.certificates.models import Certificate


class Campaign(models.Model):
    """Many certificates, one action. All times are real time: they measure work."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    query = models.JSONField(help_text="`rules.Query`.")
    action = models.CharField(max_length=18)
    reason_code = models.CharField(max_length=24, help_text="`revocation_rules.Code`.")
    words = models.CharField(max_length=255, default="", help_text="Why, in words.")
    issuer = models.CharField(
        max_length=32, default="", help_text="Whom replacements come from; empty = the products' order."
    )
    per_minute = models.IntegerField()
    issuer_per_minute = models.IntegerField(default=0, help_text="0 = no limit of its own.")
    state = models.CharField(max_length=10)
    note = models.CharField(max_length=500, default="", help_text="Why it stands still by itself.")
    round = models.IntegerField(default=0, help_text="Rises with each freezing; older lists are swept away.")
    created_by = models.CharField(max_length=32)
    started_by = models.CharField(max_length=32, default="", help_text="Whose rights count at each step.")
    created_at = MomentField()
    frozen_at = MomentField(null=True)
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "created_at", "id"], name="campaigns_latest"),
            models.Index(
                fields=["id"],
                name="campaigns_open",
                condition=models.Q(state__in=("PREVIEWING", "RUNNING")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"


class Item(models.Model):
    """One certificate of the frozen list, as it was then, and what came of it."""

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="items", db_index=False)
    round = models.IntegerField()
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="+", db_index=False)
    owner_id = models.CharField(max_length=32)
    domain = models.CharField(max_length=255)
    issuer = models.CharField(max_length=40)
    serial = models.CharField(max_length=40)
    version = models.IntegerField()
    places = models.IntegerField(help_text="At how many places it was served.")
    client = models.BooleanField(default=False, help_text="An ACME client has its key, and renews it.")
    asked_again = models.CharField(
        max_length=16,
        default="",
        db_default="",
        help_text="What its ACME client has got that does not count, where it would get the right one now.",
    )
    new_certificate_id = models.CharField(max_length=16, default="", help_text="What took its place.")
    new_issuer = models.CharField(max_length=40, default="")
    new_serial = models.CharField(max_length=40, default="")
    served = models.IntegerField(null=True, help_text="At how many places that was seen at the end.")
    state = models.CharField(max_length=9)
    why = models.CharField(max_length=500, default="")
    begun_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    looked_at = MomentField(null=True, help_text="Whose turn it is among those that wait for a deployment.")
    work = models.IntegerField(null=True, help_text="Microseconds that a drill measured.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "round", "certificate"], name="campaigns_item_once")
        ]
        indexes = [
            models.Index(fields=["campaign", "state", "id"], name="campaigns_by_state"),
            models.Index(fields=["campaign", "begun_at"], name="campaigns_pace"),
            models.Index(fields=["certificate"], name="campaigns_of_certificate"),
            models.Index(
                fields=["asked_again"], name="campaigns_asked_again", condition=~models.Q(asked_again="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} {self.state}"
