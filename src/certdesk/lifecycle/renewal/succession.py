"""What was bought to renew a certificate, how far it has come, and whether the older one is still needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from certdesk.lifecycle.certificates import states
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.certificates.states import State
from certdesk.lifecycle.deployment import queries as deployments
from certdesk.lifecycle.discovery import queries as endpoints
from certdesk.lifecycle.notifications.successions import Succession

from .buying import ENDED
from .causes import SILENT
from .models import Renewal
from .schedule import Kind

PAGES = {
    State.PAID: "/certificates/{id}/apply",
    State.CHECKING: "/certificates/{id}/verify",
    State.ISSUED: "/certificates/{id}/deploy",
}
"""Where the newer one goes on; else its own page says who acts next."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and the newest of those that were bought to renew it."""

    old: Certificate
    new: Certificate

    @property
    def in_force(self) -> bool:
        """Whether the newer one is issued and lasts longer than the older one."""
        old, new = self.old.not_after, self.new.not_after
        return self.new.state in states.EXPIRING and old is not None and new is not None and new > old


def of(certificate_ids: Sequence[str]) -> dict[str, Succession]:
    """Of those among these that have one; a fixed number of statements, however many they are."""
    pairs = _pairs(certificate_ids)
    if not pairs:
        return {}
    settled, by_itself = _settled([one for one in pairs if one.in_force]), _by_itself(pairs)
    return {
        one.old.id: Succession(
            one.new.id,
            one.new.name,
            PAGES.get(State(one.new.state), "/certificates/{id}").format(id=one.new.id),
            settled=one.old.id in settled,
            by_itself=one.old.id in by_itself,
        )
        for one in pairs
    }


def _pairs(certificate_ids: Sequence[str]) -> list[Pair]:
    found = Certificate.objects.filter(renews_id__in=certificate_ids).exclude(renews_id="")
    newest = {one.renews_id: one for one in found.exclude(state__in=ENDED).order_by("created_at", "id")}
    olds = Certificate.objects.in_bulk(list(newest))
    return [Pair(olds[old], new) for old, new in newest.items() if old in olds]


def _by_itself(pairs: Iterable[Pair]) -> set[str]:
    """Those that an auto-renewal brings on, with nothing in its way that somebody could mend."""
    open_ones = Renewal.objects.filter(kind=Kind.BUY, state="OPEN", cause__in=("", *SILENT))
    found = open_ones.filter(certificate_id__in=[one.old.id for one in pairs])
    return set(found.values_list("certificate_id", flat=True))


def _settled(pairs: Sequence[Pair]) -> set[str]:
    """Those whose newer one is seen where it should be, and which are seen nowhere and should be nowhere."""
    both = {one.id: one for pair in pairs for one in (pair.old, pair.new)}
    known, seen = deployments.known_places(list(both.values())), endpoints.serving(list(both.values()))
    return {
        one.old.id
        for one in pairs
        if one.old.id not in known.wanted | known.served | seen
        and one.new.id in known.served | seen
        and one.new.id not in known.open
    }
