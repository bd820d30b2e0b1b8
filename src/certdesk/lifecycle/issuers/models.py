"""Certificate authorities that the operator has set up, their order for each product, what was ordered."""

from django.db import models

from certdesk.foundation.common.fields import MomentField

from .states import State


class Issuer(models.Model):
    """A configured issuer of the installation. Its options are sealed; `shown` has no secret.

    Moments of health are real time: they tell of the world outside.
    """

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32, help_text="The operating account, to which it is sealed.")
    slug = models.CharField(max_length=32, unique=True, help_text="As the catalogue and versions name it.")
    title = models.CharField(max_length=64)
    kind = models.CharField(max_length=20, help_text="The connector, e.g. acme.")
    profile = models.CharField(max_length=16, help_text="public or private: whose trust it gives.")
    enabled = models.BooleanField(default=True)
    priority = models.IntegerField(default=100, help_text="Its place in lists; the smallest first.")
    weekly_limit = models.IntegerField(default=0, help_text="Orders a week that the CA allows; 0 = unknown.")
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret of the options.")
    shown = models.JSONField(default=dict)
    capabilities = models.JSONField(default=dict, help_text="As the connector told them last.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.UNKNOWN)
    since = MomentField(null=True, help_text="When it came into this state.")
    failures = models.IntegerField(default=0, help_text="In a row.")
    orders_fail = models.BooleanField(default=False, help_text="An order was among them, not tests alone.")
    retry_at = MomentField(null=True, help_text="It is asked for nothing new before.")
    asked_at = MomentField(null=True, help_text="Last test.")
    succeeded_at = MomentField(null=True)
    failed_at = MomentField(null=True)
    problem = models.TextField(default="", help_text="What the last failure said.")
    next_step = models.TextField(default="")
    notes = models.JSONField(default=list, help_text="What the last test told beside.")
    chosen_because = models.CharField(max_length=500, default="", help_text="Why it got its last order.")
    chosen_at = MomentField(null=True)
    created_by = models.CharField(max_length=32)
    updated_by = models.CharField(max_length=32, help_text="Who is told when it fails.")
    created_at = MomentField()
    updated_at = MomentField()

    class Meta:
        indexes = [models.Index(fields=["priority", "created_at"], name="issuers_listed")]

    def __str__(self) -> str:
        return f"{self.title} ({self.slug})"


class Place(models.Model):
    """One issuer in a product's own order; a product without any is served as the catalogue says."""

    id = models.BigAutoField(primary_key=True)
    product_id = models.CharField(max_length=80, help_text="Line of the catalogue.")
    position = models.SmallIntegerField()
    slug = models.CharField(max_length=32, help_text="Of an issuer, or `builtin`.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product_id", "slug"], name="issuers_once_a_product"),
            models.UniqueConstraint(fields=["product_id", "position"], name="issuers_one_a_position"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.position}: {self.slug}"


class Day(models.Model):
    """Orders placed at an issuer on one day (UTC), for its weekly limit."""

    id = models.BigAutoField(primary_key=True)
    issuer = models.ForeignKey(Issuer, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    orders = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "day"], name="issuers_one_a_day")]

    def __str__(self) -> str:
        return f"{self.issuer_id} {self.day}: {self.orders}"
