"""What is told about the end of a certificate, and how far that has come."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class Notices(models.Model):
    """One certificate; no row = both kinds on, nothing told yet."""

    certificate_id = models.CharField(primary_key=True, max_length=16)
    expiring = models.BooleanField(default=True, help_text="CERT_EXPIRING: the stages before its end.")
    expired = models.BooleanField(default=True, help_text="CERT_EXPIRED: at its end.")
    version = models.IntegerField(default=0, help_text="Version that was last told about.")
    stage = models.CharField(max_length=12, default="", help_text="The last stage told, see rules.stages.")
    told_at = MomentField(null=True)

    def __str__(self) -> str:
        return f"{self.certificate_id} {self.stage}"
