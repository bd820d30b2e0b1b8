"""Bulk actions: one's own, and for who has the right in the whole account all of them."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from certdesk.foundation.common.errors import NotFound
from certdesk.foundation.iam.principal import Principal, Resource

from .models import BulkAction, BulkRow, State, Verdict


@dataclass(frozen=True, slots=True)
class Counts:
    """How many certificates stand where; `total` so far."""

    total: int
    will: int
    same: int
    refused: int
    done: int
    failed: int


def fetch(principal: Principal, action: str, bulk_id: str) -> BulkAction:
    """One bulk action.

    Raises:
        Forbidden: no right to bulk actions. NotFound: there is none, or it is another's: its rows name
            certificates, so a right within an enterprise project opens one's own alone.
    """
    principal.require(action)
    found = BulkAction.objects.filter(id=bulk_id, account_id=principal.account_id).first()
    if found is None or not (found.user_id == principal.user_id or _all(principal, action)):
        raise NotFound(f"There is no bulk action {bulk_id}.", next_step="Look at the list of bulk actions.")
    return found


def _all(principal: Principal, action: str) -> bool:
    return principal.may(action, Resource("bulk", "", principal.account_id, ""))


def listed(principal: Principal, action: str) -> "QuerySet[BulkAction]":
    """What `fetch` would give, newest first."""
    principal.require(action)
    found = BulkAction.objects.filter(account_id=principal.account_id).order_by("-created_at", "-id")
    return found if _all(principal, action) else found.filter(user_id=principal.user_id)


def before(found: "QuerySet[BulkAction]", last: BulkAction) -> "QuerySet[BulkAction]":
    """What stands behind `last` in the list."""
    older = Q(created_at__lt=last.created_at)
    return found.filter(older | Q(created_at=last.created_at, id__lt=last.id))


def counts(bulk: BulkAction) -> Counts:
    found = dict(bulk.rows.order_by().values_list("verdict").annotate(number=Count("id")))
    return Counts(sum(found.values()), *(found.get(one.value, 0) for one in Verdict))


def rows(bulk: BulkAction, verdict: str = "") -> "QuerySet[BulkRow]":
    """Its certificates by name, those with one verdict or all; the caller fetched it."""
    found = bulk.rows.order_by("id")
    return found.filter(verdict=verdict) if verdict else found


def open_one(bulk_id: str, state: State) -> BulkAction | None:
    """For its jobs: where it is still in that state."""
    return BulkAction.objects.select_for_update().filter(id=bulk_id, state=state).first()
