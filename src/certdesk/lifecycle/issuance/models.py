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


class OutsideOrder(models.Model):
    """A placement at a CA outside the house: what that CA has told, and what is still to be done there."""

    placement = models.OneToOneField(
        Placement, primary_key=True, on_delete=models.CASCADE, related_name="outside"
    )
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="outside_orders")
    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="outside_orders", db_index=False
    )
    issuer = models.CharField(max_length=40, help_text="Slug of the configured issuer.")
    live = models.BooleanField(default=True, help_text="The CA may still issue for this application.")
    unfinished = models.BooleanField(default=True, help_text="Something is to be done at the CA.")
    leaving = models.BooleanField(default=False, help_text="Nobody wants it any more: take it back.")
    asking = models.BooleanField(default=False, help_text="`place` was called; its answer is not stored.")
    lost = models.BooleanField(
        default=False, help_text="An answer to `place` was lost: there may be an order."
    )
    csr = models.BinaryField(help_text="PKCS #10, DER.")
    names_digest = models.CharField(
        max_length=64, default="", db_default="", help_text="Of the set of names, limit_rules.digest_of."
    )
    not_after = MomentField(help_text="The end that is wanted.")
    handle = models.CharField(max_length=1000, default="", help_text="The CA's own name of the order.")
    state = models.CharField(
        max_length=9, default="", help_text="OrderState as last told; empty = nothing yet."
    )
    tasks = models.JSONField(default=list, help_text="Fields of protocol.Task, and what became of each.")
    words = models.CharField(max_length=1000, default="", help_text="The CA's last ones.")
    problem = models.CharField(max_length=1000, default="", help_text="Why the last call failed.")
    next_step = models.CharField(max_length=500, default="")
    failures = models.IntegerField(default=0, help_text="Calls that failed in a row.")
    unreadable = models.IntegerField(
        default=0, db_default=0, help_text="Answers in a row that could not be read."
    )
    quiet = models.IntegerField(default=0, help_text="Answers in a row that told nothing new.")
    chosen = models.JSONField(default=list, help_text="[slug, taken, sentence] of each candidate.")
    refused = models.BooleanField(default=False, help_text="It was this order that the CA refused.")
    refusal = models.CharField(max_length=500, default="", help_text="The CA's no, brought by an officer.")
    brought = models.BinaryField(null=True, help_text="PEM that an officer brought from the CA.")
    unwanted = models.BinaryField(null=True, help_text="DER of what must be revoked: it was refused here.")
    serial = models.CharField(max_length=40, default="", help_text="Of what was accepted; hex.")
    revoked_by_hand = models.BooleanField(default=False, help_text="An officer has revoked it at the CA.")
    asked_at = MomentField(null=True, help_text="Real time, as that below.")
    next_poll_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_poll_at"], name="issuance_unfinished", condition=models.Q(unfinished=True)
            ),
            models.Index(fields=["issuer", "serial"], name="issuance_outside_serials"),
            models.Index(fields=["application"], name="issuance_outside_application"),
            models.Index(fields=["issuer", "names_digest"], name="issuance_outside_names"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["application"], name="issuance_one_live_order", condition=models.Q(live=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.placement_id} at {self.issuer} {self.state}"


class Advice(models.Model):
    """When the CA of a version wants it replaced (ARI, RFC 9773), as it was told last. Real time."""

    order = models.OneToOneField(
        OutsideOrder, primary_key=True, on_delete=models.CASCADE, related_name="advice"
    )
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="advice")
    version = models.IntegerField(help_text="Number of the version that the order brought.")
    starts_at = MomentField(null=True, help_text="Of the window; None = it was never told.")
    ends_at = MomentField(null=True)
    first_start = MomentField(null=True, help_text="Start of the window that was told first.")
    hurried = models.BooleanField(default=False, help_text="The CA wants it sooner than usual.")
    page = models.CharField(max_length=500, default="", help_text="Where the CA says why.")
    problem = models.CharField(max_length=500, default="", help_text="Why the last question failed.")
    failures = models.IntegerField(default=0, help_text="In a row.")
    asked_at = MomentField(null=True)
    next_at = MomentField(null=True, help_text="Next question; None = never again.")

    class Meta:
        indexes = [
            models.Index(
                fields=["next_at"], name="issuance_advice_due", condition=models.Q(next_at__isnull=False)
            ),
            models.Index(
                fields=["starts_at"], name="issuance_advice_hurried", condition=models.Q(hurried=True)
            ),
        ]

    def __str__(self) -> str:
        return f"advice for {self.order_id}"


class Counted(models.Model):
    """What an order counts for at a CA that publishes limits; kept as long as the longest of them."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(OutsideOrder, on_delete=models.CASCADE, related_name="counted")
    issuer = models.CharField(max_length=40)
    key = models.CharField(max_length=255, help_text="limit_rules.Key: domain, set of names, or account.")
    at = MomentField(help_text="When it was placed; real time.")

    class Meta:
        indexes = [
            models.Index(fields=["issuer", "key", "at"], name="issuance_counted_keys"),
            models.Index(fields=["at"], name="issuance_counted_at"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} counts for {self.key}"


class ServedProof(models.Model):
    """What our own web pages answer at `/.well-known/acme-challenge/<token>` for an order at a CA."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(OutsideOrder, on_delete=models.CASCADE, related_name="served")
    name = models.CharField(max_length=255, help_text="Host that is asked.")
    token = models.CharField(max_length=255)
    value = models.CharField(max_length=1000)

    class Meta:
        indexes = [models.Index(fields=["token"], name="issuance_served")]
        constraints = [
            models.UniqueConstraint(fields=["order", "name", "token"], name="issuance_served_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.token}"


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
