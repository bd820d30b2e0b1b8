"""One row for each time an issuer is asked: recorded before the asking, settled after it."""

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.lifecycle.applications.models import Application
from certdesk.lifecycle.certificates.models import Certificate


class PlacementState(models.TextChoices):
    PLACED = "PLACED"
    FULFILLED = "FULFILLED"
    REFUSED = "REFUSED"
    DROPPED = "DROPPED"  # withdrawn or settled by the reconciler before anything was signed


class Placement(models.Model):
    """Our order at an issuer; `reference` is our idempotency key there."""

    reference = models.CharField(
        primary_key=True, max_length=64, help_text="<certificate id>.<version number>.<try>"
    )
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="placements")
    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="placements", db_index=False
    )
    issuer = models.CharField(max_length=40)
    state = models.CharField(max_length=9, choices=PlacementState.choices, default=PlacementState.PLACED)
    failure = models.CharField(max_length=500, default="")
    created_at = MomentField()
    settled_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="issuance_open", condition=models.Q(state="PLACED"))
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.state}"
