"""The built-in CA: its hierarchy, the shapes whose lint was proved, and every signature it intended or made."""

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.pki.keystore.models import Key


class Level(models.TextChoices):
    ROOT = "ROOT"
    DV = "DV"
    OV = "OV"
    EV = "EV"


class Authority(models.Model):
    """One CA certificate. Slugs: `root-p256`, `dv-p256`, `ov-rsa2048`, … ."""

    slug = models.CharField(primary_key=True, max_length=40)
    level = models.CharField(max_length=4, choices=Level.choices)
    algorithm = models.CharField(max_length=10)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    key = models.OneToOneField(Key, on_delete=models.PROTECT)
    certificate_der = models.BinaryField()
    not_after = MomentField()
    created_at = MomentField()

    class Meta:
        verbose_name_plural = "authorities"

    def __str__(self) -> str:
        return self.slug


class Shape(models.Model):
    """A combination of profile, key type, extensions and name classes that a whole lint run proved (law 3)."""

    digest = models.CharField(primary_key=True, max_length=64)
    description = models.TextField()
    profile = models.CharField(max_length=20)
    proved_at = MomentField()
    linter = models.CharField(max_length=40, help_text="pkilint and its version.")
    findings = models.TextField(default="[]", help_text="JSON: waived findings seen.")

    def __str__(self) -> str:
        return self.description


class IntentState(models.TextChoices):
    INTENDED = "INTENDED"  # committed before the key is touched
    SIGNED = "SIGNED"
    ABANDONED = "ABANDONED"  # settled by the reconciler: nothing was signed or released


class Intent(models.Model):
    """What the authority is about to sign, recorded first (law 3); then what it signed."""

    serial = models.CharField(primary_key=True, max_length=32, help_text="128 random bits, lower-case hex.")
    authority = models.ForeignKey(Authority, on_delete=models.PROTECT, related_name="intents", db_index=False)
    reference = models.CharField(
        max_length=64, help_text="The requester's own reference; one signature for each."
    )
    profile = models.CharField(max_length=20)
    shape = models.CharField(max_length=64)
    tbs = models.BinaryField(help_text="TBSCertificate, DER, exactly as it will be signed.")
    authorization_proof = models.TextField(
        default="{}", help_text="JSON: account, names, key, evidence, approvals and policy that allowed it."
    )
    state = models.CharField(max_length=9, choices=IntentState.choices, default=IntentState.INTENDED)
    certificate_der = models.BinaryField(null=True)
    created_at = MomentField(help_text="Real time.")
    signed_at = MomentField(null=True)
    linted_at = MomentField(null=True, help_text="Whole pkilint after issuance, where it is due.")

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="authority_open", condition=models.Q(state="INTENDED"))
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["reference"],
                name="authority_one_per_reference",
                condition=~models.Q(state="ABANDONED"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.serial} {self.state}"
