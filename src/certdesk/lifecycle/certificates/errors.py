"""Refusals of the inventory."""

from certdesk.foundation.common.errors import CertdeskError, Conflict, Kind, NotFound


class NoCertificate(NotFound):
    """Missing, deleted, or of another account: the text is the same, so nobody learns which."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(
            f"There is no certificate {certificate_id}.",
            next_step="Check the id in the list of certificates.",
        )


class StateChanged(Conflict):
    """Somebody else moved the certificate between our reading and our writing."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(
            f"The state of certificate {certificate_id} has just been changed by another request.",
            next_step="Look at its present state, then decide again.",
        )


class NotExportable(CertdeskError):
    """DLD-2: the state has nothing to download."""

    kind = Kind.NOT_EXPORTABLE
