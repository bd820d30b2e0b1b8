"""Reads about certificates that ACME clients renew, and about what has come in their place."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q, QuerySet

from certdesk.lifecycle.discovery import queries as endpoints

from . import queries
from .models import Campaign, Item
from .states import ItemState


def clients(campaign: Campaign, state: ItemState) -> QuerySet[Item]:
    """Certificates that ACME clients renew, those that were not looked at for longest first."""
    found = queries.items(campaign, state).filter(client=True)
    turn = F("looked_at").asc(nulls_first=True)  # else a database decides, and each one otherwise
    return found.select_related("certificate").order_by(turn, "id")


def clients_due(campaign: Campaign, since: datetime) -> QuerySet[Item]:
    """Of those that are asked to renew: which nobody has looked at since then."""
    not_since = Q(looked_at__lte=since) | Q(looked_at__isnull=True)
    return clients(campaign, ItemState.RENEWING).filter(not_since)


def listed_among(campaign: Campaign, certificate_ids: Collection[str]) -> frozenset[str]:
    """Those of these that are on the campaign's own list, so that they replace nothing."""
    found = queries.items(campaign).filter(certificate_id__in=certificate_ids).order_by()
    return frozenset(found.values_list("certificate_id", flat=True))


def used_among(campaign: Campaign, certificate_ids: Collection[str]) -> frozenset[str]:
    """Those of these that stand in the place of one of the campaign's certificates already."""
    found = queries.items(campaign).filter(new_certificate_id__in=certificate_ids).order_by()
    return frozenset(found.values_list("new_certificate_id", flat=True))


def still_served(account_id: str, serial: str) -> str:
    """A place where a scan saw a certificate when it looked last; empty where none is known."""
    found = endpoints.seen([account_id], [serial]).values_list("host", "port").first()
    return f"{found[0]}:{found[1]}" if found else ""
