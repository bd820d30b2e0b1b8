"""Every message that leaves: what it said, to whom, and what became of it (NTF-3)."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class State(models.TextChoices):
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"
    KEPT = "KEPT"  # no channel is set up: readable here only


class Message(models.Model):
    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16, default="", db_index=True)
    template = models.CharField(max_length=60)
    locale = models.CharField(max_length=10, default="en")
    channel = models.CharField(max_length=20, default="email")
    channel_id = models.CharField(max_length=32, default="", help_text="Of the account's channels.")
    thread = models.CharField(
        max_length=40, default="", help_text="Mails of one thread refer to each other (RFC 5322 §3.6.4)."
    )
    recipient = models.CharField(max_length=320)
    subject = models.CharField(max_length=300)
    text = models.TextField()
    html = models.TextField(default="")
    secret_id = models.CharField(
        max_length=32, default="", help_text="sealing.Secret: what stands in the mail alone, by name."
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    dedupe_key = models.CharField(
        max_length=120, unique=True, help_text="The same message is never queued twice."
    )
    message_id = models.CharField(max_length=120, default="", help_text="RFC 5322 Message-ID.")
    created_at = MomentField()
    sent_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "id"], name="outbox_by_account"),
            models.Index(fields=["thread", "id"], name="outbox_by_thread", condition=~models.Q(thread="")),
        ]

    def __str__(self) -> str:
        return f"{self.template} to {self.recipient}"


class About(models.Model):
    """A certificate that a message is about beside others; one of a single certificate names it itself."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="about")
    certificate_id = models.CharField(max_length=16, db_index=True)

    class Meta:
        verbose_name_plural = "abouts"

    def __str__(self) -> str:
        return f"{self.message_id} {self.certificate_id}"


class Attempt(models.Model):
    """One try to deliver and what the other side answered."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    at = MomentField()
    delivered = models.BooleanField()
    answer = models.CharField(max_length=500)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.answer}"
