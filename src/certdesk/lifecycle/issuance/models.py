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


class Outcome(models.TextChoices):
    OPEN = "OPEN"
    DONE = "DONE"
    LAPSED = "LAPSED"  # never confirmed, or the certificate expired first


class RevocationRequest(models.Model):
    """Somebody asked to revoke a certificate (REV); one open one for each."""

    id = models.BigAutoField(primary_key=True)
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="revocation_requests")
    account_id = models.CharField(max_length=32)
    requested_by = models.CharField(max_length=32, help_text="User, or what asked on the host.")
    reason = models.SmallIntegerField(help_text="CRLReason, RFC 5280 §5.3.1.")
    words = models.CharField(max_length=255, default="", help_text="The requester's own.")
    proved = models.BooleanField(default=False, help_text="The key signed the proof of its compromise.")
    digest = models.CharField(max_length=64, default="", help_text="SHA-256 of the mailed link's secret.")
    outcome = models.CharField(max_length=6, choices=Outcome.choices, default=Outcome.OPEN)
    made_at = MomentField(help_text="Business time, as those below.")
    reminded_at = MomentField(null=True)
    confirmed_at = MomentField(null=True)
    ended_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["digest"], name="issuance_revocation_link"),
            models.Index(
                fields=["made_at"], name="issuance_revocation_open", condition=models.Q(outcome="OPEN")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["certificate"], name="issuance_one_revocation", condition=models.Q(outcome="OPEN")
            )
        ]

    def __str__(self) -> str:
        return f"revocation of {self.certificate_id} {self.outcome}"


class ReissueOutcome(models.TextChoices):
    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    DECLINED = "DECLINED"
    LAPSED = "LAPSED"  # never confirmed, or the certificate expired first


class ReissueRequest(models.Model):
    """Somebody asked to reissue a certificate (REI): whether the old one may be cancelled; one open for each."""

    id = models.BigAutoField(primary_key=True)
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="reissue_requests")
    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="reissue_requests", db_index=False
    )
    account_id = models.CharField(max_length=32)
    digest = models.CharField(max_length=64, default="", help_text="SHA-256 of the mailed link's secret.")
    outcome = models.CharField(max_length=9, choices=ReissueOutcome.choices, default=ReissueOutcome.OPEN)
    made_at = MomentField(help_text="Business time, as those below.")
    reminded_at = MomentField(null=True)
    ended_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["digest"], name="issuance_reissue_link"),
            models.Index(
                fields=["made_at"], name="issuance_reissue_open", condition=models.Q(outcome="OPEN")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["certificate"], name="issuance_one_reissue", condition=models.Q(outcome="OPEN")
            )
        ]

    def __str__(self) -> str:
        return f"reissue of {self.certificate_id} {self.outcome}"
