"""Refusals of the sealing room. None of them carries key material or plaintext."""

from certdesk.foundation.common.errors import CertdeskError, Kind, NotFound


class KekRefused(CertdeskError):
    """The file of key-encryption keys is missing, readable by others or damaged; nothing can be unsealed."""

    kind = Kind.UNAVAILABLE


class SealBroken(CertdeskError):
    """The row was changed, swapped with another one, or belongs to another tenant or purpose."""

    kind = Kind.UNAVAILABLE


class SecretMissing(NotFound):
    """There is no such secret: it was never sealed here, or was destroyed."""
