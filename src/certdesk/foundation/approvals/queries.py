"""Reads of approval requests."""

from django.db.models import QuerySet

from .models import Request, Rule, State


def of_account(account_id: str, *, state: State | None = None) -> QuerySet[Request]:
    """Newest first."""
    found = Request.objects.filter(account_id=account_id).order_by("-created_at", "-id")
    return found.filter(state=state) if state else found


def rules_of(account_id: str) -> list[str]:
    """The operations that need a second person, by name."""
    return list(
        Rule.objects.filter(account_id=account_id).order_by("operation").values_list("operation", flat=True)
    )
