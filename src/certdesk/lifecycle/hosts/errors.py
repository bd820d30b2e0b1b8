"""Refusals of the room."""

from certdesk.foundation.common.errors import CertdeskError, Kind, NotFound


class NoAgent(NotFound):
    """Missing, or of another account: one text for both."""

    def __init__(self) -> None:
        super().__init__("There is no such host.", next_step="Look for it in the list of hosts.")


class CodeRefused(CertdeskError):
    """An enrolment code that does not count (any more)."""

    kind = Kind.FORBIDDEN

    def __init__(self, message: str) -> None:
        super().__init__(message, next_step="Make a new code on the page Hosts and use it at once.")


class Unknown(CertdeskError):
    """No such agent, a removed one, or a wrong signature: one text for all."""

    kind = Kind.UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__(
            "The agent is not known here.",
            next_step="Enrol the host again with a new code of the page Hosts.",
        )


class Replayed(CertdeskError):
    """A request whose number was used. `counter`: the highest so far."""

    kind = Kind.CONFLICT

    def __init__(self, counter: int) -> None:
        super().__init__("This request came before.", next_step="Send a new one with a higher number.")
        self.counter = counter
