"""The inventory: one row a certificate id, its versions, its names."""

from django.db import models
from django.db.models.functions import Coalesce

from certdesk.foundation.common import ids
from certdesk.foundation.common.fields import MomentField
from certdesk.lifecycle.catalogue.queries import reissue_days

NO_EXPIRY = 2**63 - 1
"""Stands for the expiry of what has none, where rows are sorted by it; microseconds."""


class Source(models.TextChoices):
    BOUGHT = "BOUGHT"
    UPLOADED = "UPLOADED"


class Certificate(models.Model):
    """One certificate id of one account; `state` is written by `actions.move` alone."""

    id = models.CharField(primary_key=True, max_length=16)
    account_id = models.CharField(max_length=32)
    owner_id = models.CharField(max_length=32, help_text="User who bought or uploaded it.")
    owner_group_id = models.CharField(
        max_length=32,
        default="",
        db_default="",
        help_text="Group that owns it beside the user; empty = none.",
    )
    order_id = models.CharField(max_length=32, default="")
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.BOUGHT)
    name = models.CharField(max_length=63)
    description = models.CharField(max_length=255, default="")
    brand = models.CharField(max_length=20, default="", help_text="API value, e.g. GEOTRUST.")
    type = models.CharField(max_length=24, default="", help_text="API value, e.g. DV_SSL_CERT.")
    level = models.CharField(max_length=2, default="", help_text="DV, OV or EV.")
    domain_type = models.CharField(
        max_length=16, default="", help_text="SINGLE_DOMAIN, MULTI_DOMAIN, WILDCARD."
    )
    primary_domain_type = models.CharField(
        max_length=16, default="", help_text="SINGLE_DOMAIN or WILDCARD_DOMAIN."
    )
    domain_quota = models.IntegerField(default=1, help_text="Names bought, primary included (CAT-9).")
    single_quota = models.IntegerField(default=0, help_text="Additional plain names bought.")
    wildcard_quota = models.IntegerField(default=0, help_text="Additional wildcard names bought.")
    validity_months = models.IntegerField(default=12)
    free = models.BooleanField(default=False)
    state = models.CharField(max_length=20)
    state_since = MomentField()
    last_failure = models.CharField(
        max_length=500, default="", help_text="Why the last step failed or was refused."
    )
    enterprise_project_id = models.CharField(max_length=36, default="0")
    domain = models.CharField(max_length=255, default="", help_text="Primary name.")
    sans = models.TextField(
        default="", help_text="All names of the current version or application, `;`-separated."
    )
    current_version = models.IntegerField(default=0, help_text="Number of the current version; 0 = none.")
    issuer = models.CharField(
        max_length=20,
        default="",
        db_default="",
        help_text="CA outside that issued the current version, by its slug; empty = none, or this house.",
    )
    not_before = MomentField(null=True)
    not_after = MomentField(null=True)
    first_issued_at = MomentField(
        null=True, help_text="notBefore of its first version: validity and windows count from here."
    )
    auto_renewal = models.BooleanField(default=False)
    renews_id = models.CharField(
        max_length=16, default="", help_text="The certificate that it was bought to renew (REN-3)."
    )
    paid_until = MomentField(
        null=True,
        help_text="Last second of the paid period; its versions may end earlier (REN-8). None = not_after.",
    )
    notices = models.BooleanField(default=True)
    personal_data = models.BooleanField(
        default=False, help_text="People or an organization of its application are kept (PRV-4)."
    )
    created_at = MomentField()
    updated_at = MomentField()
    deleted_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "state", "updated_at", "id"], name="certificates_by_state"),
            models.Index(fields=["account_id", "updated_at", "id"], name="certificates_by_update"),
            # "No expiry yet" sorts last on both databases; queries use the same expression.
            models.Index(
                models.F("account_id"),
                Coalesce("not_after", models.Value(NO_EXPIRY)),
                models.F("id"),
                name="certificates_by_expiry",
            ),
            models.Index(fields=["order_id"], name="certificates_by_order"),
            # Without the moment of change, so that they are written once: a filter asks them whether it
            # names few certificates (selecting.py); where it names many, the order of the page is read.
            models.Index(fields=["account_id", "owner_id"], name="certificates_by_owner"),
            models.Index(fields=["account_id", "brand"], name="certificates_by_brand"),
            models.Index(fields=["account_id", "name", "id"], name="certificates_by_name"),
            models.Index(
                fields=["account_id", "owner_group_id"],
                name="certificates_by_group",
                condition=~models.Q(owner_group_id=""),
            ),
            models.Index(
                fields=["account_id", "enterprise_project_id"],
                name="certificates_by_project",
                condition=~models.Q(enterprise_project_id="0"),
            ),
            models.Index(
                fields=["account_id", "issuer"],
                name="certificates_by_issuer",
                condition=~models.Q(issuer=""),
            ),
            models.Index(fields=["account_id"], name="certificates_free", condition=models.Q(free=True)),
            # What the machine replaces: few of a million, so these two cost the others nothing.
            models.Index(
                fields=["not_after", "id"], name="certificates_auto", condition=models.Q(auto_renewal=True)
            ),
            models.Index(
                fields=["not_after", "id"],
                name="certificates_rolling",
                condition=models.Q(paid_until__gt=models.F("not_after")),
            ),
            models.Index(
                fields=["renews_id"], name="certificates_renewals", condition=~models.Q(renews_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.domain or self.name}"

    @property
    def reissue_days(self) -> int:
        """Days after the first issuance in which its CA reissues (REI-1)."""
        return reissue_days(self.brand, self.type, self.domain_type, free=self.free)

    def tag_pairs(self) -> tuple[tuple[str, str], ...]:
        """Its tags, read when a policy asks for them."""
        return tuple(self.tags.values_list("key", "value"))


class CertificateName(models.Model):
    """One name of a certificate, for search by name and by domain."""

    id = models.BigAutoField(primary_key=True)
    certificate = models.ForeignKey(
        Certificate, on_delete=models.CASCADE, related_name="names", db_index=False
    )
    account_id = models.CharField(max_length=32)
    name = models.CharField(max_length=255)

    class Meta:
        indexes = [models.Index(fields=["account_id", "name"], name="certificates_names")]
        constraints = [models.UniqueConstraint(fields=["certificate", "name"], name="certificates_name_once")]

    def __str__(self) -> str:
        return self.name


class NamesRead(models.Model):
    """How far the trigrams of SQLite's search have come; one row. What is newer is searched by reading it."""

    id = models.SmallIntegerField(primary_key=True)
    upto = models.BigIntegerField(default=0, help_text="Last CertificateName in the trigrams.")

    def __str__(self) -> str:
        return f"names up to {self.upto}"


class Version(models.Model):
    """A certificate as it was issued or uploaded (VER-1); kept when it is superseded."""

    id = models.BigAutoField(primary_key=True)
    certificate = models.ForeignKey(
        Certificate, on_delete=models.CASCADE, related_name="versions", db_index=False
    )
    number = models.IntegerField()
    cause = models.CharField(max_length=12, help_text="ISSUE, REISSUE, ADDITION, ROLLOVER, UPLOAD.")
    issuer = models.CharField(
        max_length=40, help_text="Issuer's slug, e.g. builtin:dv-p256; empty for uploads."
    )
    serial = models.CharField(max_length=40, help_text="Lower-case hex.")
    fingerprint_sha256 = models.CharField(max_length=64)
    fingerprint_sha1 = models.CharField(max_length=40)
    spki_sha256 = models.CharField(max_length=64)
    signature_algorithm = models.CharField(max_length=64)
    key_algorithm = models.CharField(max_length=10)
    key_id = models.CharField(
        max_length=32, default="", help_text="keystore.Key; empty when we never had it."
    )
    not_before = MomentField()
    not_after = MomentField()
    der = models.BinaryField()
    chain = models.BinaryField(
        help_text="PEM of the chain above the leaf, leaf's issuer first; may be empty."
    )
    names = models.TextField(help_text="`;`-separated.")
    created_at = MomentField()
    superseded_at = MomentField(null=True)
    revoked_at = MomentField(null=True)

    class Meta:
        # By key, for a key that is known to others: every certificate of it has to be found. None by serial
        # or fingerprint: nothing reads by them yet, and each is a page more to write for every issuance.
        # `authority.Intent` is found by serial.
        indexes = [models.Index(fields=["spki_sha256"], name="certificates_by_key")]
        constraints = [
            models.UniqueConstraint(fields=["certificate", "number"], name="certificates_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.certificate_id} v{self.number}"


class Tag(models.Model):
    """One tag of a certificate; a key stands once on it (API §1 #16 to #20)."""

    id = models.BigAutoField(primary_key=True)
    certificate = models.ForeignKey(
        Certificate, on_delete=models.CASCADE, related_name="tags", db_index=False
    )
    account_id = models.CharField(max_length=32)
    key = models.CharField(max_length=128)
    value = models.CharField(max_length=255, default="")

    class Meta:
        # A search names keys and values of an account; the certificate stands last so that the index
        # alone answers it.
        indexes = [
            models.Index(fields=["account_id", "key", "value", "certificate"], name="certificates_by_tag")
        ]
        constraints = [models.UniqueConstraint(fields=["certificate", "key"], name="certificates_tag_once")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Csr(models.Model):
    """A stored certificate signing request (API §1.10), with its private key where the service has it."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32)
    name = models.CharField(max_length=63)
    csr = models.TextField(default="", help_text="PEM; empty while a worker makes the key.")
    domain_name = models.CharField(max_length=255)
    sans = models.TextField(default="", help_text="Additional names, `;`-separated.")
    private_key_algo = models.CharField(max_length=10)
    usage = models.CharField(max_length=10, default="", help_text="PERSONAL, ENTERPRISE; empty for uploads.")
    company = models.JSONField(default=dict, help_text="country, province, city, name.")
    key_id = models.CharField(max_length=32, default="", help_text="keystore.Key; empty when there is none.")
    spki_sha256 = models.CharField(
        max_length=64, default="", help_text="Of its key; empty until there is one."
    )
    made_here = models.BooleanField(default=False, help_text="The service made the key.")
    created_at = MomentField()
    updated_at = MomentField()

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "created_at", "id"], name="certificates_csrs"),
            models.Index(fields=["account_id", "spki_sha256"], name="certificates_csr_by_key"),
        ]

    def __str__(self) -> str:
        return f"csr {self.id} {self.domain_name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, the primary one first."""
        return (self.domain_name, *(one for one in self.sans.split(";") if one))

    @property
    def being_made(self) -> bool:
        """A worker still makes the key."""
        return not self.csr


class SavedView(models.Model):
    """Filters and order of the list under a name: of one user, and where it is shared for the account."""

    id = models.CharField(primary_key=True, max_length=32, default=ids.hex32)
    account_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=32, help_text="Who made it.")
    name = models.CharField(max_length=63)
    shared = models.BooleanField(default=False)
    query = models.JSONField(default=dict, help_text="As saved_view_rules.read_query gives it.")
    created_at = MomentField()
    updated_at = MomentField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id", "user_id", "name"], name="certificates_view_name_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class ListSettings(models.Model):
    """How one user wants the list: columns in their order, and the view that it opens with."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=32)
    columns = models.JSONField(
        default=list, help_text="Keys of saved_view_rules.Column; empty = the usual ones."
    )
    default_view = models.CharField(max_length=32, default="", help_text="SavedView; empty = none.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "user_id"], name="certificates_list_settings_once")
        ]

    def __str__(self) -> str:
        return f"list of {self.user_id}"
