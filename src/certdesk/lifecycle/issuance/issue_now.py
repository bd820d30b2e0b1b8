"""*Issue now* and its batch: bought, applied for, signed and answered in one request (API §10).

The checks are those of the slow path, called from here. What cannot be signed at once is bought and applied
for all the same and goes the slow way. Requests of one key that run at the same time are written together.
"""

from collections.abc import Sequence
from contextvars import copy_context
from datetime import datetime
from itertools import islice

from certdesk.foundation.common.errors import BadParameter
from certdesk.foundation.common.sql import in_transaction
from certdesk.foundation.common.together import Together
from certdesk.foundation.iam.principal import Principal, Resource

from . import instant_write
from .instant_plan import IssueRequest as IssueRequest
from .instant_plan import check_item
from .instant_write import Asked, OnBought
from .instant_write import IssueResult as IssueResult
from .submission import applicant_of

BATCH_LIMIT = 100
TOGETHER = 16  # requests that one pair of transactions takes, so that nobody waits long for the rest
APPLY = "scm:cert:apply"


def issue_now(
    principal: Principal, request: IssueRequest, now: datetime, *, on_bought: OnBought | None = None
) -> IssueResult:
    """Buys, pays, applies and, when every name is proved, issues.

    Args:
        on_bought: called at the end of the first transaction with what stands then, so that a repeat
            of this request can be answered if the process ends before the signature (IAM-10).

    Raises:
        Forbidden: `scm:cert:subscribe`, `bss:order:pay` or `scm:cert:apply` is missing.
        CertdeskError: what buying, the application and the issuer refuse; then nothing is bought.
    """
    asked = _checked(principal, [request], now, on_bought)
    if in_transaction():  # of the caller's, which nobody else can join
        return _write(asked)[0]
    outcome = _together(asked, _company(principal))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome[0]


def issue_batch(
    principal: Principal,
    requests: Sequence[IssueRequest],
    now: datetime,
    *,
    on_bought: OnBought | None = None,
) -> list[IssueResult]:
    """As `issue_now` for up to 100 requests; a refused one refuses all, before anything is bought."""
    if not 1 <= len(requests) <= BATCH_LIMIT:
        raise BadParameter(
            f"{len(requests)} items were given; 1 to {BATCH_LIMIT} are allowed.",
            next_step="Split the list.",
            field="items",
        )
    return _write(_checked(principal, requests, now, on_bought))


def _checked(
    principal: Principal, requests: Sequence[IssueRequest], now: datetime, on_bought: OnBought | None
) -> Asked:
    """What a request refuses by itself, by the rules of buying and applying."""
    for request in requests:
        principal.require(APPLY, _new(principal, request, None))
    applicant = applicant_of(principal.account_id)
    wanted = [check_item(principal, request, applicant, place, now) for place, request in enumerate(requests)]
    for request, one in zip(requests, wanted, strict=True):
        names = tuple(each.text for each in one.checked.names.names)
        principal.require(APPLY, _new(principal, request, names))
    return Asked(principal, wanted, now, on_bought, copy_context())


def _new(principal: Principal, request: IssueRequest, names: tuple[str, ...] | None) -> Resource:
    """The certificate to come as policies see it; None = its names are not read yet."""
    project = request.enterprise_project_id or "0"
    return Resource("cert", "", principal.account_id, project, principal.user_id, names, request.cert_type)


def _company(principal: Principal) -> tuple[object, ...]:
    """Whose requests may be written together: those that differ in nothing but their id."""
    return (
        principal.account_id,
        principal.user_id,
        principal.via,
        principal.access_key,
        principal.source,
        principal.agency,
        principal.grants,
    )


def _write(asked: Asked) -> list[IssueResult]:
    return instant_write.sign(instant_write.buy([asked]))


def _write_all(asked: Sequence[Asked]) -> list[list[IssueResult] | Exception]:
    """An answer each. Where one is refused, nothing was bought yet, and each is tried alone."""
    try:
        bought = instant_write.buy(asked)
    except Exception as error:  # noqa: BLE001 it is its request's, and raised there
        return [error] if len(asked) == 1 else [each for one in asked for each in _write_all([one])]
    results = iter(instant_write.sign(bought))
    return [list(islice(results, len(one.wanted))) for one in asked]


_together: Together[Asked, list[IssueResult] | Exception] = Together(_write_all, most=TOGETHER)
