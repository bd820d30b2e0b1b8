"""What the evaluator knows of the thing that is asked about, and of the one who asks. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """The thing an action is about; an empty `account_id` means the principal's own account.

    Attributes:
        names: domain names of a certificate; None while it is still to be said which.
        kind: type of a certificate, e.g. DV_SSL_CERT; empty for all else and for uploaded ones.
        tags: keys and values, or what reads them: few policies ask for them.
    """

    type: str
    id: str = ""
    account_id: str = ""
    enterprise_project_id: str = "0"
    owner_id: str = ""
    names: tuple[str, ...] | None = ()
    kind: str = ""
    tags: Pairs | Callable[[], Pairs] = ()

    def labels(self) -> Mapping[str, str]:
        """Its tags, by key."""
        return dict(self.tags() if callable(self.tags) else self.tags)


@dataclass(frozen=True, slots=True)
class Asker:
    """What the evaluator needs to know of the principal and of the moment.

    Attributes:
        source: client address, text.
        at: real time, which no lab moves; a condition on time never holds without it.
        mfa: whether a second factor was shown at sign-in; access keys and tokens have none.
    """

    account_id: str
    user_id: str = ""
    name: str = ""
    source: str = ""
    at: datetime | None = None
    mfa: bool = False
