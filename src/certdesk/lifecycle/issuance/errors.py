"""What stops an issuance."""

from certdesk.foundation.common.errors import CertdeskError, Kind
from certdesk.foundation.jobs.errors import Permanent


class NotProved(CertdeskError):
    """A name without its own evidence, or an organisation without its approval, came near the signer."""

    kind = Kind.WRONG_STATE


class IssuerRefused(Permanent):
    """The issuer will never issue this application; the text is the issuer's and is shown (ISS-4)."""
