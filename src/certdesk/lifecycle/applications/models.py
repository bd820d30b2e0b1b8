"""What was applied for: names, CSR choice, contacts. Personal data stands apart so that it can go."""

from django.db import models

from certdesk.foundation.common.fields import MomentField
from certdesk.lifecycle.certificates.models import Certificate


class Purpose(models.TextChoices):
    ISSUE = "ISSUE"
    REISSUE = "REISSUE"
    ADDITION = "ADDITION"
    ROLLOVER = "ROLLOVER"


class ApplicationState(models.TextChoices):
    OPEN = "OPEN"
    WAITING = "WAITING"  # a reissue whose cancellation of the old certificate nobody has confirmed yet
    DECLINED = "DECLINED"  # such a one that was never confirmed: nothing came of it
    WITHDRAWN = "WITHDRAWN"
    REFUSED = "REFUSED"
    FULFILLED = "FULFILLED"


class CsrMode(models.TextChoices):
    SYSTEM = "SYSTEM"
    UPLOAD = "UPLOAD"
    STORED = "STORED"  # a CSR of the account whose key the service holds


class Application(models.Model):
    id = models.BigAutoField(primary_key=True)
    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="applications")
    account_id = models.CharField(max_length=32)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.ISSUE)
    state = models.CharField(max_length=9, choices=ApplicationState.choices, default=ApplicationState.OPEN)
    csr_mode = models.CharField(max_length=6, choices=CsrMode.choices)
    key_algorithm = models.CharField(max_length=10)
    key_id = models.CharField(max_length=32, default="", help_text="keystore.Key once made.")
    spki = models.BinaryField(
        null=True, help_text="Public key to certify, DER; from the CSR or the made key."
    )
    csr = models.TextField(default="", help_text="Uploaded or stored CSR, PEM.")
    csr_id = models.CharField(
        max_length=32, default="", help_text="certificates.Csr it was taken from, if any."
    )
    ca_hash_algorithm = models.CharField(max_length=8, default="DEFAULT")
    domain_method = models.CharField(max_length=5, default="DNS")
    auto_dns = models.BooleanField(default=False)
    names = models.TextField(help_text="`;`-separated, primary first.")
    company = models.JSONField(default=dict, help_text="name, unit, province, city, country; OV and EV.")
    submitted_by = models.CharField(max_length=32)
    submitted_key = models.CharField(max_length=40, default="", help_text="Access key used, if any.")
    submitted_agency = models.CharField(max_length=64, default="", help_text="Agency used, if any (ORG-5).")
    at_issuer = models.CharField(
        max_length=32, default="", db_default="", help_text="A campaign wants this issuer; empty = any."
    )
    not_at_issuer = models.CharField(
        max_length=32, default="", db_default="", help_text="A campaign leaves this issuer; empty = none."
    )
    latest_not_after = MomentField(
        null=True, help_text="What it brings ends then at the latest: paid is paid. Null = from issuance on."
    )
    agreed_at = MomentField(help_text="Statement and privacy authorisation.")
    created_at = MomentField()
    ended_at = MomentField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["certificate"], name="applications_one_open", condition=models.Q(state="OPEN")
            )
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="applications_followups",
                condition=models.Q(state="OPEN", purpose__in=["ADDITION", "ROLLOVER"]),
            )
        ]

    def __str__(self) -> str:
        return f"application {self.id} of {self.certificate_id}"


class Contact(models.Model):
    """Personal data of one application (APP-10, APP-11, PRV-2). Never in the certificate, log or audit."""

    application = models.OneToOneField(
        Application, primary_key=True, on_delete=models.CASCADE, related_name="contact"
    )
    account_id = models.CharField(max_length=32, db_index=True)
    applicant_name = models.CharField(max_length=100)
    applicant_phone = models.CharField(max_length=32)
    applicant_email = models.CharField(max_length=254)
    contact_name = models.CharField(max_length=100, default="")
    contact_phone = models.CharField(max_length=32, default="")
    contact_email = models.CharField(max_length=254, default="")

    def __str__(self) -> str:
        return f"contact of application {self.application_id}"


class Draft(models.Model):
    """An application that was saved, not submitted yet. Personal data: goes with PRV-2 and with submitting."""

    certificate = models.OneToOneField(
        Certificate, primary_key=True, on_delete=models.CASCADE, related_name="draft"
    )
    account_id = models.CharField(max_length=32)
    values = models.JSONField(help_text="By the form's field names.")
    saved_by = models.CharField(max_length=32)
    saved_at = MomentField()

    def __str__(self) -> str:
        return f"draft of {self.certificate_id}"


class BookContact(models.Model):
    """A person of earlier applications, to fill in the next one (APP-11). Personal data: goes with PRV-2."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    phone = models.CharField(max_length=32)
    email = models.CharField(max_length=254)
    created_at = MomentField()
    used_at = MomentField(help_text="When an application named it last.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "name", "phone", "email"], name="applications_book_contact_once"
            )
        ]

    def __str__(self) -> str:
        return f"contact {self.id}"


class BookCompany(models.Model):
    """An organisation of earlier applications, to fill in the next one (APP-11)."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    company = models.JSONField(help_text="As `Application.company`.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the fields: the same is kept once.")
    created_at = MomentField()
    used_at = MomentField(help_text="When an application named it last.")

    class Meta:
        verbose_name_plural = "book companies"
        constraints = [
            models.UniqueConstraint(fields=["account_id", "digest"], name="applications_book_company_once")
        ]

    def __str__(self) -> str:
        return f"company {self.id}"
