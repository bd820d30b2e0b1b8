"""Refusals of the room."""

from certdesk.foundation.common.errors import NotFound


class NoCampaign(NotFound):
    """Missing, or of another account: one text for both."""

    def __init__(self) -> None:
        super().__init__("There is no such campaign.", next_step="Look for it in the list of campaigns.")
