"""What a handler raises to say how its job goes on; any other exception means: try again later."""


class Permanent(Exception):
    """Trying again cannot help: the job is given up now and `failed()` of its handler is called."""


class UserGone(Permanent):
    """Who asked for the job is no user any more, or switched off."""

    def __init__(self) -> None:
        super().__init__("The user who asked for this is gone or switched off, so it was not done.")


class RetryAfter(Exception):
    """Try again after `seconds` (real time), not by the growing steps."""

    def __init__(self, seconds: float, message: str = "") -> None:
        super().__init__(message or f"Asked to wait {seconds:g} seconds.")
        self.seconds = seconds


class LeaseLost(Exception):
    """The job belongs to another worker by now; nothing of this run may be written."""


class UnknownKind(RetryAfter):
    """No handler here: perhaps another release wrote the job, so it waits for a worker that knows it."""

    def __init__(self, kind: str) -> None:
        super().__init__(60, f"No handler of the kind {kind} in this worker.")
