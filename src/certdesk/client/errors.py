"""What can go wrong: the server refused, or no answer came."""


class ClientError(Exception):
    """Everything that this client raises."""


class Refused(ClientError):
    """An answer of 400 or above.

    Attributes:
        status: the HTTP status.
        code: of the table of errors, e.g. `SCM.0010`.
        sentence: what was refused, why, and what to do.
        request_id: to quote to the operator.
        retry_after: seconds after which to ask again, where the server said so.
    """

    def __init__(
        self, status: int, code: str, sentence: str, request_id: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(f"{sentence or 'The server refused.'} (HTTP {status}, {code or 'no code'})")
        self.status = status
        self.code = code
        self.sentence = sentence
        self.request_id = request_id
        self.retry_after = retry_after


class Unreachable(ClientError):
    """No answer: a wrong address, a server that is off, a certificate that is not trusted, a time-out."""
