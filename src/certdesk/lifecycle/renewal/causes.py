"""What can stand in the way of a renewal, with the way out. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from certdesk.foundation.common.errors import CertdeskError, Forbidden, Kind


class Cause(StrEnum):
    """Named causes; calendar, API and mail use the same words."""

    BALANCE = "BALANCE"
    PRIVACY = "PRIVACY"
    RIGHTS = "RIGHTS"
    SALE = "SALE"
    CONNECTION = "CONNECTION"
    PROOF = "PROOF"
    ORGANIZATION = "ORGANIZATION"
    CAA = "CAA"
    ISSUER = "ISSUER"
    REFUSED = "REFUSED"
    DEPLOYMENT = "DEPLOYMENT"
    INSTALL = "INSTALL"
    BUSY = "BUSY"


SENTENCES: dict[Cause, tuple[str, str]] = {
    Cause.BALANCE: (
        "The balance of the account is too small to buy the renewal.",
        "Have the account credited; it is tried again by itself.",
    ),
    Cause.PRIVACY: (
        "The contact or organization details of its application are gone, so nobody can apply for it again.",
        "Renew it by hand and enter them there.",
    ),
    Cause.RIGHTS: (
        "Whoever switched the auto-renewal on may not buy, apply or deploy any more.",
        "Let somebody with these rights switch it on again.",
    ),
    Cause.SALE: ("Its product is not sold any more.", "Buy another certificate."),
    Cause.CONNECTION: (
        "No DNS connection of the account covers its names, so control of them cannot be proved by itself.",
        "Connect the DNS provider, or set the records by hand.",
    ),
    Cause.PROOF: (
        "Control of its names is not proved yet.",
        "Look at the page of the proofs: it says what was seen.",
    ),
    Cause.ORGANIZATION: ("An RA officer checks the organization.", "Wait for the decision."),
    Cause.CAA: ("A CAA record does not permit the CA.", "Change the CAA record of the domain."),
    Cause.ISSUER: ("The issuer does not answer.", "It is asked again by itself."),
    Cause.REFUSED: ("The issuer refused it.", "Read the reason on its page."),
    Cause.DEPLOYMENT: (
        "It is issued, but could not be deployed everywhere where the old one is served.",
        "Look at the deployment; it is tried again by itself.",
    ),
    Cause.INSTALL: (
        "The service does not know where it is served, or does not have its key.",
        "Once the new one is issued, download it and install it.",
    ),
    Cause.BUSY: ("Something else is under way with it.", "It is tried again by itself."),
}
SILENT = frozenset({Cause.ORGANIZATION, Cause.ISSUER, Cause.BUSY})
"""Nobody can do anything about these; they are told only when time runs short."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """`cause` in the way now, in words; `detail` says more where there is more."""

    cause: Cause
    detail: str = ""

    @property
    def sentence(self) -> str:
        return SENTENCES[self.cause][0]

    @property
    def next_step(self) -> str:
        return SENTENCES[self.cause][1]


def of(error: BaseException, otherwise: Cause) -> Cause:
    """The cause that a refusal means."""
    if isinstance(error, Forbidden) or not isinstance(error, CertdeskError):
        return Cause.RIGHTS
    if error.kind is Kind.UNAVAILABLE:
        return Cause.ISSUER
    if error.kind is Kind.CONFLICT:
        return Cause.BUSY
    return Cause.CONNECTION if error.field == "auto_dns_auth" else otherwise
