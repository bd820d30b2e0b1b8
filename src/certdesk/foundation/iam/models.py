"""Accounts (tenants), users, groups, policies, access keys, enterprise projects."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField

DEFAULT_PROJECT = "0"


class Account(models.Model):
    """A tenant: owns certificates, orders and money; sees nothing of other accounts."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    name = models.CharField(max_length=64, unique=True)
    currency = models.CharField(max_length=3, default="CNY")
    real_name_verified = models.BooleanField(default=True, help_text="APP-14: without it no application.")
    special_enterprise = models.BooleanField(default=False, help_text="ORD-5: may not buy OV or EV.")
    second_factor_required = models.BooleanField(
        default=False, help_text="Who has no second factor enrols one at the next sign-in."
    )
    created_at = MomentField()

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(login=username)


class User(AbstractBaseUser):
    """A person or a machine of one account. `login` is `name` in the first account, else `account/name`."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="users")
    name = models.CharField(max_length=64)
    login = models.CharField(max_length=130, unique=True)
    email = models.EmailField(max_length=254, default="", blank=True)
    phone = models.CharField(max_length=32, default="", blank=True)
    language = models.CharField(max_length=10, default="en")
    time_zone = models.CharField(max_length=40, default="UTC")
    is_active = models.BooleanField(default=True)
    must_change_password = models.BooleanField(default=False)
    description = models.CharField(max_length=255, default="", blank=True)
    created_at = MomentField()

    USERNAME_FIELD = "login"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []  # type: ignore[misc]
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="iam_user_name_once")]

    def __str__(self) -> str:
        return self.login


class Group(models.Model):
    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="groups")
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=255, default="")
    users = models.ManyToManyField(User, related_name="groups")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="iam_group_name_once")]

    def __str__(self) -> str:
        return self.name


class Policy(models.Model):
    """Version "1.1" policy document (API §3.1); system policies belong to no account."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account = models.ForeignKey(Account, null=True, on_delete=models.CASCADE, related_name="policies")
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=255, default="")
    document = models.JSONField()

    class Meta:
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="iam_policy_name_once"),
            models.UniqueConstraint(
                fields=["name"], name="iam_system_policy_once", condition=models.Q(account__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """A policy attached to a group, for all projects or for one enterprise project (IAM-6)."""

    id = models.BigAutoField(primary_key=True)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="grants")
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="grants")
    enterprise_project_id = models.CharField(max_length=36, default="", help_text="Empty = all projects.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "policy", "enterprise_project_id"], name="iam_grant_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.policy} to {self.group}"


class EnterpriseProject(models.Model):
    id = models.CharField(primary_key=True, max_length=36)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=255)
    description = models.CharField(max_length=512, default="")
    enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class AccessKey(models.Model):
    """An AK/SK pair (IAM-7); the secret key is sealed and shown once."""

    access_key = models.CharField(primary_key=True, max_length=40)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_keys")
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret")
    description = models.CharField(max_length=255, default="")
    enabled = models.BooleanField(default=True)
    created_at = MomentField()
    last_used_at = MomentField(null=True, help_text="To the minute.")

    def __str__(self) -> str:
        return self.access_key


class Token(models.Model):
    """What `POST /v3/auth/tokens` gave for a password; only its digest is kept."""

    digest = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the token, hex.")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    issued_at = MomentField()
    expires_at = MomentField(db_index=True)
    mfa = models.BooleanField(default=False, help_text="A code of an authenticator app came with it.")

    def __str__(self) -> str:
        return self.digest[:8]


class SignInTry(models.Model):
    """Attempts to sign in with one name from one address: who fails too often there waits (throttle)."""

    id = models.BigAutoField(primary_key=True)
    login_digest = models.CharField(max_length=64, help_text="SHA-256 of the name; it may be nobody's.")
    source = models.CharField(max_length=64, help_text="Client address.")
    failures = models.IntegerField(default=0, help_text="Since `since`.")
    since = MomentField(db_index=True)
    succeeded_at = MomentField(null=True)

    class Meta:
        verbose_name_plural = "sign-in tries"
        constraints = [models.UniqueConstraint(fields=["login_digest", "source"], name="iam_try_once")]
        indexes = [models.Index(fields=["source", "since"], name="iam_try_source")]

    def __str__(self) -> str:
        return f"{self.failures} from {self.source}"


class UsedSignature(models.Model):
    """A signed request that changed something, remembered for its clock window (IAM-10)."""

    signature = models.CharField(primary_key=True, max_length=64)
    seen_at = MomentField(help_text="When it first came.")
    expires_at = MomentField(db_index=True)

    def __str__(self) -> str:
        return self.signature


class IdempotencyKey(models.Model):
    """IAM-10: one answer for a repeated request; scope is user and operation, for 24 h."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.CharField(max_length=32)
    operation = models.CharField(max_length=60)
    key = models.CharField(max_length=128)
    body_sha256 = models.CharField(max_length=64)
    status = models.IntegerField(null=True, help_text="HTTP status of the answer; null while it runs.")
    answer = models.TextField(default="")
    interim_status = models.IntegerField(
        null=True, help_text="What a repeat gets once the request is taken for dead."
    )
    interim_answer = models.TextField(default="")
    created_at = MomentField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_id", "operation", "key"], name="iam_idempotency_once")
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"


class SignInLink(models.Model):
    """A mailed link by which a user sets its password: once, and only for a while. The token is in the mail."""

    digest = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the token, hex.")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    purpose = models.CharField(max_length=16, help_text="links.Purpose")
    created_at = MomentField()
    expires_at = MomentField(db_index=True)

    def __str__(self) -> str:
        return f"{self.purpose} of {self.user_id}"


class UserSession(models.Model):
    """Where a user has signed in at the console, so that it can look and end it."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True)
    source = models.CharField(max_length=64, default="")
    agent = models.CharField(max_length=200, default="")
    method = models.CharField(max_length=16, default="", help_text="How: console.signing.Method.")
    mfa = models.BooleanField(default=False, help_text="A second factor was shown.")
    created_at = MomentField()

    def __str__(self) -> str:
        return f"{self.user_id} from {self.source}"


class Totp(models.Model):
    """A user's authenticator app (RFC 6238)."""

    id = models.BigAutoField(primary_key=True)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="totp")
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret")
    last_step = models.BigIntegerField(default=0, help_text="The newest 30 seconds whose code was used.")
    confirmed_at = MomentField(null=True, help_text="Null until a first code was shown.")
    created_at = MomentField()

    class Meta:
        verbose_name = "authenticator app"

    def __str__(self) -> str:
        return f"app of {self.user_id}"


class RecoveryCode(models.Model):
    """A code that stands in for the second factor once; it is deleted when it is used."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the code, hex.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="iam_recovery_code_once")]

    def __str__(self) -> str:
        return f"recovery code of {self.user_id}"


class Passkey(models.Model):
    """A WebAuthn credential of a user. The private key never leaves the device."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passkeys")
    credential_id = models.CharField(max_length=1400, unique=True, help_text="Base64url.")
    credential = models.BinaryField(
        help_text="Attested credential data (WebAuthn 6.5.1), with the public key."
    )
    sign_count = models.BigIntegerField(default=0)
    name = models.CharField(max_length=64)
    created_at = MomentField()
    last_used_at = MomentField(null=True)

    def __str__(self) -> str:
        return self.name


class Agency(models.Model):
    """A role of an account that users of another may assume (IAM-8).

    Whom it trusts is kept as it was written, beside the id that it had then: whether there is such an
    account or user is nobody's business here.
    """

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="agencies")
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=255, default="")
    trust_name = models.CharField(max_length=64, help_text="Account, by name or id, as it was written.")
    trust_id = models.CharField(max_length=32, default="", help_text="Its id when it was written, if any.")
    created_at = MomentField()
    expires_at = MomentField(null=True, help_text="Null = for ever.")

    class Meta:
        verbose_name_plural = "agencies"
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="iam_agency_name_once")]
        indexes = [models.Index(fields=["trust_id"], name="iam_agency_trust")]

    def __str__(self) -> str:
        return self.name


class AgencyUser(models.Model):
    """A user of the trusted account who may assume an agency; none named = who has the right at home."""

    id = models.BigAutoField(primary_key=True)
    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, related_name="users")
    name = models.CharField(max_length=64, help_text="Name or id, as it was written.")
    user_id = models.CharField(max_length=32, default="", help_text="Its id when it was written, if any.")

    def __str__(self) -> str:
        return self.name


class AgencyGrant(models.Model):
    """A policy attached to an agency, for all projects or for one."""

    id = models.BigAutoField(primary_key=True)
    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, related_name="grants")
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="agency_grants")
    enterprise_project_id = models.CharField(max_length=36, default="", help_text="Empty = all projects.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "policy", "enterprise_project_id"], name="iam_agency_grant_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.policy} to {self.agency}"


class TemporaryKey(models.Model):
    """An access key for a while, with its security token: of a user, or of an agency it has assumed."""

    access_key = models.CharField(primary_key=True, max_length=40)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="temporary_keys")
    agency = models.ForeignKey(Agency, null=True, on_delete=models.CASCADE, related_name="keys")
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret")
    token_digest = models.CharField(max_length=64, help_text="SHA-256 of the security token, hex.")
    narrowed = models.JSONField(null=True, help_text="Policy document that limits it further.")
    created_at = MomentField()
    expires_at = MomentField(db_index=True)

    def __str__(self) -> str:
        return self.access_key


class IdentityProvider(models.Model):
    """An OpenID Connect provider whose users may sign in to an account."""

    account = models.OneToOneField(
        Account, primary_key=True, on_delete=models.CASCADE, related_name="identity_provider"
    )
    name = models.CharField(max_length=40, help_text="What the button says: Sign in with …")
    issuer = models.CharField(max_length=255)
    client_id = models.CharField(max_length=255)
    secret_id = models.CharField(max_length=32, help_text="sealing.Secret")
    domains = models.TextField(
        default="", help_text="Allowed domains of verified addresses, one a line; empty = all."
    )
    group_claim = models.CharField(max_length=64, default="")
    groups = models.JSONField(default=dict, help_text="Value of the claim to the name of a group.")
    mfa_acrs = models.CharField(
        max_length=255, default="", help_text="Values of acr that mean a second factor."
    )
    makes_users = models.BooleanField(
        default=False, help_text="Who is unknown gets a user at the first sign-in."
    )
    enabled = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class ExternalIdentity(models.Model):
    """A user as the account's provider knows it."""

    id = models.BigAutoField(primary_key=True)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="identities")
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="external_identity")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    linked_at = MomentField()

    class Meta:
        verbose_name_plural = "external identities"
        constraints = [
            models.UniqueConstraint(fields=["provider", "issuer", "subject"], name="iam_identity_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} at {self.issuer}"
