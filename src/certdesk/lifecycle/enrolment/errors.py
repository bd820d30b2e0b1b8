"""Refusals in the words of ACME (RFC 8555 §6.7). Clients print them as they are, in English."""

from collections.abc import Mapping, Sequence
from typing import Any

from certdesk.foundation.common.errors import CertdeskError, Kind

URN = "urn:ietf:params:acme:error:"


class AcmeError(CertdeskError):
    """A refusal with its problem type.

    Args:
        problem: the type without its URN, e.g. `malformed`.
        status: of the HTTP answer.
        subproblems: (identifier, problem, sentence) of each name at fault.
        extra: further members of the document.
    """

    kind = Kind.BAD_PARAMETER

    def __init__(
        self,
        problem: str,
        message: str,
        *,
        status: int = 400,
        subproblems: Sequence["Sub"] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        next_step: str = "",
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.problem, self.status = problem, status
        self.subproblems, self.extra, self.headers = tuple(subproblems), extra or {}, headers or {}

    @property
    def document(self) -> dict[str, Any]:
        """RFC 7807, with subproblems where there are some."""
        found: dict[str, Any] = {
            "type": URN + self.problem,
            "detail": str(self),
            "status": self.status,
            **self.extra,
        }
        if self.subproblems:
            found["subproblems"] = list(self.subproblems)
        return found


Sub = Mapping[str, Any]


def sub(problem: str, kind: str, name: str, detail: str) -> Sub:
    """One subproblem (RFC 8555 §6.7.1)."""
    return {"type": URN + problem, "detail": detail, "identifier": {"type": kind, "value": name}}


def malformed(message: str, status: int = 400) -> AcmeError:
    return AcmeError("malformed", message, status=status)


def not_found(what: str) -> AcmeError:
    """One text for what is not there and what is another account's."""
    return AcmeError("malformed", f"There is no such {what}.", status=404)


def unauthorized(message: str, next_step: str = "") -> AcmeError:
    return AcmeError("unauthorized", message, status=403, next_step=next_step)
