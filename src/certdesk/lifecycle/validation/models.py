"""Proof of domain control, kept per name; organisation verification by RA officers."""

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.lifecycle.applications.models import Application


class Challenge(models.Model):
    """The record (or file, or mail) asked for one authorisation domain of one application (DOM-15).

    Without an application it is the account's own: it proves a name ahead of any order.
    """

    id = models.BigAutoField(primary_key=True)
    application = models.ForeignKey(
        Application, null=True, on_delete=models.CASCADE, related_name="challenges"
    )
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16, default="", db_index=True)
    asked_by = models.CharField(max_length=32, default="", help_text="User; only of a proof ahead.")
    authorization_domain = models.CharField(max_length=255)
    method = models.CharField(max_length=5, default="DNS")
    record_name = models.CharField(max_length=300, default="")
    record_type = models.CharField(max_length=5, default="")
    value = models.CharField(max_length=300)
    value_made_at = MomentField(help_text="Renewed after 30 days (DOM-11).")
    verified_at = MomentField(null=True)
    checks_made = models.IntegerField(default=0)
    next_check_at = MomentField(null=True, help_text="Real time.")
    busy_until = MomentField(null=True, help_text="Real time: a *Verify* is under way until then.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "authorization_domain"], name="validation_challenge_once"
            ),
            models.UniqueConstraint(
                fields=["account_id", "authorization_domain", "method"],
                name="validation_ahead_once",
                condition=models.Q(application__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.authorization_domain}"


class Check(models.Model):
    """One look at the outside world and what it answered (DOM-4, DOM-11)."""

    id = models.BigAutoField(primary_key=True)
    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="checks")
    at = MomentField()
    perspective = models.CharField(max_length=40, default="local")
    answer = models.CharField(
        max_length=20, help_text="MATCH, NO_RECORD, WRONG_VALUE, NXDOMAIN, SERVFAIL, TIMEOUT, …."
    )
    seen = models.TextField(default="", help_text="One sentence: what was seen.")
    cause = models.TextField(default="", help_text="Likely cause and way out (table 3-5).")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.answer}"


class ConfirmationMail(models.Model):
    """One mail to one mailbox with its own random value (DOM-9); a re-send is the same message."""

    id = models.BigAutoField(primary_key=True)
    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE, related_name="mails")
    address = models.CharField(max_length=320)
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the value, hex.")
    message_id = models.BigIntegerField(help_text="outbox.Message.")
    made_at = MomentField(help_text="Good for 30 days.")
    times_sent = models.IntegerField(default=1)
    last_sent_at = MomentField(help_text="Real time: for the limit of re-sends.")
    used_at = MomentField(null=True)

    class Meta:
        indexes = [models.Index(fields=["challenge", "address"], name="validation_mailed")]

    def __str__(self) -> str:
        return f"mail to {self.address}"


class Evidence(models.Model):
    """A domain was proved: reusable by the account within the issuer's period (DOM-13), unless void (WDR-5)."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    authorization_domain = models.CharField(max_length=255)
    name = models.CharField(
        max_length=255, help_text="Exact name, for methods that prove only it; else empty.", default=""
    )
    method = models.CharField(max_length=5)
    br_method = models.CharField(max_length=20, help_text="Baseline Requirements section, e.g. 3.2.2.4.7.")
    perspective = models.CharField(
        max_length=400, default="local", help_text="Every place that saw it, by commas; of mails the address."
    )
    seen = models.TextField()
    at = MomentField()
    application_id = models.BigIntegerField(
        db_index=True, help_text="Under which it was gathered; 0 = ahead of any order."
    )
    void_at = MomentField(null=True)

    class Meta:
        verbose_name_plural = "evidence"
        indexes = [
            models.Index(fields=["account_id", "authorization_domain", "at"], name="validation_reuse"),
            models.Index(fields=["account_id", "at"], name="validation_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.authorization_domain} by {self.br_method}"


class NameProof(models.Model):
    """One name of one application and the evidence that covers it (per name, never derived)."""

    id = models.BigAutoField(primary_key=True)
    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="proofs", db_index=False
    )
    name = models.CharField(max_length=255)
    position = models.IntegerField()
    challenge = models.ForeignKey(
        Challenge, null=True, on_delete=models.CASCADE, related_name="proofs", db_index=False
    )
    evidence = models.ForeignKey(Evidence, null=True, on_delete=models.PROTECT, db_index=False)
    reused = models.BooleanField(default=False)  # the evidence stood when the application was opened
    caa = models.TextField(default="", help_text="What the last CAA look-up said.")
    caa_at = MomentField(null=True, help_text="When it said so: good for 8 hours.")

    class Meta:
        # Each index is a page more to write for every issuance; the constraint serves look-ups by application.
        indexes = [
            models.Index(
                fields=["challenge"],
                name="validation_asked",
                condition=models.Q(challenge__isnull=False),
            )
        ]
        constraints = [models.UniqueConstraint(fields=["application", "name"], name="validation_name_once")]

    def __str__(self) -> str:
        return self.name


class OrganizationState(models.TextChoices):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    ENDED = "ENDED"  # the application was withdrawn


class OrganizationVerification(models.Model):
    """The check of one applicant organisation (ORG-1..3)."""

    id = models.BigAutoField(primary_key=True)
    application = models.OneToOneField(Application, on_delete=models.CASCADE, related_name="organization")
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16, db_index=True)
    level = models.CharField(max_length=2)
    method = models.CharField(max_length=9, default="PHONE")
    method_at = MomentField(null=True, help_text="When the applicant chose it; null = nobody chose yet.")
    state = models.CharField(
        max_length=8, choices=OrganizationState.choices, default=OrganizationState.PENDING
    )
    created_at = MomentField()
    ended_at = MomentField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account_id", "state", "id"], name="validation_queue")]

    def __str__(self) -> str:
        return f"organization of {self.certificate_id} {self.state}"


class OrganizationDecision(models.Model):
    id = models.BigAutoField(primary_key=True)
    verification = models.ForeignKey(
        OrganizationVerification, on_delete=models.CASCADE, related_name="decisions"
    )
    officer_id = models.CharField(max_length=32)
    officer_name = models.CharField(max_length=64)
    officer_key = models.CharField(max_length=40, default="")
    officer_agency = models.CharField(max_length=64, default="")
    approved = models.BooleanField()
    checked = models.JSONField(default=list, help_text="Ids of the checklist items that were checked.")
    reason = models.CharField(max_length=500, default="")
    at = MomentField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["verification", "officer_id"], name="validation_officer_once")
        ]

    def __str__(self) -> str:
        return f"{self.officer_name}: {'approved' if self.approved else 'rejected'}"


class OrganizationLink(models.Model):
    """The mailed link by which the applicant chooses the way of verification (ORG-1).

    Only the digest of its secret is kept. It serves until it expires or the organisation is decided about.
    """

    id = models.BigAutoField(primary_key=True)
    verification = models.ForeignKey(OrganizationVerification, on_delete=models.CASCADE, related_name="links")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret part, hex.")
    expires_at = MomentField()
    used_at = MomentField(null=True, help_text="When it last chose.")

    def __str__(self) -> str:
        return f"link {self.id}"


class OrganizationDocument(models.Model):
    """A document that the applicant showed. Its content is sealed, in parts; it goes when the application ends."""

    id = models.BigAutoField(primary_key=True)
    verification = models.ForeignKey(
        OrganizationVerification, on_delete=models.CASCADE, related_name="documents"
    )
    account_id = models.CharField(max_length=32)
    name = models.CharField(max_length=100, help_text="Cleaned; emptied with the content.")
    kind = models.CharField(max_length=4, help_text="PDF, PNG or JPEG, by its first bytes.")
    size = models.IntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64, help_text="Of the whole content, hex.")
    uploaded_by = models.CharField(max_length=32)
    uploaded_key = models.CharField(max_length=40, default="")
    uploaded_at = MomentField()
    removed_at = MomentField(null=True)

    def __str__(self) -> str:
        return f"document {self.id} ({self.kind})"


class OrganizationDocumentPart(models.Model):
    """A piece of a document, at most 256 KiB, sealed under its own key."""

    id = models.BigAutoField(primary_key=True)
    document = models.ForeignKey(
        OrganizationDocument, on_delete=models.CASCADE, related_name="parts", db_index=False
    )
    position = models.IntegerField()
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "position"], name="validation_document_part_once")
        ]

    def __str__(self) -> str:
        return f"part {self.position} of document {self.document_id}"


class OrganizationReuse(models.Model):
    """An application that leaned on the approval of an earlier one instead of a new check (ORG-4)."""

    application = models.OneToOneField(
        Application, primary_key=True, on_delete=models.CASCADE, related_name="organization_reuse"
    )
    verification = models.ForeignKey(
        OrganizationVerification, on_delete=models.PROTECT, related_name="reuses"
    )
    at = MomentField()

    def __str__(self) -> str:
        return f"approval {self.verification_id} for application {self.application_id}"


class DnsConnection(models.Model):
    """A DNS provider that an account has connected (DOM-7). The options are sealed; `shown` has no secret."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    kind = models.CharField(max_length=20)
    label = models.CharField(max_length=64)
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret of the options.")
    shown = models.JSONField(default=dict, help_text="The options, `***` for every secret that is set.")
    zones = models.JSONField(default=list, help_text="Names of the zones that it had when last asked.")
    asked_at = MomentField(null=True, help_text="Real time.")
    problem = models.TextField(default="", help_text="What the last question met; empty = all well.")
    next_step = models.TextField(default="")
    notes = models.JSONField(default=list, help_text="Sentences: what works only in part.")
    created_by = models.CharField(max_length=32)
    created_at = MomentField()
    updated_at = MomentField()

    class Meta:
        indexes = [models.Index(fields=["account_id", "created_at"], name="validation_connections")]

    def __str__(self) -> str:
        return f"{self.label} ({self.kind})"


class RecordState(models.TextChoices):
    PLANNED = "PLANNED"  # the write may or may not have happened
    THERE = "THERE"
    REMOVED = "REMOVED"


class AutomaticRecord(models.Model):
    """One value written into a customer's zone; the row is committed before the write (DOM-7, law 3).

    Plain ids: the row must outlive application and challenge until the value is gone from the zone.
    """

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16)
    application_id = models.BigIntegerField(db_index=True)
    challenge_id = models.BigIntegerField()
    asked_id = models.BigIntegerField(
        default=0, help_text="AskedRecord; 0 = it is of a challenge of our own. The other one is 0 then."
    )
    connection_id = models.CharField(max_length=32, db_index=True)
    zone = models.CharField(max_length=255)
    zone_id = models.CharField(max_length=128, default="", help_text="The provider's id of the zone.")
    name = models.CharField(max_length=255, help_text="Where the value stands, CNAMEs followed.")
    record_type = models.CharField(max_length=5)
    value = models.CharField(max_length=300)
    state = models.CharField(max_length=7, choices=RecordState.choices, default=RecordState.PLANNED)
    tries = models.IntegerField(default=0, help_text="Removals that failed so far.")
    next_try_at = MomentField(null=True, help_text="Real time; of the removal.")
    problem = models.TextField(default="")
    created_at = MomentField()
    written_at = MomentField(null=True)
    removed_at = MomentField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["challenge_id", "asked_id", "value"], name="validation_automatic_each_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["id"], name="validation_automatic_open", condition=~models.Q(state="REMOVED")
            )
        ]

    def __str__(self) -> str:
        return f"{self.record_type} {self.name} {self.state}"


class AskedRecord(models.Model):
    """A record that a CA outside wants to see, besides our own proof: written and removed as the others."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    certificate_id = models.CharField(max_length=16)
    application_id = models.BigIntegerField()
    reference = models.CharField(max_length=64, db_index=True, help_text="The order that it is for.")
    record_name = models.CharField(max_length=300)
    record_type = models.CharField(max_length=5)
    value = models.CharField(max_length=300)
    wanted = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["application_id"], name="validation_asked_application")]
        constraints = [
            models.UniqueConstraint(
                fields=["reference", "record_name", "value"], name="validation_asked_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.record_type} {self.record_name} for {self.reference}"


class AutomaticStep(models.Model):
    """What the automatic DNS of one application did or met; shown to its people, newest last."""

    id = models.BigAutoField(primary_key=True)
    application_id = models.BigIntegerField()
    domain = models.CharField(max_length=255, help_text="Authorisation domain; empty = all of them.")
    step = models.CharField(max_length=8, help_text="FIND, WRITE, WAIT, REMOVE.")
    good = models.BooleanField()
    sentence = models.TextField()
    next_step = models.TextField(default="")
    at = MomentField()

    class Meta:
        indexes = [models.Index(fields=["application_id", "id"], name="validation_steps")]

    def __str__(self) -> str:
        return f"{self.step} {self.domain}: {self.sentence}"
