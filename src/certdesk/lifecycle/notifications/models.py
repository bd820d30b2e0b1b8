"""What is told about the end of a certificate, to whom and by which way, and how far that has come."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class Notices(models.Model):
    """The thread of one certificate; no row = both kinds on, nothing looked at yet."""

    certificate_id = models.CharField(primary_key=True, max_length=16)
    account_id = models.CharField(max_length=32, default="")
    expiring = models.BooleanField(default=True, help_text="CERT_EXPIRING: the stages before its end.")
    expired = models.BooleanField(default=True, help_text="CERT_EXPIRED: at its end.")
    version = models.IntegerField(default=0, help_text="Version that was last told about.")
    stage = models.CharField(max_length=12, default="", help_text="The last stage told, see rules.stages.")
    told_at = MomentField(null=True)
    seen_version = models.IntegerField(default=0, help_text="Version that `next_at` was computed for.")
    next_at = models.BigIntegerField(
        default=0, help_text="Microseconds; the scanner passes the certificate over until then."
    )
    acknowledged_at = MomentField(null=True, help_text="Silent until the next stage (NTF-5); null = not.")
    acknowledged_by = models.CharField(max_length=80, default="")
    escalated = models.IntegerField(
        default=0, help_text="Days of the last escalation told within this stage."
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["account_id", "told_at"],
                name="notifications_open",
                condition=models.Q(acknowledged_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} {self.stage}"


class Channel(models.Model):
    """A chat room, an SMS gateway or a webhook of an account; the options are sealed, `shown` has no secret."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    kind = models.CharField(max_length=20)
    label = models.CharField(max_length=64)
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret of the options.")
    shown = models.JSONField(default=dict, help_text="The options, `***` for every secret that is set.")
    asked_at = MomentField(null=True, help_text="Real time of the last delivery or test.")
    problem = models.CharField(max_length=500, default="", help_text="What it met; empty = all well.")
    next_step = models.CharField(max_length=300, default="")
    created_by = models.CharField(max_length=32)
    created_at = MomentField()
    updated_at = MomentField()

    class Meta:
        indexes = [models.Index(fields=["account_id", "created_at"], name="notifications_channels")]

    def __str__(self) -> str:
        return f"{self.label} ({self.kind})"


class Scope(models.TextChoices):
    ACCOUNT = "ACCOUNT"
    PROJECT = "PROJECT"
    CERTIFICATE = "CERTIFICATE"


class Whom(models.TextChoices):
    APPLICANT = "APPLICANT"
    CONTACT = "CONTACT"  # who owns the certificate, else the account's first user with an address
    ADMINISTRATORS = "ADMINISTRATORS"  # users of the group admins
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    CHANNEL = "CHANNEL"


class Rule(models.Model):
    """Somebody who is told beside applicant and contact, at once or after days without acknowledgement."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    scope_id = models.CharField(max_length=36, default="", help_text="Project or certificate; empty: all.")
    whom = models.CharField(max_length=16, choices=Whom.choices)
    recipient = models.CharField(
        max_length=320, default="", help_text="Address, phone number or channel id; empty for a role."
    )
    locale = models.CharField(max_length=10, default="en")
    after_days = models.IntegerField(
        default=0, help_text="0 = with everybody; else that many days after a stage nobody acknowledged."
    )
    created_by = models.CharField(max_length=32)
    created_at = MomentField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "scope", "scope_id", "whom", "recipient"],
                name="notifications_rule_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.whom} {self.scope} {self.scope_id}"


class Habits(models.Model):
    """When an account wants to be told. No row: at any hour, each certificate by itself."""

    account_id = models.CharField(primary_key=True, max_length=32)
    zone = models.CharField(max_length=64, default="UTC", help_text="IANA name.")
    quiet_from = models.IntegerField(null=True, help_text="Minute of the day; null = no quiet hours.")
    quiet_to = models.IntegerField(null=True)
    digest_at = models.IntegerField(
        null=True, help_text="Minute of the day of the one message a person gets; null = one a certificate."
    )

    def __str__(self) -> str:
        return f"{self.account_id} {self.zone}"


class Progress(models.TextChoices):
    WAITING = "WAITING"
    SENT = "SENT"  # handed to the outbox, which delivers and tries again
    SILENCED = "SILENCED"  # acknowledged, or nobody left to tell, before it was due


class Notice(models.Model):
    """One stage for one recipient by one way: exactly once (NTF-1). Kept for good; the address is not."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16)
    version = models.IntegerField()
    stage = models.CharField(max_length=12)
    whom = models.CharField(max_length=16, choices=Whom.choices)
    channel_id = models.CharField(max_length=32, default="", help_text="Empty = mail.")
    recipient = models.CharField(max_length=320, default="", help_text="Until sent; never an applicant's.")
    digest = models.CharField(max_length=32, help_text="Of the recipient, whom it stands for in `once`.")
    locale = models.CharField(max_length=10, default="en")
    urgent = models.BooleanField(default=False, help_text="An escalation.")
    send_at = MomentField()
    state = models.CharField(max_length=8, choices=Progress.choices, default=Progress.WAITING)
    message_id = models.BigIntegerField(default=0, help_text="outbox.Message; 0 = none.")
    link = models.CharField(max_length=64, default="", help_text="SHA-256 of the acknowledgement's link.")

    class Meta:
        indexes = [
            models.Index(
                fields=["account_id", "send_at"],
                name="notifications_waiting",
                condition=models.Q(state="WAITING"),
            ),
            models.Index(fields=["link"], name="notifications_links", condition=~models.Q(link="")),
            models.Index(
                fields=["message_id"], name="notifications_sent", condition=models.Q(message_id__gt=0)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["certificate_id", "version", "stage", "channel_id", "digest"],
                name="notifications_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} {self.stage} {self.state}"
