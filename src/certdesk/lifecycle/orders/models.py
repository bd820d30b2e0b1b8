"""Orders and the double-entry ledger. Amounts are integers in minor units (fen, cent)."""

from django.db import models

from certdesk.foundation.common.fields import MomentField

from .states import OrderState


class OrderType(models.TextChoices):
    NEW = "NEW"
    RENEWAL = "RENEWAL"
    UNSUBSCRIBE = "UNSUBSCRIBE"


class Order(models.Model):
    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    user_id = models.CharField(max_length=32)
    type = models.CharField(max_length=12, choices=OrderType.choices, default=OrderType.NEW)
    state = models.CharField(
        max_length=10,
        choices=[(one.value, one.value.title()) for one in OrderState],
        default=OrderState.UNPAID.value,
    )
    request = models.JSONField(
        help_text="What was asked: brand, type, domain type, quantities, period (API §1.7)."
    )
    quantity = models.IntegerField()
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField(help_text="Minor units.")
    cash = models.BigIntegerField(default=0, help_text="Paid in cash, minor units.")
    voucher = models.BigIntegerField(default=0)
    coupon = models.BigIntegerField(default=0)
    refund = models.BigIntegerField(default=0)
    enterprise_project_id = models.CharField(max_length=36, default="0")
    unpaid_reason = models.CharField(max_length=255, default="")
    statement_accepted_at = MomentField(null=True)
    created_at = MomentField()
    closes_at = MomentField()
    paid_at = MomentField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "id"], name="orders_by_account"),
            models.Index(fields=["closes_at"], name="orders_unpaid", condition=models.Q(state="UNPAID")),
        ]

    def __str__(self) -> str:
        return self.id


class Balance(models.Model):
    """Cash of an account in one currency; the sum of its CASH entries, kept by the writer."""

    id = models.BigAutoField(primary_key=True)
    account_id = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    cash = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "currency"], name="orders_balance_once"),
            models.CheckConstraint(condition=models.Q(cash__gte=0), name="orders_balance_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.cash} {self.currency}"


class Book(models.TextChoices):
    CASH = "CASH"  # what the account owns here
    VOUCHER = "VOUCHER"  # what is left in the account's vouchers
    COUPON = "COUPON"  # discounts given: below zero by what coupons have paid
    GRANTS = "GRANTS"  # where vouchers come from
    REVENUE = "REVENUE"
    OUTSIDE = "OUTSIDE"  # the world beyond: top-ups come from it


class Entry(models.Model):
    """One side of a posting; the entries of one posting sum to zero."""

    id = models.BigAutoField(primary_key=True)
    posting = models.CharField(
        max_length=64,
        help_text="pay:<order>, credit:<id>, grant:<voucher>, refund:<order>:<certificate>.",
    )
    account_id = models.CharField(max_length=32)
    book = models.CharField(max_length=8, choices=Book.choices)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField(help_text="Signed, minor units.")
    at = MomentField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["posting", "book"], name="orders_posting_once"),
        ]
        indexes = [models.Index(fields=["account_id", "currency", "id"], name="orders_entries")]

    def __str__(self) -> str:
        return f"{self.posting} {self.book} {self.amount}"


class Voucher(models.Model):
    """Money that pays orders but is never paid out; several orders may use it up."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField(help_text="Minor units when it was granted.")
    remaining = models.BigIntegerField()
    note = models.CharField(max_length=100, default="")
    granted_at = MomentField()
    expires_at = MomentField(help_text="From this moment on it pays nothing.")

    class Meta:
        indexes = [models.Index(fields=["account_id", "expires_at"], name="orders_vouchers")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(remaining__gte=0) & models.Q(remaining__lte=models.F("amount")),
                name="orders_voucher_within",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.remaining} {self.currency}"


class Coupon(models.Model):
    """A discount on one order: a percentage of it, or an amount."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    code = models.CharField(max_length=32, help_text="What the buyer types; unique in the account.")
    currency = models.CharField(max_length=3)
    percent = models.IntegerField(null=True, help_text="1 to 100; none for an amount.")
    amount = models.BigIntegerField(null=True, help_text="Minor units; none for a percentage.")
    minimum = models.BigIntegerField(default=0, help_text="Least amount of the order, minor units.")
    note = models.CharField(max_length=100, default="")
    granted_at = MomentField()
    expires_at = MomentField(help_text="From this moment on it pays nothing.")
    order_id = models.CharField(max_length=32, default="", help_text="The order that used it.")

    class Meta:
        indexes = [models.Index(fields=["account_id", "expires_at"], name="orders_coupons")]
        constraints = [
            models.UniqueConstraint(fields=["account_id", "code"], name="orders_coupon_code_once"),
            models.CheckConstraint(
                condition=models.Q(percent__isnull=True, amount__isnull=False)
                | models.Q(percent__isnull=False, amount__isnull=True),
                name="orders_coupon_one_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Part(models.Model):
    """What one voucher or coupon paid of an order; the rest is the order's `cash`."""

    id = models.BigAutoField(primary_key=True)
    order_id = models.CharField(max_length=32)
    means = models.CharField(max_length=8, help_text="VOUCHER or COUPON.")
    source_id = models.CharField(max_length=32, help_text="Id of the voucher or coupon.")
    amount = models.BigIntegerField(help_text="Minor units.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order_id", "source_id"], name="orders_part_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="orders_part_above_0"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.means} {self.amount}"


class Share(models.Model):
    """What of a paid order belongs to one certificate, cents settled on the last (UNS-7)."""

    id = models.BigAutoField(primary_key=True)
    order_id = models.CharField(max_length=32)
    item_id = models.CharField(max_length=32, help_text="Certificate, or expansion package.")
    cash = models.BigIntegerField(help_text="Minor units.")
    voucher = models.BigIntegerField(default=0)
    coupon = models.BigIntegerField(default=0)
    refund = models.BigIntegerField(default=0, help_text="Cash given back.")
    refunded_at = MomentField(null=True)

    class Meta:
        indexes = [models.Index(fields=["order_id"], name="orders_shares")]
        constraints = [
            models.UniqueConstraint(fields=["item_id"], name="orders_share_once"),
            models.CheckConstraint(
                condition=models.Q(refund__gte=0) & models.Q(refund__lte=models.F("cash")),
                name="orders_refund_within",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.item_id} {self.cash}"


class Package(models.Model):
    """An expansion package that was paid: it adds free certificates to the account's quota (FRE-2)."""

    id = models.CharField(primary_key=True, max_length=32)
    account_id = models.CharField(max_length=32)
    order_id = models.CharField(max_length=32, unique=True)
    adds = models.IntegerField()
    bought_at = MomentField()
    refunded_at = MomentField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account_id"], name="orders_packages")]

    def __str__(self) -> str:
        return f"{self.id} +{self.adds}"
