"""Reads of the outbox."""

from django.db.models import QuerySet

from .models import Message


def of_account(account_id: str) -> QuerySet[Message]:
    """Newest first; attempts come with `prefetch_related("attempts")`."""
    return Message.objects.filter(account_id=account_id).order_by("-id")


def of_certificate(certificate_id: str) -> QuerySet[Message]:
    return Message.objects.filter(certificate_id=certificate_id).order_by("-id")
