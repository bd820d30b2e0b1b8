"""What stops an issuance."""

from datetime import datetime

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.jobs.errors import Permanent


class NotProved(CertdeskError):
    """A name without its own evidence, or an organisation without its approval, came near the signer."""

    kind = Kind.WRONG_STATE


class PeriodOver(CertdeskError):
    """A further version is asked for, but the period that was paid for has passed (CAT-7)."""

    kind = Kind.WRONG_STATE

    def __init__(self, ended: datetime) -> None:
        super().__init__(
            f"The period that was paid for ended on {ended:%Y-%m-%d %H:%M:%S} UTC.",
            next_step="Buy a new certificate.",
        )


class IssuerRefused(Permanent):
    """The issuer will never issue this application; the text is the issuer's and is shown (ISS-4)."""
