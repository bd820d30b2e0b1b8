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
    VOUCHER = "VOUCHER"
    REVENUE = "REVENUE"
    OUTSIDE = "OUTSIDE"  # the world beyond: top-ups come from it


class Entry(models.Model):
    """One side of a posting; the entries of one posting sum to zero."""

    id = models.BigAutoField(primary_key=True)
    posting = models.CharField(
        max_length=64, help_text="pay:<order>, credit:<id>, refund:<order>:<certificate>."
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
