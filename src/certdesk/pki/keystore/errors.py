"""Refusals of the keystore."""

from certdesk.foundation.common.errors import CertdeskError, Kind, NotFound


class KeyNotReady(CertdeskError):
    """The pool of ready-made RSA keys is empty for the moment; workers are filling it."""

    kind = Kind.UNAVAILABLE


class KeyMissing(NotFound):
    """There is no such key in this account, or it was destroyed."""


class TokenUnavailable(CertdeskError):
    """The PKCS#11 token cannot be used, or lacks a key of the CA; nothing was signed."""

    kind = Kind.UNAVAILABLE


class KeyElsewhere(CertdeskError):
    """The private key is not in this installation: it lies where an offline ceremony made it."""

    kind = Kind.UNAVAILABLE
