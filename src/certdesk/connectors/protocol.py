"""What every connector shares: the error that says whether trying again can help (law 7)."""


class ConnectorError(Exception):
    """A call to the outside world failed.

    Args:
        message: one plain sentence: what was tried and what came back. Holds no secret.
        permanent: the same call will fail again until somebody changes something.
        retry_after: seconds after which another try makes sense, where the other side named them.

    Attributes:
        sent: false where surely nothing of what was to be sent has left.
    """

    sent = True

    def __init__(self, message: str, permanent: bool, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.retry_after = retry_after


class NotConnected(ConnectorError):
    """The other side was not met, so nothing was sent there."""

    sent = False

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


class EgressRefused(ConnectorError):
    """Our own gate refused the address, port, scheme or redirect (law 11); nothing was sent there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)
