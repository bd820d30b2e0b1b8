"""What ACME clients have got in the place of certificates of a campaign."""

from collections.abc import Sequence
from datetime import datetime

from certdesk.lifecycle.enrolment import succession

from . import client_queries
from .models import Campaign


class Successors:
    """Read once for all certificates of a look.

    What an order names is certain, and the end of the line of such orders is what its client has by now; it
    may end for several, if one replaced the other. Where orders name nothing, the names tell, and one new
    certificate takes the place of one: the next may be another host's with the same names. What stands on the
    campaign's own list takes nobody's place.
    """

    def __init__(self, campaign: Campaign, certificate_ids: Sequence[str], now: datetime) -> None:
        later = succession.later(certificate_ids)
        news = {one for found in later.values() for one in found}
        listed = client_queries.listed_among(campaign, news)
        self._lines = succession.lines({*certificate_ids, *(news - listed)}, now)
        members = {one for line in self._lines.values() for one in line}
        self._listed = listed | client_queries.listed_among(campaign, members)
        self._used = set(client_queries.used_among(campaign, members))
        self._later = {old: [one for one in found if one not in listed] for old, found in later.items()}

    def of(self, certificate_id: str) -> tuple[str, ...]:
        """What may be in its place by now: what orders name, then the latest that names nothing."""
        named = self._lines[certificate_id][-1:]
        found = [one for one in named if one != certificate_id and one not in self._listed]
        unnamed = (self._lines[one] for one in self._later.get(certificate_id, ()))
        free = (line[-1:] for line in unnamed if line and self._is_free(line))
        return (*found, *next(free, ()))

    def _is_free(self, line: Sequence[str]) -> bool:
        return self._listed.isdisjoint(line) and self._used.isdisjoint(line)

    def use(self, certificate_id: str) -> None:
        """It stands in the place of one now; empty where none does."""
        self._used.add(certificate_id)
