"""Refusals of the backup room; each says what was refused, why, and what to do."""

from certdesk.foundation.common.errors import CertdeskError, Kind


class BackupRefused(CertdeskError):
    """A backup cannot be made, read or put back as asked."""

    kind = Kind.WRONG_STATE


class BackupBroken(CertdeskError):
    """A backup file is damaged, cut off, or was changed."""

    kind = Kind.UNAVAILABLE
