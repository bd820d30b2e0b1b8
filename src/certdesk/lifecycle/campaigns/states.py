"""Where a campaign and each of its certificates stand, and what that allows. Pure."""

from enum import StrEnum

from certdesk.foundation.common.errors import WrongState


class CampaignState(StrEnum):
    DRAFT = "DRAFT"
    PREVIEWING = "PREVIEWING"  # the list of certificates is being frozen
    READY = "READY"  # frozen: what is shown is what a start does
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class ItemState(StrEnum):
    """One certificate of a campaign."""

    WAITING = "WAITING"
    CANNOT = "CANNOT"  # found when the list was frozen, with the reason
    REPLACING = "REPLACING"
    DEPLOYING = "DEPLOYING"
    RENEWING = "RENEWING"  # its ACME client is asked to renew it, and does so when it asks next
    REVOKING = "REVOKING"
    DONE = "DONE"
    FAILED = "FAILED"
    LEFT = "LEFT"  # the campaign was cancelled before its turn


C = CampaignState
STARTED = frozenset({CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.DONE})
AT_WORK = frozenset({ItemState.REPLACING, ItemState.DEPLOYING, ItemState.REVOKING})
UNDER_WAY = AT_WORK | {ItemState.RENEWING}
NEVER_STARTED = frozenset({C.DRAFT, C.PREVIEWING, C.READY})
OVER = frozenset({C.DONE, C.CANCELLED})
ALLOWED: dict[str, frozenset[CampaignState]] = {
    "update": frozenset({C.DRAFT, C.READY}),
    "pace": frozenset({C.RUNNING, C.PAUSED}),
    "preview": frozenset({C.DRAFT, C.READY}),
    "start": frozenset({C.READY, C.PAUSED}),
    "pause": frozenset({C.RUNNING}),
    "cancel": frozenset({C.RUNNING, C.PAUSED}),
    "delete": NEVER_STARTED,
}
_WORDS = {
    C.DRAFT: "a draft",
    C.PREVIEWING: "being looked up",
    C.READY: "looked up",
    C.RUNNING: "running",
    C.PAUSED: "paused",
    C.DONE: "over",
    C.CANCELLED: "cancelled",
}
_NEXT = {
    C.DRAFT: "Let the certificates be looked up first (preview).",
    C.PREVIEWING: "Wait until its certificates are looked up; that takes seconds.",
    C.READY: "Start it, or look its certificates up anew (preview).",
    C.RUNNING: "Pause or cancel it first.",
    C.PAUSED: "Go on with it (start), or cancel it.",
    C.DONE: "Read its report; make a new campaign for what is left.",
    C.CANCELLED: "Read its report; make a new campaign for what is left.",
}


def check(state: CampaignState, what: str) -> None:
    """Raises:
    WrongState: a campaign in this state does not allow it.
    """
    if state not in ALLOWED[what]:
        raise WrongState(
            f"A campaign that is {_WORDS[state]} does not allow: {what}.", next_step=_NEXT[state]
        )


def offers(state: CampaignState) -> tuple[str, ...]:
    """What may be done now, in the order of the table."""
    return tuple(what for what, allowed in ALLOWED.items() if state in allowed)
