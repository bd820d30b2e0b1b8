"""What can go wrong: the server refused, holds the operation back, or gave no answer."""


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


class Waiting(ClientError):
    """Nothing is done yet: a rule of the account holds it back until other people have approved it.

    Attributes:
        approval_id: of the request; `approvals.show` says how far it is.
    """

    def __init__(self, approval_id: str) -> None:
        super().__init__(f"Other people must approve it first: it waits as request {approval_id}.")
        self.approval_id = approval_id


class Unreachable(ClientError):
    """No answer of the API: a wrong address, a server that is off, a certificate not trusted, a time-out."""
