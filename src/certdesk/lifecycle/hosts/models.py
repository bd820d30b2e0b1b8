"""Hosts with an agent, and what each of them serves."""

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.lifecycle.deployment.models import Binding, Target


class Agent(models.Model):
    """One host. Before its enrolment there is a code and no target; its credential is sealed."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    target = models.OneToOneField(Target, null=True, on_delete=models.CASCADE, related_name="+")
    label = models.CharField(max_length=64, default="", help_text="Empty until it says its own name.")
    code_digest = models.CharField(max_length=64, help_text="SHA-256 of the one-time code.")
    code_expires_at = MomentField(help_text="Real time.")
    secret_id = models.CharField(max_length=32, default="", help_text="sealing.Secret of its credential.")
    counter = models.BigIntegerField(default=0, help_text="The highest that a request of it bore.")
    host = models.CharField(max_length=255, default="", help_text="The machine's own name.")
    release = models.CharField(max_length=20, default="", help_text="Version of the agent.")
    enrolled_at = MomentField(null=True)
    seen_at = MomentField(null=True, help_text="Real time.")
    told_at = MomentField(null=True, help_text="Real time: when its silence was told.")
    created_by = models.CharField(max_length=32, help_text="The user for whom it acts.")
    created_at = MomentField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code_digest"], name="hosts_code_once")]
        indexes = [
            models.Index(fields=["account_id", "created_at", "id"], name="hosts_of_account"),
            models.Index(fields=["seen_at"], name="hosts_by_silence"),
        ]

    def __str__(self) -> str:
        return self.label or self.id


class Place(models.Model):
    """One certificate of a host: its keys there, and the tries to bring a certificate to it."""

    id = models.BigAutoField(primary_key=True)
    binding = models.OneToOneField(Binding, on_delete=models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="places")
    listeners = models.JSONField(default=list, help_text="host:port, as the host itself reaches them.")
    csrs = models.JSONField(default=dict, help_text="SHA-256 of a key's SPKI: its CSR in PEM.")
    problem = models.TextField(default="", help_text="Why a CSR of it was not taken.")
    version = models.IntegerField(default=0, help_text="Number of the version that it is to serve.")
    step = models.IntegerField(default=0, help_text="Number of the work under way or done last.")
    open = models.BooleanField(default=False, help_text="The host has been told of that work.")
    attempts = models.IntegerField(default=0, help_text="Failures in a row.")
    next_at = MomentField(null=True, help_text="Real time: not tried again before.")
    looks = models.JSONField(default=list, help_text="address, name, verdict, sentence of each look.")
    deployed_at = MomentField(null=True)

    def __str__(self) -> str:
        return f"{self.binding_id} step {self.step}"
