"""Refusals of this room."""

from certdesk.foundation.common.errors import CertdeskError, Kind, Unauthenticated

SIGNATURE_FAILED = "verify aksk signature fail"


class BadSignature(Unauthenticated):
    """The request's signature cannot be believed; one text for an unknown key and for a wrong MAC."""

    def __init__(self, reason: str = SIGNATURE_FAILED) -> None:
        super().__init__(f"Incorrect IAM authentication information: {reason}", code="APIGW.0301")


class StillRunning(CertdeskError):
    """Another request with the same Idempotency-Key has no answer yet."""

    kind = Kind.CONFLICT
