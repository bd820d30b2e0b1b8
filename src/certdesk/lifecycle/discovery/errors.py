"""What the tools refuse, beside what cannot be read (`pki/x509`)."""

from certdesk.foundation.common.errors import CertdeskError, Kind


class NotReached(CertdeskError):
    """Nobody answered at that address, or it may not be asked."""

    kind = Kind.BAD_PARAMETER
