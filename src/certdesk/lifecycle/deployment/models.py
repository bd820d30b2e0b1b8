"""Where certificates are served: targets, bindings, deployments with a step a binding, pushes."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class Service(models.TextChoices):
    """The services of the contract; OTHER is whatever else serves TLS."""

    ELB = "ELB"
    WAF = "WAF"
    CDN = "CDN"
    OTHER = "OTHER"


class Target(models.Model):
    """A server or service that serves certificates. Its options are sealed; `shown` has no secret."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    service = models.CharField(max_length=5, choices=Service.choices)
    kind = models.CharField(max_length=20, help_text="The connector, e.g. haproxy.")
    label = models.CharField(max_length=64)
    region = models.CharField(max_length=64)
    project = models.CharField(max_length=64, default="", help_text="Name of the project there.")
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret of the options.")
    shown = models.JSONField(default=dict)
    asked_at = MomentField(null=True, help_text="Real time: last tested or looked through.")
    problem = models.TextField(default="", help_text="What the last question met; empty = all well.")
    next_step = models.TextField(default="")
    notes = models.JSONField(default=list)
    window = models.JSONField(default=dict, help_text="When it may be changed, see windows; empty = always.")
    created_by = models.CharField(max_length=32)
    created_at = MomentField()
    updated_at = MomentField()

    class Meta:
        indexes = [models.Index(fields=["account_id", "created_at"], name="deployment_targets")]

    def __str__(self) -> str:
        return f"{self.label} ({self.service}, {self.region})"


class Binding(models.Model):
    """A certificate object of a target: what it should serve, what it serves, what the last look saw."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="bindings")
    resource = models.CharField(max_length=255, help_text="The target's own name for it, e.g. a path.")
    names = models.JSONField(default=list, help_text="DNS names associated with it there.")
    listeners = models.JSONField(default=list, help_text="host:port where clients meet it.")
    policy = models.CharField(max_length=6, default="REPORT", help_text="REPORT or MEND.")
    certificate_id = models.CharField(max_length=16, default="", help_text="What it should serve.")
    version = models.IntegerField(default=0)
    fingerprint = models.CharField(max_length=40, default="", help_text="SHA-1 of that version's leaf.")
    served = models.CharField(max_length=40, default="", help_text="SHA-1 of what it serves, as last seen.")
    served_certificate_id = models.CharField(max_length=16, default="", help_text="Where that is ours.")
    deployment = models.CharField(max_length=12, default="NOT_DEPLOYED")
    verdict = models.CharField(max_length=16, default="", help_text="The last look's, see connectors.probe.")
    reason = models.TextField(default="")
    next_step = models.TextField(default="")
    seen_at = MomentField(null=True, help_text="Real time.")
    gone = models.BooleanField(default=False, help_text="The target has it no more.")
    wanted_by = models.CharField(
        max_length=32, default="", help_text="Who deployed last: the machine's right."
    )
    previous = models.CharField(
        max_length=64, default="", help_text="SHA-256 of what that took the place of."
    )
    exempt = models.JSONField(default=list, help_text="Listeners and names that need not serve it.")
    drift = models.CharField(max_length=16, default="", help_text="How it differs, states.Drift; empty = no.")
    drift_since = MomentField(null=True, help_text="Real time.")
    look_at = MomentField(null=True, help_text="Real time of the next look; empty = as soon as can be.")
    mends = models.IntegerField(default=0, help_text="How often it was mended lately; pauses grow with it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "resource"], name="deployment_binding_once")]
        indexes = [
            models.Index(fields=["account_id", "certificate_id"], name="deployment_by_certificate"),
            models.Index(
                fields=["look_at"],
                name="deployment_to_look_at",
                condition=~models.Q(certificate_id="") & models.Q(gone=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource} of {self.target_id}"


class Deployment(models.Model):
    """One certificate version on its way to one or more bindings."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16)
    version = models.IntegerField()
    fingerprint = models.CharField(max_length=40)
    state = models.CharField(max_length=11)
    cause = models.CharField(
        max_length=7, default="REQUEST", help_text="states.Cause: who began it, and why."
    )
    canary = models.IntegerField(default=0, help_text="Places of the first wave; 0 = no canary.")
    wave_size = models.IntegerField(default=0, help_text="Places of each further wave; 0 = all at once.")
    stop_after = models.IntegerField(default=0, help_text="Failures that stop it; 0 = none.")
    stop_percent = models.IntegerField(default=0, help_text="Failures in 100 places that stop it; 0 = none.")
    wave = models.IntegerField(default=1, help_text="The latest wave that has begun.")
    paused = models.BooleanField(default=False, help_text="Nothing new begins.")
    pause_reason = models.TextField(default="")
    created_by = models.CharField(max_length=32)
    created_at = MomentField()
    finished_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "created_at", "id"], name="deployment_latest"),
            models.Index(fields=["certificate_id", "created_at"], name="deployment_of_certificate"),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} v{self.version} {self.state}"


class Step(models.Model):
    """What one deployment does to one binding; at most one step of a binding is under way."""

    id = models.BigAutoField(primary_key=True)
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="steps")
    binding = models.ForeignKey(Binding, null=True, on_delete=models.SET_NULL, related_name="steps")
    wave = models.IntegerField(default=1)
    title = models.CharField(max_length=400, help_text="Target and resource, also once they are gone.")
    state = models.CharField(max_length=11)
    back = models.BooleanField(default=False, help_text="It puts back what was served before.")
    before = models.CharField(max_length=40, default="", help_text="SHA-1 of what was served before.")
    before_certificate_id = models.CharField(max_length=16, default="")
    snapshot_id = models.CharField(max_length=32, default="", help_text="sealing.Secret: the way back.")
    verdict = models.CharField(max_length=16, default="")
    reason = models.TextField(default="")
    next_step = models.TextField(default="")
    looks = models.JSONField(default=list, help_text="address, name, verdict, sentence of each look.")
    undo = models.JSONField(default=dict, help_text="What the binding should serve before it was planned.")
    exempt = models.JSONField(default=list, help_text="What needed not serve it, by the user's word.")
    attempts = models.IntegerField(default=0, help_text="How often it failed.")
    retry_at = MomentField(null=True, help_text="Real time of the next try by itself.")
    waits_until = MomentField(null=True, help_text="Real time at which the target's window opens.")
    updated_at = MomentField(help_text="Real time.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["binding"],
                name="deployment_one_at_a_time",
                condition=models.Q(state__in=("PLANNED", "RUNNING")),
            )
        ]
        indexes = [
            models.Index(
                fields=["updated_at"],
                name="deployment_open",
                condition=models.Q(state__in=("PLANNED", "RUNNING")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.state}"


class PushRecord(models.Model):
    """One push of a version to a service and project, and what came of it (PSH-4)."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16)
    version = models.IntegerField()
    service = models.CharField(max_length=5)
    project = models.CharField(max_length=255, default="", help_text="Empty for CDN.")
    object_id = models.CharField(max_length=32, default="", help_text="The binding that was made.")
    ok = models.BooleanField()
    message = models.TextField(default="")
    pushed_by = models.CharField(max_length=32)
    pushed_at = MomentField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["certificate_id", "version", "service", "project"],
                name="deployment_pushed_once",
                condition=models.Q(ok=True),
            )
        ]
        indexes = [models.Index(fields=["certificate_id", "id"], name="deployment_pushes")]

    def __str__(self) -> str:
        return f"{self.certificate_id} to {self.service} {self.project}"
