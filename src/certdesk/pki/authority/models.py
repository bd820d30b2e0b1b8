"""The built-in CA: its hierarchy, the shapes whose lint was proved, and every signature it intended or made."""

import json

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.pki.keystore.models import Key


class Level(models.TextChoices):
    ROOT = "ROOT"
    DV = "DV"
    OV = "OV"
    EV = "EV"


class Authority(models.Model):
    """One CA certificate. Slugs: `root-p256`, `dv-p256`, `ov-rsa2048`, …; a later one of a place `dv-p256-g2`."""

    slug = models.CharField(primary_key=True, max_length=40)
    place = models.CharField(
        max_length=20, help_text="Its place in the hierarchy: the slug of the first one."
    )
    level = models.CharField(max_length=4, choices=Level.choices)
    algorithm = models.CharField(max_length=10)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    key = models.OneToOneField(Key, on_delete=models.PROTECT)
    certificate_der = models.BinaryField()
    not_after = MomentField()
    created_at = MomentField()
    retired_at = MomentField(
        null=True, help_text="Since when it signs no more certificates; its CRLs and OCSP answers go on."
    )

    class Meta:
        verbose_name_plural = "authorities"
        constraints = [
            models.UniqueConstraint(
                fields=["place"], name="authority_one_of_a_place", condition=models.Q(retired_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.slug


class Cross(models.Model):
    """An authority's name and key certified by another root. Slugs: `root-p256-x1`, `dv-p256-x2`, …"""

    slug = models.CharField(primary_key=True, max_length=44)
    authority = models.ForeignKey(Authority, on_delete=models.PROTECT, related_name="crosses")
    issuer = models.ForeignKey(
        Authority, null=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: one outside."
    )
    root = models.CharField(max_length=300, help_text="Name of the root where its chain ends.")
    certificate_der = models.BinaryField()
    between = models.TextField(default="", help_text="PEM: certificates between it and an outside root.")
    not_after = MomentField()  # when the first certificate of its chain expires
    created_at = MomentField()

    class Meta:
        verbose_name_plural = "crosses"

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


class Reason(models.IntegerChoices):
    """CRLReason (RFC 5280 §5.3.1), as far as Baseline Requirements 7.2.2 allow it for a subscriber."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    PRIVILEGE_WITHDRAWN = 9


class Revocation(models.Model):
    """A serial that is not to be trusted any more; it is never taken back."""

    serial = models.CharField(primary_key=True, max_length=32)
    authority = models.ForeignKey(
        Authority, on_delete=models.PROTECT, related_name="revocations", db_index=False
    )
    crl = models.CharField(max_length=50, help_text="The CRL that its certificate points to.")
    reason = models.SmallIntegerField(choices=Reason.choices)
    revoked_at = MomentField(help_text="Business time, whole seconds.")
    not_after = MomentField(help_text="It leaves the CRL a while after.")
    listed_in = models.BigIntegerField(null=True, help_text="Number of the first CRL that shows it.")

    class Meta:
        indexes = [
            models.Index(fields=["crl", "not_after"], name="authority_revoked"),
            models.Index(
                fields=["crl"], name="authority_unlisted", condition=models.Q(listed_in__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.serial} revoked"


class Crl(models.Model):
    """The CRL of that name as it is served, and the delta to the base of the day (RFC 5280 §5.2.4)."""

    name = models.CharField(primary_key=True, max_length=50)
    authority = models.ForeignKey(Authority, on_delete=models.PROTECT, related_name="crls", db_index=False)
    number = models.BigIntegerField(default=0, help_text="Taken before it is signed; only ever rises.")
    base = models.BigIntegerField(default=0, help_text="The number of the full CRL that the delta builds on.")
    der = models.BinaryField(default=b"")
    delta = models.BinaryField(default=b"")
    sha256 = models.CharField(max_length=64, default="")
    entries = models.IntegerField(default=0)
    this_update = MomentField(null=True, help_text="Business time.")
    next_update = MomentField(null=True)
    based_at = MomentField(null=True, help_text="thisUpdate of the base.")

    def __str__(self) -> str:
        return f"CRL {self.name} {self.number}"


class Responder(models.Model):
    """A delegated signer of OCSP answers (RFC 6960 §4.2.2.2): a P-256 key for each authority."""

    id = models.BigAutoField(primary_key=True)
    authority = models.ForeignKey(Authority, on_delete=models.PROTECT, related_name="responders")
    key = models.OneToOneField(Key, on_delete=models.PROTECT)
    certificate_der = models.BinaryField()
    not_before = MomentField()
    not_after = MomentField()

    def __str__(self) -> str:
        return f"OCSP responder of {self.authority_id}"


class Ceremony(models.Model):
    """A ceremony of an offline root: asked for, and then what came back."""

    id = models.CharField(primary_key=True, max_length=16)
    agenda = models.TextField(help_text="JSON: what the offline machine was asked to sign.")
    keys = models.TextField(help_text="JSON: slug of each new authority -> keystore.Key.")
    check_value = models.CharField(max_length=40, default="")
    transcript = models.TextField(default="")
    asked_at = MomentField()
    taken_at = MomentField(null=True)

    class Meta:
        verbose_name_plural = "ceremonies"

    def __str__(self) -> str:
        return f"ceremony {self.id}"

    def key_of(self, slug: str) -> str:
        """The id of the key that was made for an authority."""
        return str(json.loads(self.keys)[slug])
