"""What the frozen list of a campaign holds, counted; one statement for any number of campaigns."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Sum

from .models import Campaign, Item
from .states import ItemState


@dataclass(frozen=True, slots=True)
class Figures:
    """The list of one campaign.

    Attributes:
        counts: how many certificates stand where, every state named.
        clients: how many are for ACME clients to renew; `renewed` of those are done.
        each: the work of one certificate, as its drill measured it on the average; nothing when none was.
    """

    counts: Mapping[ItemState, int]
    clients: int
    renewed: int
    each: timedelta

    @property
    def total(self) -> int:
        """What it touches."""
        return sum(self.counts.values()) - self.counts[ItemState.CANNOT]


def of(campaigns: Sequence[Campaign]) -> dict[str, Figures]:
    """By id of the campaign."""
    rows: dict[str, list[dict[str, Any]]] = {one.id: [] for one in campaigns}
    listed = Item.objects.filter(campaign__in=list(rows), round=F("campaign__round"))
    grouped = listed.order_by().values("campaign_id", "state", "client")
    for row in grouped.annotate(many=Count("id"), micros=Sum("work"), measured=Count("work")):
        rows[row["campaign_id"]].append(dict(row))
    return {campaign: _figures(found) for campaign, found in rows.items()}


def of_one(campaign: Campaign) -> Figures:
    """As `of`."""
    return of([campaign])[campaign.id]


def _figures(rows: Iterable[Mapping[str, Any]]) -> Figures:
    counts, clients = (Counter[str](dict.fromkeys(ItemState, 0)) for _ in range(2))
    work = measured = 0
    for row in rows:
        counts[row["state"]] += row["many"]
        clients[row["state"]] += row["many"] if row["client"] else 0
        work, measured = work + (row["micros"] or 0), measured + row["measured"]
    return Figures(
        counts={state: counts[state] for state in ItemState},
        clients=sum(clients.values()) - clients[ItemState.CANNOT],
        renewed=clients[ItemState.DONE],
        each=timedelta(microseconds=work / measured if measured else 0),
    )
