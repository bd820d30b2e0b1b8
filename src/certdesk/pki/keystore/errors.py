"""Refusals of the keystore."""

from certdesk.foundation.common.errors import CertdeskError, Kind, NotFound


class KeyNotReady(CertdeskError):
    """The pool of ready-made RSA keys is empty for the moment; workers are filling it."""

    kind = Kind.UNAVAILABLE


class KeyMissing(NotFound):
    """There is no such key in this account, or it was destroyed."""
