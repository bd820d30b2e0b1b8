"""The ACME server's credentials, accounts, orders, authorisations and challenges (RFC 8555 §7.1)."""

from django.db import models

from certdesk.foundation.common.fields import MomentField


class Credential(models.Model):
    """What binds an ACME client to a user: key id and HMAC key of external account binding (RFC 8555 §7.3.4).

    Whatever its clients do, they do with the rights that the user has at that moment.
    """

    id = models.CharField(primary_key=True, max_length=32, help_text="The key id (kid).")
    account_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=32)
    label = models.CharField(max_length=64, default="")
    names = models.JSONField(default=list, help_text="Patterns of names that it may ask for; empty = any.")
    types = models.JSONField(default=list, help_text="Certificate types; empty = free ones of our own CA.")
    issuer = models.CharField(max_length=24, default="", help_text="Brand; empty = our own CA.")
    quota = models.IntegerField(null=True, help_text="Certificates in all; null = any number.")
    issued = models.IntegerField(default=0, help_text="Certificates that were asked for so far.")
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret of the HMAC key.")
    created_by = models.CharField(max_length=32)
    created_at = MomentField()
    updated_at = MomentField()
    used_at = MomentField(null=True, help_text="When an account was last bound with it.")
    deleted_at = MomentField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account_id", "created_at"], name="enrolment_credentials")]

    def __str__(self) -> str:
        return f"{self.label or self.id}"


class AccountState(models.TextChoices):
    VALID = "valid"
    DEACTIVATED = "deactivated"
    REVOKED = "revoked"


class Account(models.Model):
    """An ACME account: a key that speaks for a credential."""

    id = models.CharField(primary_key=True, max_length=32)
    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="accounts")
    thumbprint = models.CharField(max_length=43, unique=True, help_text="RFC 7638, of the key.")
    jwk = models.JSONField(help_text="The public key.")
    contact = models.JSONField(default=list)
    state = models.CharField(max_length=11, choices=AccountState.choices, default=AccountState.VALID)
    created_at = MomentField()

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class AuthorizationState(models.TextChoices):
    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"


class Authorization(models.Model):
    """Whether an account controls one name. `expired` is computed."""

    id = models.CharField(primary_key=True, max_length=32)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="authorizations")
    kind = models.CharField(max_length=3, default="dns", help_text="dns or ip.")
    value = models.CharField(max_length=255, help_text="Without `*.`.")
    wildcard = models.BooleanField(default=False)
    state = models.CharField(
        max_length=11, choices=AuthorizationState.choices, default=AuthorizationState.PENDING
    )
    evidence_id = models.BigIntegerField(null=True, help_text="validation.Evidence that proves it.")
    created_at = MomentField()
    expires_at = MomentField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "value", "wildcard", "expires_at"], name="enrolment_reuse"),
            models.Index(
                fields=["account", "expires_at"],
                name="enrolment_waiting",
                condition=models.Q(state="pending"),
            ),
        ]

    def __str__(self) -> str:
        return f"{'*.' if self.wildcard else ''}{self.value} {self.state}"

    @property
    def name(self) -> str:
        """As it will stand in the certificate."""
        return f"*.{self.value}" if self.wildcard else self.value


class ChallengeState(models.TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class Challenge(models.Model):
    """One way to prove a name (RFC 8555 §8)."""

    id = models.CharField(primary_key=True, max_length=32)
    authorization = models.ForeignKey(Authorization, on_delete=models.CASCADE, related_name="challenges")
    place = models.SmallIntegerField(help_text="Order in which clients see them.")
    type = models.CharField(max_length=16)
    token = models.CharField(max_length=43, unique=True)
    state = models.CharField(max_length=10, choices=ChallengeState.choices, default=ChallengeState.PENDING)
    thumbprint = models.CharField(max_length=43, default="", help_text="Of the key that answered.")
    looks = models.IntegerField(default=0)
    validated_at = MomentField(null=True)
    error = models.JSONField(null=True, help_text="Problem document.")

    def __str__(self) -> str:
        return f"{self.type} {self.state}"


class OrderState(models.TextChoices):
    PENDING = "pending"
    READY = "ready"  # computed, never stored
    PROCESSING = "processing"
    VALID = "valid"
    INVALID = "invalid"


class Order(models.Model):
    """What an account asked for. `ready` is computed from the authorisations, `expired` from the time."""

    id = models.CharField(primary_key=True, max_length=32)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="orders")
    state = models.CharField(max_length=10, choices=OrderState.choices, default=OrderState.PENDING)
    names = models.JSONField(help_text="In the order in which they were given.")
    kinds = models.JSONField(default=list, help_text="dns or ip, of each name.")
    authorizations = models.ManyToManyField(Authorization, related_name="orders")
    profile = models.CharField(max_length=24, default="", help_text="As the client asked; empty = usual one.")
    replaces = models.CharField(max_length=100, default="", help_text="RFC 9773 §5.")
    certificate_id = models.CharField(max_length=16, default="", db_index=True)
    error = models.JSONField(null=True, help_text="Problem document.")
    created_at = MomentField()
    expires_at = MomentField()
    taken_at = MomentField(null=True, help_text="Real time; when a process set out to buy its certificate.")

    class Meta:
        indexes = [
            models.Index(
                fields=["taken_at"],
                name="enrolment_taken",
                condition=models.Q(state="processing", certificate_id=""),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["replaces"],
                name="enrolment_replaced_once",
                condition=~models.Q(replaces="") & ~models.Q(state="invalid"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class UsedNonce(models.Model):
    """A nonce that has been used; kept as long as it would be good otherwise."""

    digest = models.CharField(primary_key=True, max_length=43)
    at = MomentField(db_index=True, help_text="Real time.")

    def __str__(self) -> str:
        return self.digest
