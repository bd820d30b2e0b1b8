"""Error documents (RFC 7807, RFC 8555 §6.7) as failures with words for people."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from certdesk.connectors.dns.lookup import printable
from certdesk.connectors.http import Fetched
from certdesk.connectors.issuers.protocol import IssuerError, Reason
from certdesk.connectors.issuers.waits import wait_of

_NAMESPACE = "urn:ietf:params:acme:error:"
_MOST_WORDS = 500
_MOST_SUBPROBLEMS = 8
_ACCOUNT = frozenset(
    {
        *{"accountDoesNotExist", "unauthorized", "externalAccountRequired", "userActionRequired"},
        *{"badPublicKey", "badSignatureAlgorithm", "invalidContact", "unsupportedContact"},
    }
)
_CHECK_ACCOUNT = "Check the account of this certificate authority: its key, its binding and its terms."
_CORRECT_ORDER = "Read the words of the certificate authority; correct the order, or its CAA records."
_FOR_OPERATOR = "Read the words of the certificate authority; correct its options here."


class AcmeRefused(IssuerError):
    """A server answered with an error. `kind`: the type without its namespace, empty for foreign ones."""

    kind: str = ""


def kind_of(problem: object) -> str:
    """The type of an error document without its namespace; empty for what is none."""
    text = str(problem.get("type") or "") if isinstance(problem, Mapping) else ""
    return text.removeprefix(_NAMESPACE) if text.startswith(_NAMESPACE) else ""


def words_of(problem: object) -> str:
    """What the document says, with what it says of each name; bounded, printable, empty for nothing."""
    if not isinstance(problem, Mapping):
        return ""
    told = [str(problem.get("detail") or problem.get("title") or kind_of(problem))]
    inner = problem.get("subproblems")
    for one in inner[:_MOST_SUBPROBLEMS] if isinstance(inner, list) else ():
        named = one.get("identifier") if isinstance(one, Mapping) else None
        name = str(named.get("value")) if isinstance(named, Mapping) else ""
        words = words_of({**one, "subproblems": None}) if isinstance(one, Mapping) else ""
        told.append(f"{name}: {words}" if name else words)
    return printable(" ".join(one for one in told if one).encode(), _MOST_WORDS)


def refusal(answer: Fetched, what: str, host: str, now: datetime, *, decides: bool = False) -> AcmeRefused:
    """The failure that an answer outside 200 to 299 stands for.

    Args:
        decides: the request asked for something that the server may decline, which is REFUSED then; a look
            that is declined says nothing of the order, and is a BAD_ANSWER.
    """
    problem = _document(answer)
    kind = kind_of(problem)
    reason, next_step = _reason(kind, answer.status, decides)
    words = words_of(problem)
    shown = f" ({words})" if words else ""
    error = AcmeRefused(
        reason,
        f"{what} failed: {host} answered {answer.status}{shown}.",
        next_step,
        retry_after=wait_of(answer, now),
    )
    error.kind = kind
    return error


def _document(answer: Fetched) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _reason(kind: str, status: int, decides: bool) -> tuple[Reason, str]:
    if kind == "rateLimited" or status == 429:
        return Reason.RATE_LIMITED, ""
    if kind in ("serverInternal", "badNonce") or status >= 500 or status in (408, 409):
        return Reason.BUSY, ""
    if kind in _ACCOUNT or (not kind and status in (401, 403)):
        return Reason.CREDENTIALS, _CHECK_ACCOUNT
    if status == 404:
        return Reason.NOT_THERE, _FOR_OPERATOR
    return (Reason.REFUSED, _CORRECT_ORDER) if decides else (Reason.BAD_ANSWER, _FOR_OPERATOR)
