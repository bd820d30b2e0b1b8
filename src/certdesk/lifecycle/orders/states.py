"""States of an order: UNPAID → PAID or CANCELLED, PAID → REFUNDED. Pure."""

from enum import StrEnum


class OrderState(StrEnum):
    UNPAID = "UNPAID"
    PAID = "PAID"
    CANCELLED = "CANCELLED"  # by the buyer, or closed by itself after 24 h (ORD-3)
    REFUNDED = "REFUNDED"
