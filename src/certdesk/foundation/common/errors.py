"""One error type with a kind, a human sentence and the next step.

Each face has one table that turns kinds into its own shape (page, API code, ACME problem).
Raise `CertdeskError` or a subclass that a room declares in its `errors.py`; never return a flag.
"""

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What went wrong, as the faces need to know it."""

    BAD_PARAMETER = "bad_parameter"  # a value is malformed or out of its limits
    BAD_NAMES = "bad_names"  # number or format of domain names does not fit the certificate
    BAD_CSR = "bad_csr"  # the CSR cannot be read, is unsigned or carries a refused key
    WRONG_STATE = "wrong_state"  # the state or type does not allow this operation
    NOT_FOUND = "not_found"  # there is no such thing, or not for this principal
    NOT_EXPORTABLE = "not_exportable"  # it exists but has nothing to export now (DLD-2: 404)
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"  # no policy allows the action
    CONFLICT = "conflict"  # another request got there first; retry
    NOT_SETTLED = "not_settled"  # an order that another request is changing at this moment; ask again
    PAYMENT_REFUSED = "payment_refused"
    QUOTA = "quota"
    ADDRESS_TOO_LONG = "address_too_long"  # path or query (414)
    HEADERS_TOO_LARGE = "headers_too_large"  # (431)
    LENGTH_REQUIRED = "length_required"  # a body without its length (411)
    TOO_MANY = "too_many"  # slow down; see `retry_after`
    NOT_AVAILABLE = "not_available"  # a capability that is not built yet (501)
    UNAVAILABLE = "unavailable"  # a part that we need does not answer now (503)


class CertdeskError(Exception):
    """An expected refusal.

    Args:
        message: one plain sentence: what was refused and why.
        next_step: what the reader can do now; empty when there is nothing.
        field: the request field at fault, for forms and API details.
        code: overrides the face's default code for the kind, e.g. `SCM.0011`.
        retry_after: seconds, for `TOO_MANY` and `UNAVAILABLE`.
        details: extra public facts, e.g. the missing action.
    """

    kind = Kind.BAD_PARAMETER

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        kind: Kind | None = None,
        field: str = "",
        code: str = "",
        retry_after: int | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.kind = kind or type(self).kind
        self.field = field
        self.code = code
        self.retry_after = retry_after
        self.details: Mapping[str, str] = details or {}

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class BadParameter(CertdeskError):
    kind = Kind.BAD_PARAMETER


class NotFound(CertdeskError):
    kind = Kind.NOT_FOUND


class Forbidden(CertdeskError):
    kind = Kind.FORBIDDEN


class Unauthenticated(CertdeskError):
    kind = Kind.UNAUTHENTICATED


class WrongState(CertdeskError):
    kind = Kind.WRONG_STATE


class Conflict(CertdeskError):
    kind = Kind.CONFLICT


class NotSettled(Conflict):
    kind = Kind.NOT_SETTLED


class NotAvailable(CertdeskError):
    """The capability belongs to a later release; its door exists already."""

    kind = Kind.NOT_AVAILABLE
