"""Refusals of the authority."""

from certdesk.foundation.common.errors import BadParameter, CertdeskError, Conflict, Kind, WrongState


class AuthorityMissing(CertdeskError):
    """The built-in CA was not made yet, or has no authority for this kind of certificate."""

    kind = Kind.UNAVAILABLE


class NotAuthorized(CertdeskError):
    """The proof does not cover what is asked; nothing is ever prepared without it (law 4)."""

    kind = Kind.FORBIDDEN


class RequestRefused(BadParameter):
    """Names, key, subject or dates that the profile does not allow."""


class NameOutside(RequestRefused):
    """The authority may not certify a name: its own certificate says so (name constraints)."""


class BadBounds(BadParameter):
    """Name constraints that are no names and no networks, or that leave nothing."""


class CheckFailed(CertdeskError):
    """The finished TBSCertificate differs from the request: a fault of the program. Nothing was signed."""

    kind = Kind.UNAVAILABLE


class LintRefused(CertdeskError):
    """The linter has findings that the profile does not waive; nothing was signed."""

    kind = Kind.BAD_PARAMETER


class TokenSpent(WrongState):
    """What was prepared was signed already, or was changed after it was checked."""


class AlreadyIntended(Conflict):
    """There is a signature, or the intent of one, for this reference."""


class NotIntended(WrongState):
    """There is no open intent of this serial: nothing may be recorded or released for it."""


class NoSuchPlace(BadParameter):
    """The hierarchy has no place of that name."""


class CrossRefused(BadParameter):
    """A cross-certificate that would help nobody, or that binds the authority less than its own does."""


class ExperimentRefused(BadParameter):
    """What the experimental private PKI does not do."""


class HierarchyChanged(Conflict):
    """What was signed for the hierarchy does not fit it any more; nothing of it is recorded."""


class CeremonyRefused(BadParameter):
    """The files of a ceremony, or what was typed, do not belong together; nothing was taken over."""
