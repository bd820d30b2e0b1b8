"""What the tools refuse, beside what cannot be read (`pki/x509`)."""

from certdesk.foundation.common.errors import CertdeskError, Kind, NotFound


class NotReached(CertdeskError):
    """Nobody answered at that address, or it may not be asked."""

    kind = Kind.BAD_PARAMETER


class NoScan(NotFound):
    """Missing, or of another account: one text for both."""

    def __init__(self) -> None:
        super().__init__("There is no such scan.", next_step="Look for it in the list of scans.")


class NoEndpoint(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such endpoint.", next_step="Look for it in the list of endpoints.")
