"""Append-only events, chained per account by the sealer within a second, with signed checkpoints."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class Event(models.Model):
    """One thing that happened, written in the transaction of the change itself (law 12)."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32, help_text="'system' for what belongs to no account.")
    at = MomentField(help_text="Real time.")
    actor = models.CharField(max_length=200, help_text="user:<id>, job:<kind>, host:<login>, system.")
    actor_name = models.CharField(max_length=120, default="")
    via = models.CharField(max_length=20, default="", help_text="console, api, cli, job, acme.")
    key_id = models.CharField(max_length=40, default="", help_text="Access key used, if any.")
    source = models.CharField(max_length=45, default="", help_text="Client address.")
    request_id = models.CharField(max_length=40, default="")
    action = models.CharField(max_length=80, help_text="IAM action or event name.")
    resource = models.CharField(max_length=80, default="", help_text="type:id, e.g. cert:scs1600313391074.")
    details = models.TextField(default="{}", help_text="JSON, no secret in it.")
    sequence = models.BigIntegerField(
        null=True, help_text="Place in the account's chain; null = not yet sealed."
    )
    digest = models.CharField(
        max_length=64, default="", help_text="SHA-256 over the previous digest and this row."
    )

    class Meta:
        indexes = [
            models.Index(fields=["resource", "id"], name="audit_by_resource"),
            models.Index(fields=["account_id", "at", "id"], name="audit_by_moment"),
            models.Index(fields=["id"], name="audit_unsealed", condition=models.Q(sequence__isnull=True)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "sequence"],
                name="audit_sequence_once",
                condition=models.Q(sequence__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.resource}"


class Checkpoint(models.Model):
    """A signature over the head of an account's chain; what it covers cannot be changed unseen."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    sequence = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = MomentField()
    signature = models.BinaryField(help_text="Ed25519 over account, sequence, digest and time.")
    public_key = models.BinaryField(help_text="32 bytes, raw.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "sequence"], name="audit_checkpoint_once")
        ]

    def __str__(self) -> str:
        return f"checkpoint {self.account_id} #{self.sequence}"


class Head(models.Model):
    """The end of each account's chain, so that sealing needs no search."""

    account_id = models.CharField(primary_key=True, max_length=32)
    sequence = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"head {self.account_id} #{self.sequence}"


class SigningKey(models.Model):
    """The Ed25519 key that signs checkpoints; the newest one signs."""

    id = models.BigAutoField(primary_key=True)
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret of the 32 private bytes.")
    public_key = models.BinaryField(help_text="32 bytes, raw.")
    created_at = MomentField()

    def __str__(self) -> str:
        return f"audit signing key {self.id}"
