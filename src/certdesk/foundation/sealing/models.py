"""Secrets at rest: each row has its own data key, wrapped by a key-encryption key outside the database."""

from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField


class Secret(models.Model):
    """One sealed value. AES-256-GCM; the additional data binds tenant, id and purpose, so rows cannot be swapped."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    tenant = models.CharField(max_length=32, help_text="Account id; 'system' for the authority's keys.")
    purpose = models.CharField(max_length=40, help_text="private-key, access-key, totp, connector, ….")
    kek_version = models.IntegerField(db_index=True)
    wrapped_key = models.BinaryField(help_text="nonce + data key under the KEK of that version.")
    ciphertext = models.BinaryField(help_text="nonce + value under the data key.")
    created_at = MomentField()

    def __str__(self) -> str:
        return f"secret {self.id} ({self.purpose})"
