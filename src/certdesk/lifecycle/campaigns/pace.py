"""How fast a campaign goes: what may begin in one step, in all and of each issuer."""

from collections.abc import Iterable
from datetime import timedelta

from certdesk.foundation.common import clock

from . import queries, rules
from .models import Campaign

BEGUN_AT_ONCE = 8  # each is about ten rows (law 13)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class Room:
    """How many may begin in this step, by the pace in all and of each issuer."""

    def __init__(self, campaign: Campaign) -> None:
        now = clock.real_now()
        last_minute = queries.begun_since(campaign, now - MINUTE)
        last_second = queries.begun_since(campaign, now - SECOND)
        free = rules.budget(campaign.per_minute, last_minute, last_second, *queries.at_work(campaign))
        self.left = min(free, BEGUN_AT_ONCE)
        self._campaign, self._since = campaign, now - MINUTE
        self._issuers: dict[str, int] = {}

    def of(self, issuer: str) -> int:
        self._look_up(issuer)
        return max(0, min(self.left, self._issuers.get(issuer, self.left)))

    def full(self, issuers: Iterable[str]) -> list[str]:
        """Those of these issuers whose own pace lets none begin."""
        found = list(issuers)
        for issuer in found:
            self._look_up(issuer)
        return [issuer for issuer in found if self._issuers.get(issuer, 1) <= 0]

    def _look_up(self, issuer: str) -> None:
        most = self._campaign.issuer_per_minute
        if most and issuer not in self._issuers:
            self._issuers[issuer] = most - queries.begun_since(self._campaign, self._since, issuer)

    def take(self, issuer: str) -> bool:
        """Whether one more of the issuer may begin; if so, it counts."""
        if not self.of(issuer):
            return False
        self.left -= 1
        if issuer in self._issuers:
            self._issuers[issuer] -= 1
        return True
