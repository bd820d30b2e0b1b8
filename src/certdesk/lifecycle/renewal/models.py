"""Who wants a certificate renewed by itself, and how far each renewal has come."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class AutoRenewal(models.Model):
    """The switch of one certificate beside its column `auto_renewal`; no row = never switched on."""

    certificate_id = models.CharField(primary_key=True, max_length=16)
    account_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=32, help_text="Whose rights it buys, applies and deploys with.")
    deploy = models.BooleanField(default=True, help_text="Where the old one is served.")
    changed_at = MomentField()

    def __str__(self) -> str:
        return f"auto-renewal of {self.certificate_id}"


class Renewal(models.Model):
    """One replacement of a certificate by the machine: a purchase (REN-7), or a rollover (REN-8)."""

    id = models.BigAutoField(primary_key=True)
    certificate_id = models.CharField(max_length=16, help_text="The one to replace.")
    account_id = models.CharField(max_length=32)
    kind = models.CharField(max_length=8, help_text="BUY or ROLLOVER.")
    version = models.IntegerField(help_text="Its current version when this began.")
    new_id = models.CharField(max_length=16, default="", help_text="BUY: the certificate that was bought.")
    application_id = models.BigIntegerField(default=0, help_text="ROLLOVER: the application under way.")
    state = models.CharField(max_length=5, default="OPEN", help_text="OPEN, DONE or ENDED.")
    cause = models.CharField(max_length=12, default="", help_text="What stands in the way, causes.Cause.")
    reason = models.CharField(max_length=500, default="")
    told = models.CharField(max_length=12, default="", help_text="The cause that people were told last.")
    attempts = models.IntegerField(default=0)
    bindings = models.JSONField(default=list, help_text="Where it is being deployed to.")
    seen = models.CharField(max_length=40, default="", help_text="State and version at the last step.")
    next_at = MomentField(help_text="Business time of the next step if nothing changes before.")
    begun_at = MomentField()
    done_at = MomentField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["certificate_id"], name="renewal_bought_once", condition=models.Q(kind="BUY")
            ),
            models.UniqueConstraint(
                fields=["certificate_id", "version"],
                name="renewal_rolled_once",
                condition=models.Q(kind="ROLLOVER"),
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], name="renewal_open", condition=models.Q(state="OPEN")),
            models.Index(fields=["new_id"], name="renewal_new", condition=~models.Q(new_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.certificate_id} {self.state} {self.cause}"
