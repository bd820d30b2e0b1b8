"""Scans, and the endpoints that they found: what serves which certificate where."""

from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField


class Repeat(models.TextChoices):
    ONCE = "ONCE"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"


class ScanState(models.TextChoices):
    IDLE = "IDLE"  # never run
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELED = "CANCELED"
    FAILED = "FAILED"  # `note` says why


class Scan(models.Model):
    """Where to look, how fast, how often; and how far the present run is."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    ranges = models.JSONField(default=list, help_text="Host names, addresses and networks.")
    ports = models.JSONField(default=list, help_text="Ports and spans of them, as texts.")
    sni = models.JSONField(default=list, help_text="Names to ask for; empty = the host's own.")
    protocol = models.CharField(max_length=12, default="TLS")
    targets = models.BooleanField(default=False, help_text="Also what connected targets serve.")
    per_second = models.IntegerField(default=50, help_text="Places begun in a second.")
    repeat = models.CharField(max_length=6, choices=Repeat.choices, default=Repeat.ONCE)
    state = models.CharField(max_length=8, choices=ScanState.choices, default=ScanState.IDLE)
    run = models.IntegerField(default=0, help_text="Number of the present or last run.")
    marker = models.IntegerField(default=0, help_text="Places that were looked at in this run.")
    total = models.IntegerField(default=0)
    found = models.IntegerField(default=0, help_text="Certificates seen in this run.")
    note = models.TextField(default="")
    created_by = models.CharField(max_length=32)
    runs_as = models.CharField(max_length=32, help_text="Whose right the present run has.")
    created_at = MomentField()
    started_at = MomentField(null=True)
    finished_at = MomentField(null=True)
    next_at = MomentField(null=True, help_text="When it runs by itself the next time.")

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "created_at", "id"], name="discovery_scans"),
            models.Index(fields=["next_at"], name="discovery_due", condition=models.Q(next_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.state}"


class Endpoint(models.Model):
    """What was last served at one address and port for one name."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32)
    scan_id = models.CharField(max_length=32, help_text="The scan that saw it last.")
    host = models.CharField(max_length=255, help_text="As it was asked for: a name or an address.")
    address = models.CharField(max_length=45)
    port = models.IntegerField()
    name = models.CharField(max_length=255, default="", help_text="SNI; empty = none was sent.")
    protocol = models.CharField(max_length=12)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the leaf.")
    serial = models.CharField(max_length=80)
    subject = models.CharField(max_length=255)
    issuer = models.CharField(max_length=255)
    names = models.JSONField(default=list)
    not_before = MomentField()
    not_after = MomentField()
    der = models.BinaryField()
    chain = models.BinaryField(help_text="PEM of what was sent above the leaf; may be empty.")
    version = models.CharField(max_length=16, help_text="As TLSv1.3.")
    self_signed = models.BooleanField(default=False)
    mismatched = models.BooleanField(default=False, help_text="It does not cover the name.")
    chain_problem = models.TextField(default="")
    certificate_id = models.CharField(max_length=16, default="", help_text="Where it is one of ours.")
    number = models.IntegerField(default=0, help_text="Of the version.")
    current = models.BooleanField(default=False)
    revoked = models.BooleanField(default=False, help_text="By us, and still served.")
    binding_id = models.CharField(max_length=32, default="", help_text="The binding whose listener it is.")
    successor_id = models.CharField(
        max_length=16, default="", help_text="The certificate that shall take its place."
    )
    adopted_by = models.CharField(max_length=32, default="", help_text="Who asked for the successor.")
    told = models.CharField(max_length=11, default="", help_text="The problem that was mailed.")
    gone = models.BooleanField(default=False)
    reason = models.TextField(default="", help_text="Why it is gone.")
    first_seen = MomentField()
    last_seen = MomentField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "host", "address", "port", "name", "protocol"],
                name="discovery_endpoint_once",
            )
        ]
        indexes = [
            models.Index(fields=["account_id", "not_after", "id"], name="discovery_endpoints"),
            models.Index(fields=["scan_id"], name="discovery_of_scan"),
            models.Index(fields=["account_id", "serial"], name="discovery_serials"),
            models.Index(
                fields=["successor_id"],
                name="discovery_successors",
                condition=models.Q(successor_id__gt=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address}:{self.port} {self.name}"
