"""How the order at a CA outside stands, for the certificate's page and the API. Reads only."""

from dataclasses import dataclass
from datetime import datetime

from certdesk.foundation.common import clock
from certdesk.lifecycle.certificates.models import Certificate

from . import advice, by_hand, outside
from . import outside_rules as rules
from .advice import AdviceInfo
from .models import OutsideOrder
from .outside_rules import Kept

Line = tuple[str, bool, str]
"""Title of an issuer, whether it was taken, and the sentence that says why."""


@dataclass(frozen=True, slots=True)
class OrderInfo:
    """The last order of a certificate at a CA outside.

    Attributes:
        number: what the CA calls it; empty while nothing was heard.
        state: of `OrderState`; empty while nothing was heard.
        problem: why the last call failed; empty when it did not.
        asked_at, next_at: real time.
        by_hand: it is open, and an officer brings what its CA answers.
        advice: when the CA wants its current version replaced; None where it was not asked.
        revokes: an officer has to revoke at a CA that is asked by hand; an order that is open goes first.
        who: `you` for records to set by hand, `officer`, `CA`, or empty when nobody has to act.
    """

    issuer: str
    title: str
    number: str
    state: str
    live: bool
    words: str
    problem: str
    next_step: str
    asked_at: datetime | None
    next_at: datetime | None
    tasks: tuple[Kept, ...]
    reasons: tuple[Line, ...]
    who: str
    by_hand: bool
    revokes: bool
    advice: AdviceInfo | None

    @property
    def awaits_officer(self) -> bool:
        """Whether an officer has something to bring from a CA that is asked by hand."""
        return self.by_hand or self.revokes


def order_info(certificate: Certificate) -> OrderInfo | None:
    """None where the certificate was never ordered outside."""
    found = OutsideOrder.objects.filter(certificate=certificate).select_related("placement")
    order = found.order_by("-live", "-placement__created_at").first()
    if order is None:
        return None
    tasks = rules.kept(order.tasks)
    open_by_hand = order.live and outside.is_by_hand(order.issuer)
    return OrderInfo(
        issuer=order.issuer,
        title=outside.title(order.issuer),
        number=order.handle,
        state=order.state,
        live=order.live,
        words=order.words,
        problem=order.problem,
        next_step=order.next_step,
        asked_at=order.asked_at,
        next_at=order.next_poll_at if order.unfinished else None,
        tasks=tasks,
        reasons=tuple((str(title), bool(taken), str(why)) for title, taken, why in order.chosen),
        who=rules.who_acts(order.state, tasks) if order.live else "",
        by_hand=open_by_hand,
        revokes=not open_by_hand and by_hand.awaits_revocation(certificate.id, clock.now()),
        advice=advice.info(certificate),
    )
