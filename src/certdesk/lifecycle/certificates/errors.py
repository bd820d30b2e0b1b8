"""Refusals of the inventory."""

from certdesk.foundation.common.errors import CertdeskError, Conflict, Kind, NotFound, WrongState


class NoCertificate(NotFound):
    """Missing, deleted, or of another account: the text is the same, so nobody learns which."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(
            f"There is no certificate {certificate_id}.",
            next_step="Check the id in the list of certificates.",
            code="SCM.0020",
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


class UnderReview(WrongState):
    """UNS-5: an operation during the review of an unsubscription; whoever answers ends the review."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(
            "The unsubscription of this certificate was under review; this operation ends the review.",
            next_step="The certificate is as before: ask again for what you want.",
        )
        self.certificate_id = certificate_id


class UploadQuota(CertdeskError):
    """UPL-8: the account hosts as many uploaded certificates as it may."""

    kind = Kind.QUOTA

    def __init__(self, quota: int) -> None:
        super().__init__(
            f"This account hosts {quota} uploaded certificates already, which is the most.",
            next_step="Delete some that are no longer used, or ask the operator for more.",
            code="SCM.9063",
        )


class SameCertificate(CertdeskError):
    """`duplicate_check`: the very same certificate is hosted already."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(
            f"This certificate is hosted already: {certificate_id}.",
            next_step="Use that one, or send duplicate_check false.",
            code="SCM.9062",
            field="certificate",
        )


class NoCsr(NotFound):
    """Missing, or of another account: one text for both. The contract's code says 400 (API §1.3)."""

    def __init__(self, csr_id: str) -> None:
        super().__init__(
            f"There is no CSR {csr_id}.", next_step="Check the id in the list of CSRs.", code="SCM.0707"
        )
