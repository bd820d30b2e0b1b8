"""Prices that the operator has changed; the catalogue file stays the base. Rows are only ever added."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class PriceChange(models.Model):
    """A unit price in force from a moment on, until the next change of the same price."""

    id = models.BigAutoField(primary_key=True)
    product_id = models.CharField(max_length=80, help_text="Line of the catalogue, or EXPANSION.")
    kind = models.CharField(max_length=8, help_text="plain or wildcard.")
    currency = models.CharField(max_length=3)
    minor = models.BigIntegerField(null=True, help_text="Minor units; none = the file's price again.")
    since = MomentField(help_text="Business time from which it counts.")
    set_at = MomentField()
    set_by = models.CharField(max_length=32, default="", help_text="User; empty = the host.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(minor__isnull=True) | models.Q(minor__gt=0), name="catalogue_price_above_0"
            )
        ]
        indexes = [models.Index(fields=["product_id", "since", "id"], name="catalogue_prices")]

    def __str__(self) -> str:
        return f"{self.product_id} {self.kind} {self.currency} {self.minor}"
