"""Refusals of buying and paying."""

from certdesk.foundation.common.errors import CertdeskError, Conflict, Kind, NotFound, WrongState


class NoOrder(NotFound):
    """Missing or of another account: the text is the same."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id}.", next_step="Check the id in the list of orders.")


class PaymentRefused(CertdeskError):
    """The money is not there; the order stays unpaid with this reason (ORD-7)."""

    kind = Kind.PAYMENT_REFUSED


class NotPayable(WrongState):
    """The order is paid already, cancelled or closed."""


class FreeQuotaReached(CertdeskError):
    """FRE-1: the account has had all its free certificates."""

    kind = Kind.QUOTA

    def __init__(self, quota: int) -> None:
        super().__init__(
            f"This account has already had its {quota} free certificates;"
            " deleted, revoked and failed ones count too.",
            next_step="Buy an expansion package, which adds some, or a paid certificate.",
            code="SCM.0011",
        )


class UsedMeanwhile(Conflict):
    """Another request has just used the voucher or coupon; nothing was paid."""

    def __init__(self, means: str) -> None:
        super().__init__(
            f"The {means} has just been used by another request.",
            next_step="Open the order again and choose what pays it.",
        )


class BookedAlready(Conflict):
    """A credit with the same reference was booked before; nothing is booked twice."""
