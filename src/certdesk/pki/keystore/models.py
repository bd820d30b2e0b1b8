"""Private keys: sealed, usable through this room only."""

from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField


class State(models.TextChoices):
    POOL = "POOL"  # made ahead, belongs to nobody
    ASSIGNED = "ASSIGNED"
    DESTROYED = "DESTROYED"  # the row stays for the record, the secret is gone


class Held(models.TextChoices):
    SEALED = "SEALED"  # here, under the KEK
    TOKEN = "TOKEN"  # noqa: S105 - in the PKCS#11 token; never extractable
    ELSEWHERE = "ELSEWHERE"  # not in this installation: the root of an offline ceremony


class Key(models.Model):
    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    tenant = models.CharField(max_length=32, help_text="Account id; 'system' for pool and authority.")
    algorithm = models.CharField(max_length=10, help_text="RSA_2048, EC_P256, … (API §1.8).")
    purpose = models.CharField(max_length=20, default="subscriber", help_text="subscriber or authority.")
    spki = models.BinaryField(help_text="SubjectPublicKeyInfo, DER.")
    spki_sha256 = models.CharField(max_length=64, db_index=True)
    secret_id = models.CharField(max_length=32, default="", help_text="sealing.Secret; empty once destroyed.")
    held = models.CharField(max_length=9, choices=Held.choices, default=Held.SEALED)
    object_id = models.CharField(max_length=64, default="", help_text="CKA_ID in the token, hex.")
    lost_at = MomentField(null=True, help_text="Since when the token was seen without it; real time.")
    state = models.CharField(max_length=9, choices=State.choices)
    created_at = MomentField()

    class Meta:
        indexes = [
            models.Index(fields=["algorithm", "id"], name="keystore_pool", condition=models.Q(state="POOL"))
        ]

    def __str__(self) -> str:
        return f"{self.algorithm} key {self.id}"


class BlockedKey(models.Model):
    """A key that is refused for ever in every account (REV-6, promise 20)."""

    spki_sha256 = models.CharField(primary_key=True, max_length=64)
    reason = models.CharField(max_length=120)
    at = MomentField()

    def __str__(self) -> str:
        return self.spki_sha256
